"""Functions with rules of their own: `custom_jvp`, `custom_vjp` and `custom_gradient`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN, Smooth, parameters
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known
from jax_ir_pairs.synthesis.graph import Defined, Function, Literal, Var
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Pullback

CUSTOM_JVP = "@jax.custom_jvp\n{def0}\n\n\n@{name}.defjvp\n{def1}"
CUSTOM_VJP = "@jax.custom_vjp\n{def0}\n\n\n{def1}\n\n\n{def2}\n\n\n{name}.defvjp({f1}, {f2})"


def itself(params: Sequence[Var], result: Var) -> Var:
    """Gives the variable that stands for a function inside its own rules."""
    return Var(Pullback(tuple(p.type for p in params), result.type))


def primal(scope: Scope, smooth: Smooth, like: Var) -> tuple[Function, Var]:
    """Gives the function as its definition has it, and its result."""
    params = parameters(smooth, like)
    body = scope.nested(params, sealed=True)
    y = smooth.value(body, params)
    return body.close(smooth.name, y), y


def _sum_of(scope: Scope, terms: list[Var]) -> Var:
    total = terms[0]
    for term in terms[1:]:
        total = scope.let("add", total, term)
    return total


def _times(scope: Scope, slope: Var | None, tangent: Var) -> Var:
    if slope is None:
        return tangent
    out = Var(tangent.type, (-100.0, 100.0))
    pair = (slope, tangent) if scope.stream.chance(0.6) else (tangent, slope)
    scope.bind("mul", pair, {}, out)
    return out


def with_jvp(scope: Scope, smooth: Smooth, like: Var) -> Known:
    """`custom_jvp` with one rule for all arguments."""
    function, y = primal(scope, smooth, like)
    names = scope.stream.choice((("primals", "tangents"), ("primals", "tangents"), ("p", "t")))
    types = tuple(p.type for p in function.params)
    packed = [Var(types, role=name) for name in names]
    rule = scope.nested(packed, sealed=True)
    x = tuple(parameters(smooth, like))
    tangents = tuple(Var(v.type, (-4.0, 4.0), f"d{v.role}") for v in x)
    rule.bind("unpack", (packed[0],), {}, x)
    rule.bind("unpack", (packed[1],), {}, tangents)
    rule.values += [*x, *tangents]
    me = itself(x, y)
    ans = Var(y.type, y.bounds, scope.stream.choice(("ans", "y", "primal_out")))
    rule.bind("apply", (me, *x), {}, ans)
    terms = [
        _times(rule, slope and slope(rule, x, ans), tangent)
        for slope, tangent in zip(smooth.slopes, tangents, strict=True)
    ]
    total = _sum_of(rule, terms)
    jvp = rule.close(f"{smooth.name}_jvp", (ans, total))
    block = Defined(smooth.name, CUSTOM_JVP, (function, jvp), me=me)
    return Known(block, function.params, y, elementwise=True, flat=smooth.flat)


def with_jvps(scope: Scope, smooth: Smooth, like: Var) -> Known:
    """`custom_jvp` with one rule for each argument."""
    function, y = primal(scope, smooth, like)
    functions = [function]
    for name, slope in zip(smooth.names, smooth.slopes, strict=True):
        tangent = Var(y.type, (-4.0, 4.0), "t")
        ans = Var(y.type, y.bounds, "ans")
        x = parameters(smooth, like)
        body = scope.nested([tangent, ans, *x], sealed=True)
        result = _times(body, slope and slope(body, x, ans), tangent)
        functions.append(body.close(f"{smooth.name}_d{name}", result))
    places = range(1, len(functions))
    rules = "".join(f"\n\n\n{{def{n}}}" for n in places)
    names = ", ".join(f"{{f{n}}}" for n in places)
    template = f"@jax.custom_jvp\n{{def0}}{rules}\n\n\n{{name}}.defjvps({names})"
    block = Defined(smooth.name, template, tuple(functions))
    return Known(block, function.params, y, elementwise=True, flat=smooth.flat)


def with_vjp(scope: Scope, smooth: Smooth, like: Var) -> Known:
    """`custom_vjp` whose residuals are the arguments, with the answer where the slopes need it."""
    function, y = primal(scope, smooth, like)
    x = tuple(parameters(smooth, like))
    me = itself(x, y)
    kept = tuple(Var(v.type, v.bounds, v.role) for v in x)
    answer = Var(y.type, y.bounds, "y")
    cotangent = Var(y.type, (-4.0, 4.0), scope.stream.choice(("g", "ct", "y_bar")))
    packed = Var((*(v.type for v in x), y.type), role=scope.stream.choice(("res", "residuals")))
    bwd = scope.nested([packed, cotangent], sealed=True)
    slopes = [slope and slope(bwd, kept, answer) for slope in smooth.slopes]
    grads = tuple(_times(bwd, slope, cotangent) for slope in slopes)
    needed = {var for c in bwd.body for var in c.used_vars} | {s for s in slopes if s is not None}
    saved = tuple(v in needed for v in (*kept, answer))
    forward = scope.nested(x, sealed=True)
    ans = Var(y.type, y.bounds, "y")
    forward.bind("apply", (me, *x), {}, ans)
    residuals = tuple(v for v, keep in zip((*x, ans), saved, strict=True) if keep)
    pattern = tuple(v for v, keep in zip((*kept, answer), saved, strict=True) if keep)
    packed = Var(tuple(v.type for v in pattern), role=packed.role)
    bwd.params[0] = packed
    result: Any = (ans, residuals)
    if len(pattern) == 1:
        # One residual is handed over as it is.
        bwd.params[0] = pattern[0]
        result = (ans, residuals[0])
    elif pattern:
        bwd.bind("unpack", (packed,), {}, pattern)
        bwd.body.insert(0, bwd.body.pop())
    functions = (
        function,
        forward.close(f"{smooth.name}_fwd", result),
        bwd.close(f"{smooth.name}_bwd", grads),
    )
    template = CUSTOM_VJP
    if scope.stream.chance(0.12):
        # What the backward pass needs not is dropped from the forward one under jax.checkpoint.
        template = template.removesuffix(")") + ", optimize_remat=True)"
    block = Defined(smooth.name, template, functions, me=me)
    return Known(block, function.params, y, elementwise=True, flat=smooth.flat, forward=False)


def with_gradient(scope: Scope, smooth: Smooth, like: Var) -> Known:
    """`custom_gradient`: the function gives its pullback along with its result."""
    params = parameters(smooth, like)
    body = scope.nested(params, sealed=True)
    y = smooth.value(body, params)
    cotangent = Var(y.type, (-4.0, 4.0), "g")
    inner = body.nested([cotangent], [*params, y])
    grads = tuple(_times(inner, s and s(inner, params, y), cotangent) for s in smooth.slopes)
    pullback = inner.close(scope.stream.choice(("grad", "vjp", "pullback")), grads)
    function = body.close(smooth.name, (y, pullback))  # type: ignore[arg-type]
    block = Defined(smooth.name, "@jax.custom_gradient\n{def0}", (function,))
    return Known(block, function.params, y, elementwise=True, flat=smooth.flat, forward=False)


_NONDIFF = "@partial(jax.custom_vjp, nondiff_argnums={nums})\n" + CUSTOM_VJP.split("\n", 1)[1]


def gradient_shaper(scope: Scope, like: Var) -> Known:
    """The identity, whose backward pass clips, reverses, scales or cleans the gradient."""
    stream = scope.stream
    way = stream.choice(("clip", "reverse", "scale", "norm", "clean"))
    name = {
        "clip": "clip_gradient", "reverse": "reverse_gradient", "scale": "scale_gradient",
        "norm": "clip_gradient_norm", "clean": "zero_nans",
    }[way]  # fmt: skip
    roles = {"clip": ("lo", "hi"), "reverse": ("strength",), "scale": ("scale",)}.get(way, ())
    last = way == "scale"

    def ordered(static: list[Var], x: list[Var]) -> list[Var]:
        return [*x, *static] if last else [*static, *x]

    def numbers() -> list[Var]:
        return [Var(Aval("float"), role=role) for role in roles]

    x = Var(like.type, DOMAIN, "x")
    body = scope.nested(ordered(numbers(), [x]), sealed=True)
    function = body.close(name, x)
    kept = Var(like.type, DOMAIN, "x")
    forward = scope.nested(ordered(numbers(), [kept]), sealed=True)
    fwd = forward.close(f"{name}_fwd", (kept, ()))
    static, g = numbers(), Var(like.type, (-4.0, 4.0), "g")
    bwd = scope.nested([g], sealed=True)
    shaped = Var(like.type, (-50.0, 50.0))
    if way == "clip":
        bwd.bind("clip_between", (g, *static), {}, shaped)
    elif way == "norm":
        norm = bwd.let("norm", bwd.let("ravel", g)) if like.aval.rank else bwd.let("abs", g)
        below = bwd.let("maximum", norm, Literal(1.0))
        bwd.bind("div", (g, below), {}, shaped)
    elif way == "clean":
        shaped = bwd.let("where", bwd.let("isfinite", g), g, Literal(0.0))
    else:
        factor = static[0]
        if way == "reverse":
            factor = Var(Aval("float"))
            bwd.bind("negative", (static[0],), {}, factor)
        bwd.bind("mul", (factor, g), {}, shaped)
    bwd.params[:0] = [*static, Var((), role=stream.choice(("res", "_res")))]
    functions = (function, fwd, bwd.close(f"{name}_bwd", (shaped,)))
    places = tuple(range(1, 1 + len(roles))) if last else tuple(range(len(roles)))
    template, params = (_NONDIFF, {"nums": places}) if roles else (CUSTOM_VJP, {})
    block = Defined(name, template, functions, params)
    edge = stream.choice((0.1, 0.5, 1.0))
    values = (Literal(-edge), Literal(edge)) if way == "clip" else (Literal(edge),)
    return Known(
        block,
        (x,),
        x,
        elementwise=True,
        before=values if roles and not last else (),
        after=values if last else (),
        forward=False,
        flat=True,
    )
