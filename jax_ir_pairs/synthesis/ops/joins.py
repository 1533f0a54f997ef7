"""Ops that join arrays and take them apart, and that change how their axes are grouped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.rearrange import Params, Sides, any_axis, at_axis, moving
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import FLOATS, MOVABLE, SIGNED, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _parts(side: int, sections: int | Sequence[int], *, even: bool) -> list[int]:
    if isinstance(sections, int):
        if even and side % sections:
            raise IllTyped("uneven split")
        return [side // sections + (n < side % sections) for n in range(sections)]
    stops = [*sections, side]
    return [stop - start for start, stop in zip([0, *sections], stops, strict=True)]


def _apart(axis: int | None, key: str, *, even: bool = True) -> Callable[[Sides, Params], Any]:
    def shape(sides: Sides, params: Params) -> list[Sides]:
        along = params["axis"] if axis is None else axis
        if axis == 1 and len(sides) == 1:
            along = 0
        parts = _parts(sides[along], params[key], even=even)
        return [at_axis(sides, along, part) for part in parts]

    return shape


def _sections(stream: Stream, side: int, *, even: bool) -> int | tuple[int, ...] | None:
    counts = [n for n in (2, 3, 4) if side >= n and (not even or side % n == 0)]
    if counts and stream.chance(0.7):
        return stream.choice(counts[: 1 + stream.integer(0, len(counts) - 1)])
    if side < 3:
        return None
    return tuple(sorted(stream.sample(range(1, side), stream.choice((1, 2)))))


def _split(stream: Stream, shape: Sides, *, even: bool = True) -> dict[str, Any] | None:
    axis = any_axis(stream, shape)
    found = _sections(stream, shape[axis], even=even)
    return None if found is None else {"sections": found, "axis": axis}


def _split_fixed(axis: int) -> Callable[[Stream, Sides], dict[str, Any] | None]:
    def params(stream: Stream, shape: Sides) -> dict[str, Any] | None:
        found = _sections(stream, shape[axis], even=True)
        return None if found is None else {"sections": found}

    return params


def _unstacked(shape: Sides, params: Params) -> list[Sides]:
    axis = params["axis"] % len(shape)
    if shape[axis] > 4:
        raise IllTyped("too many parts")
    return [(*shape[:axis], *shape[axis + 1 :])] * shape[axis]


def _unstack(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    axes = [axis for axis, side in enumerate(shape) if axis and side <= 4]
    if not axes:
        return None
    return {"axis": stream.choice(axes)}


def _grown(ahead: int, behind: int, ranks: int) -> Callable[[Sides, Params], Sides]:
    """Gives the rule of `atleast_2d` and its like: axes of length one up to a rank."""

    def shape(sides: Sides, params: Params) -> Sides:
        if len(sides) >= ranks:
            raise IllTyped("rank is there")
        if not sides:
            return (1,) * ranks
        if len(sides) == 1:
            return ((1,) * ahead + sides + (1,) * behind)[:ranks]
        return (*sides, *(1,) * (ranks - len(sides)))

    return shape


def _factors(stream: Stream, side: int) -> tuple[int, int] | None:
    found = [n for n in (2, 3, 4, 8) if side % n == 0 and side > n]
    return (side // (n := stream.choice(found)), n) if found else None


def _to_heads(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    pair = _factors(stream, shape[-1])
    return None if pair is None else {"shape": (*shape[:2], pair[1], pair[0])}


def _split_heads_shape(shape: Sides, params: Params) -> Sides:
    target: Sides = params["shape"]
    if math.prod(target) != math.prod(shape):
        raise IllTyped("split heads")
    return (target[0], target[2], target[1], target[3])


def _merged_shape(shape: Sides, params: Params) -> Sides:
    target: Sides = params["shape"]
    if target != (shape[0], shape[2], shape[1] * shape[3]):
        raise IllTyped("merge heads")
    return target


def _space_to_depth(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    rows, columns = (_factors(stream, side) or (side, 1) for side in shape[1:3])
    if rows[1] * columns[1] == 1:
        return None
    new = (shape[0], rows[0] * columns[0], rows[1] * columns[1] * shape[3])
    return {"grid": (shape[0], *rows, *columns, shape[3]), "shape": new}


def _patched_shape(shape: Sides, params: Params) -> Sides:
    if math.prod(params["grid"]) != math.prod(shape):
        raise IllTyped("patches")
    new: Sides = params["shape"]
    return new


def _six_axes(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    pairs = [_factors(stream, side) or (side, 1) for side in shape]
    grid = tuple(side for pair in pairs for side in pair)
    if len(grid) < 5 or math.prod(grid) != math.prod(shape):
        return None
    return {"shape": grid}


def _expanded(stream: Stream, shape: Sides) -> dict[str, Any]:
    return {"axis": stream.choice(((0, -1), (1, 2), (0, 1), (-1, -2)))}


def _expanded_shape(shape: Sides, params: Params) -> Sides:
    rank = len(shape) + 2
    new, sides = {a % rank for a in params["axis"]}, iter(shape)
    if len(new) < 2 or any(not -rank <= a < rank for a in params["axis"]):
        raise IllTyped("expand_dims")
    return tuple(1 if place in new else next(sides) for place in range(rank))


def _joined(rule: Callable[[list[Sides]], Sides]) -> Any:
    def infer(operands: Sequence[Any], params: Params) -> Typed:
        (parts,) = operands
        if len({part.aval.dtype for part in parts}) > 1:
            raise IllTyped("join of two dtypes")
        bounds: Bounds = (min(p.bounds[0] for p in parts), max(p.bounds[1] for p in parts))
        return Aval(parts[0].aval.dtype, rule([part.aval.shape for part in parts])), bounds

    return infer


def _alike(low: int, high: int, most: int = 3) -> Any:
    def draw(scope: Scope) -> Drawn:
        def fits(var: Var) -> bool:
            return low <= var.aval.rank <= high and var.aval.size <= MAX_ELEMENTS // 4

        if (x := scope.pick(MOVABLE, where=fits)) is None:
            return None
        others = [v for v in scope.values[-30:] if v.type == x.type and v is not x]
        if not others:
            if x.aval.dtype not in (*FLOATS, *SIGNED):
                return None
            others = [scope.let("negative", x)]
        chosen = scope.stream.sample(others, scope.stream.integer(1, most - 1))
        return ((x, *chosen),), {}

    return draw


def _concatenated(shapes: list[Sides], axis: int) -> Sides:
    rests = [at_axis(shape, axis, 1) for shape in shapes]
    if any(rest != rests[0] for rest in rests):
        raise IllTyped("join")
    return at_axis(shapes[0], axis, sum(shape[axis] for shape in shapes))


def _hstacked(shapes: list[Sides]) -> Sides:
    lifted = [shape or (1,) for shape in shapes]
    return _concatenated(lifted, 1 if len(lifted[0]) > 1 else 0)


def _vstacked(shapes: list[Sides]) -> Sides:
    lifted = [shape if len(shape) > 1 else (1, *(shape or (1,))) for shape in shapes]
    return _concatenated(lifted, 0)


def _dstacked(shapes: list[Sides]) -> Sides:
    lifted = [(1, *shape, 1) if len(shape) == 1 else (*shape, 1)[: max(3, len(shape))]
              for shape in shapes]  # fmt: skip
    return _concatenated(lifted, 2)


def _column_stacked(shapes: list[Sides]) -> Sides:
    return _concatenated([shape if len(shape) > 1 else (*shape, 1) for shape in shapes], 1)


def _infer_block(operands: Sequence[Any], params: Params) -> Typed:
    x, y = operands
    if x.aval != y.aval or x.aval.rank != 2:
        raise IllTyped("block")
    rows, columns = x.aval.shape
    bounds = (min(x.bounds[0], y.bounds[0]), max(x.bounds[1], y.bounds[1]))
    return Aval(x.aval.dtype, (2 * rows, 2 * columns)), bounds


def _infer_append(operands: Sequence[Any], params: Params) -> Typed:
    x, y = operands
    bounds = (min(x.bounds[0], y.bounds[0]), max(x.bounds[1], y.bounds[1]))
    if x.aval.dtype != y.aval.dtype or x.aval.rank != y.aval.rank or not x.aval.rank:
        raise IllTyped("append")
    return Aval(x.aval.dtype, _concatenated([x.aval.shape, y.aval.shape], params["axis"])), bounds


def _draw_pair(low: int, high: int, *, axis: bool) -> Any:
    alike = _alike(low, high, 2)

    def draw(scope: Scope) -> Drawn:
        if (found := alike(scope)) is None:
            return None
        (pair,) = found[0]
        return pair, {"axis": scope.stream.choice((0, -1))} if axis else {}

    return draw


OPS = (
    moving("split", "jnp.split({0}, {sections}{kw})", shape=_apart(None, "sections"),
           params=_split, weight=1.5),
    moving("array_split", "jnp.array_split({0}, {sections}{kw})", weight=0.5,
           shape=_apart(None, "sections", even=False),
           params=lambda s, shape: _split(s, shape, even=False)),
    moving("hsplit", "jnp.hsplit({0}, {sections})", shape=_apart(1, "sections"),
           params=_split_fixed(1), ranks=(2, 4), weight=0.4),
    moving("vsplit", "jnp.vsplit({0}, {sections})", shape=_apart(0, "sections"),
           params=_split_fixed(0), ranks=(2, 4), weight=0.4),
    moving("dsplit", "jnp.dsplit({0}, {sections})", shape=_apart(2, "sections"),
           params=_split_fixed(2), ranks=(3, 4), weight=0.4),
    moving("unstack_along", "jnp.unstack({0}{kw})", shape=_unstacked, params=_unstack,
           ranks=(2, 4)),
    moving("atleast_1d", "jnp.atleast_1d({0})", shape=_grown(0, 0, 1), ranks=(0, 0), weight=0.2),
    moving("atleast_2d", "jnp.atleast_2d({0})", shape=_grown(1, 0, 2), ranks=(0, 1), weight=0.3),
    moving("atleast_3d", "jnp.atleast_3d({0})", shape=_grown(1, 1, 3), ranks=(0, 2), weight=0.2),
    moving("expand_two", "jnp.expand_dims({0}{kw})", shape=_expanded_shape, params=_expanded,
           ranks=(1, 4), weight=0.5),
    moving("split_heads", "{0}.reshape({shape}).transpose(0, 2, 1, 3)", shape=_split_heads_shape,
           params=_to_heads, ranks=(3, 3), weight=1.5),
    moving("merge_heads", "{0}.swapaxes(1, 2).reshape({shape})", shape=_merged_shape,
           params=lambda s, shape: {"shape": (shape[0], shape[2], shape[1] * shape[3])},
           ranks=(4, 4), weight=1.5),
    moving("patchify", "jnp.transpose({0}.reshape({grid}), (0, 1, 3, 2, 4, 5)).reshape({shape})",
           shape=_patched_shape, params=_space_to_depth, ranks=(4, 4), weight=1.5),
    moving("regroup", "{0}.reshape({shape})", shape=lambda shape, p: p["shape"],
           params=_six_axes, ranks=(3, 4), weight=0.6),
    Op("hstack", "rearrange", spell("jnp.hstack([{0}])"), _joined(_hstacked), _alike(0, 3), 0.6),
    Op("vstack", "rearrange", spell("jnp.vstack([{0}])"), _joined(_vstacked), _alike(0, 3), 0.6),
    Op("dstack", "rearrange", spell("jnp.dstack([{0}])"), _joined(_dstacked), _alike(1, 3), 0.4),
    Op("column_stack", "rearrange", spell("jnp.column_stack([{0}])"), _joined(_column_stacked),
       _alike(1, 2), 0.5),
    Op("block", "rearrange", spell("jnp.block([[{0}, {1}], [{1}, {0}]])"), _infer_block,
       _draw_pair(2, 2, axis=False), 0.5),
    Op("append", "rearrange", spell("jnp.append({0}, {1}{kw})"), _infer_append,
       _draw_pair(1, 3, axis=True), 0.5),
)  # fmt: skip
