"""Roots, fixed points and minima of functions of one and of several variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    STATE,
    applied,
    call,
    calls,
    carried,
    carry,
    drawn_function,
    fori,
    until,
)
from jax_ir_pairs.synthesis.graph import Code, Function, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix, leaves, scalar, use_all
from jax_ir_pairs.synthesis.ops.matrices import vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

Formula: TypeAlias = Callable[[Callable[..., Var], Sequence[Var]], Var]

ROOTS: tuple[Formula, ...] = (
    lambda k, v: k("sub", k("cos", v[0]), v[0]),
    lambda k, v: k("sub", k("square", v[0]), 2.0),
    lambda k, v: k("sub", k("sub", k("cubed", v[0]), v[0]), 1.0),
    lambda k, v: k("sub", k("exp", k("negative", v[0])), v[0]),
    lambda k, v: k("sub", k("mul", v[0], k("exp", v[0])), 1.0),
    lambda k, v: k("add", k("sin", v[0]), k("mul", v[0], 0.5)),
    lambda k, v: k("sub", k("arctan", v[0]), 0.5),
)
"""Functions with a root, elementwise."""

CONTRACTIONS: tuple[Formula, ...] = (
    lambda k, v: k("cos", v[0]),
    lambda k, v: k("exp", k("negative", k("square", v[0]))),
    lambda k, v: k("mul", k("tanh", v[0]), 0.8),
    lambda k, v: k("add", k("mul", k("sin", v[0]), 0.5), 0.3),
    lambda k, v: k("reciprocal", k("add", k("square", v[0]), 1.5)),
)
"""Functions with a fixed point, elementwise."""


def start(scope: Scope, *names: str, scalar_only: bool = False) -> Var:
    """Gives a starting value: a scalar, or a short vector."""
    own = (scope.float_dtype,)
    x = scope.pick(own, needs=STATE, where=lambda v: v.aval.rank <= (not scalar_only)
                   and v.aval.size <= 64)  # fmt: skip
    if x is None:
        shape = () if scalar_only or scope.stream.chance(0.4) else (scope.side(),)
        x = scope.input(Aval(scope.float_dtype, shape), scope.stream.choice(names or ("x0",)))
    return x


def newton(scope: Scope, budget: int, mix: Mix) -> None:
    """Newton's method with `jax.grad`, a guarded derivative and clipped steps."""
    x0 = start(scope, scalar_only=True)
    f = drawn_function(
        scope, [Var(x0.type, STATE, "x")], budget, mix, "f", table=ROOTS, reverse=True
    )

    def step(body: Scope, x: Var, value: Var | None = None) -> Var:
        k = calls(body)
        value = value or applied(body, f, x, role="fx")
        slope = applied(body, Transformed("grad", f), x, role="dfx")
        steep = k("greater", k("abs", slope), 1e-3)
        safe = k("where", steep, slope, 1.0)
        return k("clip", k("sub", x, k("div", value, safe)), low=-4.0, high=4.0, bounds=STATE)

    if scope.stream.chance(0.5):
        fori(scope, scope.stream.choice((5, 8, 10)), [carried(x0, "x")],
             lambda body, i, v: [step(body, v[0])])  # fmt: skip
        return

    fx = applied(scope, f, x0, role="fx")
    counter = carry(Literal(0), Aval(scope.int_dtype), "i", (0, 20))

    def test(body: Scope, v: list[Var]) -> Var:
        k = calls(body)
        return k("logical_and", k("greater", k("abs", v[1]), 1e-4), k("less", v[2], 20))

    def advance(body: Scope, v: list[Var]) -> list[Var]:
        new = step(body, v[0], v[1])
        return [new, applied(body, f, new), body.let("add", v[2], Literal(1))]

    until(scope, [carried(x0, "x"), carried(fx, "fx"), counter], test, advance)


