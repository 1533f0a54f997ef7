"""Finite differences for classical partial differential equations."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def five_point_laplacian(u, dx=1.0):
    """Laplacian on a periodic grid."""
    neighbours = sum(jnp.roll(u, shift, axis) for axis in (-2, -1) for shift in (1, -1))
    return (neighbours - 4.0 * u) / (dx * dx)


@sketch(
    takes={"u": "field f[ny, nx]: temperature"},
    gives="field f[ny, nx]",
    sizes={"ny": (6, 96), "nx": (6, 96)},
    dtypes="f32 bf16 f64",
    also=("Step the heat equation forward in time.",),
)
def diffuse_heat(u, num_steps=integer(4, 50), diffusivity=number(0.05, 0.9)):
    """Spread heat over a plate by explicit finite differences."""
    height, width = u.shape
    # Just inside of the limit of stability.
    dt = number(0.1, 0.24) / max(diffusivity, 1e-6)

    def step(_, u):
        if maybe("walls"):
            # Insulated edges: the cells outside are as warm as those inside.
            padded = jnp.pad(u, 1, mode="edge")
            laplacian = (
                padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * u
            )
        else:
            laplacian = five_point_laplacian(u)
        return u + diffusivity * dt * laplacian

    if maybe("cold_rim"):
        inside = jnp.zeros((height, width), bool).at[1:-1, 1:-1].set(True)
        u = jax.lax.fori_loop(0, num_steps, lambda i, u: jnp.where(inside, step(i, u), 0), u)
    elif maybe("few_heat_steps", 0.2):
        for i in range(3):
            u = step(i, u)
    else:
        u = jax.lax.fori_loop(0, num_steps, step, u)
    return u


@sketch(
    takes={"u": "field f[n, n]: displacement", "v": "f[n, n]: velocity"},
    gives=("field f[n, n]: displacement", "energy f[]"),
    sizes={"n": (8, 64)},
    dtypes="f32 f64",
    also=("Step the wave equation on a membrane with a leapfrog scheme.",),
)
def vibrate_membrane(
    u, v, courant=number(0.1, 0.65), num_steps=integer(5, 40), friction=number(1e-3, 0.05)
):
    """Let waves run over a square membrane that is held at its rim."""
    if u.shape != v.shape:
        raise ValueError(f"displacement has shape {u.shape}, velocity {v.shape}")
    if maybe("check_courant", 0.4):
        assert courant <= 1 / math.sqrt(2), f"unstable: Courant number {courant}"
    c2 = courant * courant

    def inner_laplacian(u):
        if maybe("convolve_laplacian", 0.3):
            stencil = jnp.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], u.dtype)
            return jax.scipy.signal.convolve(u, stencil, mode="same")
        p = jnp.pad(u, 1)
        return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * u

    def step(pair, _):
        before, now = pair
        following = (2 - friction) * now - (1 - friction) * before + c2 * inner_laplacian(now)
        return (now, following), None

    (before, now), _ = jax.lax.scan(step, (u - courant * v, u), None, length=num_steps)
    kinetic = 0.5 * jnp.mean((now - before) ** 2)
    if maybe("kinetic_only", 0.3):
        return now, kinetic
    elastic = -0.5 * c2 * jnp.mean(now * inner_laplacian(now))
    return now, kinetic + elastic


@sketch(
    takes={"u": "field f[n]"},
    gives="field f[n]",
    sizes={"n": (16, 2048)},
    dtypes="f32 f64",
)
def burgers_shock(u, num_steps=integer(5, 60), cfl=number(0.2, 0.8)):
    """Steepen a wave into shocks by finite volumes for Burgers' equation."""
    speed_limit = one_of(4.0, 5.0)
    u = speed_limit * jnp.tanh(u / speed_limit)
    # In units of the cell width.
    dt = cfl / speed_limit

    def flux(left, right):
        if maybe("rusanov"):
            speed = jnp.maximum(jnp.abs(left), jnp.abs(right))
            return 0.25 * (left * left + right * right) - 0.5 * speed * (right - left)
        elif maybe("godunov"):
            from_left = 0.5 * jnp.maximum(left, 0) ** 2
            from_right = 0.5 * jnp.minimum(right, 0) ** 2
            return jnp.maximum(from_left, from_right)
        else:
            # Lax-Friedrichs.
            return 0.25 * (left * left + right * right) - 0.5 * speed_limit * (right - left)

    def step(_, u):
        faces = flux(u, jnp.roll(u, -1))
        u = u - dt * (faces - jnp.roll(faces, 1))
        if maybe("viscous", 0.35):
            u = u + number(0.01, 0.1) * (jnp.roll(u, 1) - 2 * u + jnp.roll(u, -1))
        return u

    return jax.lax.fori_loop(0, num_steps, step, u)


