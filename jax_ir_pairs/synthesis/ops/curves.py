"""Curves: interpolation, polynomials, differences, quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import Drawn, around, array_op
from jax_ir_pairs.synthesis.ops.matrices import calm, largest, require, vector
from jax_ir_pairs.synthesis.ops.reductions import draw_axis, reduced_shape
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

_EXACT = ("f32", "f64")
Rule = Callable[[Bounds, int], Bounds]


def _interpolated(x: Var, xp: Var, fp: Var, **params: Any) -> Typed:
    require(xp.aval == fp.aval and xp.aval.rank == 1, "interp")
    return x.aval, fp.bounds


def _polynomial(p: Var, x: Var) -> Typed:
    require(p.aval.rank == 1 and p.aval.dtype == x.aval.dtype, "polyval")
    n = p.aval.size
    return x.aval, around(largest(p) * sum(largest(x) ** k for k in range(n)))


def _product(a: Var, b: Var) -> Typed:
    edge = largest(a) * largest(b) * min(a.aval.size, b.aval.size)
    return a.aval.with_shape(a.aval.size + b.aval.size - 1), around(edge)


def _sum(a: Var, b: Var) -> Typed:
    return a.aval.with_shape(max(a.aval.size, b.aval.size)), around(largest(a) + largest(b))


def _derivative(p: Var) -> Typed:
    require(p.aval.size > 1, "polyder")
    return p.aval.with_shape(p.aval.size - 1), around(largest(p) * p.aval.size)


def _integral(p: Var) -> Typed:
    return p.aval.with_shape(p.aval.size + 1), around(largest(p))


def _fitted(x: Var, y: Var, deg: int) -> Typed:
    require(x.aval == y.aval and x.aval.size > deg, "polyfit")
    return x.aval.with_shape(deg + 1), around(20 * largest(y))


def _gradient(x: Var, axis: int = 0) -> Typed:
    require(x.aval.rank > 0 and x.aval.shape[axis] > 1, "gradient")
    return x.aval, around(2 * largest(x))


def _trapezoid(y: Var, *x: Var, dx: float = 1.0, axis: int = -1) -> Typed:
    side = y.aval.shape[axis]
    width = 2 * largest(x[0]) if x else dx
    return y.aval.with_shape(*reduced_shape(y.aval.shape, axis, False)), around(
        largest(y) * width * side
    )


def _unwrapped(x: Var) -> Typed:
    return x.aval, around(largest(x) + 2 * math.pi * (x.aval.shape or (1,))[-1])


def _differences(x: Var) -> Typed:
    require(x.aval.size > 1, "ediff1d")
    return x.aval.with_shape(x.aval.size - 1), around(2 * largest(x))


def _any(scope: Scope) -> Var:
    x = scope.pick(_EXACT, where=lambda v: v.aval.rank > 0)
    if x is None:
        raise IllTyped("no floating array")
    return x


def _draw_interp(scope: Scope) -> Drawn:
    n = scope.stream.choice((4, 5, 8, 11, 16))
    xp = scope.let("linspace", start=-2.0, stop=2.0, n=n, role="xp")
    fp = vector(scope, n)
    x = scope.pick((scope.float_dtype,), where=lambda v: v not in (xp, fp))
    return (x or scope.input(Aval(scope.float_dtype, (scope.side(),)), "x"), xp, fp), {}


def _draw_polyval(scope: Scope) -> Drawn:
    p = vector(scope, most=6)
    x = scope.pick((p.aval.dtype,), where=lambda v: v is not p)
    x = x or scope.input(Aval(p.aval.dtype, (scope.side(),)), "x")
    return (p, calm(scope, x, 4.0)), {}


def _draw_vector(scope: Scope) -> Drawn:
    return (vector(scope, most=16),), {}


def _draw_vectors(scope: Scope) -> Drawn:
    return (vector(scope, most=16), vector(scope, most=8)), {}


def _draw_fit(scope: Scope) -> Drawn:
    y = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 1 and v.aval.size > 3)
    y = y or scope.input(Aval(scope.float_dtype, (max(4, scope.side()),)), "y")
    x = scope.let("linspace", start=-1.0, stop=1.0, n=y.aval.size, role="t")
    return (x, calm(scope, y)), {"deg": scope.stream.choice((1, 2, 2, 3))}


def _draw_along(scope: Scope) -> Drawn:
    x = scope.pick(_EXACT, where=lambda v: v.aval.rank > 0 and min(v.aval.shape) > 1)
    return None if x is None else ((x,), {"axis": draw_axis(scope, x.aval.rank)})


def _draw_trapezoid(scope: Scope) -> Drawn:
    if scope.stream.chance(0.4):
        n = scope.stream.choice((5, 8, 11, 16))
        grid = scope.let("linspace", start=0.0, stop=1.0, n=n, role="t")
        return (vector(scope, n), grid), {}
    drawn = _draw_along(scope)
    return drawn and (drawn[0], {**drawn[1], "dx": scope.stream.choice((0.01, 0.1, 0.5))})


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "curve", templates, draw, typed, weight, **more)


OPS = (
    _row("interp", "jnp.interp({0}, {1}, {2})", _draw_interp, _interpolated, 1.2),
    _row("polyval", "jnp.polyval({0}, {1})", _draw_polyval, _polynomial, 1.2),
    _row("polymul", "jnp.polymul({0}, {1})", _draw_vectors, _product, 0.4),
    _row("polyadd", "jnp.polyadd({0}, {1})", _draw_vectors, _sum, 0.3),
    _row("polyder", "jnp.polyder({0})", _draw_vector, _derivative, 0.4),
    _row("polyint", "jnp.polyint({0})", _draw_vector, _integral, 0.4),
    _row("polyfit", "jnp.polyfit({0}, {1}, {deg})", _draw_fit, _fitted, 0.6, reverse=False),
    _row("gradient", "jnp.gradient({0}{kw})", _draw_along, _gradient, 1.2),
    _row("trapezoid", "jnp.trapezoid({*0}{kw})", _draw_trapezoid, _trapezoid, 1.2),
    _row("unwrap", "jnp.unwrap({0})", lambda s: ((_any(s),), {}), _unwrapped, 0.6,
         reverse=False),
    _row("ediff1d", "jnp.ediff1d({0})", _draw_vector, _differences, 0.5),
)  # fmt: skip
