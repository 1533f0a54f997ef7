"""Special functions: gamma, beta, Bessel, error and zeta functions, entropies, normal quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import (
    Drawn,
    alike,
    around,
    array_op,
    not_differentiated,
)
from jax_ir_pairs.synthesis.ops.matrices import largest, require
from jax_ir_pairs.synthesis.ops.rows import (
    UNIT,
    binary,
    guarded,
    monotone,
    odd,
    unary,
    within,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import ANYTHING, FLOATS, Bounds

_EXACT = ("f32", "f64")
_SP = "jax.scipy.special."
_PROBABILITY: Bounds = (0.005, 0.995)
_SHAPE: Bounds = (0.2, 20.0)
"""Where parameters of distributions lie: away from the poles at zero."""


def _one(
    name: str,
    bounds: Callable[[float, float], Bounds],
    *templates: str,
    needs: Bounds = ANYTHING,
    weight: float = 1.0,
    dtypes: tuple[str, ...] = FLOATS,
) -> Op:
    spelled = templates or (f"{_SP}{name}({{0}})",)
    return unary(name, dtypes, bounds, *spelled, needs=needs, group="special", weight=weight)


def _near(scope: Scope, needs: Bounds) -> Var:
    """Gives a positive value within bounds, clipped there where none is."""
    low, high = needs
    if (x := scope.pick(_EXACT, needs=needs)) is not None:
        return x
    if (x := scope.pick(_EXACT)) is None:
        raise IllTyped("no floating value")
    if high < 1.0:
        x = scope.let("sigmoid", x)
    elif low > 0:
        x = scope.let("softplus" if x.bounds[0] >= -6 else "abs", x)
    if x.bounds[0] >= low and x.bounds[1] <= high:
        return x
    return scope.let("clip", x, low=low, high=high)


def _draw_inside(needs: Bounds) -> Callable[[Scope], Drawn]:
    return lambda scope: ((_near(scope, needs),), {})


def _inside(
    name: str, needs: Bounds, bounds: Bounds, template: str = "", weight: float = 1.0
) -> Op:
    """Gives a row for a function of one argument that has to lie within bounds."""

    def typed(x: Var) -> Typed:
        require(needs[0] <= x.bounds[0] and x.bounds[1] <= needs[1], name)
        return x.aval, bounds

    spelled = template or f"{_SP}{name}({{0}})"
    return array_op(name, "special", spelled, _draw_inside(needs), typed, weight)


def _several(
    name: str, needs: tuple[Bounds, ...], bounds: Bounds, *templates: str, weight: float = 1.0
) -> Op:
    """Gives a row for a function of several arguments, each within bounds of its own."""

    def typed(*operands: Any) -> Typed:
        arrays = [x for x in operands if isinstance(x, Var)]
        require(len({x.aval for x in arrays}) == 1, name)
        for x, (low, high) in zip(operands, needs, strict=True):
            inside = x.bounds if isinstance(x, Var) else (x.value, x.value)
            require(low <= inside[0] and inside[1] <= high, name)
        return arrays[0].aval, bounds

    def draw(scope: Scope) -> Drawn:
        first = _near(scope, needs[-1])
        rest: list[Any] = []
        for low, high in needs[:-1]:
            numbers = [n for n in (0.5, 1.0, 1.5, 2.0, 3.0) if low <= n <= high]
            y = scope.pick(
                (first.aval.dtype,), needs=(low, high), where=lambda v: v.aval == first.aval
            )
            if y is None and (scope.stream.chance(0.5) or not numbers):
                base = scope.pick(where=lambda v: v.aval == first.aval)
                y = scope.let("clip", base or first, low=low, high=high)
            rest.append(y or Literal(scope.stream.choice(numbers)))
        return (*rest, first), {}

    spelled = templates or (f"{_SP}{name}({{*0}})",)
    return array_op(name, "special", spelled, draw, typed, weight)


def _polygamma(x: Var, n: int) -> Typed:
    require(x.bounds[0] >= 0.2 and x.bounds[1] <= 20.0, "polygamma")
    return x.aval, around(math.factorial(n) / 0.2 ** (n + 1) + 10.0)


def _draw_polygamma(scope: Scope) -> Drawn:
    return (_near(scope, _SHAPE),), {"n": scope.stream.choice((1, 1, 2))}


def _multigamma(a: Var, d: int) -> Typed:
    require(a.bounds[0] >= 2.0 and a.bounds[1] <= 20.0, "multigammaln")
    return a.aval, (-5.0, 150.0)


def _expn(x: Var, n: int) -> Typed:
    require(x.bounds[0] >= 0.2, "expn")
    return x.aval, (0.0, 2.0)


def _ldexp(x: Var, e: Literal) -> Typed:
    return x.aval, around(largest(x) * 2.0**e.value)


def _sici(x: Var) -> list[Typed]:
    return alike(x.aval.dtype, (x.aval.shape, (-2.0, 2.0)), (x.aval.shape, (-5.0, 2.0)))


def _fresnel(x: Var) -> list[Typed]:
    return alike(x.aval.dtype, (x.aval.shape, (-1.0, 1.0)), (x.aval.shape, (-1.0, 1.0)))


def _draw_float(*dtypes: str, needs: Bounds = ANYTHING) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        x = guarded(scope, dtypes, needs)
        return None if x is None else ((x,), {})

    return draw


def _draw_with(*numbers: float) -> Callable[[Scope], Drawn]:
    def draw(scope: Scope) -> Drawn:
        x = scope.pick(_EXACT)
        return None if x is None else ((x, Literal(scope.stream.choice(numbers))), {})

    return draw


def _bessel(order: float) -> Callable[[float, float], Bounds]:
    return lambda low, high: (-order * math.exp(max(-low, high)), math.exp(max(-low, high)))


def _entropy(low: float, high: float) -> Bounds:
    return (min(0.0, -high * math.log(high)), 0.4)


UNARY = (
    _one("erfinv", within(-2, 2), f"{_SP}erfinv({{0}})", needs=UNIT),
    _one("lax_erf_inv", within(-2, 2), "lax.erf_inv({0})", needs=UNIT, weight=0.6),
    _one("i0e", within(0, 1), f"{_SP}i0e({{0}})", weight=0.8),
    _one("bessel_i0e", within(0, 1), "lax.bessel_i0e({0})", weight=0.6),
    _one("i1e", within(-1, 1), f"{_SP}i1e({{0}})", weight=0.8),
    _one("bessel_i1e", within(-1, 1), "lax.bessel_i1e({0})", weight=0.6),
    _one("i0", _bessel(0.0), needs=(-8.0, 8.0), dtypes=_EXACT, weight=0.6),
    _one("i1", _bessel(1.0), needs=(-8.0, 8.0), dtypes=_EXACT, weight=0.6),
    _one("entr", _entropy, needs=(0.001, math.inf)),
    _one("expit", within(0, 1)),
    _one("ndtr", within(0, 1), dtypes=_EXACT, weight=1.2),
    _one("log_ndtr", lambda a, b: (-0.5 * a * a - math.log(abs(a) + 2) - 1.0, 0.0),
         needs=(-30.0, 30.0), dtypes=_EXACT),
    _one("sinc", within(-0.3, 1.0), "jnp.sinc({0})"),
    _one("log10", monotone(math.log10), "jnp.log10({0})", needs=(1e-3, math.inf), weight=0.6),
    _one("deg2rad", odd, "jnp.deg2rad({0})", "jnp.radians({0})", weight=0.5),
    _one("rad2deg", lambda a, b: around(58 * max(abs(a), abs(b))), "jnp.rad2deg({0})", weight=0.5),
    _one("fabs", lambda a, b: (0.0, max(abs(a), abs(b))), "jnp.fabs({0})", weight=0.5),
    _one("rint", lambda a, b: (a - 1, b + 1), "jnp.rint({0})", weight=0.4),
)  # fmt: skip

DOMAINS = (
    _inside("gamma", (0.2, 6.0), (0.8, 125.0)),
    _inside("logit", _PROBABILITY, (-5.4, 5.4)),
    _inside("ndtri", _PROBABILITY, (-2.7, 2.7)),
    _inside("exp1", (0.1, 20.0), (0.0, 2.0), weight=0.5),
    not_differentiated(_inside("expi", (0.2, 6.0), (-1.0, 90.0), weight=0.5)),
    # Their derivative by the first argument, igamma_grad_a, has none itself.
    not_differentiated(_several("gammainc", (_SHAPE, _SHAPE), (0.0, 1.0), weight=1.2)),
    not_differentiated(_several("gammaincc", (_SHAPE, _SHAPE), (0.0, 1.0), weight=1.2)),
    not_differentiated(
        _several("igamma_grad_a", (_SHAPE, _SHAPE), (-3.0, 0.1), "lax.igamma_grad_a({*0})",
                 weight=3.0)
    ),
    not_differentiated(
        _several("betainc", ((0.5, 8.0), (0.5, 8.0), _PROBABILITY), (0.0, 1.0), weight=3.0)
    ),
    _several("betaln", (_SHAPE, _SHAPE), (-30.0, 5.0)),
    _several("beta", ((0.5, 8.0), (0.5, 8.0)), (0.0, 4.0), weight=0.5),
    not_differentiated(_several("zeta", ((1.5, 20.0), (0.5, 8.0)), (0.0, 5.0), weight=2.5)),
    _several("xlogy", ((-20.0, 20.0), (0.05, 20.0)), (-60.0, 60.0), weight=1.2),
    _several("xlog1py", ((-20.0, 20.0), (0.05, 20.0)), (-62.0, 62.0)),
    _several("rel_entr", ((0.05, 8.0), (0.05, 8.0)), (-3.0, 42.0)),
    _several("kl_div", ((0.05, 8.0), (0.05, 8.0)), (0.0, 42.0), weight=0.7),
)  # fmt: skip

MORE = (
    not_differentiated(
        array_op("polygamma", "special", f"{_SP}polygamma({{n}}, {{0}})", _draw_polygamma,
                 _polygamma, 1.2)
    ),
    array_op("multigammaln", "special", f"{_SP}multigammaln({{0}}, {{d}})",
             lambda s: ((_near(s, (2.0, 20.0)),), {"d": s.stream.choice((2, 3))}), _multigamma,
             0.4),
    not_differentiated(
        array_op("expn", "special", f"{_SP}expn({{n}}, {{0}})",
                 lambda s: ((_near(s, (0.2, 20.0)),), {"n": s.stream.choice((1, 2, 3))}), _expn,
                 0.4)
    ),
    not_differentiated(
        array_op("sici", "special", f"{_SP}sici({{0}})",
                 _draw_float(*_EXACT, needs=(0.1, math.inf)), _sici, 0.4)
    ),
    not_differentiated(
        array_op("fresnel", "special", f"{_SP}fresnel({{0}})", _draw_float(*_EXACT), _fresnel, 0.4)
    ),
    array_op("ldexp", "special", "jnp.ldexp({0}, {1})", _draw_with(1, 2, 3), _ldexp, 0.7),
    array_op("heaviside", "special", "jnp.heaviside({0}, {1})", _draw_with(0.0, 0.5, 1.0),
             lambda x, y: (x.aval, (0.0, 1.0))),
)  # fmt: skip

PAIRS = (
    binary("logaddexp2", FLOATS, lambda x, y: (max(x[0], y[0]), max(x[1], y[1]) + 1.0),
           "jnp.logaddexp2({0}, {1})", literals=0.0, group="special", weight=0.8),
    binary("fmod", FLOATS, lambda x, y: around(y[1]), "jnp.fmod({0}, {1})",
           needs=(ANYTHING, (0.5, math.inf)), literals=0.8, group="special", weight=0.6),
    binary("fmax", FLOATS, lambda x, y: (min(x[0], y[0]), max(x[1], y[1])), "jnp.fmax({0}, {1})",
           literals=0.2, group="special", weight=0.5),
    binary("fmin", FLOATS, lambda x, y: (min(x[0], y[0]), max(x[1], y[1])), "jnp.fmin({0}, {1})",
           literals=0.2, group="special", weight=0.5),
)  # fmt: skip

OPS = (*UNARY, *DOMAINS, *MORE, *PAIRS)