def _limited_slope(backward, forward):
    """Slope of a cell from both differences, zero at an extremum."""
    if maybe("van_leer"):
        product = backward * forward
        return jnp.where(product > 0, 2 * product / (backward + forward + 1e-6), 0.0)
    else:
        # minmod
        same_sign = jnp.sign(backward) + jnp.sign(forward)
        return 0.5 * same_sign * jnp.minimum(jnp.abs(backward), jnp.abs(forward))


@sketch(
    takes={"tracer": "signal f[n]"},
    gives="signal f[n]",
    sizes={"n": (12, 2048)},
    dtypes="f32 f64",
    also=("Transport a tracer around a ring with a limited second-order scheme.",),
)
def advect_tracer(tracer, courant=number(0.1, 0.9), num_steps=integer(5, 50)):
    """Carry a tracer along a constant wind without new extrema."""
    if not 0 < courant < 1:
        raise ValueError(f"the Courant number has to be in (0, 1), got {courant}")

    def step(q, _):
        if maybe("first_order", 0.25):
            # Upwind: a cell gets what its left neighbour had.
            face = q
        else:
            left, right = jnp.roll(q, 1), jnp.roll(q, -1)
            slope = _limited_slope(q - left, right - q)
            face = q + 0.5 * (1 - courant) * slope
        q = q - courant * (face - jnp.roll(face, 1))
        return q, None

    tracer, _ = jax.lax.scan(step, tracer, length=num_steps)
    return tracer


@dataclass(frozen=True)
class RodProblem:
    conductivity: float = 1.0
    theta: float = 0.5


@sketch(
    takes={"u": "signal f[n]: temperatures along a rod"},
    gives="signal f[n]",
    sizes={"n": (4, 64)},
    dtypes="f32 f64",
    also=("Step the heat equation of a rod with an unconditionally stable scheme.",),
)
def crank_nicolson_rod(u, num_steps=integer(2, 20), dt=number(0.1, 5.0)):
    """Cool a rod with implicit time steps."""
    problem = RodProblem(conductivity=number(0.2, 2.0), theta=one_of(0.5, 1.0, 0.6))
    n = u.shape[0]
    r = problem.conductivity * dt
    second_difference = jnp.eye(n, k=1, dtype=u.dtype) + jnp.eye(n, k=-1, dtype=u.dtype)
    second_difference = second_difference - 2 * jnp.eye(n, dtype=u.dtype)
    if maybe("thomas"):
        # The matrix is tridiagonal and the same in every step.
        ones = jnp.ones(n, u.dtype)
        off = -problem.theta * r * ones
        lower, upper = off.at[0].set(0), off.at[-1].set(0)
        diagonal = (1 + 2 * problem.theta * r) * ones

        def step(_, u):
            rhs = u + (1 - problem.theta) * r * (second_difference @ u)
            return jax.lax.linalg.tridiagonal_solve(lower, diagonal, upper, rhs[:, None])[:, 0]
    else:
        implicit = jnp.eye(n, dtype=u.dtype) - problem.theta * r * second_difference
        factor = jax.scipy.linalg.cho_factor(implicit)

        def step(_, u):
            rhs = u + (1 - problem.theta) * r * (second_difference @ u)
            return jax.scipy.linalg.cho_solve(factor, rhs)

    return jax.lax.fori_loop(0, num_steps, step, u)
