"""Ops of `lax` that take small functions: one for each platform, and composites with a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Function, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

_WAYS = (
    ("gelu", ("gelu",)), ("silu", ("silu",)), ("gate", ("tanh", "square")),
    ("soft_abs", ("square", "softplus")), ("warp", ("sin", "tanh")), ("bump", ("tanh", "cos")),
)  # fmt: skip
_NAMES = ("my_lib", "custom", "acme", "ops")


def _small(scope: Scope, aval: Aval, role: str, names: Sequence[str]) -> Function:
    body = scope.nested([Var(aval, (-50.0, 50.0), "x")])
    h = body.params[0]
    for name in names:
        h = body.let(name, h)
    return body.close(role, h)


def _infer_platform(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, first, second = operands
    a, b = first.result, second.result
    if a.aval != b.aval or first.params[0].aval != x.aval:
        raise IllTyped("platform_dependent")
    return a.aval, (min(a.bounds[0], b.bounds[0]), max(a.bounds[1], b.bounds[1]))


def _draw_platform(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS, needs=(-50, 50))) is None:
        return None
    (_, one), (_, two) = scope.stream.sample(_WAYS, 2)
    roles = scope.stream.choice((("on_cpu", "fallback"), ("cpu_impl", "default_impl")))
    return (x, _small(scope, x.aval, roles[0], one), _small(scope, x.aval, roles[1], two)), {}


def _infer_composite(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    function, x = operands
    if function.params[0].aval != x.aval:
        raise IllTyped("composite")
    return function.result.aval, function.result.bounds


def _draw_composite(scope: Scope) -> Drawn:
    # It has no rule of differentiation and none of batching.
    if scope.forward or scope.depth or (x := scope.pick(FLOATS, needs=(-50, 50))) is None:
        return None
    role, names = scope.stream.choice(_WAYS)
    function = _small(scope, x.aval, role, names)
    return (function, x), {"title": f"{scope.stream.choice(_NAMES)}.{role}"}


OPS = (
    Op("platform_dependent", "lax", spell("lax.platform_dependent({0}, cpu={1}, default={2})"),
       _infer_platform, _draw_platform, 0.8),
    Op("composite", "lax", spell("lax.composite({0}, {title})({1})"), _infer_composite,
       _draw_composite, 0.8, reverse=False),
)  # fmt: skip
