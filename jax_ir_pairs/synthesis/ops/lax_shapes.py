"""Shapes by `lax` itself: broadcast_in_dim, collapse, slice, iota, split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import MOVABLE, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _infer_broadcast(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), shape, places = operands, params["shape"], params["broadcast_dimensions"]
    if len(places) != x.aval.rank or any(
        side not in (1, shape[place]) for side, place in zip(x.aval.shape, places, strict=True)
    ):
        raise IllTyped("broadcast_in_dim")
    return Aval(x.aval.dtype, shape), x.bounds


def _draw_broadcast(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank < 3 and v.aval.size < 512)) is None:
        return None
    shape, place = list(x.aval.shape), scope.stream.integer(0, x.aval.rank)
    shape.insert(place, scope.side())
    places = tuple(p for p in range(len(shape)) if p != place)
    return (x,), {"shape": tuple(shape), "broadcast_dimensions": places}


def _infer_expand(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), places = operands, params["dimensions"]
    shape = list(x.aval.shape)
    for place in sorted(places):
        shape.insert(place, 1)
    return Aval(x.aval.dtype, tuple(shape)), x.bounds


def _draw_expand(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 3)) is None:
        return None
    return (x,), {"dimensions": scope.stream.choice(((0,), (1,), (0, 1), (0, 2)))}


def _infer_collapse(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), start, stop = operands, params["start"], params["stop"]
    if not 0 <= start < stop <= x.aval.rank or stop - start < 2:
        raise IllTyped("collapse")
    shape = x.aval.shape
    shape = (*shape[:start], math.prod(shape[start:stop]), *shape[stop:])
    return Aval(x.aval.dtype, shape), x.bounds


def _draw_collapse(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 1)) is None:
        return None
    start = scope.stream.integer(0, x.aval.rank - 2)
    return (x,), {"start": start, "stop": start + 2}


def _infer_rev(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if max(params["dimensions"]) >= x.aval.rank:
        raise IllTyped("rev")
    return x.aval, x.bounds


def _draw_rev(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0)) is None:
        return None
    rank = x.aval.rank
    ways = [(place,) for place in range(rank)] + ([(0, 1)] if rank > 1 else [])
    return (x,), {"dimensions": scope.stream.choice(ways)}


def _infer_slice(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), start, stop = operands, params["start_indices"], params["limit_indices"]
    if len(start) != x.aval.rank or any(
        not 0 <= a < b <= side for a, b, side in zip(start, stop, x.aval.shape, strict=True)
    ):
        raise IllTyped("slice")
    steps = params.get("strides", (1,) * len(start))
    shape = tuple(-(-(b - a) // s) for a, b, s in zip(start, stop, steps, strict=True))
    return Aval(x.aval.dtype, shape), x.bounds


def _draw_slice(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 4)) is None:
        return None
    stream = scope.stream
    start = tuple(stream.integer(0, side // 2) for side in x.aval.shape)
    stop = tuple(
        stream.choice((side, stream.integer(a + 1, side)))
        for a, side in zip(start, x.aval.shape, strict=True)
    )
    params: dict[str, Any] = {"start_indices": start, "limit_indices": stop}
    if stream.chance(0.25):
        params["strides"] = tuple(stream.choice((1, 2)) for _ in start)
    return (x,), params


def _infer_iota(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    shape = params.get("shape") or (params["n"],)
    return Aval(params["dtype"], shape), (0, shape[params.get("dimension", 0)] - 1)


def _draw_iota(scope: Scope) -> Drawn:
    dtype = scope.stream.choice(("i32", "i32", "f32", "u32", "i16", "bf16"))
    return (), {"dtype": dtype, "n": scope.side()}


def _draw_broadcasted_iota(scope: Scope) -> Drawn:
    dtype = scope.stream.choice(("i32", "i32", "f32", "u32"))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(2, 3)))
    place = scope.stream.integer(0, len(shape) - 1)
    return (), {"dtype": dtype, "shape": shape, "dimension": place}


def _infer_split(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (x,), axis, sizes = operands, params.get("axis", 0), params["sizes"]
    if axis >= x.aval.rank or sum(sizes) != x.aval.shape[axis]:
        raise IllTyped("split")
    own = x.aval.shape
    return [(Aval(x.aval.dtype, (*own[:axis], size, *own[axis + 1 :])), x.bounds) for size in sizes]


def _draw_split(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0)) is None:
        return None
    axis = scope.stream.integer(0, x.aval.rank - 1)
    side = x.aval.shape[axis]
    if side < 2:
        return None
    first = scope.stream.integer(1, side - 1)
    return (x,), {"sizes": (first, side - first), **({"axis": axis} if axis else {})}


def _op(name: str, template: str, infer: Any, draw: Any, weight: float, **more: Any) -> Op:
    return Op(name, "lax", spell(f"lax.{template}"), infer, draw, weight, **more)


OPS = (
    _op("broadcast_in_dim", "broadcast_in_dim({0}, {shape}, {broadcast_dimensions})",
        _infer_broadcast, _draw_broadcast, 0.8),
    _op("lax_expand_dims", "expand_dims({0}, {dimensions})", _infer_expand, _draw_expand, 0.6),
    _op("collapse", "collapse({0}, {start}, {stop})", _infer_collapse, _draw_collapse, 0.6),
    _op("rev", "rev({0}, {dimensions})", _infer_rev, _draw_rev, 0.6),
    _op("lax_slice", "slice({0}, {start_indices}, {limit_indices}{kw})", _infer_slice,
        _draw_slice, 0.8),
    _op("iota", "iota({dtype}, {n})", _infer_iota, _draw_iota, 0.8),
    _op("broadcasted_iota", "broadcasted_iota({dtype}, {shape}, {dimension})", _infer_iota,
        _draw_broadcasted_iota, 0.8),
    _op("lax_split", "split({0}, {sizes}{kw})", _infer_split, _draw_split, 0.8),
)  # fmt: skip
