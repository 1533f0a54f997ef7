"""Ops that read or write parts of arrays, and ops that make arrays of constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import FLOATS, MOVABLE, NUMBERS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

Part = int | slice | None
"""An element of a subscript: an index, a slice, or a new axis."""


def subscript(parts: Sequence[Part]) -> str:
    """Gives the source of a subscript: `:, 1:-1, 0`."""
    return ", ".join(
        "None" if part is None else str(part) if isinstance(part, int) else _slice(part)
        for part in parts
    )


def _slice(part: slice) -> str:
    start = "" if part.start is None else part.start
    stop = "" if part.stop is None else part.stop
    return f"{start}:{stop}" + ("" if part.step is None else f":{part.step}")


def indexed_shape(shape: tuple[int, ...], parts: Sequence[Part]) -> tuple[int, ...]:
    """Gives the shape of `x[parts]`; raises `IllTyped`."""
    result: list[int] = []
    sides = list(shape)
    for part in parts:
        if part is None:
            result.append(1)
            continue
        if not sides:
            raise IllTyped("too many indices")
        side = sides.pop(0)
        if isinstance(part, int):
            if not -side <= part < side:
                raise IllTyped("index out of range")
        else:
            result.append(len(range(*part.indices(side))))
    if 0 in result:
        raise IllTyped("empty slice")
    return (*result, *sides)


def _draw_parts(scope: Scope, shape: tuple[int, ...]) -> list[Part]:
    stream = scope.stream
    place = stream.integer(0, min(len(shape), 3) - 1)
    side = shape[place]
    parts_here: tuple[Part, ...] = (
        0, -1, slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -1),
        slice(None, max(1, side // 2)), slice(max(1, side // 2), None),
    )  # fmt: skip
    part = stream.choice(parts_here)
    parts: list[Part] = [*[slice(None)] * place, part]
    if stream.chance(0.15) and len(shape) < 4:
        parts.append(None)
    return parts


def _params(parts: Sequence[Part]) -> dict[str, Any]:
    return {"parts": tuple(parts), "subscript": subscript(parts)}


def _infer_getitem(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    return Aval(x.aval.dtype, indexed_shape(x.aval.shape, params["parts"])), x.bounds


def _draw_getitem(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0)) is None:
        return None
    return (x,), _params(_draw_parts(scope, x.aval.shape))


def _infer_at(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, value = operands
    shape = indexed_shape(x.aval.shape, params["parts"])
    low, high = value.bounds if isinstance(value, Var) else (value.value, value.value)
    if isinstance(value, Var) and value.aval != Aval(x.aval.dtype, shape):
        raise IllTyped("update of another shape")
    method = params["method"]
    if method == "multiply":
        corners = [a * b for a in x.bounds for b in (low, high)]
        return x.aval, (min(*corners, x.bounds[0]), max(*corners, x.bounds[1]))
    if method == "add":
        return x.aval, (x.bounds[0] + min(low, 0), x.bounds[1] + max(high, 0))
    return x.aval, (min(x.bounds[0], low), max(x.bounds[1], high))


def _draw_at(scope: Scope) -> Drawn:
    if (x := scope.pick(NUMBERS, where=lambda v: v.aval.rank > 0)) is None:
        return None
    parts = [part for part in _draw_parts(scope, x.aval.shape) if part is not None]
    shape = indexed_shape(x.aval.shape, parts)
    value: Operand | None = scope.pick(
        (x.aval.dtype,), where=lambda v: v.aval.shape == shape and v is not x
    )
    if value is None or scope.stream.chance(0.4):
        value = literal_for(x, scope.stream)
    method = scope.stream.choice(("set", "add", "multiply", "max", "min"))
    return (x, value), {**_params(parts), "method": method}


def _infer_take(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    shape, axis = x.aval.shape, params["axis"] % max(1, x.aval.rank)
    if not shape or indices.aval.dtype != "i32" or indices.aval.rank != 1:
        raise IllTyped("take")
    return Aval(x.aval.dtype, (*shape[:axis], *indices.aval.shape, *shape[axis + 1 :])), x.bounds


def _indices(scope: Scope, rank: int) -> Var:
    found = scope.pick(("i32",), where=lambda v: v.aval.rank == rank and v.aval.size <= 64)
    if found is not None:
        return found
    return scope.input(Aval("i32", (scope.side(),) * rank), "idx", (0, 3))


def _draw_take(scope: Scope) -> Drawn:
    if (
        x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 4 and v.aval.size < 1024)
    ) is None:
        return None
    indices, axis = _indices(scope, 1), scope.stream.choice((0, -1))
    # Out of bounds, take fills with NaN unless told to clip.
    inside = indices.bounds[0] >= 0 and indices.bounds[1] < x.aval.shape[axis]
    return (x, indices), {"axis": axis, **({} if inside else {"mode": "clip"})}


def _infer_gather(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    if not x.aval.shape or indices.aval.dtype != "i32" or indices.aval.rank > 2:
        raise IllTyped("gather")
    return Aval(x.aval.dtype, (*indices.aval.shape, *x.aval.shape[1:])), x.bounds


def _draw_gather(scope: Scope) -> Drawn:
    if (
        x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 3 and v.aval.size < 1024)
    ) is None:
        return None
    return (x, _indices(scope, scope.stream.choice((1, 1, 2)))), {}


def _infer_take_along(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    if indices.aval.shape != x.aval.shape or not x.aval.shape:
        raise IllTyped("take_along_axis")
    return x.aval, x.bounds


def _draw_take_along(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS, where=lambda v: v.aval.rank > 0)) is None:
        return None
    inside = (0, x.aval.shape[-1] - 1)
    order = scope.pick(("i32", "i64"), needs=inside, where=lambda v: v.aval.shape == x.aval.shape)
    return (x, order or scope.let("argsort", x, axis=-1)), {"axis": -1}


def _infer_dynamic_slice(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, start = operands
    size, axis = params["slice_size"], params["axis"]
    if start.aval != Aval("i32") or not 0 < size <= x.aval.shape[axis]:
        raise IllTyped("dynamic_slice_in_dim")
    shape = list(x.aval.shape)
    shape[axis] = size
    return Aval(x.aval.dtype, tuple(shape)), x.bounds


def _draw_dynamic_slice(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.shape[0] > 2)) is None:
        return None
    start = scope.pick(("i32",), where=lambda v: v.aval.rank == 0)
    if start is None:
        start = scope.input(Aval("i32"), "i", (0, 3))
    size = scope.stream.integer(1, x.aval.shape[0] - 1)
    return (x, start), {"slice_size": size, "axis": 0}


def _infer_dynamic_update(ops: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, update, start = ops
    same = x.aval.dtype == update.aval.dtype and x.aval.shape[1:] == update.aval.shape[1:]
    if not same or start.aval != Aval("i32") or update.aval.shape[0] > x.aval.shape[0]:
        raise IllTyped("dynamic_update_slice_in_dim")
    low, high = zip(x.bounds, update.bounds, strict=True)
    return x.aval, (min(low), max(high))


def _draw_dynamic_update(scope: Scope) -> Drawn:
    if (x := scope.pick(NUMBERS, where=lambda v: v.aval.rank > 0 and v.aval.shape[0] > 2)) is None:
        return None
    rows = scope.stream.integer(1, x.aval.shape[0] - 1)
    update = scope.let("getitem", x, **_params([slice(None, rows)]))
    start = scope.pick(("i32",), where=lambda v: v.aval.rank == 0)
    return (x, update, start or scope.input(Aval("i32"), "i", (0, 3))), {"axis": 0}


def _infer_one_hot(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (labels,) = operands
    if labels.aval.dtype != "i32":
        raise IllTyped("one_hot")
    return Aval("f32", (*labels.aval.shape, params["num_classes"])), (0, 1)


def _draw_one_hot(scope: Scope) -> Drawn:
    labels = scope.pick(("i32",), where=lambda v: v.aval.rank < 3 and v.aval.size <= 128)
    if labels is None:
        labels = scope.input(Aval("i32", (scope.side(),)), "labels", (0, 3))
    return (labels,), {"num_classes": scope.stream.choice((4, 8, 10, 16))}


def _infer_segment_sum(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    data, ids = operands
    if not data.aval.shape or ids.aval != Aval("i32", data.aval.shape[:1]):
        raise IllTyped("segment_sum")
    count = data.aval.shape[0]
    shape = (params["num_segments"], *data.aval.shape[1:])
    bounds = (min(0, data.bounds[0] * count), max(0, data.bounds[1] * count))
    return Aval(data.aval.dtype, shape), bounds


def _draw_segment_sum(scope: Scope) -> Drawn:
    if (data := scope.pick(FLOATS, where=lambda v: 0 < v.aval.rank < 3)) is None:
        return None
    aval = Aval("i32", data.aval.shape[:1])
    ids = scope.pick(("i32",), where=lambda v: v.aval == aval)
    if ids is None:
        ids = scope.input(aval, "segment_ids", (0, 3))
    return (data, ids), {"num_segments": scope.stream.choice((2, 3, 4, 8))}


def _infer_arange(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return Aval("i32", (params["n"],)), (0, params["n"] - 1)


def _infer_ones(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return Aval("f32", params["shape"]), (1, 1)


def _infer_zeros(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return Aval(params.get("dtype", "f32"), params["shape"]), (0, 0)


def _infer_linspace(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return Aval("f32", (params["n"],)), (params["start"], params["stop"])


def _infer_eye(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return Aval("f32", (params["n"], params["n"])), (0, 1)


def _draw_n(scope: Scope) -> Drawn:
    return (), {"n": scope.side()}


INDEXING = (
    Op("getitem", "indexing", spell("{0}[{subscript}]"), _infer_getitem, _draw_getitem, 4.0),
    Op("at", "indexing", spell("{0}.at[{subscript}].{method}({1})"), _infer_at, _draw_at, 2.0),
    Op("take", "indexing", spell("jnp.take({0}, {1}{kw})"), _infer_take, _draw_take, 1.5),
    Op("gather", "indexing", spell("{0}[{1}]"), _infer_gather, _draw_gather, 1.5),
    Op("take_along_axis", "indexing", spell("jnp.take_along_axis({0}, {1}{kw})"),
       _infer_take_along, _draw_take_along, 0.7),
    Op("dynamic_slice", "indexing", spell("lax.dynamic_slice_in_dim({0}, {1}, {slice_size}{kw})"),
       _infer_dynamic_slice, _draw_dynamic_slice),
    Op("dynamic_update_slice", "indexing",
       spell("lax.dynamic_update_slice_in_dim({0}, {1}, {2}{kw})"), _infer_dynamic_update,
       _draw_dynamic_update, 0.8),
    Op("one_hot", "indexing", spell("jax.nn.one_hot({0}, {num_classes})"), _infer_one_hot,
       _draw_one_hot, widens="all"),
    Op("segment_sum", "indexing", spell("jax.ops.segment_sum({0}, {1}{kw})"), _infer_segment_sum,
       _draw_segment_sum, 0.7),
)  # fmt: skip

CREATION = (
    Op("arange", "creation", spell("jnp.arange({n})"), _infer_arange, _draw_n, 2.0, widens="all"),
    Op("eye", "creation", spell("jnp.eye({n})"), _infer_eye, _draw_n, widens="all"),
    Op("linspace", "creation", spell("jnp.linspace({start}, {stop}, {n})"), _infer_linspace,
       lambda scope: ((), {"start": scope.stream.choice((0.0, -1.0)), "stop": 1.0,
                           "n": scope.side()}), widens="all"),
    Op("zeros", "creation", spell("jnp.zeros({shape}{kw})"), _infer_zeros, widens="all"),
    Op("full", "creation", spell("jnp.full({shape}, {value}{kw})"), _infer_zeros, widens="all"),
    Op("ones", "creation", spell("jnp.ones({shape})"), _infer_ones,
       lambda scope: ((), {"shape": (scope.side(), scope.side())}), 0.5, widens="all"),
)  # fmt: skip

OPS = (*INDEXING, *CREATION)
