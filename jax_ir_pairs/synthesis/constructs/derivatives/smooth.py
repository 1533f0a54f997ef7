"""Elementwise functions that people give a derivative, or a primitive, of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Bounds

DOMAIN: Bounds = (-4.0, 4.0)
"""What the functions here are defined on, as they are used."""

Formula: TypeAlias = Callable[[Scope, Sequence[Var]], Var]

Slope: TypeAlias = Callable[[Scope, Sequence[Var], Var], Var]
"""The derivative by one argument, out of the arguments and the answer."""


@dataclass(frozen=True, slots=True)
class Smooth:
    """An elementwise function, and its derivative by each argument, None where that is one."""

    name: str
    value: Formula
    slopes: tuple[Slope | None, ...]

    @property
    def flat(self) -> bool:
        """Whether its derivative is one everywhere."""
        return not any(self.slopes)

    @property
    def names(self) -> str:
        """The names of its arguments."""
        return "xyz"[: len(self.slopes)]


def one_minus(scope: Scope, x: Var) -> Var:
    """Gives `1 - x`."""
    return scope.let("sub", Literal(1.0), x)


def plus(scope: Scope, x: Var, number: float) -> Var:
    """Gives `x + number`."""
    return scope.let("add", x, Literal(number))


def times(scope: Scope, x: Var, number: float) -> Var:
    """Gives `number * x`, the number first."""
    return scope.let("mul", Literal(number), x)


def at_least(scope: Scope, x: Var, number: float) -> Var:
    """Gives `maximum(x, number)`, within the bounds that this has."""
    out = Var(x.type, (max(x.bounds[0], number), max(x.bounds[1], number)))
    scope.bind("maximum", (x, Literal(number)), {}, out)
    return out


def indicator(scope: Scope, condition: Var, like: Var) -> Var:
    """Gives a condition as zeros and ones."""
    return scope.let("astype", condition, dtype=like.aval.dtype)


def _log1pexp(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("log1p", scope.let("exp", v[0]))


def _sigmoid_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    if scope.stream.chance(0.5):
        return scope.let("sigmoid", v[0])
    below = plus(scope, scope.let("exp", v[0]), 1.0)
    return one_minus(scope, scope.let("reciprocal", below))


def _softclip(scope: Scope, v: Sequence[Var]) -> Var:
    root = scope.let("sqrt", plus(scope, scope.let("square", v[0]), 1.0))
    return scope.let("div", v[0], root)


def _softclip_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    root = scope.let("rsqrt", plus(scope, scope.let("square", v[0]), 1.0))
    return scope.let("cubed", root)


def _safe_sqrt(scope: Scope, v: Sequence[Var]) -> Var:
    floor = at_least(scope, v[0], 0.0)
    out = Var(v[0].type, (0.0, 2.0))
    scope.bind("sqrt", (floor,), {}, out)
    return out


def _safe_sqrt_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("div", Literal(0.5), at_least(scope, ans, 0.05))


def _safe_log(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("log", at_least(scope, v[0], 0.01))


def _safe_log_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("reciprocal", at_least(scope, v[0], 0.1))


def _swish(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("mul", v[0], scope.let("sigmoid", v[0]))


def _swish_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    gate = scope.let("sigmoid", v[0], role="gate")
    return scope.let("add", gate, scope.let("mul", ans, one_minus(scope, gate)))


def _smooth_abs(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("sqrt", plus(scope, scope.let("square", v[0]), 0.01))


def _smooth_abs_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("div", v[0], ans) if ans.bounds[0] > 0 else scope.let("tanh", v[0])


def _bump(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("exp", scope.let("negative", scope.let("square", v[0])))


def _bump_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("mul", times(scope, v[0], -2.0), ans)


def _huber(scope: Scope, v: Sequence[Var]) -> Var:
    size = scope.let("abs", v[0])
    near = times(scope, scope.let("square", v[0]), 0.5)
    far = scope.let("sub", size, Literal(0.5))
    return scope.let("where", scope.let("less", size, Literal(1.0)), near, far)


def _clipped(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("clip", v[0], low=-1.0, high=1.0)


def _round(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("round", v[0])


def _quantize(scope: Scope, v: Sequence[Var]) -> Var:
    levels = Literal(scope.stream.choice((4.0, 8.0, 16.0)))
    return scope.let("div", scope.let("round", scope.let("mul", v[0], levels)), levels)


def _clamp(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("clip", v[0], low=-1.0, high=1.0)


def _spike(scope: Scope, v: Sequence[Var]) -> Var:
    return indicator(scope, scope.let("greater", v[0], Literal(0.0)), v[0])


def _fast_sigmoid_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    below = scope.let("square", plus(scope, scope.let("abs", v[0]), 1.0))
    return scope.let("reciprocal", below)


def _sign(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("sign", v[0])


def _window_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    inside = scope.let("less_equal", scope.let("abs", v[0]), Literal(1.0))
    return indicator(scope, inside, v[0])


def _tanh(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("tanh", times(scope, v[0], 0.7978))


def _tanh_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return times(scope, one_minus(scope, scope.let("square", ans)), 0.7978)


def _cosine(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("add", v[0], scope.let("square", scope.let("sin", v[0])))


def _cosine_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return plus(scope, scope.let("sin", times(scope, v[0], 2.0)), 1.0)


UNARY = (
    Smooth("log1pexp", _log1pexp, (_sigmoid_slope,)),
    Smooth("softclip", _softclip, (_softclip_slope,)),
    Smooth("safe_sqrt", _safe_sqrt, (_safe_sqrt_slope,)),
    Smooth("safe_log", _safe_log, (_safe_log_slope,)),
    Smooth("swish", _swish, (_swish_slope,)),
    Smooth("smooth_abs", _smooth_abs, (_smooth_abs_slope,)),
    Smooth("bump", _bump, (_bump_slope,)),
    Smooth("huber", _huber, (_clipped,)),
    Smooth("ste_round", _round, (None,)),
    Smooth("quantize", _quantize, (None,)),
    Smooth("hard_clamp", _clamp, (None,)),
    Smooth("spike", _spike, (_fast_sigmoid_slope,)),
    Smooth("binarize", _sign, (_window_slope,)),
    Smooth("scaled_tanh", _tanh, (_tanh_slope,)),
    Smooth("snake", _cosine, (_cosine_slope,)),
)


def _safe_divide(scope: Scope, v: Sequence[Var]) -> Var:
    below = plus(scope, scope.let("square", v[1]), 0.1)
    return scope.let("div", scope.let("mul", v[0], v[1]), below)


def _by_numerator(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("div", v[1], plus(scope, scope.let("square", v[1]), 0.1))


def _by_denominator(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    below = plus(scope, scope.let("square", v[1]), 0.1)
    return scope.let("negative", scope.let("div", v[0], below))


def _smooth_max(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("logaddexp", v[0], v[1])


def _first_weight(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("sigmoid", scope.let("sub", v[0], v[1]))


def _second_weight(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("sigmoid", scope.let("sub", v[1], v[0]))


def _product(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("mul", v[0], v[1])


def _second(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return v[1]


def _first(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return v[0]


def _multiply_add(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("add", scope.let("mul", v[0], v[1]), v[2])


def _gate(scope: Scope, v: Sequence[Var]) -> Var:
    return scope.let("mul", scope.let("sigmoid", v[0]), v[1])


def _gate_slope(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    gate = scope.let("sigmoid", v[0], role="gate")
    return scope.let("mul", ans, one_minus(scope, gate))


def _gate_itself(scope: Scope, v: Sequence[Var], ans: Var) -> Var:
    return scope.let("sigmoid", v[0])


SEVERAL = (
    Smooth("safe_divide", _safe_divide, (_by_numerator, _by_denominator)),
    Smooth("smooth_max", _smooth_max, (_first_weight, _second_weight)),
    Smooth("product", _product, (_second, _first)),
    Smooth("fused_mul_add", _multiply_add, (_second, _first, None)),
    Smooth("gated", _gate, (_gate_slope, _gate_itself)),
)


def parameters(smooth: Smooth, like: Var) -> list[Var]:
    """Gives variables for the arguments of the function, all of the type of `like`."""
    assert like.aval.dtype in FLOATS
    return [Var(like.type, DOMAIN, name) for name in smooth.names]
