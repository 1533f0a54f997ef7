"""Grids of points that evolve on their own: automata, orbits, fractals, and spectra."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    calls,
    carried,
    fori,
    scan,
)
from jax_ir_pairs.synthesis.constructs.algorithms.roots import start
from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.ops.matrices import vector
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def game_of_life(scope: Scope, budget: int, mix: Mix) -> None:
    """A cellular automaton over a torus of zeros and ones."""
    side = scope.stream.choice((8, 10, 16))
    grid = scope.pick(("bool",), where=lambda v: v.aval.rank == 2 and min(v.aval.shape) > 2)
    if grid is not None:
        grid = scope.let("astype", grid, dtype="i32", role="grid")
    grid = grid or scope.input(Aval("i32", (side, side)), "grid", (0, 1))
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k, g = calls(body), v[0]
        total: Var | None = None
        for a, b in shifts:
            moved = k("roll", g, shift=a, axis=0) if a else g
            moved = k("roll", moved, shift=b, axis=1) if b else moved
            total = moved if total is None else k("add", total, moved)
        born = k("equal", total, 3)
        stays = k("logical_and", k("equal", g, 1), k("equal", total, 2))
        alive = k("logical_or", born, stays, role="alive")
        return [k("astype", alive, dtype="i32", bounds=(0, 1))]

    fori(scope, scope.stream.choice((2, 4, 8)), [carried(grid, "grid", (0, 1))], step)


def mandelbrot(scope: Scope, budget: int, mix: Mix) -> None:
    """Escape times of points of the complex plane."""
    width = scope.stream.choice((8, 12, 16))
    re = scope.let("linspace", start=-2.0, stop=1.0, n=width, role="re")
    im = scope.let("linspace", start=-1.0, stop=1.0, n=scope.stream.choice((6, 8)), role="im")
    xs, ys = scope.let_all("meshgrid", re, im, roles=("xs", "ys"))
    c = scope.let("complex", xs, ys, role="c")
    julia = scope.stream.chance(0.4)
    zero = c if julia else scope.let("array_zeros_like", c)
    counts = scope.let("array_zeros_like", xs, dtype="i32")
    shift = scope.input(Aval(c.aval.dtype), "offset") if julia and scope.stream.chance(0.5) else c

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        new = k("add", k("squared", v[0]), shift)
        inside = k("less_equal", k("magnitude", v[0]), 2.0, role="inside")
        z = k("where", inside, new, v[0])
        return [z, k("add", v[1], k("astype", inside, dtype="i32"), bounds=(0, 50))]

    carries = [carried(zero, "z"), carried(counts, "counts", (0, 50))]
    fori(scope, scope.stream.choice((8, 10, 20)), carries, step)


def spectral_derivative(scope: Scope, budget: int, mix: Mix) -> None:
    """A derivative, a filter or Poisson's equation, by the Fourier transform."""
    u = vector(scope)
    n = u.aval.size
    freqs = scope.let("fftfreq", n=n, d=0.1)
    k = calls(scope)
    spectrum = scope.let("fft", u, role="u_hat")
    way = scope.stream.choice(("second", "low_pass", "poisson"))
    if way == "low_pass":
        keep = k("less", k("abs", freqs), 2.0, role="keep")
        shaped = k("where", keep, spectrum, 0.0)
    else:
        square = k("square", k("mul", 6.2832, freqs), bounds=(0.0, 1e3), role="k2")
        factor = k("negative", square)
        if way == "poisson":
            factor = k("reciprocal", k("add", square, 1.0), bounds=(0.0, 1.0))
        complex_factor = k("astype", factor, dtype=spectrum.aval.dtype)
        shaped = k("mul", spectrum, complex_factor)
    k("real", k("ifft", shaped))


def logistic_map(scope: Scope, budget: int, mix: Mix) -> None:
    """Orbits of a map of the unit interval, kept over time."""
    x = start(scope, "x0")
    x0 = scope.let("sigmoid", x)
    rates = scope.let("linspace", start=2.0, stop=4.0, n=scope.stream.choice((8, 16)), role="rates")

    def step(body: Scope, v: list[Var], r: list[Var]) -> tuple[list[Var], list[Var]]:
        k = calls(body)
        rest = k("sub", 1.0, v[0])
        new = k("mul", k("mul", r[0], v[0]), rest, bounds=(0.0, 1.0))
        return [new], [new]

    scan(scope, [carried(x0, "x", (0.0, 1.0))], [(rates, "r")], step)
