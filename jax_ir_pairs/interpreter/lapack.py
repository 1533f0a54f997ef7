"""Calls of LAPACK, as JAX lowers linear algebra for the CPU, by SciPy's.

It is the library that jaxlib calls: its routines have to be the same, since eigenvectors and the
like are what they choose. Each takes and gives matrices, of which XLA hands over a batch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from scipy.linalg import blas, lapack

from jax_ir_pairs.interpreter.operation import Array, Kernel, UnsupportedError, text, type_of

_TARGET = re.compile(r"lapack_([sdcz])(\w+)_ffi")

Attributes = Mapping[str, Any]
Routine = Callable[[str, Attributes, Sequence[Array]], Sequence[Any]]
"""Computes the results of one call, by its prefix, attributes and matrices."""


def lapack_call(op: ir.Operation) -> Kernel:
    """Gives what computes a custom call of LAPACK; raises [`UnsupportedError`][] for another."""
    target = text(op, "call_target_name")
    match = _TARGET.fullmatch(target)
    routine = _ROUTINES.get(match[2]) if match else None
    if match is None or routine is None:
        raise UnsupportedError(f"calls {target}")
    prefix, attributes = match[1], _attributes(op)
    kinds = [type_of(result.type) for result in op.results]
    batch = _batch(op)
    turned_in, turned_out = (_by_row(op, name, batch) for name in _LAYOUTS)

    def call(*operands: Array) -> tuple[Array, ...] | Array:
        rank, count = len(batch), math.prod(batch)
        flat = [np.reshape(value, (count, *np.shape(value)[rank:])) for value in operands]
        flat = [_turned(*each) for each in zip(flat, turned_in, strict=True)]
        outs = [
            _turned(np.empty((count, *shape[rank:]), dtype), turns)
            for (shape, dtype), turns in zip(kinds, turned_out, strict=True)
        ]
        for place in range(count):
            found = routine(prefix, attributes, [value[place] for value in flat])
            for out, value in zip(outs, found, strict=True):
                out[place] = 0 if value is None else value  # nothing where it was not asked for
        shaped = tuple(
            _turned(out, turns).reshape(shape)
            for out, turns, (shape, _) in zip(outs, turned_out, kinds, strict=True)
        )
        return shaped if len(shaped) > 1 else shaped[0]

    return call


def _attributes(op: ir.Operation) -> Attributes:
    for name in ("mhlo.backend_config", "backend_config"):
        if name in op.attributes:
            config = op.attributes[name]
            if isinstance(config, ir.DictAttr):
                named: Any = config
                return {item.name: _value(item.attr) for item in named}
    return {}


def _value(attribute: ir.Attribute) -> Any:
    if isinstance(attribute, ir.BoolAttr):
        return attribute.value
    number = ir.IntegerAttr(attribute).value
    return chr(number) if number >= 65 else number


def _batch(op: ir.Operation) -> tuple[int, ...]:
    """Gives the sides of the batch: those that come before the matrices of the last operand."""
    shape, _ = type_of(op.operands[len(op.operands) - 1].type)
    if "geqp3" in text(op, "call_target_name") or "gqr" in text(op, "call_target_name"):
        return shape[:-1]  # a vector
    return shape[:-2]


_LAYOUTS = ("operand_layouts", "result_layouts")


def _by_row(op: ir.Operation, name: str, batch: Sequence[int]) -> list[bool]:
    """Tells which matrices lie row by row; LAPACK, which goes by columns, sees them transposed."""
    if name not in op.attributes:
        raise UnsupportedError("calls LAPACK without saying how matrices lie")
    found = []
    for layout in ir.ArrayAttr(op.attributes[name]):
        order = np.array(ir.DenseIntElementsAttr(layout)).tolist()
        by_row = list(range(len(order)))[::-1]
        is_matrix = len(order) == len(batch) + 2
        by_column = [*by_row[:2][::-1], *by_row[2:]] if is_matrix else by_row
        if order not in (by_row, by_column):
            raise UnsupportedError("calls LAPACK with matrices in another layout")
        found.append(is_matrix and order == by_row)
    return found


def _turned(matrices: Array, turns: bool) -> Array:
    return np.swapaxes(matrices, -1, -2) if turns else matrices


def _function(prefix: str, name: str) -> Any:
    return getattr(lapack, prefix + name)


def _is_real(prefix: str) -> bool:
    return prefix in "sd"


def _potrf(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    factor, info = _function(prefix, "potrf")(values[0], lower=at["uplo"] == "L", clean=0)
    return factor, info


def _getrf(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    factors, pivots, info = _function(prefix, "getrf")(values[0])
    return factors, pivots + 1, info  # LAPACK counts from 1


def _geqrf(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    factors, scales, _, _ = _function(prefix, "geqrf")(values[0])
    return factors, scales


def _geqp3(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    if np.any(values[1]):
        raise UnsupportedError("fixes columns of a pivoted QR decomposition")
    factors, order, scales, _, _ = _function(prefix, "geqp3")(values[0])
    return factors, order, scales


def _gqr(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    name = "orgqr" if _is_real(prefix) else "ungqr"
    return (_function(prefix, name)(*values)[0],)


def _mqr(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    name = "ormqr" if _is_real(prefix) else "unmqr"
    side = "L" if at["left"] else "R"
    adjoint = "T" if _is_real(prefix) else "C"
    trans = adjoint if at["transpose"] else "N"
    room = 64 * max(1, *values[2].shape)
    return (_function(prefix, name)(side, trans, *values, room)[0],)


def _evd(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    name = "syevd" if _is_real(prefix) else "heevd"
    vectors_too, lower = at["mode"] == "V", at["uplo"] == "L"
    numbers, vectors, info = _function(prefix, name)(values[0], compute_v=vectors_too, lower=lower)
    return vectors, numbers, info


def _gesdd(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    mode = at["mode"]
    left, numbers, right, info = _function(prefix, "gesdd")(
        values[0], compute_uv=mode != "N", full_matrices=mode == "A"
    )
    if mode == "N":
        left = right = None
    return None, numbers, left, right, info


def _geev(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    asked = [at[f"compute_{side}"] == "V" for side in ("left", "right")]
    *numbers, left, right, info = _function(prefix, "geev")(
        values[0], compute_vl=asked[0], compute_vr=asked[1]
    )
    vectors = [v if wanted else None for v, wanted in zip((left, right), asked, strict=True)]
    if _is_real(prefix):
        vectors = [v if v is None else _with_pairs(v, numbers[1]) for v in vectors]
    return *numbers, *vectors, info


def _with_pairs(vectors: Array, imaginary: Array) -> Array:
    """Gives complex eigenvectors, of which LAPACK has each pair as real and imaginary parts."""
    found = vectors.astype(np.result_type(vectors.dtype, np.complex64))
    for place in range(len(imaginary) - 1):
        if imaginary[place] > 0:
            found[:, place] = vectors[:, place] + 1j * vectors[:, place + 1]
            found[:, place + 1] = found[:, place].conj()
    return found


def _gees(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    with_vectors = at["mode"] == "V"
    form, chosen, *numbers, vectors, _, info = _function(prefix, "gees")(
        lambda *_: False, values[0], compute_v=with_vectors, sort_t=0
    )
    return form, vectors if with_vectors else None, *numbers, chosen, info


def _gehrd(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    size = len(values[0])
    form, scales, info = _function(prefix, "gehrd")(values[0], lo=0, hi=size - 1)
    return form, scales, info


def _trd(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    name = "sytrd" if _is_real(prefix) else "hetrd"
    form, diagonal, beside, scales, info = _function(prefix, name)(
        values[0], lower=at["uplo"] == "L"
    )
    return form, diagonal, beside, scales, info


def _gtsv(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    lower, diagonal, upper, right = values
    solved = _function(prefix, "gtsv")(lower[1:], diagonal, upper[:-1], right)
    return None, None, None, solved[3], solved[4]


def _trsm(prefix: str, at: Attributes, values: Sequence[Array]) -> Sequence[Any]:
    solved = getattr(blas, f"{prefix}trsm")(
        1.0,
        values[0],
        values[1],
        side=at["side"] == "R",
        lower=at["uplo"] == "L",
        trans_a={"N": 0, "T": 1, "C": 2}[at["trans_x"]],
        diag=at["diag"] == "U",
    )
    return (solved,)


_ROUTINES: Mapping[str, Routine] = {
    "geev": _geev,
    "gees": _gees,
    "gehrd": _gehrd,
    "geqp3": _geqp3,
    "geqrf": _geqrf,
    "gesdd": _gesdd,
    "getrf": _getrf,
    "gtsv": _gtsv,
    "heevd": _evd,
    "hetrd": _trd,
    "orgqr": _gqr,
    "ormqr": _mqr,
    "potrf": _potrf,
    "syevd": _evd,
    "sytrd": _trd,
    "trsm": _trsm,
    "ungqr": _gqr,
    "unmqr": _mqr,
}
