"""Ops that read or write a part of an array that starts at index values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.gathers import changed
from jax_ir_pairs.synthesis.ops.indexing import INDEX_TYPES
from jax_ir_pairs.synthesis.ops.rows import spread
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import MOVABLE, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _start(scope: Scope) -> Var:
    found = scope.pick(("i32", scope.int_dtype), where=lambda v: v.aval.rank == 0)
    if found is not None:
        return found
    role = scope.stream.choice(("i", "i", "start", "pos"))
    return scope.input(Aval(scope.int_dtype), role, (0, 3))


def _sliceable(scope: Scope, dtypes: Sequence[str] = MOVABLE) -> tuple[Var, int] | None:
    """Gives an array, and an axis of it that is long enough for a part of it."""
    x = scope.pick(dtypes, where=lambda v: v.aval.rank > 0 and max(v.aval.shape) > 2)
    if x is None:
        return None
    axes = [a for a, side in enumerate(x.aval.shape) if side > 2]
    return x, axes[0] if scope.stream.chance(0.6) else scope.stream.choice(axes)


def _infer_dynamic_slice(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, start = operands
    size, axis = params["slice_size"], params["axis"]
    if start.aval.dtype not in INDEX_TYPES or start.aval.rank or not 0 < size <= x.aval.shape[axis]:
        raise IllTyped("dynamic_slice_in_dim")
    return Aval(x.aval.dtype, changed(x.aval.shape, axis, size)), x.bounds


def _draw_dynamic_slice(scope: Scope) -> Drawn:
    if (found := _sliceable(scope)) is None:
        return None
    x, axis = found
    size = scope.stream.integer(1, x.aval.shape[axis] - 1)
    return (x, _start(scope)), {"slice_size": size, "axis": axis}


def _infer_dynamic_update(ops: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, update, start = ops
    axis = params["axis"]
    if x.aval.dtype != update.aval.dtype or start.aval.dtype not in INDEX_TYPES or start.aval.rank:
        raise IllTyped("dynamic_update_slice_in_dim")
    own, new = x.aval.shape, update.aval.shape
    if len(own) != len(new) or changed(own, axis, 1) != changed(new, axis, 1):
        raise IllTyped("dynamic_update_slice_in_dim")
    if new[axis] > own[axis]:
        raise IllTyped("dynamic_update_slice_in_dim")
    return x.aval, spread(x.bounds, update.bounds)


def _draw_dynamic_update(scope: Scope) -> Drawn:
    if (found := _sliceable(scope)) is None:
        return None
    x, axis = found

    def fits(var: Var) -> bool:
        own = var.aval.shape
        return len(own) == x.aval.rank and own[axis] < x.aval.shape[axis] and changed(
            own, axis, 1) == changed(x.aval.shape, axis, 1)  # fmt: skip

    update = scope.pick((x.aval.dtype,), where=fits)
    if update is None:
        rows = scope.stream.integer(1, x.aval.shape[axis] - 1)
        update = scope.input(Aval(x.aval.dtype, changed(x.aval.shape, axis, rows)), "update")
    return (x, update, _start(scope)), {"axis": axis}


def _infer_dynamic_index(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, index = operands
    axis, sides = params["axis"], (1,) if params.get("keepdims", True) else ()
    if not x.aval.shape or index.aval.rank or index.aval.dtype not in INDEX_TYPES:
        raise IllTyped("dynamic_index_in_dim")
    return Aval(x.aval.dtype, changed(x.aval.shape, axis, *sides)), x.bounds


def _draw_dynamic_index(scope: Scope) -> Drawn:
    if (found := _sliceable(scope)) is None:
        return None
    x, axis = found
    keeps = {} if scope.stream.chance(0.3) else {"keepdims": False}
    return (x, _start(scope)), {"axis": axis, **keeps}


def _infer_index_update(ops: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, update, index = ops
    if not x.aval.shape or update.aval.dtype != x.aval.dtype or index.aval.rank:
        raise IllTyped("dynamic_update_index_in_dim")
    if update.aval.shape != changed(x.aval.shape, params["axis"]):
        raise IllTyped("dynamic_update_index_in_dim")
    return x.aval, spread(x.bounds, update.bounds)


def _draw_index_update(scope: Scope) -> Drawn:
    if (found := _sliceable(scope)) is None:
        return None
    x, axis = found
    shape = changed(x.aval.shape, axis)
    update = scope.pick((x.aval.dtype,), where=lambda v: v.aval.shape == shape)
    update = update or scope.input(Aval(x.aval.dtype, shape), scope.stream.choice(("row", "new")))
    return (x, update, _start(scope)), {"axis": axis}


def _starts(scope: Scope, x: Var) -> tuple[Operand, ...]:
    """Gives a start for each axis: values of one dtype, and zeros where that is the default one."""
    first = _start(scope)
    starts: list[Operand] = []
    for place in range(x.aval.rank):
        if place == 0 or first.aval.dtype != scope.int_dtype or scope.stream.chance(0.4):
            found = scope.pick((first.aval.dtype,), where=lambda v: v.aval.rank == 0)
            starts.append(found if found is not None and place else first)
        else:
            starts.append(Literal(0))
    return tuple(starts)


def _infer_slice_nd(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, starts = operands
    sizes = params["slice_sizes"]
    if len(starts) != x.aval.rank or len(sizes) != x.aval.rank:
        raise IllTyped("dynamic_slice")
    if any(not 0 < size <= side for size, side in zip(sizes, x.aval.shape, strict=True)):
        raise IllTyped("dynamic_slice")
    return Aval(x.aval.dtype, sizes), x.bounds


def _draw_slice_nd(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.size > 2)) is None:
        return None
    stream = scope.stream
    sizes = tuple(stream.choice((s, max(1, s // 2), min(s, 2))) for s in x.aval.shape)
    return None if sizes == x.aval.shape else ((x, _starts(scope, x)), {"slice_sizes": sizes})


def _infer_update_nd(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, update, starts = operands
    if len(starts) != x.aval.rank or update.aval.rank != x.aval.rank:
        raise IllTyped("dynamic_update_slice")
    fits = all(n <= o for n, o in zip(update.aval.shape, x.aval.shape, strict=True))
    if not fits or update.aval.dtype != x.aval.dtype or update.aval.shape == x.aval.shape:
        raise IllTyped("dynamic_update_slice")
    return x.aval, spread(x.bounds, update.bounds)


def _draw_update_nd(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.size > 2)) is None:
        return None

    def fits(var: Var) -> bool:
        own = var.aval.shape
        return len(own) == x.aval.rank and own != x.aval.shape and all(
            n <= o for n, o in zip(own, x.aval.shape, strict=True))  # fmt: skip

    if (update := scope.pick((x.aval.dtype,), where=fits)) is None:
        sides = tuple(max(1, side // 2) for side in x.aval.shape)
        update = scope.input(Aval(x.aval.dtype, sides), scope.stream.choice(("patch", "update")))
    return (x, update, _starts(scope, x)), {}


OPS = (
    Op("dynamic_slice", "gather",
       spell("lax.dynamic_slice_in_dim({0}, {1}, {slice_size}{kw})"), _infer_dynamic_slice,
       _draw_dynamic_slice, 2.0),
    Op("dynamic_update_slice", "gather",
       spell("lax.dynamic_update_slice_in_dim({0}, {1}, {2}{kw})"), _infer_dynamic_update,
       _draw_dynamic_update, 1.5),
    Op("dynamic_index", "gather", spell("lax.dynamic_index_in_dim({0}, {1}{kw})"),
       _infer_dynamic_index, _draw_dynamic_index),
    Op("dynamic_update_index", "gather",
       spell("lax.dynamic_update_index_in_dim({0}, {1}, {2}{kw})"), _infer_index_update,
       _draw_index_update, 0.8),
    Op("dynamic_slice_nd", "gather", spell("lax.dynamic_slice({0}, {1}, {slice_sizes})"),
       _infer_slice_nd, _draw_slice_nd, 1.5),
    Op("dynamic_update_slice_nd", "gather", spell("lax.dynamic_update_slice({0}, {1}, {2})"),
       _infer_update_nd, _draw_update_nd),
)  # fmt: skip
