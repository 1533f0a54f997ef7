"""Ops that look up and scatter by index values: take, dynamic slices, segments, selections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.indexing import INDEX_TYPES, index_array, part_of
from jax_ir_pairs.synthesis.ops.rows import broadcast, guarded, spread
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import (
    BOOL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    MOVABLE,
    Aval,
    Bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def changed(shape: tuple[int, ...], axis: int, *sides: int) -> tuple[int, ...]:
    """Gives the shape with these sides in the place of an axis."""
    axis %= len(shape)
    return (*shape[:axis], *sides, *shape[axis + 1 :])


def _infer_take(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    if indices.aval.dtype not in INDEX_TYPES or not x.aval.shape:
        raise IllTyped("take")
    bounds = spread(x.bounds, (params.get("fill_value", x.bounds[0]),) * 2)
    if "axis" not in params:
        return Aval(x.aval.dtype, indices.aval.shape), bounds
    return Aval(x.aval.dtype, changed(x.aval.shape, params["axis"], *indices.aval.shape)), bounds


def _draw_take(scope: Scope) -> Drawn:
    if (
        x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 5 and v.aval.size < 1024)
    ) is None:
        return None
    stream = scope.stream
    axis = stream.choice((0, -1, stream.integer(0, x.aval.rank - 1)))
    indices = index_array(scope, stream.weighted((0, 1, 2), (1, 8, 1)), x.aval.shape[axis])
    params: dict[str, Any] = {"axis": axis}
    side = x.aval.shape[axis]
    if x.aval.rank == 1 and stream.chance(0.5):
        params = {}
    # Out of bounds, take fills with NaN unless told otherwise.
    if indices.bounds[0] < 0 or indices.bounds[1] >= side or stream.chance(0.1):
        # XLA aborts where it partitions a clipped or wrapped index of less than 32 bits.
        wide = indices.aval.dtype[1:] in ("32", "64")
        params["mode"] = stream.choice(("clip", "clip", "wrap", "fill") if wide else ("fill",))
        if params["mode"] == "fill":
            params["fill_value"] = 0.0 if x.aval.dtype in FLOATS else 0
    return (x, indices), params


def _infer_take_along(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    own, axis = indices.aval.shape, params["axis"]
    if len(own) != x.aval.rank or not own or indices.aval.dtype not in INDEX_TYPES:
        raise IllTyped("take_along_axis")
    if changed(own, axis, 1) != changed(x.aval.shape, axis, 1):
        raise IllTyped("take_along_axis")
    return Aval(x.aval.dtype, own), x.bounds


def _along(scope: Scope, dtypes: Sequence[str]) -> tuple[Var, Var, int] | None:
    """Gives an array, indices within an axis of it for all its other places, and the axis."""
    if (x := scope.pick(dtypes, where=lambda v: v.aval.rank > 0)) is None:
        return None
    stream = scope.stream
    axis = stream.choice((-1, -1, 0, stream.integer(0, x.aval.rank - 1)))

    def fits(var: Var) -> bool:
        own = var.aval.shape
        return len(own) == x.aval.rank and changed(own, axis, 1) == changed(x.aval.shape, axis, 1)

    inside = (0, x.aval.shape[axis] - 1)
    order = scope.pick(("i32", "i64"), needs=inside, where=fits)
    if order is None and x.aval.dtype in (*FLOATS, *INTEGERS):
        way = stream.choice(("argsort", "argsort", "argmax", "argmin"))
        order = scope.let(way, x, axis=axis)
        if way != "argsort":
            order = scope.let("expand_dims", order, axis=axis)
    return None if order is None else (x, order, axis)


def _draw_take_along(scope: Scope) -> Drawn:
    if (found := _along(scope, MOVABLE)) is None:
        return None
    x, order, axis = found
    params: dict[str, Any] = {"axis": axis}
    if scope.stream.chance(0.15):
        params["mode"] = scope.stream.choice(("clip", "promise_in_bounds"))
    return (x, order), params


def _infer_put_along(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices, value = operands
    _infer_take_along((x, indices), params)
    if isinstance(value, Literal):
        return x.aval, spread(x.bounds, (value.value, value.value))
    if (
        value.aval.dtype != x.aval.dtype
        or broadcast(value.aval, indices.aval) != indices.aval.shape
    ):
        raise IllTyped("put_along_axis")
    return x.aval, spread(x.bounds, value.bounds)


def _draw_put_along(scope: Scope) -> Drawn:
    if (found := _along(scope, (*FLOATS, *INTEGERS, *COMPLEX))) is None:
        return None
    x, order, axis = found
    value: Operand | None = scope.pick(
        (x.aval.dtype,), where=lambda v: v.aval.shape in ((), order.aval.shape) and v is not x
    )
    return (x, order, value or literal_for(x, scope.stream)), {"axis": axis, "inplace": False}


def _infer_ix(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, rows, columns = operands
    if x.aval.rank < 2 or any(i.aval.rank != 1 for i in (rows, columns)):
        raise IllTyped("ix_")
    if any(i.aval.dtype not in INDEX_TYPES for i in (rows, columns)):
        raise IllTyped("ix_")
    shape = (*rows.aval.shape, *columns.aval.shape, *x.aval.shape[2:])
    return Aval(x.aval.dtype, shape), x.bounds


def _draw_ix(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: 1 < v.aval.rank < 4)) is None:
        return None
    rows, columns = (index_array(scope, 1, side) for side in x.aval.shape[:2])
    return (x, rows, columns), {}


def _infer_compress(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    mask, x = operands
    axis, size = params.get("axis", 0), params["size"]
    if mask.aval.dtype != "bool" or not x.aval.shape:
        raise IllTyped("compress")
    if mask.aval.shape != (x.aval.shape[axis],):
        raise IllTyped("compress")
    return Aval(x.aval.dtype, changed(x.aval.shape, axis, size)), spread(x.bounds, (0, 0))


def _draw_compress(scope: Scope) -> Drawn:
    mask = scope.pick(BOOL, where=lambda v: v.aval.rank == 1)
    if mask is None:
        column = scope.pick((*FLOATS, *INTEGERS), where=lambda v: v.aval.rank in (1, 2))
        if column is None:
            return None
        if column.aval.rank == 2:
            column = part_of(scope, column, slice(None), 0)
        mask = scope.let("greater", column, literal_for(column, scope.stream), role="keep")
    side = mask.aval.shape[0]
    x = scope.pick(MOVABLE, where=lambda v: side in v.aval.shape and v is not mask)
    if x is None:
        return None
    size = scope.stream.integer(1, side)
    return (mask, x), {"axis": x.aval.shape.index(side), "size": size, "fill_value": 0}


def _infer_extract(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    mask, x = operands
    if mask.aval != Aval("bool", x.aval.shape) or params["size"] > x.aval.size:
        raise IllTyped("extract")
    return Aval(x.aval.dtype, (params["size"],)), spread(x.bounds, (0, 0))


def _draw_masked(scope: Scope) -> tuple[Var, Var] | None:
    x = guarded(scope, (*FLOATS, *INTEGERS), (-1e30, 1e30))
    if x is None or not x.aval.rank:
        return None
    mask = scope.pick(BOOL, where=lambda v: v.aval.shape == x.aval.shape)
    return mask or scope.let("greater", x, literal_for(x, scope.stream)), x


def _draw_extract(scope: Scope) -> Drawn:
    if (found := _draw_masked(scope)) is None:
        return None
    size = min(found[1].aval.size, scope.stream.choice((2, 3, 4, 8)))
    return found, {"size": size, "fill_value": 0}


def _infer_nonzero(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (mask,) = operands
    if mask.aval.dtype != "bool" or not mask.aval.shape:
        raise IllTyped("nonzero")
    inside = (min(0, params.get("fill_value", 0)), max(mask.aval.shape))
    return [(Aval("i32", (params["size"],)), inside)] * mask.aval.rank


def _infer_flat_nonzero(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    mask = operands[0]
    if mask.aval.dtype != "bool":
        raise IllTyped("flatnonzero")
    inside = (min(0, params.get("fill_value", 0)), mask.aval.size)
    return Aval("i32", (params["size"],)), inside


def _draw_nonzero(scope: Scope) -> Drawn:
    if (found := _draw_masked(scope)) is None:
        return None
    size = min(found[1].aval.size, scope.stream.choice((2, 3, 4, 8)))
    fill = {"fill_value": scope.stream.choice((-1, 0))} if scope.stream.chance(0.5) else {}
    return (found[0],), {"size": size, **fill}


def _infer_top_k(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (x,), k = operands, params["k"]
    if x.aval.dtype not in (*FLOATS, *INTEGERS) or not x.aval.shape or k > x.aval.shape[-1]:
        raise IllTyped("top_k")
    shape = (*x.aval.shape[:-1], k)
    return [(Aval(x.aval.dtype, shape), x.bounds), (Aval("i32", shape), (0, x.aval.shape[-1] - 1))]


def _draw_top_k(scope: Scope) -> Drawn:
    x = scope.pick((*FLOATS, *INTEGERS), where=lambda v: v.aval.rank > 0)
    return None if x is None else ((x,), {"k": scope.stream.integer(1, min(4, x.aval.shape[-1]))})


def _infer_repeat_by(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, counts = operands
    if not x.aval.shape or counts.aval.shape != x.aval.shape[:1]:
        raise IllTyped("repeat")
    aval = Aval(x.aval.dtype, changed(x.aval.shape, 0, params["total_repeat_length"]))
    return aval, x.bounds


def _draw_repeat_by(scope: Scope) -> Drawn:
    x = scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 4 and v.aval.size <= 512)
    if x is None:
        return None
    shape = x.aval.shape[:1]
    counts = scope.pick(("i32", "i64"), needs=(0, 100), where=lambda v: v.aval.shape == shape)
    counts = counts or scope.input(Aval("i32", shape), "repeats", (0, 3))
    total = shape[0] * scope.stream.choice((1, 2))
    return (x, counts), {"axis": 0, "total_repeat_length": total}


OPS = (
    Op("lax_top_k", "gather", spell("lax.top_k({0}, {k})"), _infer_top_k, _draw_top_k, 1.0),
    Op("repeat_by", "gather", spell("jnp.repeat({0}, {1}{kw})"), _infer_repeat_by,
       _draw_repeat_by, 0.4),
    Op("take", "gather", spell("jnp.take({0}, {1}{kw})"), _infer_take, _draw_take, 3.0),
    Op("take_along_axis", "gather", spell("jnp.take_along_axis({0}, {1}{kw})"),
       _infer_take_along, _draw_take_along, 1.5),
    Op("gather_ix", "gather", spell("{0}[jnp.ix_({1}, {2})]"), _infer_ix, _draw_ix, 0.5),
    Op("put_along_axis", "gather", spell("jnp.put_along_axis({0}, {1}, {2}{kw})"),
       _infer_put_along, _draw_put_along, 0.6),
    Op("compress", "gather", spell("jnp.compress({0}, {1}{kw})"), _infer_compress,
       _draw_compress, 0.5),
    Op("extract", "gather", spell("jnp.extract({0}, {1}{kw})"), _infer_extract, _draw_extract,
       0.4),
    Op("nonzero", "gather", spell("jnp.nonzero({0}{kw})"), _infer_nonzero, _draw_nonzero, 0.5,
       reverse=False, widens="all"),
    Op("where_indices", "gather", spell("jnp.where({0}{kw})"), _infer_nonzero, _draw_nonzero, 0.4,
       reverse=False, widens="all"),
    Op("flatnonzero", "gather", spell("jnp.flatnonzero({0}{kw})"), _infer_flat_nonzero,
       _draw_nonzero, 0.5, reverse=False, widens="all"),
    Op("argwhere", "gather", spell("jnp.argwhere({0}{kw})"),
       lambda o, p: (Aval("i32", (p["size"], o[0].aval.rank)), (-1, max(o[0].aval.shape))),
       _draw_nonzero, 0.3, reverse=False, widens="all"),
)  # fmt: skip
