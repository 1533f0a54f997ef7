"""Systems that change in time: integrators, diffusion and waves, particles, automata."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    STATE,
    applied,
    call,
    calls,
    carried,
    drawn_function,
    fori,
    scan,
)
from jax_ir_pairs.synthesis.constructs.algorithms.roots import Formula, start
from jax_ir_pairs.synthesis.graph import Function, Transformed, Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.indexing import reading
from jax_ir_pairs.synthesis.ops.matrices import calm, matrix, vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

FIELDS: tuple[Formula, ...] = (
    lambda k, v: k("negative", v[0]),
    lambda k, v: k("mul", v[0], k("sub", 1.0, v[0])),
    lambda k, v: k("sub", k("sin", v[0]), k("mul", v[0], 0.5)),
    lambda k, v: k("sub", k("tanh", v[0]), v[0]),
    lambda k, v: k("sub", v[0], k("cubed", v[0])),
)
"""Right sides of differential equations that stay bounded near the origin."""


def _dynamics(scope: Scope, y: Var, budget: int, mix: Mix, *, reverse: bool = False) -> Function:
    role = scope.stream.choice(("f", "dynamics", "rhs", "vector_field", "dydt"))
    return drawn_function(scope, [Var(y.type, STATE, "y")], budget, mix, role, table=FIELDS,
                          reverse=reverse)  # fmt: skip


def _advanced(body: Scope, f: Function, y: Var, dt: float, way: str) -> Var:
    """Gives the next value by Euler's, the midpoint, Heun's or Runge and Kutta's rule."""
    k = calls(body)

    def moved(slope: Var, by: float) -> Var:
        return k("add", y, k("mul", by, slope))

    k1 = applied(body, f, y, role="k1")
    if way == "euler":
        return moved(k1, dt)
    k2 = applied(body, f, moved(k1, dt if way == "heun" else dt / 2), role="k2")
    if way == "midpoint":
        return moved(k2, dt)
    if way == "heun":
        return moved(k("add", k1, k2), dt / 2)
    k3 = applied(body, f, moved(k2, dt / 2), role="k3")
    k4 = applied(body, f, moved(k3, dt), role="k4")
    inner = k("mul", 2.0, k("add", k2, k3))
    return moved(k("add", k("add", k1, inner), k4), round(dt / 6, 6))


def integrate(scope: Scope, budget: int, mix: Mix) -> None:
    """Integrates a drawn right side by a scan that keeps the trajectory, or by a loop."""
    y0 = start(scope, "y0", "state0", "x0")
    f = _dynamics(scope, y0, budget, mix)
    dt, way = scope.stream.choice((0.01, 0.05, 0.1)), scope.stream.choice(
        ("euler", "rk4", "rk4", "midpoint", "heun"))  # fmt: skip

    def step(body: Scope, y: Var) -> Var:
        new = _advanced(body, f, y, dt, way)
        return call(body, "clip", new, low=-4.0, high=4.0, bounds=STATE)

    count = scope.stream.choice((5, 8, 10, 20))
    if scope.stream.chance(0.4):
        fori(scope, count, [carried(y0, "y")], lambda body, i, v: [step(body, v[0])])
        return

    def forced(body: Scope, v: list[Var], x: list[Var]) -> tuple[list[Var], list[Var]]:
        new = step(body, v[0])
        if scope.stream.chance(0.5):
            new = call(body, "add", new, call(body, "mul", dt, x[0]), bounds=STATE)
        else:
            new = call(body, "mul", new, call(body, "cos", x[0]), bounds=STATE)
        return [new], [new]

    times = scope.let("linspace", start=0.0, stop=1.0, n=count, role="ts")
    scan(scope, [carried(y0, "y")], [(times, "t")], forced)


def ode_solution(scope: Scope, budget: int, mix: Mix) -> None:
    """`odeint` of the library."""
    y0 = vector(scope, most=16)
    y, t = Var(y0.type, STATE, "y"), Var(Aval(scope.float_dtype), (0.0, 1.0), "t")
    body = scope.nested([y, t])
    k = calls(body)
    slope = scope.stream.choice((FIELDS[0], *FIELDS[2:]))(k, [y])
    slope = k("mul", slope, k("cos", t)) if scope.stream.chance(0.5) else k("add", slope, t)
    f = body.close(scope.stream.choice(("dynamics", "rhs", "f")), slope)
    count = scope.stream.choice((3, 5, 8))
    times = scope.let("linspace", start=0.0, stop=1.0, n=count, role="ts")
    out = Var(Aval(scope.float_dtype, (count, *y0.aval.shape)), (-20.0, 20.0), "ys")
    scope.bind("odeint", (f, y0, times), {}, out)


def leapfrog(scope: Scope, budget: int, mix: Mix) -> None:
    """Position and momentum under the gradient of a potential."""
    q0 = start(scope, "q0", "q")
    p0 = scope.let("array_zeros_like", q0) if scope.stream.chance(0.5) else scope.let("sin", q0)
    q = Var(q0.type, STATE, "q")
    inner = drawn_function(scope, [q], budget, mix, "shape_of", table=FIELDS, reverse=True)
    body = scope.nested([Var(q0.type, STATE, "q")], reverse=True)
    bent = applied(body, inner, body.params[0])
    square = call(body, "square", bent)
    total = call(body, "sum", square) if q0.aval.rank else square
    energy = call(body, "mul", 0.5, total)
    potential = body.close(scope.stream.choice(("potential", "energy", "U")), energy)
    dt = scope.stream.choice((0.01, 0.05, 0.1))
    force = Transformed("grad", potential)

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        half = k("sub", v[1], k("mul", dt / 2, applied(body, force, v[0])), role="p_half")
        new = k("clip", k("add", v[0], k("mul", dt, half)), low=-4.0, high=4.0, bounds=STATE)
        last = k("sub", half, k("mul", dt / 2, applied(body, force, new)))
        return [new, k("clip", last, low=-4.0, high=4.0, bounds=STATE)]

    carries = [carried(q0, "q"), carried(p0, "p")]
    fori(scope, scope.stream.choice((5, 10, 20)), carries, step)


