"""Bodies of reductions, windows and scatters: folds along an axis, many elements at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.formats import bytes_of, is_integer, lowest_and_highest, rounded, wide
from jax_ir_pairs.interpreter.operation import Array, Region

_UFUNCS: dict[str, Any] = {
    "stablehlo.add": np.add,
    "stablehlo.and": np.bitwise_and,
    "stablehlo.maximum": np.maximum,
    "stablehlo.minimum": np.minimum,
    "stablehlo.multiply": np.multiply,
    "stablehlo.or": np.bitwise_or,
    "stablehlo.xor": np.bitwise_xor,
}


def ufunc_of(region: ir.Region) -> Any:
    """Gives the function of NumPy that a body of two scalars is, or nothing."""
    block = region.blocks[0]
    ops = [op.operation for op in block.operations]
    if len(ops) != 2 or ops[0].name not in _UFUNCS or len(block.arguments) != 2:
        return None
    op, end = ops
    arguments = list(block.arguments)
    if list(end.operands) != [op.results[0]] or len(op.operands) != 2:
        return None
    if list(op.operands) not in (arguments, arguments[::-1]):
        return None
    return _UFUNCS[op.name]


def is_neutral(ufunc: Any, value: Array) -> bool:
    """Whether a function of NumPy gives the other operand for this one."""
    if value.dtype.kind == "b":
        return bool(value) == (LOGICAL[ufunc] is np.logical_and)
    if ufunc in (np.add, np.bitwise_or, np.bitwise_xor):
        return bool(value == 0)
    if ufunc is np.multiply:
        return bool(value == 1)
    if ufunc is np.bitwise_and:
        return bool(value == np.invert(np.zeros_like(value)))
    if is_integer(value.dtype):
        return int(value) == lowest_and_highest(value.dtype)[ufunc is np.minimum]
    return bool(np.float64(value) == (np.inf if ufunc is np.minimum else -np.inf))


Combination = Any
"""How a body combines two scalars: a function of NumPy, "update" for the second of them, or None
for what only the body itself says."""


def combination(region: ir.Region) -> Combination:
    """Gives how a body combines an element with its update."""
    block = region.blocks[0]
    ops = [op.operation for op in block.operations]
    if len(ops) == 1 and list(ops[0].operands) == list(block.arguments)[1:]:
        return "update"
    return ufunc_of(region)


def folded(ufunc: Any, values: Array, init: Array) -> Array:
    """Gives what a function of NumPy makes of `init` and the elements along the last axis.

    Sums and products are computed in double precision and rounded once.
    """
    dtype = values.dtype
    if dtype.kind == "b":
        ufunc, plain = LOGICAL[ufunc], dtype
    else:  # of short integers NumPy would else add up in 64 bits; they wrap around in their own
        plain = bytes_of(dtype) if is_integer(dtype) else wide(dtype)
    start = np.asarray(init).astype(plain)[()]
    total = ufunc.reduce(values.astype(plain), axis=-1, dtype=plain, initial=start)
    return rounded(total, dtype)


LOGICAL = {
    np.add: np.logical_or,
    np.maximum: np.logical_or,
    np.bitwise_or: np.logical_or,
    np.multiply: np.logical_and,
    np.minimum: np.logical_and,
    np.bitwise_and: np.logical_and,
    np.bitwise_xor: np.logical_xor,
}
"""What arithmetic of booleans is."""


def folded_by(body: Region, values: Sequence[Array], inits: Sequence[Array]) -> list[Array]:
    """Gives what a body of several values makes of `inits` and the elements along the last axis.

    Neighbours are combined, and then their results, as an associative body allows.
    """
    rest = [np.asarray(value) for value in values]
    shape = rest[0].shape[:-1]
    while (length := rest[0].shape[-1]) > 1:
        pairs = length // 2
        left = [value[..., 0 : 2 * pairs : 2] for value in rest]
        right = [value[..., 1 : 2 * pairs : 2] for value in rest]
        found = [np.broadcast_to(v, left[0].shape) for v in body(*left, *right)]
        rest = [
            np.concatenate([value, own[..., 2 * pairs :]], -1)
            for value, own in zip(found, rest, strict=True)
        ]
    starts = [
        np.broadcast_to(init, shape).astype(value.dtype)
        for init, value in zip(inits, rest, strict=True)
    ]
    if not rest[0].shape[-1]:
        return starts
    found = body(*starts, *(value[..., 0] for value in rest))
    return [np.broadcast_to(value, shape) for value in found]
