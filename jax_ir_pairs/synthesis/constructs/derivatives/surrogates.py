"""Functions that hold anything, and derivatives of their own that go through such a function."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.derivatives.rules import CUSTOM_JVP, CUSTOM_VJP, itself
from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known
from jax_ir_pairs.synthesis.graph import Defined, Function, Literal, Var
from jax_ir_pairs.synthesis.growth import Mix, leaves, use_all, within
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Pullback


def grown(
    scope: Scope, params: list[Var], budget: int, mix: Mix, role: str, *, forward: bool = False
) -> tuple[Defined, Var]:
    """Gives a function of the module that holds anything differentiable, and its result."""
    body = scope.nested(params, reverse=True, sealed=True)
    body.forward = body.forward or forward
    mix.fill(body, budget)
    found = [v for v in leaves(body, 4) if v.aval.dtype in FLOATS and v.aval.rank <= 3]
    value = found[-1] if found else body.let("sin", params[0])
    value = within(body, use_all(body, value, params), (-50.0, 50.0))
    if value in params:
        value = body.let("tanh", value)
    return Defined(role, "{def0}", (body.close(role, value),)), value


def grown_params(scope: Scope) -> list[Var]:
    """Gives parameters of a function of the module, after the values that the scope has."""
    found = scope.pick(FLOATS, where=lambda v: 0 < v.aval.size <= 1024)
    aval = found.aval if found is not None else Aval(scope.float_dtype, (scope.side(),))
    if aval.dtype not in FLOATS:
        raise IllTyped("not differentiable")
    params = [Var(aval, DOMAIN, "x")]
    if scope.stream.chance(0.3):
        params.append(Var(aval.with_shape(*aval.shape[-1:]), DOMAIN, "w"))
    return params


def surrogate(scope: Scope, budget: int, mix: Mix) -> Known:
    """`custom_jvp` of anything, differentiated as another function of the same result type."""
    stream = scope.stream
    params = grown_params(scope)
    smooth, value = grown(scope, params, budget, mix, "surrogate", forward=True)
    x = [Var(p.type, p.bounds, p.role) for p in params]
    body = scope.nested(x, sealed=True)
    y = Var(value.type, value.bounds)
    body.bind("apply", (smooth, *x), {}, y)
    hard = body.let(stream.choice(("round", "sign", "relu", "floor")), y)
    name = stream.choice(("spike_layer", "quantized", "hard_fn", "discrete"))
    function = body.close(name, hard)
    packed = [Var(tuple(p.type for p in x), role=role) for role in ("primals", "tangents")]
    rule = scope.nested(packed, sealed=True)
    me = itself(x, hard)
    inside = tuple(Var(p.type, p.bounds, p.role) for p in params)
    rule.bind("unpack", (packed[0],), {}, inside)
    ans = Var(hard.type, hard.bounds, "primal_out")
    rule.bind("apply", (me, *inside), {}, ans)
    unused, tangent = Var(value.type, value.bounds), Var(value.type, (-50.0, 50.0), "tangent_out")
    rule.bind("jvp", (smooth, inside, packed[1]), {}, (unused, tangent))
    jvp = rule.close(f"{name}_jvp", (ans, tangent))
    return Known(Defined(name, CUSTOM_JVP, (function, jvp), me=me), tuple(x), hard)


def clipped(scope: Scope, budget: int, mix: Mix) -> Known:
    """`custom_vjp` of anything: its own pullback, with the gradients bounded."""
    stream = scope.stream
    params = grown_params(scope)
    inside, value = grown(scope, params, budget, mix, stream.choice(("inner", "base_fn")))
    name = stream.choice(("guarded", "clipped_fn", "stable_fn"))

    def copies() -> list[Var]:
        return [Var(p.type, p.bounds, p.role) for p in params]

    def applied(role: str) -> tuple[Function, Var]:
        x = copies()
        body = scope.nested(x, sealed=True)
        y = Var(value.type, value.bounds, "y")
        body.bind("apply", (inside, *x), {}, y)
        return body.close(role, y if role == name else (y, tuple(x))), y

    function, y = applied(name)
    types = tuple(p.type for p in params)
    pullback = Var(Pullback(types, value.type), role="vjp_fn")
    g = Var(value.type, (-4.0, 4.0), "g")
    if stream.chance(0.5):
        x, out = copies(), Var(value.type, value.bounds, "y")
        saved = Var(pullback.type, role="vjp_fn")
        body = scope.nested(x, sealed=True)
        body.bind("vjp", (inside, *x), {}, (out, saved))
        fwd = body.close(f"{name}_fwd", (out, saved))
        bwd = scope.nested([pullback, g], sealed=True)
    else:
        fwd, _ = applied(f"{name}_fwd")
        res, kept = Var(types, role="res"), tuple(copies())
        bwd = scope.nested([res, g], sealed=True)
        bwd.bind("unpack", (res,), {}, kept)
        again = Var(value.type, value.bounds)
        bwd.bind("vjp", (inside, *kept), {}, (again, pullback))
    grads = tuple(Var(p.type, (-50.0, 50.0), f"d{p.role}") for p in params)
    bwd.bind("apply", (pullback, g), {}, grads)
    edge = stream.choice((0.5, 1.0, 5.0))
    shaped = []
    for grad in grads:
        if stream.chance(0.6):
            shaped.append(bwd.let("clip", grad, low=-edge, high=edge))
        else:
            shaped.append(bwd.let("mul", grad, Literal(0.5)))
    functions = (function, fwd, bwd.close(f"{name}_bwd", tuple(shaped)))
    return Known(Defined(name, CUSTOM_VJP, functions), function.params, y, forward=False)