def _laplacian(k: Any, u: Var, *, interior: bool) -> Var:
    rank = u.aval.rank
    if interior and rank == 1:
        left, right = (k("getitem", u, **_cut(part)) for part in (slice(2, None), slice(None, -2)))
        middle = k("getitem", u, **_cut(slice(1, -1)))
        return k("add", k("sub", left, k("mul", 2.0, middle)), right)  # type: ignore[no-any-return]
    total: Var | None = None
    for axis in range(rank):
        for shift in (1, -1):
            rolled = k("roll", u, shift=shift, axis=axis)
            total = rolled if total is None else k("add", total, rolled)
    return k("sub", total, k("mul", float(2 * rank), u))  # type: ignore[no-any-return]


def _cut(*parts: Any) -> dict[str, Any]:
    return reading(parts)


def diffusion(scope: Scope, budget: int, mix: Mix) -> None:
    """The heat equation or a reaction and diffusion, explicit, periodic or with fixed ends."""
    u0 = calm(scope, matrix(scope, most=32) if scope.stream.chance(0.5) else vector(scope), 4.0)
    interior = u0.aval.rank == 1 and u0.aval.size > 2 and scope.stream.chance(0.4)
    rate = scope.stream.choice((0.05, 0.1, 0.2))
    reaction = None
    if scope.stream.chance(0.4) and not interior:
        u = Var(u0.type, STATE, "u")
        reaction = drawn_function(scope, [u], budget, mix, "reaction", table=FIELDS)

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k, u = calls(body), v[0]
        change = k("mul", rate, _laplacian(k, u, interior=interior))
        if interior:
            return [k("at", u, change, **_cut(slice(1, -1)), method="add", bounds=STATE)]
        new = k("add", u, change, bounds=STATE)
        if reaction is None:
            return [new]
        new = k("add", new, k("mul", 0.01, applied(body, reaction, u)))
        return [k("clip", new, low=-4.0, high=4.0, bounds=STATE)]

    fori(scope, scope.stream.choice((5, 10, 20)), [carried(u0, "u")], step)


def wave(scope: Scope, budget: int, mix: Mix) -> None:
    """The wave equation, from two states in time."""
    u0 = calm(scope, vector(scope) if scope.stream.chance(0.6) else matrix(scope, most=32), 4.0)
    c = scope.stream.choice((0.1, 0.2, 0.25))

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        ahead = k("sub", k("mul", 2.0, v[0]), v[1])
        new = k("add", ahead, k("mul", c, _laplacian(k, v[0], interior=False)))
        if scope.stream.chance(0.3):
            new = k("mul", new, 0.99)
        return [new, v[0]]

    carries = [carried(u0, "u"), carried(u0, "u_prev")]
    fori(scope, scope.stream.choice((5, 10, 20)), carries, step)


def laplace(scope: Scope, budget: int, mix: Mix) -> None:
    """Sweeps that relax the interior of a plate to the mean of the neighbours."""
    side = scope.stream.choice((5, 6, 8, 10))
    u0 = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 2
                    and min(v.aval.shape) > 2 and v.aval.size <= 1024)  # fmt: skip
    u0 = calm(scope, u0 or scope.input(Aval(scope.float_dtype, (side, side)), "u"), 4.0)
    inside, low, high = slice(1, -1), slice(None, -2), slice(2, None)

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k, u = calls(body), v[0]
        parts = ((low, inside), (high, inside), (inside, low), (inside, high))
        near = [k("getitem", u, **_cut(*part)) for part in parts]
        total = k("add", k("add", near[0], near[1]), k("add", near[2], near[3]))
        mean = k("mul", 0.25, total)
        return [k("at", u, mean, **_cut(inside, inside), method="set", bounds=STATE)]

    fori(scope, scope.stream.choice((5, 10, 20)), [carried(u0, "u")], step)


def bodies(scope: Scope, budget: int, mix: Mix) -> None:
    """The pull of every particle on every other one, softened; a step or a few."""
    n = scope.stream.choice((3, 4, 5, 8))
    pos = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 2
                     and v.aval.shape[1] in (2, 3) and 1 < v.aval.shape[0] <= 32)  # fmt: skip
    pos = calm(scope, pos or scope.input(Aval(scope.float_dtype, (n, 3)), "pos"), 4.0)
    dt = scope.stream.choice((0.01, 0.05))

    def forces(body: Scope, x: Var) -> Var:
        k = calls(body)
        delta = k("sub", k("getitem", x, **_cut(None, slice(None))),
                  k("getitem", x, **_cut(slice(None), None)), role="delta")  # fmt: skip
        square = k("add", k("sum", k("square", delta), axis=-1), 0.1, bounds=(0.1, 50.0), role="r2")
        way = scope.stream.choice(("inverse", "root"))
        weight = k("power", square, -1.5) if way == "inverse" else k("rsqrt", square)
        scaled = k("mul", delta, k("getitem", weight, **_cut(Ellipsis, None)))
        return k("sum", scaled, axis=1, role="acc")

    if scope.stream.chance(0.4):
        forces(scope, pos)
        return
    vel = scope.let("array_zeros_like", pos, role="vel")

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        new = k("add", v[1], k("mul", dt, forces(body, v[0])), role="new_vel")
        return [k("add", v[0], k("mul", dt, new)), new]

    fori(scope, scope.stream.choice((3, 5, 10)), [carried(pos, "pos"), carried(vel)], step)
