"""Operations that make arrays, or give elements another place, without changing one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.formats import is_float, rounded
from jax_ir_pairs.interpreter.operation import (
    Array,
    Kernel,
    Table,
    Value,
    dtype_of,
    integer,
    ints,
    of_module,
    shape_of,
    type_of,
)


def constant(op: ir.Operation) -> Array:
    """Gives the value of a constant."""
    shape, dtype = type_of(op.results[0].type)
    if dtype.kind == "c":
        real, imaginary = _evaluated(op, stablehlo.RealOp, stablehlo.ImagOp)
        return np.asarray(real + 1j * imaginary, dtype)
    attribute: Any = op.attributes["value"]
    if attribute.is_splat:
        return _splat(attribute)
    if dtype.isbuiltin == 1:  # of NumPy itself
        return np.array(attribute)
    kind = ir.RankedTensorType.get(shape, ir.Type.parse("f32" if is_float(dtype) else "i32"))
    [wide] = _evaluated(op, lambda value: stablehlo.ConvertOp(kind, value))
    return wide.astype(dtype)


@of_module
def _splat(attribute: Any) -> Array:
    shape, dtype = type_of(attribute.type)
    return everywhere(np.array(attribute.get_splat_value().value).astype(dtype), shape)


def _evaluated(op: ir.Operation, *functions: Callable[[Value], Any]) -> list[Array]:
    """Gives functions of a constant whose type jaxlib has no buffers of, by its interpreter."""
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        main = ir.Operation.create(
            "func.func",
            attributes={
                "sym_name": ir.StringAttr.get("main"),
                "function_type": ir.TypeAttr.get(ir.FunctionType.get([], [])),
            },
            regions=1,
        )
    with ir.InsertionPoint(main.regions[0].blocks.append()):
        value = op.clone().operation.results[0]
        results = [function(value).result for function in functions]
        ir.Operation.create("func.return", operands=results)
    kind = ir.FunctionType.get([], [result.type for result in results])
    main.attributes["function_type"] = ir.TypeAttr.get(kind)
    return [np.array(result) for result in stablehlo.eval_module(module, [])]


def _constant(op: ir.Operation) -> Kernel:
    value = constant(op)
    return lambda: value


def _iota(op: ir.Operation) -> Kernel:
    shape, dtype = type_of(op.results[0].type)
    axis = integer(op, "iota_dimension")
    sides = [1] * len(shape)
    sides[axis] = shape[axis]
    # Only when it is wanted, which costs something then.
    row = functools.cache(lambda: rounded(np.arange(shape[axis]), dtype).reshape(sides))
    return lambda: np.broadcast_to(row(), shape)


def _broadcast(op: ir.Operation) -> Kernel:
    shape, own = shape_of(op.results[0]), shape_of(op.operands[0])
    if own == ():
        # In the body of a reduction a scalar is an array.
        return (lambda value: everywhere(value, shape)) if shape else lambda value: value
    sides = [1] * len(shape)
    axes = ints(op, "broadcast_dimensions")
    for axis, side in zip(axes, own, strict=True):
        sides[axis] = side
    order = tuple(sorted(range(len(axes)), key=lambda place: axes[place]))
    if order == tuple(range(len(axes))):
        return lambda value: np.broadcast_to(value.reshape(sides), shape)
    return lambda value: np.broadcast_to(value.transpose(order).reshape(sides), shape)


def everywhere(scalar: Array, shape: tuple[int, ...]) -> Array:
    """Gives what `numpy.broadcast_to` does of a scalar, eight times as fast."""
    return np.ndarray(shape, scalar.dtype, scalar, 0, (0,) * len(shape))


def _reshape(op: ir.Operation) -> Kernel:
    shape = shape_of(op.results[0])
    if shape == shape_of(op.operands[0]):
        return lambda value: value
    return lambda value: value.reshape(shape)


def _transpose(op: ir.Operation) -> Kernel:
    order = ints(op, "permutation")
    return lambda value: value.transpose(order)


def _slice(op: ir.Operation) -> Kernel:
    bounds = (ints(op, name) for name in ("start_indices", "limit_indices", "strides"))
    cut = tuple(slice(*each) for each in zip(*bounds, strict=True))
    return lambda value: value[cut]


def clamped_starts(
    starts: Sequence[Array], sides: Sequence[int], sizes: Sequence[int]
) -> list[int]:
    """Gives where a window begins that has to lie inside an array."""
    return [
        max(0, min(int(start), side - size))
        for start, side, size in zip(starts, sides, sizes, strict=True)
    ]


def _dynamic_slice(op: ir.Operation) -> Kernel:
    sides, sizes = shape_of(op.operands[0]), ints(op, "slice_sizes")

    def cut(value: Array, *starts: Array) -> Array:
        places = clamped_starts(starts, sides, sizes)
        window = tuple(slice(p, p + size) for p, size in zip(places, sizes, strict=True))
        return np.asarray(value[window])

    return cut


def _dynamic_update_slice(op: ir.Operation) -> Kernel:
    sides, sizes = shape_of(op.operands[0]), shape_of(op.operands[1])

    def updated(value: Array, update: Array, *starts: Array) -> Array:
        places = clamped_starts(starts, sides, sizes)
        window = tuple(slice(p, p + size) for p, size in zip(places, sizes, strict=True))
        result = np.array(value)
        result[window] = update
        return result

    return updated


def _concatenate(op: ir.Operation) -> Kernel:
    axis = integer(op, "dimension")
    return lambda *values: np.concatenate(values, axis)


def padded(
    value: Array,
    filling: Array,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int],
) -> Array:
    """Gives an array with `filling` around and between its elements; negative edges cut it."""
    sides = [max(0, side + (side - 1) * gap) if side else 0
             for side, gap in zip(np.shape(value), interior, strict=True)]  # fmt: skip
    inner = np.full(sides, filling, value.dtype)
    inner[tuple(slice(None, None, gap + 1) for gap in interior)] = value
    edges = [(max(0, before), max(0, after)) for before, after in zip(low, high, strict=True)]
    if any(map(any, edges)):
        sides = [side + sum(edge) for side, edge in zip(sides, edges, strict=True)]
        whole = np.full(sides, filling, value.dtype)
        places = zip(inner.shape, edges, strict=True)
        whole[tuple(slice(before, before + side) for side, (before, _) in places)] = inner
        inner = whole
    # What is cut is cut of all that is there then.
    cuts = zip(inner.shape, low, high, strict=True)
    return np.asarray(inner[tuple(slice(max(0, -b), side + min(0, a)) for side, b, a in cuts)])


def _pad(op: ir.Operation) -> Kernel:
    low, high, interior = (
        ints(op, name) for name in ("edge_padding_low", "edge_padding_high", "interior_padding")
    )
    return lambda value, filling: padded(value, filling, low, high, interior)


def _reverse(op: ir.Operation) -> Kernel:
    axes = ints(op, "dimensions")
    return lambda value: np.flip(value, axes)


def _optimization_barrier(op: ir.Operation) -> Kernel:
    return lambda *values: values if len(values) != 1 else values[0]


def _dimension_size(op: ir.Operation) -> Kernel:
    side = shape_of(op.operands[0])[integer(op, "dimension")]
    value = np.array(side, dtype_of(op.results[0]))
    return lambda *_: value


def _token(op: ir.Operation) -> Kernel:
    return lambda *_: None


def _tuple(op: ir.Operation) -> Kernel:
    return lambda *values: [values]  # in a list, since a tuple is several results


def _element(op: ir.Operation) -> Kernel:
    place = integer(op, "index")
    return lambda packed: packed[0][place]


MOVEMENT: Table = {
    f"stablehlo.{name}": builder
    for name, builder in {
        "after_all": _token,
        "broadcast_in_dim": _broadcast,
        "concatenate": _concatenate,
        "constant": _constant,
        "create_token": _token,
        "dynamic_slice": _dynamic_slice,
        "dynamic_update_slice": _dynamic_update_slice,
        "get_dimension_size": _dimension_size,
        "get_tuple_element": _element,
        "iota": _iota,
        "optimization_barrier": _optimization_barrier,
        "pad": _pad,
        "reshape": _reshape,
        "reverse": _reverse,
        "slice": _slice,
        "transpose": _transpose,
        "tuple": _tuple,
    }.items()
}
