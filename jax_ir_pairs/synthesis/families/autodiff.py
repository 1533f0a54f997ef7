"""Autodiff: grad, value_and_grad, jvp, vjp, linearize, Jacobians, Hessians and checkpoint."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.families.control_flow import captured
from jax_ir_pairs.synthesis.graph import Callee, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    conform,
    draw_aval,
    float_value,
    grow_ops,
    leaves,
    one_of,
    scalar,
    use_all,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds, Pullback

GRADIENT: Bounds = (-50.0, 50.0)
"""What a gradient is taken to lie within: an estimate, since no op's derivative is bounded here."""

_LOSS_NAMES = ("loss", "loss_fn", "energy", "objective", "cost")


def _arguments(scope: Scope) -> list[Var]:
    """Gives one to three floating values to call the function on, the first to differentiate."""
    first = float_value(scope)
    if first.aval.dtype != scope.float_dtype and scope.stream.chance(0.7):
        first = scope.input(Aval(scope.float_dtype, first.aval.shape), "x")
    count = scope.stream.weighted((1, 2, 3), (5, 4, 1))
    return list(dict.fromkeys([first, *(float_value(scope) for _ in range(count - 1))]))


def _parameters(arguments: list[Var]) -> list[Var]:
    return [Var(v.type, v.bounds, v.role or "xyz"[n]) for n, v in enumerate(arguments)]


def _loss(scope: Scope, arguments: list[Var], budget: int, mix: Mix, aux: bool = False) -> Callee:
    body = scope.nested(_parameters(arguments), captured(scope, 1), reverse=True)
    mix.fill(body, budget)
    extra = leaves(body, 1)[0]
    total = use_all(body, scalar(body), body.params)
    result: Any = (total, extra) if aux else total
    name = scope.stream.choice(_LOSS_NAMES)
    function: Callee = body.close(name, result)
    if scope.stream.chance(0.12):
        function = Transformed("checkpoint", function)
    return function


def _argnums(scope: Scope, arguments: list[Var]) -> tuple[dict[str, Any], list[Var]]:
    if len(arguments) > 1 and scope.stream.chance(0.4):
        return {"argnums": (0, 1)}, arguments[:2]
    if len(arguments) > 1 and scope.stream.chance(0.3):
        return {"argnums": 1}, [arguments[1]]
    return {}, [arguments[0]]


def _gradients(wanted: list[Var], params: dict[str, Any]) -> Any:
    grads = tuple(Var(v.type, GRADIENT, _gradient_name(v)) for v in wanted)
    return grads if isinstance(params.get("argnums"), tuple) else grads[0]


def _gradient_name(var: Var) -> str:
    return f"d{var.role}" if len(var.role) == 1 else ""


def _grad(scope: Scope, budget: int, mix: Mix) -> None:
    arguments = _arguments(scope)
    loss = _loss(scope, arguments, budget, mix)
    params, wanted = _argnums(scope, arguments)
    outs = _gradients(wanted, params)
    scope.bind("apply", (Transformed("grad", loss, params), *arguments), {}, outs)
    if scope.stream.chance(0.4) and isinstance(outs, Var):
        step = scope.let("mul", outs, Literal(scope.stream.choice((0.01, 0.1))))
        scope.let("sub", wanted[0], step)


def _value_and_grad(scope: Scope, budget: int, mix: Mix) -> None:
    arguments = _arguments(scope)
    aux = scope.stream.chance(0.2)
    loss = _loss(scope, arguments, budget, mix, aux)
    params, wanted = _argnums(scope, arguments)
    grads = _gradients(wanted, params)
    value: Any = Var(Aval(scope.float_dtype), role="value")
    if aux:
        function = loss.function if isinstance(loss, Transformed) else loss
        extra = function.result[1]  # type: ignore[union-attr, index]
        assert isinstance(extra, Var)
        value = (value, Var(extra.type, extra.bounds, "aux"))
        params = {**params, "has_aux": True}
    callee = Transformed("value_and_grad", loss, params)
    scope.bind("apply", (callee, *arguments), {}, (value, grads))


def _smooth(
    scope: Scope,
    arguments: list[Var],
    budget: int,
    mix: Mix,
    *,
    reverse: bool,
    forward: bool = False,
) -> tuple[Callee, Var]:
    """Gives a function of these arguments with a floating result, and that result."""
    body = scope.nested(_parameters(arguments), captured(scope, 1), reverse=reverse)
    body.forward = body.forward or forward
    mix.fill(body, budget)
    found = [v for v in leaves(body, 4) if v.aval.dtype in FLOATS]
    value = found[-1] if found else body.let("sin", body.params[0])
    value = use_all(body, value, body.params)
    if value in body.params:
        value = body.let("sin", value)
    return body.close(scope.stream.choice(("f", "fn", "g", "func")), value), value


def _jvp(scope: Scope, budget: int, mix: Mix) -> None:
    x = _arguments(scope)[0]
    function, value = _smooth(scope, [x], budget, mix, reverse=False, forward=True)
    tangent = scope.pick(where=lambda v: v.aval == x.aval and v is not x)
    if tangent is None or scope.stream.chance(0.5):
        tangent = scope.input(x.aval, scope.stream.choice(("v", "tangent", "dx")))
    outs = (Var(value.aval, value.bounds), Var(value.aval, GRADIENT))
    scope.bind("jvp", (function, (x,), (tangent,)), {}, outs)