def gauss_newton(scope: Scope, budget: int, mix: Mix) -> None:
    """Levenberg and Marquardt's step for a system of equations, with `jax.jacfwd`."""
    x0 = start(scope, "x0", "theta")
    if x0.aval.rank != 1 or x0.aval.size > 16:
        x0 = vector(scope, scope.stream.choice((2, 3, 4)))
    n = x0.aval.size
    f = drawn_function(scope, [Var(x0.type, STATE, "x")], budget, mix,
                       scope.stream.choice(("residual", "equations", "f")), table=ROOTS,
                       forward=True)  # fmt: skip
    damping = scope.stream.choice((0.1, 1.0, 0.01))

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        r = applied(body, f, v[0], role="r")
        jac = applied(body, Transformed("jacfwd", f), v[0], role="J",
                      like=Aval(scope.float_dtype, (n, n)))  # fmt: skip
        flipped = k("matrix_transpose", jac)
        ridge = k("mul", damping, body.let("eye", n=n))
        normal = k("add", k("matmul", flipped, jac), ridge)
        delta = k("solve", normal, k("matmul", flipped, r), role="delta")
        return [k("clip", k("sub", v[0], delta), low=-4.0, high=4.0, bounds=STATE)]

    fori(scope, scope.stream.choice((3, 5, 8)), [carried(x0, "x")], step)


def bisection(scope: Scope, budget: int, mix: Mix) -> None:
    """Halves a bracket, elementwise for a vector."""
    target = start(scope, "target", "y")
    f = drawn_function(scope, [Var(target.type, STATE, "x")], budget, mix, "f", table=ROOTS)
    shape = target.aval.shape
    low = scope.let("full", shape=shape, value=-4.0, role="lo")
    high = scope.let("full", shape=shape, value=4.0, role="hi")

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        mid = k("mul", k("add", v[0], v[1]), 0.5, bounds=STATE, role="mid")
        below = k("less", applied(body, f, mid), target, role="below")
        return [k("where", below, mid, v[0]), k("where", below, v[1], mid)]

    fori(scope, scope.stream.choice((10, 16, 20)), [carried(low), carried(high)], step)


def secant(scope: Scope, budget: int, mix: Mix) -> None:
    """The secant method, with a guarded difference."""
    x0 = start(scope)
    x1 = scope.let("add", x0, Literal(scope.stream.choice((0.1, 0.5))), role="x1")
    f = drawn_function(scope, [Var(x0.type, STATE, "x")], budget, mix, "f", table=ROOTS)

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        f0, f1 = applied(body, f, v[0], role="f0"), applied(body, f, v[1], role="f1")
        change = k("sub", f1, f0)
        safe = k("where", k("greater", k("abs", change), 1e-6), change, 1.0)
        move = k("div", k("mul", f1, k("sub", v[1], v[0])), safe)
        return [v[1], k("clip", k("sub", v[1], move), low=-4.0, high=4.0, bounds=STATE)]

    carries = [carried(x0, "a"), carried(x1, "b")]
    fori(scope, scope.stream.choice((5, 8, 10)), carries, step)


def fixed_point(scope: Scope, budget: int, mix: Mix) -> None:
    """Iterates until the values stop moving."""
    x0 = start(scope, "x0", "guess")
    f = drawn_function(scope, [Var(x0.type, STATE, "x")], budget, mix, "g", table=CONTRACTIONS)
    error = carry(Literal(1.0), Aval(scope.float_dtype), "err", (0.0, 8.0))
    counter = carry(Literal(0), Aval(scope.int_dtype), "n", (0, 30))

    def test(body: Scope, v: list[Var]) -> Var:
        k = calls(body)
        moving = k("greater", v[1], scope.stream.choice((1e-3, 1e-4, 1e-5)))
        return k("logical_and", moving, k("less", v[2], 30))

    def step(body: Scope, v: list[Var]) -> list[Var]:
        k = calls(body)
        new = applied(body, f, v[0], role="new")
        moved = k("abs", k("sub", new, v[0]))
        peak = k("max", moved) if moved.aval.rank else moved
        return [new, peak, body.let("add", v[2], Literal(1))]

    until(scope, [carried(x0, "x"), error, counter], test, step)


def _loss(scope: Scope, x0: Var, budget: int, mix: Mix) -> Function:
    """Gives a loss of the parameters: a known one, or of what any family makes."""
    x = Var(x0.type, STATE, scope.stream.choice(("x", "theta", "w")))
    body = scope.nested([x], reverse=True)
    name = scope.stream.choice(("loss", "objective", "energy", "cost"))
    if scope.stream.chance(0.5):
        k = calls(body)
        term = scope.stream.choice(ROOTS)(k, [x])
        total = k("sum", k("square", term)) if x.aval.rank else k("square", term)
        return body.close(name, total)
    mix.fill(body, max(2, min(budget, 10)))
    assert leaves(body, 1)
    return body.close(name, use_all(body, scalar(body), [x]))


