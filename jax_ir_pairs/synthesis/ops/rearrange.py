"""Ops that move elements along axes: shift, reverse, rotate, pad, insert, delete, slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.graph import Code, Operand
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import (
    COMPLEX,
    FLOATS,
    LONG_NAMES,
    MOVABLE,
    NUMBERS,
    SIGNED,
    Aval,
    Bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None
Sides: TypeAlias = tuple[int, ...]
Params: TypeAlias = Mapping[str, Any]


def moving(
    name: str,
    *templates: str,
    shape: Callable[[Sides, Params], Sides | list[Sides]],
    params: Callable[[Stream, Sides], dict[str, Any] | None] = lambda stream, shape: {},
    bounds: Callable[[Bounds, Params], Bounds] = lambda bounds, params: bounds,
    dtypes: Sequence[str] = MOVABLE,
    ranks: tuple[int, int] = (1, 4),
    group: str = "rearrange",
    weight: float = 1.0,
) -> Op:
    """Gives a row for an op that moves the elements of one array; a list of shapes is several."""

    def infer(operands: Sequence[Any], given: Params) -> Typed | list[Typed]:
        (x,) = operands
        if not ranks[0] <= x.aval.rank <= 6 or x.aval.dtype not in dtypes:
            raise IllTyped(name)
        result, inside = shape(x.aval.shape, given), bounds(x.bounds, given)
        several = result if isinstance(result, list) else [result]
        if not several or any(0 in sides or min(sides, default=1) < 0 for sides in several):
            raise IllTyped(f"{name} leaves nothing")
        typed = [(Aval(x.aval.dtype, sides), inside) for sides in several]
        return typed if isinstance(result, list) else typed[0]

    def draw(scope: Scope) -> Drawn:
        x = scope.pick(
            dtypes, where=lambda v: ranks[0] <= v.aval.rank <= ranks[1] and v.aval.size <= 4096
        )
        if x is None:
            return None
        given = params(scope.stream, x.aval.shape)
        return None if given is None else ((x,), given)

    return Op(name, group, spell(*templates), infer, draw, weight)


def any_axis(stream: Stream, shape: Sides) -> int:
    """Gives an axis as a person writes it."""
    return stream.choice((0, 0, -1, -1, stream.integer(0, len(shape) - 1)))


def at_axis(shape: Sides, axis: int, side: int) -> Sides:
    """Gives the shape with this side at an axis."""
    axis %= len(shape)
    return (*shape[:axis], side, *shape[axis + 1 :])


def _same(shape: Sides, params: Params) -> Sides:
    return shape


def _two_axes(stream: Stream, shape: Sides) -> tuple[int, int]:
    first, second = sorted(stream.sample(range(len(shape)), 2))
    return (first, second) if stream.chance(0.6) else (first - len(shape), second - len(shape))


def _rolled(stream: Stream, shape: Sides) -> dict[str, Any]:
    return {"shift": (stream.choice((1, -1, 2)), stream.choice((1, -1))),
            "axis": _two_axes(stream, shape)}  # fmt: skip


def _rotated(stream: Stream, shape: Sides) -> dict[str, Any]:
    params: dict[str, Any] = {"k": k} if (k := stream.choice((1, 1, 2, 3, -1))) != 1 else {}
    if len(shape) > 2 and stream.chance(0.5):
        params["axes"] = _two_axes(stream, shape)
    return params


def _rotated_shape(shape: Sides, params: Params) -> Sides:
    a, b = params.get("axes", (0, 1))
    sides = list(shape)
    if params.get("k", 1) % 2:
        sides[a], sides[b] = sides[b], sides[a]
    return tuple(sides)


_PAD_MODES = ("wrap", "symmetric", "linear_ramp", "mean", "maximum", "minimum", "reflect", "edge")


def _widths(stream: Stream, shape: Sides) -> tuple[tuple[int, int], ...]:
    pairs = ((1, 1), (0, 1), (1, 0), (2, 1), (0, 0), (0, 2))
    widths = [stream.choice(pairs) for _ in shape]
    if not any(map(sum, widths)):
        widths[-1] = (1, 1)
    return tuple(widths)


def _padded(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    mode = stream.choice(_PAD_MODES)
    if mode in ("wrap", "symmetric", "reflect") and min(shape) < 3:
        return None
    return {"pad_width": _widths(stream, shape), "mode": mode}


def _padded_value(stream: Stream, shape: Sides) -> dict[str, Any]:
    return {"pad_width": _widths(stream, shape), "constant_values": stream.choice((1, -1, 2))}


def _padded_shape(shape: Sides, params: Params) -> Sides:
    width: Any = params["pad_width"]
    if isinstance(width, int):
        width = ((width, width),) * len(shape)
    elif isinstance(width[0], int):
        width = (width,) * len(shape)
    if len(width) != len(shape):
        raise IllTyped("pad")
    return tuple(side + low + high for side, (low, high) in zip(shape, width, strict=True))


def _with(value: float) -> Callable[[Bounds, Params], Bounds]:
    return lambda bounds, params: (min(bounds[0], value), max(bounds[1], value))


def _infer_lax_pad(operands: Sequence[Any], params: Params) -> Typed:
    (x,) = operands
    config = params["padding_config"]
    if len(config) != x.aval.rank or not x.aval.rank:
        raise IllTyped("lax.pad")
    sides = tuple(
        low + high + side + (side - 1) * inner
        for side, (low, high, inner) in zip(x.aval.shape, config, strict=True)
    )
    if min(sides) < 1:
        raise IllTyped("lax.pad")
    return Aval(x.aval.dtype, sides), _with(0)(x.bounds, params)


def _draw_lax_pad(scope: Scope) -> Drawn:
    x = scope.pick((*NUMBERS, *COMPLEX), where=lambda v: 0 < v.aval.rank < 5 and v.aval.size < 2048)
    if x is None:
        return None
    stream, triples = scope.stream, ((0, 0, 0), (1, 1, 0), (0, 0, 1), (-1, 0, 0), (2, -1, 0),
                                     (1, 0, 1), (0, 1, 2), (-1, -1, 1), (0, 2, 0))  # fmt: skip
    config = [stream.choice(triples) for _ in x.aval.shape]
    if not any(any(triple) for triple in config):
        config[0] = (0, 0, 1)
    return (x,), {"value": Code(zero(scope, x.aval.dtype)), "padding_config": tuple(config)}


def zero(scope: Scope, dtype: str, number: int = 0) -> str:
    """Gives the source of a number of exactly this dtype, where no other is cast to it."""
    if dtype == scope.float_dtype:
        return f"{number}.0"
    return str(number) if dtype == scope.int_dtype else f"jnp.{LONG_NAMES[dtype]}({number})"


def _inserted(stream: Stream, shape: Sides) -> dict[str, Any]:
    axis = any_axis(stream, shape)
    return {"obj": stream.integer(0, shape[axis] - 1), "values": stream.choice((0, 1)),
            "axis": axis}  # fmt: skip


def _deleted(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    axis = any_axis(stream, shape)
    side = shape[axis]
    if side < 3:
        return None
    several = tuple(sorted(stream.sample(range(side), 2)))
    if stream.chance(0.3):
        return {"obj": Code(f"jnp.array({list(several)})"), "axis": axis,
                "assume_unique_indices": True}  # fmt: skip
    way: Any = stream.choice((stream.integer(0, side - 1), -1))
    return {"obj": way, "axis": axis}


def _deleted_shape(shape: Sides, params: Params) -> Sides:
    axis, obj = params["axis"], params["obj"]
    return at_axis(
        shape, axis, shape[axis] - (1 if isinstance(obj, int) else obj.text.count(",") + 1)
    )


def _sliced_in_dim(stream: Stream, shape: Sides) -> dict[str, Any] | None:
    axis = any_axis(stream, shape)
    side = shape[axis]
    if side < 3:
        return None
    start = stream.integer(0, side // 2 - 1 if side > 3 else 0)
    stop = side - (start == 0) * stream.choice((0, 1))
    step = {"stride": 2} if stream.chance(0.5) or (start == 0 and stop == side) else {}
    return {"start": start, "stop": stop, **step, "axis": axis}


def _sliced_in_dim_shape(shape: Sides, params: Params) -> Sides:
    axis = params["axis"]
    side = len(range(params["start"], min(params["stop"], shape[axis]), params.get("stride", 1)))
    return at_axis(shape, axis, side)


def _resized(stream: Stream, shape: Sides) -> dict[str, Any]:
    rank = stream.choice((1, 2, 2, 3))
    return {"new_shape": tuple(stream.choice((2, 3, 4, 6)) for _ in range(rank))}


def _moved_axis(shape: Sides, params: Params) -> Sides:
    sides = list(shape)
    source, destination = params["source"], params["destination"]
    sides.insert(destination % len(shape), sides.pop(source % len(shape)))
    if tuple(sides) == shape and source % len(shape) == destination % len(shape):
        raise IllTyped("moveaxis")
    return tuple(sides)


OPS = (
    moving("roll_axes", "jnp.roll({0}, {shift}{kw})", shape=_same, params=_rolled, ranks=(2, 5),
           weight=0.5),
    moving("roll_flat", "jnp.roll({0}, {shift})", shape=_same, weight=0.4,
           params=lambda s, shape: {"shift": s.choice((1, -1, 3))}),
    moving("flip_all", "jnp.flip({0})", shape=_same, weight=0.5),
    moving("fliplr", "jnp.fliplr({0})", shape=_same, ranks=(2, 5), weight=0.5),
    moving("flipud", "jnp.flipud({0})", shape=_same, weight=0.5),
    moving("rot90", "jnp.rot90({0}{kw})", shape=_rotated_shape, params=_rotated, ranks=(2, 5),
           weight=0.7),
    moving("pad_mode", "jnp.pad({0}, {pad_width}{kw})", shape=_padded_shape, params=_padded,
           dtypes=FLOATS, weight=1.5),
    moving("pad_value", "jnp.pad({0}, {pad_width}{kw})", shape=_padded_shape, params=_padded_value,
           dtypes=(*FLOATS, *SIGNED), bounds=lambda b, p: _with(p["constant_values"])(b, p)),
    moving("pad_evenly", "jnp.pad({0}, {pad_width})", shape=_padded_shape,
           params=lambda s, shape: {"pad_width": s.choice((1, 1, 2, (1, 0), (0, 2)))},
           ranks=(1, 3), bounds=_with(0), weight=0.7),
    Op("lax_pad", "rearrange", spell("lax.pad({0}, {value}, {padding_config})"), _infer_lax_pad,
       _draw_lax_pad, 1.5),
    moving("insert", "jnp.insert({0}, {obj}, {values}{kw})", params=_inserted, bounds=_with(1),
           shape=lambda shape, p: at_axis(shape, p["axis"], shape[p["axis"]] + 1), weight=0.5),
    moving("delete", "jnp.delete({0}, {obj}{kw})", params=_deleted, shape=_deleted_shape,
           weight=0.6),
    moving("slice_in_dim", "lax.slice_in_dim({0}, {start}, {stop}{kw})", params=_sliced_in_dim,
           shape=_sliced_in_dim_shape, weight=0.8),
    moving("resize", "jnp.resize({0}, {new_shape})", params=_resized, weight=0.4,
           shape=lambda shape, p: p["new_shape"]),
    moving("moveaxis", "jnp.moveaxis({0}, {source}, {destination})", ranks=(2, 6),
           shape=_moved_axis,
           params=lambda s, shape: dict(zip(("source", "destination"), s.choice(
               ((0, -1), (-1, 0), (1, -1), (-1, 1))), strict=True))),
    moving("rollaxis", "jnp.rollaxis({0}, {axis})", ranks=(2, 6), weight=0.3,
           shape=lambda shape, p: _moved_axis(shape, {"source": p["axis"], "destination": 0}),
           params=lambda s, shape: {"axis": s.choice((1, -1))}),
    moving("fill_diagonal", "jnp.fill_diagonal({0}, {value}{kw})", ranks=(2, 2), shape=_same,
           dtypes=(*FLOATS, *SIGNED), bounds=_with(1), weight=0.4,
           params=lambda s, shape: {"value": s.choice((0, 1)), "inplace": False}),
    moving("permute_columns", "{0}[:, jnp.array({order})]", ranks=(2, 4), weight=0.3,
           shape=_same,
           params=lambda s, shape: {"order": Code(str(s.shuffled(range(shape[1]))))}
           if shape[1] < 9 else None),
)  # fmt: skip
