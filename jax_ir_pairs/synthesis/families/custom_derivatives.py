"""Functions with derivatives and batching of their own, solvers, policies, transposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from jax_ir_pairs.synthesis.constructs.derivatives import implicit, rules, surrogates
from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN, SEVERAL, UNARY, Smooth
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known, use
from jax_ir_pairs.synthesis.families.control_flow import captured
from jax_ir_pairs.synthesis.graph import Callee, Code, Defined, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    float_value,
    leaves,
    one_of,
    scalar,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds, Pullback

_GRADIENT: Bounds = (-50.0, 50.0)

_Wrapper: TypeAlias = Callable[[Scope, Smooth, Var], Known]


def _smooth(scope: Scope) -> tuple[Smooth, Var]:
    table = UNARY if scope.stream.chance(0.7) else SEVERAL
    like = float_value(scope)
    return scope.stream.choice(table), Var(like.type, DOMAIN)


def _defined_by(wrapper: _Wrapper) -> Callable[[Scope, int, Mix], None]:
    def grow(scope: Scope, budget: int, mix: Mix) -> None:
        smooth, like = _smooth(scope)
        use(scope, wrapper(scope, smooth, like), budget, mix)

    return grow


def _shaped_gradient(scope: Scope, budget: int, mix: Mix) -> None:
    """The identity, with its gradient clipped, reversed or scaled."""
    use(scope, rules.gradient_shaper(scope, Var(float_value(scope).type, DOMAIN)), budget, mix)


def _grown_jvp(scope: Scope, budget: int, mix: Mix) -> None:
    use(scope, surrogates.surrogate(scope, budget // 2 + 2, mix), budget // 2 + 1, mix)


def _grown_vjp(scope: Scope, budget: int, mix: Mix) -> None:
    use(scope, surrogates.clipped(scope, budget // 2 + 2, mix), budget // 2 + 1, mix)


_RULE = "@jax.custom_batching.custom_vmap\n{def0}\n\n\n@{name}.def_vmap\n{def1}"


def _batching_rule(
    scope: Scope, params: tuple[Var, ...], result: Callable[[Scope, list[Var]], Var], role: str
) -> Function:
    """Gives the rule: results for operands of which some have a leading axis, and which have."""
    size = Var(Aval("int"), role="axis_size")
    flags = Var(tuple(Aval("bool") for _ in params), role="in_batched")
    xs = [Var(p.type, p.bounds, f"{p.role}s" if len(params) == 1 else p.role) for p in params]
    body = scope.nested(xs, sealed=True)
    out = result(body, xs)
    body.params[:0] = [size, flags]
    return body.close(role, (out, Literal(True)))


def _custom_vmap(scope: Scope, budget: int, mix: Mix) -> None:
    """An elementwise function that is called once on the whole batch."""
    smooth, like = _smooth(scope)
    function, y = rules.primal(scope, smooth, like)
    rule = _batching_rule(scope, function.params, smooth.value, f"{smooth.name}_vmap")
    block = Defined(smooth.name, _RULE, (function, rule))
    known = Known(block, function.params, y, elementwise=True, flat=smooth.flat, reverse=False)
    use(scope, known, budget, mix, most=3)


def _custom_vmap_grown(scope: Scope, budget: int, mix: Mix) -> None:
    """Anything, batched by `lax.map`, by `vmap` of its parts, or one after the other."""
    params = surrogates.grown_params(scope)[:1]
    inside, value = surrogates.grown(
        scope, params, budget, mix, scope.stream.choice(("single", "f0"))
    )
    name = scope.stream.choice(("batched_fn", "per_item", "op"))
    x = Var(params[0].type, params[0].bounds, "x")
    y = Var(value.type, value.bounds)
    body = scope.nested([x], sealed=True)
    body.bind("apply", (inside, x), {}, y)
    function = body.close(name, y)
    if scope.stream.chance(0.4):
        block = Defined(name, "@jax.custom_batching.sequential_vmap\n{def0}", (function,))
    else:

        def batched(rule: Scope, xs: list[Var]) -> Var:
            out = Var(value.type, value.bounds, "ys")
            if scope.stream.chance(0.5):
                rule.bind("map", (inside, xs[0]), {}, out)
            else:
                rule.bind("apply", (Transformed("vmap", inside), xs[0]), {}, out)
            return out

        rule = _batching_rule(scope, (x,), batched, f"{name}_vmap")
        block = Defined(name, _RULE, (function, rule))
    use(scope, Known(block, (x,), y, reverse=False, forward=False), budget // 3, mix)


_POLICIES = (
    "everything_saveable",
    "nothing_saveable",
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
    "checkpoint_dots",
    'save_only_these_names("hidden")',
    'save_any_names_but_these("hidden")',
    'save_anything_except_these_names("hidden")',
    "save_from_both_policies(jax.checkpoint_policies.dots_saveable, "
    'jax.checkpoint_policies.save_only_these_names("hidden"))',
)


def _policy(scope: Scope, budget: int, mix: Mix) -> None:
    """A rematerialized block whose policy says what is kept, in a loss that is differentiated."""
    stream = scope.stream
    policy = stream.choice(_POLICIES)
    x = float_value(scope)
    outer_x = Var(x.type, x.bounds, "x")
    outer = scope.nested([outer_x], reverse=True)
    inner_x = Var(x.type, x.bounds, "x")
    inner = outer.nested([inner_x], captured(outer, 1), reverse=True)
    mix.fill(inner, max(2, budget // 2))
    h = next((v for v in reversed(leaves(inner, 4)) if v.aval.dtype in FLOATS), inner_x)
    if "names" in policy or stream.chance(0.3):
        name = "hidden" if stream.chance(0.8) else "act"
        h = inner.let("checkpoint_name", inner.let("tanh", h), label=name, role="hidden")
    h = inner.let(stream.choice(("sin", "tanh", "sigmoid")), h)
    h = use_all(inner, h, [inner_x])
    block = inner.close(stream.choice(("block", "layer", "segment")), h)
    params: dict[str, object] = {"policy": Code(f"jax.checkpoint_policies.{policy}")}
    if stream.chance(0.25):
        params = {"prevent_cse": False, **params}
    out = Var(h.type, h.bounds, "h")
    outer.bind("apply", (Transformed("checkpoint", block, params), outer_x), {}, out)
    mix.fill(outer, max(1, budget // 3))
    total = use_all(outer, scalar(outer), [out, outer_x])
    loss = outer.close(stream.choice(("loss", "loss_fn", "objective")), total)
    grads = Var(x.type, _GRADIENT, "grads")
    if stream.chance(0.5):
        outs = (Var(Aval(scope.float_dtype), role="value"), grads)
        scope.bind("apply", (Transformed("value_and_grad", loss), x), {}, outs)
    else:
        scope.bind("apply", (Transformed("grad", loss), x), {}, grads)


def _straight_through(scope: Scope, budget: int, mix: Mix) -> None:
    """`x + stop_gradient(q(x) - x)`, or a target that no gradient goes to."""
    x = within(scope, float_value(scope), DOMAIN)
    body_x = Var(x.type, x.bounds, "x")
    body = scope.nested([body_x], reverse=True)
    if scope.stream.chance(0.6):
        hard = body.let(scope.stream.choice(("round", "sign", "floor")), body_x, role="hard")
        stopped = body.let("stop_gradient", body.let("sub", hard, body_x))
        h = body.let("add", body_x, stopped)
    else:
        mix.fill(body, budget // 3 + 1)
        target = use_all(body, leaves(body, 1)[0], [body_x])
        if target.aval.dtype not in FLOATS:
            raise IllTyped("no target")
        target = body.let("stop_gradient", target, role="target")
        error = body.let("sub", body.let("sin", target), target)
        h = body.let("square", within(body, error, DOMAIN))
    mix.fill(body, budget // 2)
    total = use_all(body, scalar(body), [h, body_x])
    callee: Callee = body.close("loss", total)
    scope.bind("apply", (Transformed("grad", callee), x), {}, Var(x.type, _GRADIENT))


def _closure_convert(scope: Scope, budget: int, mix: Mix) -> None:
    """A closure turned into a function of what it closes over."""
    x, w = float_value(scope), float_value(scope)
    inner_x = Var(x.type, x.bounds, "x")
    body = scope.nested([inner_x], [w])
    mix.fill(body, budget)
    value = use_all(body, leaves(body, 1)[0], [inner_x, w])
    function = body.close(scope.stream.choice(("f", "fn", "dynamics")), value)
    closed = Var(Pullback((x.type,), value.type), role="f_converted")
    consts = Var(Pullback((), x.type), role=scope.stream.choice(("consts", "aux_args")))
    scope.bind("closure_convert", (function, x), {}, (closed, consts))
    y = Var(value.type, value.bounds)
    scope.bind("apply_closed", (closed, x, consts), {}, y)


def _barriers(scope: Scope, budget: int, mix: Mix) -> None:
    """Two values between which the compiler moves nothing."""
    mix.fill(scope, budget // 2 + 1)
    found = [v for v in leaves(scope, 3) if v.aval.dtype in FLOATS]
    values = tuple(dict.fromkeys((*found, float_value(scope))))[:3]
    if len(values) < 2:
        raise IllTyped("one value alone")
    outs = tuple(Var(v.type, v.bounds) for v in values)
    scope.bind("barriers", (values,), {}, outs)


FAMILY = Family(
    "custom_derivatives",
    one_of(
        Form(_defined_by(rules.with_jvp), 2.5),
        Form(_defined_by(rules.with_jvps), 1.2),
        Form(_defined_by(rules.with_vjp), 2.5, forward=False),
        Form(_defined_by(rules.with_gradient), 0.8, forward=False),
        Form(_shaped_gradient, 1.2, forward=False),
        Form(_grown_jvp),
        Form(_grown_vjp, forward=False),
        Form(_custom_vmap, 1.2, reverse=False),
        Form(_custom_vmap_grown, 0.8, reverse=False, forward=False),
        Form(_policy, 1.5),
        Form(_straight_through, 0.6),
        Form(_closure_convert, 0.4),
        Form(_barriers, 0.5),
        Form(implicit.fixed_point, 0.8, reverse=False, forward=False),
        Form(implicit.linear_solve, 1.0),
        Form(implicit.root, 0.8),
        Form(implicit.transpose, 0.8),
        Form(implicit.linear_function, 0.6),
    ),
)