def descent(scope: Scope, budget: int, mix: Mix) -> None:
    """Gradient descent: plain, with momentum, with a decaying rate, or by the sign."""
    x0 = start(scope, "x0", "theta")
    gradient = Transformed("grad", _loss(scope, x0, budget, mix))
    rate, way = scope.stream.choice((0.01, 0.05, 0.1)), scope.stream.choice(
        ("plain", "momentum", "momentum", "decay", "sign", "adam"))  # fmt: skip

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        g = applied(body, gradient, v[0], role="g")
        if way == "sign":
            g = k("sign", g)
        news: list[Var] = []
        if way in ("momentum", "adam"):
            beta = scope.stream.choice((0.9, 0.95))
            g = k("add", k("mul", beta, v[1]), k("mul", round(1 - beta, 3), g), role="m")
            news.append(g)
        if way == "adam":
            second = k("mul", 0.01, k("square", g))
            square = k("add", k("mul", 0.99, v[2]), second, bounds=(0.0, 50.0), role="s")
            news.append(square)
            g = k("div", g, k("add", k("sqrt", square), 1e-3))
        move = k("mul", rate, g)
        if way == "decay":
            move = k("div", move, k("add", k("mul", 0.1, body.let(
                "astype", i, dtype=scope.float_dtype)), 1.0))  # fmt: skip
        return [k("clip", k("sub", v[0], move), low=-4.0, high=4.0, bounds=STATE), *news]

    zeros = {"momentum": ("velocity",), "adam": ("m", "s")}.get(way, ())
    carries = [carried(x0, "x")]
    carries += [carried(scope.let("array_zeros_like", x0), name) for name in zeros]
    fori(scope, scope.stream.choice((5, 10, 20)), carries, step)


def line_search(scope: Scope, budget: int, mix: Mix) -> None:
    """Halves the step until the loss falls enough (Armijo)."""
    x = start(scope, "x", "theta")
    loss = _loss(scope, x, budget, mix)
    value, g = Var(Aval(scope.float_dtype), role="value"), Var(x.type, (-50.0, 50.0), "g")
    scope.bind("apply", (Transformed("value_and_grad", loss), x), {}, (value, g))
    square = call(scope, "square", g)
    slope = call(scope, "sum", square, role="slope") if x.aval.rank else square
    scalar_type = Aval(scope.float_dtype)

    def tried(body: Scope, t: Var) -> Var:
        k = calls(body)
        moved = k("sub", x, k("mul", t, g))
        return applied(body, loss, moved, like=scalar_type)

    def test(body: Scope, v: list[Var]) -> Var:
        k = calls(body)
        bar = k("sub", value, k("mul", k("mul", 1e-4, v[0]), slope))
        worse = k("greater", tried(body, v[0]), bar)
        return k("logical_and", worse, k("greater", v[0], 1e-3))

    shrink = scope.stream.choice((0.5, 0.8))
    rate = carry(Literal(1.0), scalar_type, "t", (0.0, 1.0))
    (t,) = until(scope, [rate], test, lambda body, v: [body.let("mul", v[0], Literal(shrink))])
    call(scope, "sub", x, call(scope, "mul", t, g))


def minimized(scope: Scope, budget: int, mix: Mix) -> None:
    """BFGS from the library, on the Rosenbrock function or a sum of squares."""
    x0 = vector(scope, scope.stream.choice((2, 3, 4)))
    x = Var(x0.type, STATE, "x")
    body = scope.nested([x])
    k = calls(body)
    term = scope.stream.choice(ROOTS[:2] + ROOTS[5:])(k, [x])
    total = k("sum", k("square", term))
    objective = body.close(scope.stream.choice(("objective", "loss")), total)
    out = Var(x0.type, (-8.0, 8.0), scope.stream.choice(("solution", "x_min")))
    scope.bind("minimize_bfgs", (objective, x0), {"options": Code('{"maxiter": 20}')}, out)
