"""Ops along axes: reductions, scans along an axis, normalizations, sorting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import Draw, IllTyped, Infer, Op, spell
from jax_ir_pairs.synthesis.ops.rows import guarded
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import (
    ALL,
    ANYTHING,
    BOOL,
    COMPLEX,
    FLOATS,
    NUMBERS,
    SIGNED,
    Aval,
    Bounds,
)

Rule = Callable[[Bounds, int], Bounds]
"""Bounds of the elements and their number to the bounds of the result."""

Axis = int | tuple[int, ...] | None


def reduced_shape(shape: tuple[int, ...], axis: Axis, keepdims: bool) -> tuple[int, ...]:
    """Gives the shape after a reduction over `axis` (None is all); raises `IllTyped`."""
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise IllTyped("axis out of range")
    gone = {a % len(shape) for a in axes}
    if keepdims:
        return tuple(1 if place in gone else side for place, side in enumerate(shape))
    return tuple(side for place, side in enumerate(shape) if place not in gone)


def draw_axis(scope: Scope, rank: int) -> int:
    """Gives an axis as a person writes it: often -1 or 0."""
    return scope.stream.choice((-1, -1, 0, scope.stream.integer(0, rank - 1)))


def _reduce(
    name: str,
    dtypes: Sequence[str],
    rule: Rule,
    *spellings: str,
    needs: Bounds = ANYTHING,
    result: str = "",
    keepdims: bool = True,
    axis_only: bool = False,
    weight: float = 1.0,
) -> Op:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        (x,) = operands
        if x.aval.dtype not in dtypes or not x.aval.shape:
            raise IllTyped(name)
        if not (x.bounds[0] >= needs[0] and x.bounds[1] <= needs[1]):
            raise IllTyped(f"{name} outside its domain")
        shape = reduced_shape(x.aval.shape, params.get("axis"), params.get("keepdims", False))
        count = x.aval.size // math.prod(shape)
        dtype = result or x.aval.dtype
        return Aval(dtype, shape), rule(x.bounds, count)

    def draw(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
        if (x := guarded(scope, dtypes, needs)) is None or not x.aval.rank:
            return None
        params: dict[str, Any] = {}
        rank = x.aval.rank
        if axis_only or scope.stream.chance(0.75):
            params["axis"] = draw_axis(scope, rank)
            if not axis_only and rank > 2 and scope.stream.chance(0.25):
                params["axis"] = (rank - 2, rank - 1) if scope.stream.chance(0.6) else (0, 1)
            if keepdims and scope.stream.chance(0.25):
                params["keepdims"] = True
        return (x,), params

    widens: Any = "all" if result == "i32" else "integers" if name in ("sum", "prod") else ""
    return Op(name, "reduction", spell(*spellings), infer, draw, weight, widens=widens)


def _sum(bounds: Bounds, count: int) -> Bounds:
    return (bounds[0] * count, bounds[1] * count)


def _mean(bounds: Bounds, count: int) -> Bounds:
    return bounds


def _variance(bounds: Bounds, count: int) -> Bounds:
    return (0.0, (bounds[1] - bounds[0]) ** 2 / 4 + 1e-6)


def _norm(bounds: Bounds, count: int) -> Bounds:
    return (0.0, max(map(abs, bounds)) * math.sqrt(count))


def _product(bounds: Bounds, count: int) -> Bounds:
    return (-(max(map(abs, bounds)) ** count), max(map(abs, bounds)) ** count)


def _index(bounds: Bounds, count: int) -> Bounds:
    return (0, count - 1)


REDUCTIONS = (
    _reduce("sum", (*FLOATS, *COMPLEX, "i32", "u32"), _sum, "jnp.sum({0}{kw})",
            "{0}.sum({kw})", weight=4),
    _reduce("mean", FLOATS + COMPLEX, _mean, "jnp.mean({0}{kw})", "{0}.mean({kw})", weight=3),
    _reduce("max", NUMBERS, _mean, "jnp.max({0}{kw})", "{0}.max({kw})", weight=2),
    _reduce("min", NUMBERS, _mean, "jnp.min({0}{kw})", "{0}.min({kw})", weight=1.5),
    _reduce("prod", FLOATS, _product, "jnp.prod({0}{kw})", needs=(-1.3, 1.3), weight=0.5),
    _reduce("var", FLOATS, _variance, "jnp.var({0}{kw})", "{0}.var({kw})", weight=1.0),
    _reduce("std", FLOATS, lambda b, n: (0.0, b[1] - b[0]), "jnp.std({0}{kw})", weight=0.7),
    _reduce("logsumexp", FLOATS, lambda b, n: (b[0], b[1] + math.log(n)),
            "jax.nn.logsumexp({0}{kw})", "jax.scipy.special.logsumexp({0}{kw})", weight=1.0),
    _reduce("norm", FLOATS, _norm, "jnp.linalg.norm({0}{kw})", axis_only=True, weight=0.8),
    _reduce("argmax", NUMBERS, _index, "jnp.argmax({0}{kw})", "{0}.argmax({kw})", result="i32",
            keepdims=False, axis_only=True, weight=0.8),
    _reduce("argmin", NUMBERS, _index, "jnp.argmin({0}{kw})", result="i32", keepdims=False,
            axis_only=True, weight=0.5),
    _reduce("any", BOOL, lambda b, n: (0, 1), "jnp.any({0}{kw})", "{0}.any({kw})"),
    _reduce("all", BOOL, lambda b, n: (0, 1), "jnp.all({0}{kw})", "{0}.all({kw})"),
    _reduce("count_nonzero", ALL, lambda b, n: (0, n), "jnp.count_nonzero({0}{kw})",
            result="i32", weight=0.5),
    _reduce("ptp", FLOATS + SIGNED, lambda b, n: (0.0, b[1] - b[0]), "jnp.ptp({0}{kw})",
            weight=0.3),
)  # fmt: skip


def _along_infer(name: str, dtypes: Sequence[str], rule: Rule) -> Infer:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        (x,) = operands
        if x.aval.dtype not in dtypes or not x.aval.shape:
            raise IllTyped(name)
        return x.aval, rule(x.bounds, x.aval.shape[params["axis"]])

    return infer


def _along_draw(dtypes: Sequence[str], needs: Bounds, negative: bool) -> Draw:
    def draw(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
        if (x := guarded(scope, dtypes, needs)) is None or not x.aval.rank:
            return None
        axis = draw_axis(scope, x.aval.rank)
        return (x,), {"axis": axis if negative else axis % x.aval.rank}

    return draw


def _along(
    name: str,
    dtypes: Sequence[str],
    rule: Rule,
    *spellings: str,
    needs: Bounds = ANYTHING,
    negative: bool = True,
    weight: float = 1.0,
) -> Op:
    """Gives a row for an op that keeps the shape and works along one axis."""
    infer, draw = _along_infer(name, dtypes, rule), _along_draw(dtypes, needs, negative)
    return Op(name, "along_axis", spell(*spellings), infer, draw, weight)


def _running_sum(bounds: Bounds, count: int) -> Bounds:
    return (min(bounds[0], bounds[0] * count), max(bounds[1], bounds[1] * count))


ALONG_AXIS = (
    _along("cumsum", (*FLOATS, "i32"), _running_sum, "jnp.cumsum({0}{kw})", weight=2),
    _along("cumprod", FLOATS, _product, "jnp.cumprod({0}{kw})", needs=(-1.2, 1.2), weight=0.5),
    _along("cummax", NUMBERS, _mean, "lax.cummax({0}{kw})", negative=False, weight=0.6),
    _along("cummin", NUMBERS, _mean, "lax.cummin({0}{kw})", negative=False, weight=0.4),
    _along("cumlogsumexp", FLOATS, lambda b, n: (b[0], b[1] + math.log(n)),
           "lax.cumlogsumexp({0}{kw})", negative=False, weight=0.4),
    _along("softmax", FLOATS, lambda b, n: (0.0, 1.0), "jax.nn.softmax({0}{kw})", weight=3),
    _along("log_softmax", FLOATS, lambda b, n: (b[0] - b[1] - math.log(n) - 0.1, 0.0),
           "jax.nn.log_softmax({0}{kw})", weight=1.5),
    _along("standardize", FLOATS, lambda b, n: (-math.sqrt(n), math.sqrt(n)),
           "jax.nn.standardize({0}{kw})", weight=0.6),
    _along("sort", NUMBERS, _mean, "jnp.sort({0}{kw})", weight=1),
    _along("flip", ALL, _mean, "jnp.flip({0}{kw})", weight=1),
)  # fmt: skip


def _infer_argsort(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    if not x.aval.shape or x.aval.dtype not in NUMBERS:
        raise IllTyped("argsort")
    return Aval("i32", x.aval.shape), (0, x.aval.shape[params["axis"]] - 1)


def _infer_roll(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return operands[0].aval, operands[0].bounds


def _draw_roll(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
    if (x := scope.pick(ALL, where=lambda v: v.aval.rank > 0)) is None:
        return None
    shift = scope.stream.choice((1, -1, 2, 3))
    return (x,), {"shift": shift, "axis": draw_axis(scope, x.aval.rank)}


def _infer_diff(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), axis = operands, params["axis"]
    shape = list(x.aval.shape)
    shape[axis] -= 1
    if not shape[axis]:
        raise IllTyped("diff of one element")
    width = x.bounds[1] - x.bounds[0]
    return Aval(x.aval.dtype, tuple(shape)), (-width, width)


ORDER = (
    Op("argsort", "along_axis", spell("jnp.argsort({0}{kw})"), _infer_argsort,
       _along_draw(NUMBERS, ANYTHING, True), 0.6, widens="all"),
    Op("roll", "along_axis", spell("jnp.roll({0}, {shift}{kw})"), _infer_roll, _draw_roll, 1.0),
    Op("diff", "along_axis", spell("jnp.diff({0}{kw})"), _infer_diff,
       _along_draw((*FLOATS, "i32"), ANYTHING, True), 0.7),
)  # fmt: skip

OPS = (*REDUCTIONS, *ALONG_AXIS, *ORDER)
