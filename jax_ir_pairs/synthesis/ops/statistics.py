"""Statistics of data: quantiles, histograms, covariances, counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import Drawn, around, array_op
from jax_ir_pairs.synthesis.ops.matrices import calm, largest, require, vector
from jax_ir_pairs.synthesis.ops.reductions import draw_axis, reduced_shape
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

_EXACT = ("f32", "f64")
Rule = Callable[[Bounds, int], Bounds]


def _reduced(rule: Rule) -> Callable[..., Typed]:
    """Gives the typing of a reduction over an axis or over all."""

    def typed(x: Var, *, axis: int | None = None, keepdims: bool = False, **params: Any) -> Typed:
        require(x.aval.rank > 0, "reduction of a scalar")
        shape = reduced_shape(x.aval.shape, axis, keepdims)
        return x.aval.with_shape(*shape), rule(x.bounds, x.aval.size // math.prod(shape))

    return typed


def _same(bounds: Bounds, count: int) -> Bounds:
    return bounds


def _quantiles(x: Var, q: Any, axis: int | None = None) -> Typed:
    aval, bounds = _reduced(_same)(x, axis=axis)
    return (aval.with_shape(*q.aval.shape, *aval.shape) if isinstance(q, Var) else aval), bounds


def _cov(x: Var) -> Typed:
    require(x.aval.rank == 2 and x.aval.shape[1] > 1, "cov")
    rows = x.aval.shape[0]
    return x.aval.with_shape(*((rows, rows) if rows > 1 else ())), around(2 * largest(x) ** 2)


def _corrcoef(x: Var) -> Typed:
    return _cov(x)[0], (-1.0, 1.0)


def _average(x: Var, w: Var, axis: int) -> Typed:
    require(w.aval.shape == (x.aval.shape[axis],) and w.bounds[0] > 0, "average")
    return x.aval.with_shape(*reduced_shape(x.aval.shape, axis, False)), x.bounds


def _histogram(x: Var, bins: int, **params: Any) -> list[Typed]:
    edges = params.get("range", x.bounds)
    counts = x.aval.with_shape(bins)
    return [(counts, (0, x.aval.size)), (x.aval.with_shape(bins + 1), (edges[0] - 1, edges[1] + 1))]


def _binned(x: Var, bins: Var, **params: Any) -> Typed:
    require(x.aval.dtype == bins.aval.dtype and bins.aval.rank == 1, "digitize")
    return Aval("i32", x.aval.shape), (0, bins.aval.size)


def _placed(sorted_values: Var, v: Var, **params: Any) -> Typed:
    return _binned(v, sorted_values)


def _counted(x: Var, length: int) -> Typed:
    require(x.aval.rank == 1 and x.aval.dtype == "i32", "bincount")
    return Aval("i32", (length,)), (0, x.aval.size)


def _any(scope: Scope) -> Var:
    x = scope.pick(_EXACT, where=lambda v: v.aval.rank > 0)
    if x is None:
        raise IllTyped("no floating array")
    return x


def _draw_reduced(scope: Scope) -> Drawn:
    x = _any(scope)
    params: dict[str, Any] = {}
    if scope.stream.chance(0.75):
        params["axis"] = draw_axis(scope, x.aval.rank)
        if scope.stream.chance(0.2):
            params["keepdims"] = True
    return (x,), params


def _draw_quantile(percent: bool) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        x = _any(scope)
        q = scope.stream.choice((0.1, 0.25, 0.5, 0.75, 0.9, 0.95))
        params: dict[str, Any] = {"q": round(100 * q) if percent else q}
        if scope.stream.chance(0.6):
            params["axis"] = draw_axis(scope, x.aval.rank)
        return (x,), params

    return draw


def _draw_rows(scope: Scope) -> Drawn:
    x = scope.pick(_EXACT, where=lambda v: v.aval.rank == 2 and v.aval.shape[1] > 1)
    if x is None:
        x = scope.input(Aval(scope.float_dtype, (4, max(4, scope.side()))), "data")
    return (calm(scope, x),), {}


def _draw_average(scope: Scope) -> Drawn:
    x = _any(scope)
    axis = draw_axis(scope, x.aval.rank)
    n = (x.aval.shape[axis],)
    w = scope.pick((x.aval.dtype,), needs=(0.05, math.inf), where=lambda v: v.aval.shape == n)
    if w is None:
        base = scope.pick((x.aval.dtype,), where=lambda v: v.aval.shape == n)
        base = base or scope.input(Aval(x.aval.dtype, n), "w")
        w = scope.let("exp", calm(scope, base, 2.0), role="weights")
    return (x, w), {"axis": axis}


def _draw_histogram(scope: Scope) -> Drawn:
    x = _any(scope)
    params: dict[str, Any] = {"bins": scope.stream.choice((4, 5, 8, 10))}
    return (x,), params | ({"range": (-3.0, 3.0)} if scope.stream.chance(0.4) else {})


def _edges(scope: Scope) -> Var:
    if scope.stream.chance(0.5):
        return scope.let("sort", vector(scope, most=32), axis=-1)
    return scope.let("linspace", start=-2.0, stop=2.0, n=scope.stream.choice((4, 5, 8, 11)))


def _draw_digitize(scope: Scope) -> Drawn:
    edges = _edges(scope)
    x = scope.pick((scope.float_dtype,), where=lambda v: v is not edges) or edges
    return (x, edges), {"right": True} if scope.stream.chance(0.3) else {}


def _draw_searchsorted(scope: Scope) -> Drawn:
    (x, edges), _ = _draw_digitize(scope) or ((), {})
    params: dict[str, Any] = {}
    if scope.stream.chance(0.4):
        params["side"] = "right"
    if scope.stream.chance(0.5):
        method = scope.stream.choice(("scan", "sort", "compare_all", "scan_unrolled"))
        params["method"] = Code(f'"{method}"')
    return (edges, x), params


def _draw_bincount(scope: Scope) -> Drawn:
    x = scope.pick(("i32",), needs=(0, 100), where=lambda v: v.aval.rank == 1)
    x = x or scope.input(Aval("i32", (scope.side(),)), "labels", (0, 3))
    return (x,), {"length": scope.stream.choice((4, 5, 8, 10))}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "statistics", templates, draw, typed, weight, **more)


OPS = (
    _row("median", "jnp.median({0}{kw})", _draw_reduced, _reduced(_same), 1.2),
    _row("nanmedian", "jnp.nanmedian({0}{kw})", _draw_reduced, _reduced(_same), 0.5),
    _row("quantile", "jnp.quantile({0}, {q}{kw})", _draw_quantile(False), _quantiles, 1.2),
    _row("percentile", "jnp.percentile({0}, {q}{kw})", _draw_quantile(True), _quantiles),
    _row("cov", "jnp.cov({0})", _draw_rows, _cov, 1.2),
    _row("corrcoef", "jnp.corrcoef({0})", _draw_rows, _corrcoef, reverse=False),
    _row("average", "jnp.average({0}{kw}, weights={1})", _draw_average, _average),
    _row("histogram", "jnp.histogram({0}{kw})", _draw_histogram, _histogram, reverse=False),
    _row("digitize", "jnp.digitize({0}, {1}{kw})", _draw_digitize, _binned, reverse=False),
    _row("searchsorted", "jnp.searchsorted({0}, {1}{kw})", _draw_searchsorted, _placed, 2.0,
         reverse=False),
    _row("bincount", "jnp.bincount({0}{kw})", _draw_bincount, _counted, reverse=False,
         widens="all"),
)  # fmt: skip
