"""Ops of segments, and gathers and scatters with explicit dimension numbers, as experts write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.indexing import index_array
from jax_ir_pairs.synthesis.ops.rows import guarded, spread
from jax_ir_pairs.synthesis.ops.updates import updated
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    COMPLEX,
    FLOATS,
    INTEGERS,
    MOVABLE,
    NUMBERS,
    SIGNED,
    Aval,
    Bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

_IDS = ("i32", "i64")
_FAR = 100.0
"""What an empty segment of floats is held at, which would hold infinity."""
_LIMITED = {"above": "maximum", "below": "minimum"}


def _infer_segments(way: str) -> Any:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        data, ids = operands
        if not data.aval.shape or ids.aval.shape != data.aval.shape[:1]:
            raise IllTyped("segments")
        if ids.aval.dtype not in _IDS:
            raise IllTyped("segments")
        count, (low, high) = data.aval.shape[0], data.bounds
        aval = Aval(data.aval.dtype, (params["num_segments"], *data.aval.shape[1:]))
        if way == "sum":
            return aval, (min(0, low * count), max(0, high * count))
        if way == "prod":
            edge = max(1.0, abs(low), abs(high)) ** count
            return aval, (-edge, edge)
        if way in ("max_above", "min_below"):
            return aval, spread(data.bounds, (_FAR, _FAR) if way == "min_below" else (-_FAR, -_FAR))
        # An empty segment holds infinity, or the end of the range of the integers.
        return aval, ANYTHING

    return infer


def _draw_segments(dtypes: Sequence[str], needs: Bounds = ANYTHING) -> Any:
    def draw(scope: Scope) -> Drawn:
        # A product into segments has no derivative in JAX, forward mode neither.
        if scope.forward and needs != ANYTHING:
            return None
        data = guarded(scope, dtypes, needs)
        if data is None or not 0 < data.aval.rank < 4:
            return None
        shape = data.aval.shape[:1]
        ids = scope.pick(_IDS, where=lambda v: v.aval.shape == shape)
        if ids is None:
            role = scope.stream.choice(("segment_ids", "segment_ids", "groups"))
            ids = scope.input(Aval("i32", shape), role, (0, 3))
        return (data, ids), {"num_segments": scope.stream.choice((2, 3, 4, 8))}

    return draw


def _segment(name: str, dtypes: Sequence[str], weight: float, needs: Bounds = ANYTHING) -> Op:
    way, _, limit = name.partition("_")
    template = f"jax.ops.segment_{way}({{0}}, {{1}}{{kw}})"
    if limit:
        template = f"jnp.{_LIMITED[limit]}({template}, {_FAR if way == 'min' else -_FAR})"
    infer, draw = _infer_segments(name), _draw_segments(dtypes, needs)
    return Op(f"segment_{name}", "gather", spell(template), infer, draw, weight,
              reverse=name != "prod")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Window:
    """How a gather or a scatter reads its indices, for an array of rank two."""

    name: str
    index: str
    """The template of the indices: `[n, 1]` or `[n, 2]`, out of one or two operands."""
    offset: tuple[int, ...]
    collapsed: tuple[int, ...]
    start: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of index operands."""
        return len(self.start)

    def sizes(self, shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
        """Gives the window: whole along axes without a start, `rows` along one that is kept."""
        return tuple(
            1 if axis in self.collapsed else rows if axis in self.start else side
            for axis, side in enumerate(shape)
        )

    def shape(self, sizes: tuple[int, ...], count: int) -> tuple[int, ...]:
        """Gives the shape of `count` windows."""
        kept = [side for axis, side in enumerate(sizes) if axis not in self.collapsed]
        result = list[int]()
        for place in range(len(kept) + 1):
            result.append(kept[self.offset.index(place)] if place in self.offset else count)
        return tuple(result)

    def gather_numbers(self) -> Code:
        """Gives the source of the dimension numbers of the gather."""
        return Code(
            f"lax.GatherDimensionNumbers(offset_dims={self.offset}, "
            f"collapsed_slice_dims={self.collapsed}, start_index_map={self.start})"
        )

    def scatter_numbers(self) -> Code:
        """Gives the source of the dimension numbers of the scatter."""
        return Code(
            f"lax.ScatterDimensionNumbers(update_window_dims={self.offset}, "
            f"inserted_window_dims={self.collapsed}, scatter_dims_to_operand_dims={self.start})"
        )


_WINDOWS = (
    _Window("rows", "{1}[:, None]", (1,), (0,), (0,)),
    _Window("columns", "{1}[:, None]", (0,), (1,), (1,)),
    _Window("slabs", "{1}[:, None]", (1, 2), (), (0,)),
    _Window("elements", "jnp.stack([{1}, {2}], axis=-1)", (), (0, 1), (0, 1)),
)


def _draw_indices(scope: Scope, x: Var, window: _Window) -> list[Var]:
    first = index_array(scope, 1, x.aval.shape[window.start[0]])
    if first.aval.dtype not in _IDS:
        raise IllTyped("index of a narrow dtype")
    if window.count == 1:
        return [first]
    second = index_array(scope, 1, x.aval.shape[1], first.aval.shape)
    return [first, second]


def _matrix(scope: Scope, dtypes: Sequence[str]) -> Var | None:
    return scope.pick(dtypes, where=lambda v: v.aval.rank == 2 and v.aval.size < 2048)


def _check(x: Var, indices: Sequence[Var]) -> int:
    if x.aval.rank != 2 or any(i.aval.rank != 1 for i in indices):
        raise IllTyped("rank")
    if len({i.aval for i in indices}) > 1:
        raise IllTyped("indices of two types")
    return int(indices[0].aval.size)


def _lax_gather(window: _Window) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        x, *indices = operands
        count, sizes = _check(x, indices), params["slice_sizes"]
        if any(size > side for size, side in zip(sizes, x.aval.shape, strict=True)):
            raise IllTyped("window")
        aval = Aval(x.aval.dtype, window.shape(sizes, count))
        return aval, spread(x.bounds, (0, 0)) if params["mode"] == "fill" else x.bounds

    def draw(scope: Scope) -> Drawn:
        if (x := _matrix(scope, MOVABLE)) is None:
            return None
        indices = _draw_indices(scope, x, window)
        sizes = window.sizes(x.aval.shape, max(1, min(2, x.aval.shape[0] - 1)))
        params: dict[str, Any] = {
            "dimension_numbers": window.gather_numbers(),
            "slice_sizes": sizes,
            "mode": scope.stream.choice(("clip", "clip", "fill", "promise_in_bounds")),
        }
        if params["mode"] == "fill":
            params["fill_value"] = 0
        if params["mode"] == "promise_in_bounds" and not all(
            i.bounds[0] >= 0 and i.bounds[1] < min(x.aval.shape) - 1 for i in indices
        ):
            params["mode"] = "clip"
        return (x, *indices), params

    template = f"lax.gather({{0}}, {window.index}, {{kw}})"
    return Op(f"lax_gather_{window.name}", "gather", spell(template), infer, draw, 0.4)


_WRITES = {"scatter": "set", "scatter_add": "add", "scatter_sub": "subtract",
           "scatter_mul": "multiply", "scatter_min": "min", "scatter_max": "max"}  # fmt: skip


def _lax_scatter(window: _Window) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        x, updates, *indices = operands
        count = _check(x, indices)
        if updates.aval.dtype != x.aval.dtype or updates.aval.rank != len(window.offset) + 1:
            raise IllTyped("scatter")
        sizes = window.sizes(x.aval.shape, updates.aval.shape[1 % updates.aval.rank])
        if updates.aval.shape != window.shape(sizes, count) or sizes[0] > x.aval.shape[0]:
            raise IllTyped("scatter")
        return x.aval, updated(_WRITES[params["method"]], x, updates, count)

    def draw(scope: Scope) -> Drawn:
        method = scope.stream.weighted(tuple(_WRITES), (1, 4, 1, 1, 1, 1))
        if method == "scatter_mul" and (scope.reverse or scope.forward):
            return None
        ordered = method in ("scatter_min", "scatter_max")
        if (x := _matrix(scope, NUMBERS if ordered else (*NUMBERS, *COMPLEX))) is None:
            return None
        indices = _draw_indices(scope, x, window)
        sizes = window.sizes(x.aval.shape, max(1, min(2, x.aval.shape[0] - 1)))
        shape = window.shape(sizes, indices[0].aval.size)
        updates = scope.pick((x.aval.dtype,), where=lambda v: v.aval.shape == shape)
        if updates is None:
            role = scope.stream.choice(("updates", "values"))
            updates = scope.input(Aval(x.aval.dtype, shape), role)
        params: dict[str, Any] = {
            "method": method,
            "dimension_numbers": window.scatter_numbers(),
        }
        if scope.stream.chance(0.3):
            params["mode"] = scope.stream.choice(("clip", "drop"))
        return (x, updates, *indices), params

    # The indices stand before the updates, which are operand 1 here.
    index = window.index.replace("{2}", "{3}").replace("{1}", "{2}")
    template = f"lax.{{method}}({{0}}, {index}, {{1}}{{kw}})"
    return Op(f"lax_scatter_{window.name}", "gather", spell(template), infer, draw, 0.4)


def _infer_apply(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    count = _check(x, [indices])
    if params["update_shape"] != (count, x.aval.shape[1]) or x.aval.dtype not in FLOATS:
        raise IllTyped("scatter_apply")
    return x.aval, spread(x.bounds, (-1, 1))


def _draw_apply(scope: Scope) -> Drawn:
    if scope.forward or (x := _matrix(scope, FLOATS)) is None:
        return None
    window = _WINDOWS[0]
    (indices,) = _draw_indices(scope, x, window)
    return (x, indices), {
        "function": Code(scope.stream.choice(("jnp.tanh", "jnp.sin", "jnp.cos"))),
        "dimension_numbers": window.scatter_numbers(),
        "update_shape": (indices.aval.size, x.aval.shape[1]),
    }


def _infer_batched(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, indices = operands
    if x.aval.rank != 2 or indices.aval.rank != 2 or indices.aval.shape[0] != x.aval.shape[0]:
        raise IllTyped("batched gather")
    if indices.aval.dtype not in _IDS:
        raise IllTyped("batched gather")
    return Aval(x.aval.dtype, indices.aval.shape), x.bounds


def _draw_batched(scope: Scope) -> Drawn:
    if (x := _matrix(scope, (*FLOATS, *INTEGERS))) is None:
        return None
    rows = x.aval.shape[0]
    indices = scope.pick(_IDS, where=lambda v: v.aval.rank == 2 and v.aval.shape[0] == rows)
    if indices is None:
        way = "argsort" if x.aval.dtype in (*FLOATS, *SIGNED) else ""
        if not way:
            return None
        indices = scope.let(way, x, axis=1)
    return (x, indices), {"dimension_numbers": _BATCHED, "slice_sizes": (1, 1), "mode": "clip"}


_BATCHED = Code(
    "lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(1,), start_index_map=(1,), "
    "operand_batching_dims=(0,), start_indices_batching_dims=(0,))"
)

OPS = (
    _segment("sum", (*FLOATS, *INTEGERS, *COMPLEX), 1.2),
    _segment("prod", FLOATS, 0.4, (-1.2, 1.2)),
    _segment("max", SIGNED, 1.0),
    _segment("min", SIGNED, 0.8),
    _segment("max_above", FLOATS, 0.5),
    _segment("min_below", FLOATS, 0.4),
    *(_lax_gather(window) for window in _WINDOWS),
    *(_lax_scatter(window) for window in _WINDOWS),
    Op("lax_scatter_apply", "gather", spell("lax.scatter_apply({0}, {1}[:, None], {function}{kw})"),
       _infer_apply, _draw_apply, 0.3, reverse=False),
    Op("lax_gather_batched", "gather", spell("lax.gather({0}, {1}[..., None], {kw})"),
       _infer_batched, _draw_batched, 0.3),
)  # fmt: skip