def _vjp(scope: Scope, budget: int, mix: Mix) -> None:
    arguments = _arguments(scope)
    function, value = _smooth(scope, arguments, budget, mix, reverse=True)
    types = tuple(v.type for v in arguments)
    pullback = Var(Pullback(types, value.aval), role=scope.stream.choice(("vjp_fn", "pullback")))
    y = Var(value.aval, value.bounds)
    scope.bind("vjp", (function, *arguments), {}, (y, pullback))
    cotangent = y
    if value.aval.dtype == scope.float_dtype and scope.stream.chance(0.5):
        cotangent = conform(scope, scope.let("full", shape=value.aval.shape, value=1.0), value.aval)
    grads = tuple(Var(v.type, GRADIENT, _gradient_name(v)) for v in arguments)
    scope.bind("apply", (pullback, cotangent), {}, grads)


def _linearize(scope: Scope, budget: int, mix: Mix) -> None:
    x = _arguments(scope)[0]
    function, value = _smooth(scope, [x], budget, mix, reverse=True, forward=True)
    y = Var(value.aval, value.bounds)
    linear = Var(Pullback((x.type,), value.aval), role="f_jvp")
    scope.bind("linearize", (function, x), {}, (y, linear))
    tangent = scope.input(x.aval, scope.stream.choice(("v", "tangent")))
    scope.bind("apply", (linear, tangent), {}, Var(value.aval, GRADIENT))


def _vector(scope: Scope) -> Var:
    x = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 1 and v.aval.size <= 16)
    if x is None:
        x = scope.input(Aval(scope.float_dtype, (scope.stream.choice((2, 3, 4, 6, 8)),)), "x")
    return x


def _hessian(scope: Scope, budget: int, mix: Mix) -> None:
    x = _vector(scope)
    loss = _loss(scope, [x], min(budget, 12), mix)
    out = Var(
        Aval(scope.float_dtype, x.aval.shape * 2), GRADIENT, scope.stream.choice(("hess", "H", ""))
    )
    scope.bind("apply", (Transformed("hessian", loss), x), {}, out)
    if scope.stream.chance(0.4):
        scope.let("matmul", out, scope.input(x.aval, "v"))


def _jacobian(scope: Scope, budget: int, mix: Mix) -> None:
    x = _vector(scope)
    name = scope.stream.choice(("jacfwd", "jacrev"))
    reverse = name == "jacrev"
    function, value = _smooth(
        scope, [x], min(budget, 15), mix, reverse=reverse, forward=not reverse
    )
    shape = value.aval.shape + x.aval.shape
    if value.aval.size * x.aval.size > 4096:
        raise IllTyped("Jacobian is too large")
    dtype = x.aval.dtype if name == "jacrev" else value.aval.dtype
    out = Var(Aval(dtype, shape), GRADIENT, scope.stream.choice(("jac", "J", "")))
    scope.bind("apply", (Transformed(name, function), x), {}, out)


def _second_derivative(scope: Scope, budget: int, mix: Mix) -> None:
    x = scope.input(draw_aval(scope, 0), "x") if scope.dtype == scope.float_dtype else None
    x = x or scope.input(Aval(scope.float_dtype), "x")
    function, _ = _smooth(scope, [x], min(budget, 12), mix, reverse=True)
    inner = function
    result = inner.result  # type: ignore[union-attr]
    if not isinstance(result, Var) or result.aval != Aval(scope.float_dtype):
        inner = _loss(scope, [x], min(budget, 12), mix)
    first = Transformed("grad", inner)
    scope.bind("apply", (first, x), {}, Var(x.type, GRADIENT, "slope"))
    scope.bind("apply", (Transformed("grad", first), x), {}, Var(x.type, GRADIENT, "curvature"))


def _checkpoint(scope: Scope, budget: int, mix: Mix) -> None:
    arguments = _arguments(scope)
    outer = scope.nested(_parameters(arguments), reverse=True)
    block, value = _smooth(outer, list(outer.params), budget // 2 + 1, mix, reverse=True)
    out = Var(value.aval, value.bounds, "h")
    outer.bind("apply", (Transformed("checkpoint", block), *outer.params), {}, out)
    grow_ops(outer, budget // 3, mix)
    loss = outer.close(scope.stream.choice(_LOSS_NAMES), scalar(outer))
    grads = _gradients(arguments[:1], {})
    scope.bind("apply", (Transformed("grad", loss), *arguments), {}, grads)


FAMILY = Family(
    "autodiff",
    one_of(
        Form(_grad, 3.0),
        Form(_value_and_grad, 3.0),
        Form(_jvp, 1.5),
        Form(_vjp, 1.5),
        Form(_linearize, 0.5),
        Form(_hessian, 0.8),
        Form(_jacobian),
        Form(_second_derivative, 0.5),
        Form(_checkpoint, 0.8),
    ),
)
