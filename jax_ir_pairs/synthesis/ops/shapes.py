"""Ops that only move elements: reshape, transpose, broadcast, join, pad."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import MOVABLE, NUMBERS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _moved(x: Var, shape: Sequence[int]) -> tuple[Aval, Bounds]:
    return Aval(x.aval.dtype, tuple(shape)), x.bounds


def _infer_reshape(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), shape = operands, params["shape"]
    known = math.prod(side for side in shape if side != -1)
    if shape.count(-1) > 1 or not known or x.aval.size % known:
        raise IllTyped("reshape")
    sides = [x.aval.size // known if side == -1 else side for side in shape]
    if math.prod(sides) != x.aval.size or tuple(sides) == x.aval.shape:
        raise IllTyped("reshape")
    return _moved(x, sides)


def _draw_reshape(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.size > 1)) is None:
        return None
    shape, stream = x.aval.shape, scope.stream
    way = stream.integer(0, 3)
    if way == 0 or x.aval.rank == 1:
        factors = [f for f in (2, 3, 4, 8) if shape[-1] % f == 0 and shape[-1] > f]
        if not factors:
            return None
        factor = stream.choice(factors)
        new = (*shape[:-1], shape[-1] // factor, factor)
    elif way == 1:
        new = (shape[0], -1)
    elif way == 2:
        new = (-1, shape[-1])
    else:
        new = (*shape[:-2], shape[-2] * shape[-1])
    return (x,), {"shape": new}


def _infer_ravel(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    if x.aval.rank < 2:
        raise IllTyped("ravel")
    return _moved(x, (x.aval.size,))


def _infer_transpose(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), axes = operands, params["axes"]
    if sorted(axes) != list(range(x.aval.rank)) or list(axes) == sorted(axes):
        raise IllTyped("transpose")
    return _moved(x, [x.aval.shape[a] for a in axes])


def _draw_transpose(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 2)) is None:
        return None
    return (x,), {"axes": tuple(scope.stream.shuffled(range(x.aval.rank)))}


def _infer_matrix_transpose(ops: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = ops
    if x.aval.rank != 2:
        raise IllTyped("T")
    return _moved(x, x.aval.shape[::-1])


def _infer_swapaxes(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    shape, a, b = list(x.aval.shape), params["axis1"], params["axis2"]
    shape[a], shape[b] = shape[b], shape[a]
    return _moved(x, shape)


def _draw_swapaxes(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 1)) is None:
        return None
    pair = (-1, -2) if scope.stream.chance(0.6) else (0, 1)
    return (x,), {"axis1": pair[0], "axis2": pair[1]}


def _infer_expand(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), axis = operands, params["axis"]
    shape = list(x.aval.shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    if len(shape) > 5:
        raise IllTyped("expand_dims")
    return _moved(x, shape)


def _draw_expand(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 4)) is None:
        return None
    return (x,), {"axis": scope.stream.choice((0, -1, 1))}


def _infer_squeeze(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), axis = operands, params["axis"]
    shape = list(x.aval.shape)
    if not -len(shape) <= axis < len(shape) or shape.pop(axis) != 1:
        raise IllTyped("squeeze")
    return _moved(x, shape)


def _draw_squeeze(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: 1 in v.aval.shape)) is None:
        return None
    return (x,), {"axis": x.aval.shape.index(1)}


def _infer_broadcast_to(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), shape = operands, params["shape"]
    own = x.aval.shape
    tail = shape[len(shape) - len(own) :]
    if len(own) > len(shape) or shape == own or any(
        o not in (1, s) for o, s in zip(own, tail, strict=True)
    ):  # fmt: skip
        raise IllTyped("broadcast_to")
    return _moved(x, shape)


def _draw_broadcast_to(scope: Scope) -> Drawn:
    if (
        x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 4 and v.aval.size < 512)
    ) is None:
        return None
    return (x,), {"shape": (scope.side(), *x.aval.shape)}


def _infer_join(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (parts,), axis = operands, params["axis"]
    first = parts[0].aval
    rest = [list(p.aval.shape) for p in parts]
    if any(p.aval.dtype != first.dtype or p.aval.rank != first.rank for p in parts):
        raise IllTyped("concatenate")
    total = sum(shape.pop(axis) for shape in rest)
    if any(shape != rest[0] for shape in rest):
        raise IllTyped("concatenate")
    shape = list(first.shape)
    shape[axis] = total
    return Aval(first.dtype, tuple(shape)), _spread(parts)


def _spread(parts: Sequence[Var]) -> Bounds:
    return (min(p.bounds[0] for p in parts), max(p.bounds[1] for p in parts))


def _draw_alike(scope: Scope, min_rank: int) -> tuple[Var, ...] | None:
    x = scope.pick(
        MOVABLE, where=lambda v: v.aval.rank >= min_rank and v.aval.size < MAX_ELEMENTS // 4
    )
    if x is None:
        return None
    other = scope.pick(MOVABLE, where=lambda v: v.aval == x.aval and v is not x)
    if other is None and x.aval.dtype in NUMBERS:
        other = scope.let("square", x) if x.bounds[1] < 10 else scope.let("negative", x)
    if other is None:
        return None
    return (x, other) if scope.stream.chance(0.7) else (other, x)


def _draw_concatenate(scope: Scope) -> Drawn:
    if (pair := _draw_alike(scope, 1)) is None:
        return None
    return (pair,), {"axis": scope.stream.choice((0, -1))}


def _infer_stack(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (parts,) = operands
    if len({p.aval for p in parts}) > 1 or parts[0].aval.rank > 3:
        raise IllTyped("stack")
    shape, axis = list(parts[0].aval.shape), params.get("axis", 0)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, len(parts))
    return Aval(parts[0].aval.dtype, tuple(shape)), _spread(parts)


def _draw_stack(scope: Scope) -> Drawn:
    if (pair := _draw_alike(scope, 0)) is None:
        return None
    return (pair,), {} if scope.stream.chance(0.5) else {"axis": -1 if pair[0].aval.rank else 0}


def _infer_tile(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), reps = operands, params["reps"]
    if len(reps) != x.aval.rank:
        raise IllTyped("tile")
    return _moved(x, [side * rep for side, rep in zip(x.aval.shape, reps, strict=True)])


def _draw_tile(scope: Scope) -> Drawn:
    if (
        x := scope.pick(MOVABLE, where=lambda v: 0 < v.aval.rank < 3 and v.aval.size < 1024)
    ) is None:
        return None
    reps = [1] * x.aval.rank
    reps[scope.stream.integer(0, len(reps) - 1)] = scope.stream.integer(2, 3)
    return (x,), {"reps": tuple(reps)}


def _infer_repeat(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), axis = operands, params["axis"]
    shape = list(x.aval.shape)
    shape[axis] *= params["repeats"]
    return _moved(x, shape)


def _draw_repeat(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.size < 1024)) is None:
        return None
    return (x,), {"repeats": scope.stream.integer(2, 3), "axis": scope.stream.choice((0, -1))}


def _infer_pad(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), widths = operands, params["pad_width"]
    if len(widths) != x.aval.rank:
        raise IllTyped("pad")
    shape = [s + a + b for s, (a, b) in zip(x.aval.shape, widths, strict=True)]
    return Aval(x.aval.dtype, tuple(shape)), (min(x.bounds[0], 0), max(x.bounds[1], 0))


def _draw_pad(scope: Scope) -> Drawn:
    if (x := scope.pick(NUMBERS, where=lambda v: 0 < v.aval.rank < 4)) is None:
        return None
    widths = [(0, 0)] * x.aval.rank
    widths[-1] = scope.stream.choice(((1, 1), (0, 1), (1, 0), (2, 2)))
    mode = scope.stream.weighted(("constant", "edge", "reflect"), (4, 1, 1))
    if mode == "reflect" and x.aval.shape[-1] < 3:
        mode = "constant"
    return (x,), {"pad_width": tuple(widths), **({} if mode == "constant" else {"mode": mode})}


def _infer_triangle(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    if x.aval.rank < 2:
        raise IllTyped("tril")
    return x.aval, (min(x.bounds[0], 0), max(x.bounds[1], 0))


def _infer_diagonal(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    if x.aval.rank != 2:
        raise IllTyped("diagonal")
    return _moved(x, (min(x.aval.shape),))


def _draw_rank(low: int, high: int) -> Any:
    def draw(scope: Scope) -> Drawn:
        x = scope.pick(MOVABLE, where=lambda v: low <= v.aval.rank <= high)
        return None if x is None else ((x,), {})

    return draw


OPS = (
    Op("reshape", "shape", spell("{0}.reshape({shape})", "jnp.reshape({0}, {shape})"),
       _infer_reshape, _draw_reshape, 3.0),
    Op("ravel", "shape", spell("jnp.ravel({0})", "{0}.ravel()"), _infer_ravel, _draw_rank(2, 4)),
    Op("transpose", "shape", spell("jnp.transpose({0}, {axes})", "{0}.transpose({axes})"),
       _infer_transpose, _draw_transpose, 2.0),
    Op("matrix_transpose", "shape", spell("{0}.T", "jnp.transpose({0})"),
       _infer_matrix_transpose, _draw_rank(2, 2), 2.0),
    Op("swapaxes", "shape", spell("jnp.swapaxes({0}, {axis1}, {axis2})"), _infer_swapaxes,
       _draw_swapaxes),
    Op("expand_dims", "shape", spell("jnp.expand_dims({0}{kw})"), _infer_expand, _draw_expand),
    Op("squeeze", "shape", spell("jnp.squeeze({0}{kw})", "{0}.squeeze({kw})"), _infer_squeeze,
       _draw_squeeze, 0.7),
    Op("broadcast_to", "shape", spell("jnp.broadcast_to({0}, {shape})"), _infer_broadcast_to,
       _draw_broadcast_to),
    Op("concatenate", "shape", spell("jnp.concatenate([{0}]{kw})"), _infer_join,
       _draw_concatenate, 2.0),
    Op("stack", "shape", spell("jnp.stack([{0}]{kw})"), _infer_stack, _draw_stack, 1.5),
    Op("tile", "shape", spell("jnp.tile({0}, {reps})"), _infer_tile, _draw_tile, 0.6),
    Op("repeat", "shape", spell("jnp.repeat({0}, {repeats}{kw})"), _infer_repeat, _draw_repeat,
       0.6),
    Op("pad", "shape", spell("jnp.pad({0}, {pad_width}{kw})"), _infer_pad, _draw_pad),
    Op("tril", "shape", spell("jnp.tril({0})"), _infer_triangle, _draw_rank(2, 4), 0.5),
    Op("triu", "shape", spell("jnp.triu({0})"), _infer_triangle, _draw_rank(2, 4), 0.4),
    Op("diag", "shape", spell("jnp.diag({0})"), _infer_diagonal, _draw_rank(2, 2), 0.4),
    Op("diagonal", "shape", spell("jnp.diagonal({0})"), _infer_diagonal,
       _draw_rank(2, 2), 0.5),
)  # fmt: skip
