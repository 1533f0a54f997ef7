"""Solutions that are differentiated by a rule, not through the solver, and linear functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.constructs.derivatives.smooth import DOMAIN, plus, times
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known, use
from jax_ir_pairs.synthesis.graph import Defined, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Mix,
    conform,
    float_value,
    leaves,
    scalar,
    use_all,
    within,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Pullback

_FIXED_POINT = (
    "@partial(jax.custom_vjp, nondiff_argnums=(0,))\n{def0}\n\n\n{def1}\n\n\n{def2}\n\n\n"
    "{name}.defvjp({f1}, {f2})"
)


def _called(scope: Scope, function: Var, *operands: Var) -> Var:
    """Gives what a function that is a parameter makes of arguments, of the type of the last."""
    out = Var(operands[-1].type, DOMAIN)
    scope.bind("apply", (function, *operands), {}, out)
    return out


def _iteration(scope: Scope, f: Var, a: Var, start: Var) -> Var:
    """A `while_loop` until the value moves no more, or for some steps."""
    index = Aval(scope.int_dtype)
    types = (index, start.type, start.type)

    def state(body: Scope) -> tuple[Var, Var, Var]:
        parts = (Var(index, (0, 20), "i"), Var(start.type, DOMAIN, "x_prev"),
                 Var(start.type, DOMAIN, "x"))  # fmt: skip
        body.bind("unpack", (body.params[0],), {}, parts)
        return parts

    test = scope.nested([Var(types, role="state")])
    i, previous, x = state(test)
    moved = test.let("abs", test.let("sub", x, previous))
    moved = test.let("max", moved) if moved.aval.rank else moved
    small = test.let("greater", moved, Literal(1e-3))
    going = test.let("logical_and", test.let("less", i, Literal(20)), small)
    condition = test.close("cond_fun", going)
    body = scope.nested([Var(types, role="state")])
    i, _, x = state(body)
    step = body.close("body_fun", (body.let("add", i, Literal(1)), x, _called(body, f, a, x)))
    first = _called(scope, f, a, start)
    outs = tuple(
        Var(type, DOMAIN, role) for type, role in zip(types, ("", "", "x_star"), strict=True)
    )
    scope.bind("while_loop", (condition, step, (Literal(0), start, first)), {}, outs)
    return outs[2]


def fixed_point(scope: Scope, budget: int, mix: Mix) -> None:
    """The fixed point of a contraction, differentiated by the implicit function theorem."""
    type = float_value(scope).aval
    a, x = Var(type, DOMAIN, "a"), Var(type, DOMAIN, "x")
    body = scope.nested([a, x], sealed=True)
    moved = body.let(scope.stream.choice(("tanh", "sin", "arctan")), x)
    step = Defined("contraction", "{def0}", (body.close(
        scope.stream.choice(("contraction", "update", "iterate")),
        body.let("add", times(body, moved, scope.stream.choice((0.3, 0.5))), a)),))  # fmt: skip

    kind = Pullback((type, type), type)
    f, a, x0 = Var(kind, role="f"), Var(type, DOMAIN, "a"), Var(type, DOMAIN, "x0")
    body = scope.nested([f, a, x0], sealed=True)
    solution = body.close("fixed_point", _iteration(body, f, a, x0))

    me = Var(Pullback((kind, type, type), type))
    f, a, x0 = Var(kind, role="f"), Var(type, DOMAIN, "a"), Var(type, DOMAIN, "x0")
    body = scope.nested([f, a, x0], sealed=True)
    star = Var(type, DOMAIN, "x_star")
    body.bind("apply", (me, f, a, x0), {}, star)
    fwd = body.close("fixed_point_fwd", (star, (a, star)))

    f, res, ct = Var(kind, role="f"), Var((type, type), role="res"), Var(type, DOMAIN, "ct")
    a, star = Var(type, DOMAIN, "a"), Var(type, DOMAIN, "x_star")
    bwd = scope.nested([f, res, ct], sealed=True)
    bwd.bind("unpack", (res,), {}, (a, star))
    inner_x = Var(type, DOMAIN, "x")
    inner = bwd.nested([inner_x])
    of_x = inner.close("f_of_x", _called(inner, f, a, inner_x))
    vjp_x = Var(Pullback((type,), type), role="vjp_x")
    bwd.bind("vjp", (of_x, star), {}, (Var(type, DOMAIN), vjp_x))
    i, u = Var(Aval(scope.int_dtype), (0, 10), "i"), Var(type, DOMAIN, "u")
    loop = bwd.nested([i, u])
    du = Var(type, DOMAIN, "du")
    loop.bind("apply", (vjp_x, u), {}, (du,))
    add = loop.close("body", loop.let("add", ct, du))
    total = Var(type, DOMAIN, "u")
    bwd.bind("fori_loop", (add, ct), {"lower": 0, "upper": 10}, total)
    inner_a = Var(type, DOMAIN, "a")
    inner = bwd.nested([inner_a])
    out = Var(type, DOMAIN)
    inner.bind("apply", (f, inner_a, star), {}, out)
    of_a = inner.close("f_of_a", out)
    vjp_a = Var(Pullback((type,), type), role="vjp_a")
    bwd.bind("vjp", (of_a, a), {}, (Var(type, DOMAIN), vjp_a))
    a_bar, nothing = Var(type, (-50.0, 50.0), "a_bar"), Var(type, (0.0, 0.0))
    bwd.bind("apply", (vjp_a, total), {}, (a_bar,))
    bwd.bind("zeros_like", (star,), {}, nothing)
    functions = (solution, fwd, bwd.close("fixed_point_bwd", (a_bar, nothing)))
    block = Defined("fixed_point", _FIXED_POINT, functions, me=me)
    params = (Var(type, DOMAIN, "a"), Var(type, DOMAIN, "x0"))
    result = Var(type, (-6.0, 6.0))
    known = Known(block, params, result, before=(step,), forward=False)
    use(scope, known, budget, mix)


def _plain_or_differentiated(
    scope: Scope, x: Var, make: Callable[[Scope, Var], Var], budget: int, mix: Mix
) -> None:
    """Makes a value out of `x` here, or in a loss that is differentiated by `x`."""
    if scope.stream.chance(0.4):
        make(scope, x)
        return
    inner = Var(x.type, x.bounds, x.role or "x")
    body = scope.nested([inner], reverse=True)
    value = make(body, inner)
    mix.fill(body, budget)
    total = use_all(body, scalar(body), [value, inner])
    loss = body.close(scope.stream.choice(("loss", "objective", "energy")), total)
    name = scope.stream.choice(("grad", "value_and_grad"))
    grads = Var(x.type, (-50.0, 50.0))
    outs: Any = (Var(Aval(scope.float_dtype), role="value"), grads) if name != "grad" else grads
    scope.bind("apply", (Transformed(name, loss), x), {}, outs)


def linear_solve(scope: Scope, budget: int, mix: Mix) -> None:
    """`custom_linear_solve` of a symmetric system, diagonal or of low rank plus the identity."""
    rank = None if scope.stream.chance(0.5) else 1
    b = within(scope, float_value(scope, rank), DOMAIN)
    weight = None
    if rank == 1:
        weight = scope.let("tanh", scope.input(b.aval.with_shape(*b.aval.shape, 2), "w"))
    _plain_or_differentiated(scope, b, lambda s, v: _solved(s, v, weight), budget, mix)


def _solved(scope: Scope, b: Var, weight: Var | None) -> Var:
    v = Var(b.type, DOMAIN, "v")
    matvec = Var(Pullback((b.type,), b.type), role="matvec")
    rhs = Var(b.type, DOMAIN, scope.stream.choice(("b", "rhs")))
    if weight is None:
        diagonal = plus(scope, scope.let("square", b), scope.stream.choice((0.5, 1.0, 2.0)))
        body = scope.nested([v], [diagonal])
        operator = body.close("matvec", body.let("mul", diagonal, v))
        solver = scope.nested([matvec, rhs], [diagonal])
        solve = solver.close("solve", solver.let("div", rhs, diagonal))
    else:
        body = scope.nested([v], [weight])
        low = body.let("matmul", body.let("matrix_transpose", weight), v)
        operator = body.close("matvec", body.let("add", v, body.let("matmul", weight, low)))
        solver = scope.nested([matvec, rhs])
        i, x = Var(Aval(scope.int_dtype), (0, 20), "i"), Var(b.type, DOMAIN, "x")
        loop = solver.nested([i, x])
        residual = loop.let("sub", rhs, _called(loop, matvec, x), role="residual")
        new = loop.let("add", x, times(loop, residual, scope.stream.choice((0.02, 0.05))))
        step = loop.close("richardson", new)
        last = Var(b.type, DOMAIN)
        count = scope.stream.choice((8, 10, 16))
        solver.bind("fori_loop", (step, rhs), {"lower": 0, "upper": count}, last)
        solve = solver.close("solve", last)
    out = Var(b.type, (-20.0, 20.0), scope.stream.choice(("x", "solution", "")))
    scope.bind("custom_linear_solve", (operator, b, solve), {"symmetric": True}, out)
    return out


def root(scope: Scope, budget: int, mix: Mix) -> None:
    """`custom_root` of an elementwise equation, solved by a damped iteration."""
    a = within(scope, float_value(scope), DOMAIN)
    _plain_or_differentiated(scope, a, _root, budget, mix)


def _root(scope: Scope, a: Var) -> Var:
    stream = scope.stream
    x = Var(a.type, (-2.0, 2.0), "x")
    body = scope.nested([x], [a])
    way = stream.choice(("cubic", "sine", "tanh"))
    if way == "cubic":
        value = body.let("add", body.let("cubed", x), x)
    else:
        value = body.let("add", x, times(body, body.let("sin" if way == "sine" else way, x), 0.5))
    function = body.close(stream.choice(("f", "residual", "equation")), body.let("sub", value, a))
    kind = Pullback((a.type,), a.type)
    f, start = Var(kind, role="f"), Var(a.type, DOMAIN, "x0")
    solver = scope.nested([f, start])
    i, x = Var(Aval(scope.int_dtype), (0, 20), "i"), Var(a.type, DOMAIN, "x")
    loop = solver.nested([i, x])
    rate = stream.choice((0.05, 0.1))
    step = loop.close("body", loop.let("sub", x, times(loop, _called(loop, f, x), rate)))
    last = Var(a.type, DOMAIN)
    solver.bind("fori_loop", (step, start), {"lower": 0, "upper": stream.choice((5, 10, 20))}, last)
    solve = solver.close("solve", last)
    g, y = Var(kind, role="g"), Var(a.type, DOMAIN, "y")
    tangent = scope.nested([g, y])
    ones = Var(a.type, (1.0, 1.0))
    tangent.bind("ones_like", (y,), {}, ones)
    slope, quotient = _called(tangent, g, ones), Var(a.type, (-50.0, 50.0))
    tangent.bind("div", (y, slope), {}, quotient)
    tangent_solve = tangent.close("tangent_solve", quotient)
    first = Var(a.type, (0.0, 0.0), "x0")
    scope.bind("zeros_like", (a,), {}, first)
    out = Var(a.type, (-5.0, 5.0), stream.choice(("x_star", "root", "")))
    scope.bind("custom_root", (function, first, solve, tangent_solve), {}, out)
    return out


def transpose(scope: Scope, budget: int, mix: Mix) -> None:
    """The transpose of a linear function, applied to a cotangent."""
    stream = scope.stream
    x = float_value(scope)
    v = Var(x.type, DOMAIN, "v")
    w = scope.pick((x.aval.dtype,), where=lambda m: m.aval.rank == 2 and x.aval.rank > 0
                   and m.aval.shape[0] == x.aval.shape[-1])  # fmt: skip
    body = scope.nested([v], [w] if w is not None else [])
    y = v
    if w is not None and stream.chance(0.7):
        y = body.let("matmul", y, w)
    for _ in range(stream.integer(1, 2)):
        if not y.aval.rank:
            y = times(body, y, stream.choice((0.5, 2.0)))
            continue
        axis = stream.integer(0, y.aval.rank - 1)
        way = stream.choice(("cumsum", "mul", "sum", "ravel", "mean"))
        if way == "mul":
            y = times(body, y, stream.choice((0.5, 2.0)))
        else:
            y = body.let(way, y) if way == "ravel" else body.let(way, y, axis=axis)
    function = body.close(stream.choice(("linear", "f", "blur", "project")), y)
    f_t = Var(Pullback((y.type,), (x.type,)), role=stream.choice(("f_transpose", "adjoint")))
    scope.bind("linear_transpose", (function, x), {}, f_t)
    ct = Var(y.type, y.bounds, stream.choice(("y", "ct", "")))
    scope.bind("apply", (function, x), {}, ct)
    scope.bind("apply", (f_t, ct), {}, (Var(x.type, (-50.0, 50.0)),))


def linear_function(scope: Scope, budget: int, mix: Mix) -> None:
    """`linear_call`, a linear function with its transpose; it has no rule for `vmap`."""
    if scope.depth:
        raise IllTyped("what stands around it may be batched")
    x = within(scope, float_value(scope), DOMAIN)
    scale = scope.pick((x.aval.dtype,), where=lambda v: v.type == x.type and v is not x)
    scale = scale if scale is not None else scope.input(x.aval, "scale")
    scale = plus(scope, scope.let("square", within(scope, scale, DOMAIN)), 1.0)
    way = scope.stream.choice(("div", "mul"))

    def half(role: str, name: str) -> Any:
        r, v = Var(x.type, scale.bounds, "r"), Var(x.type, DOMAIN, name)
        body = scope.nested([r, v])
        return body.close(role, body.let(way, v, r))

    functions = (half("f", "x"), half("f_transpose", "ct"))

    def make(body: Scope, value: Var) -> Var:
        out = Var(x.type, (-100.0, 100.0))
        body.bind("linear_call", (*functions, scale, value), {}, out)
        return out

    if scope.stream.chance(0.4):
        make(scope, x)
        return
    inner = Var(x.type, x.bounds, "x")
    body = scope.nested([inner], reverse=True)
    h = within(body, make(body, inner), DOMAIN)
    found = next((v for v in reversed(leaves(body, 2)) if v.aval.dtype in FLOATS), h)
    value = body.let("square", conform(body, found, h.aval))
    loss = body.close("loss", use_all(body, body.let("mean", value), [h, inner]))
    scope.bind("apply", (Transformed("grad", loss), x), {}, Var(x.type, (-50.0, 50.0)))
