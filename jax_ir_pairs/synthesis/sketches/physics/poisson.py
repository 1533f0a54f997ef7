"""Iterative solvers of Poisson's equation, and fields of charges."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def _neighbour_sum(u):
    """Sum of the four neighbours, with zeros outside of the grid."""
    p = jnp.pad(u, 1)
    return p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]


def _poisson_defect(u, f, spacing=1.0):
    return f - (4 * u - _neighbour_sum(u)) / (spacing * spacing)


@sketch(
    takes={"f": "field f[ny, nx]: right-hand side"},
    gives="field f[ny, nx]: solution",
    sizes={"ny": (6, 64), "nx": (6, 64)},
    dtypes="f32 bf16 f64",
    also=("Relax -Laplace(u) = f on a rectangle with zero boundary values.",),
)
def relax_poisson(f, num_sweeps=integer(10, 100), omega=number(0.6, 1.0)):
    """Approximate the solution of Poisson's equation by damped Jacobi sweeps."""
    dx = 1.0 / (max(f.shape) + 1)

    def sweep(u):
        new = (_neighbour_sum(u) + dx * dx * f) / 4
        return (1 - omega) * u + omega * new

    u = jnp.zeros_like(f)
    if maybe("stop_early", 0.3):

        def unfinished(carry):
            _, change, i = carry
            return (change > 1e-7) & (i < num_sweeps)

        def body(carry):
            u, _, i = carry
            new = sweep(u)
            return new, jnp.max(jnp.abs(new - u)), i + 1

        u, _, _ = jax.lax.while_loop(unfinished, body, (u, jnp.asarray(jnp.inf, f.dtype), 0))
        return u
    return jax.lax.fori_loop(0, num_sweeps, lambda _, u: sweep(u), u)


@sketch(
    takes={"f": "field f[ny, nx]: charge density"},
    gives=("field f[ny, nx]: potential", "metric f[]"),
    sizes={"ny": (6, 64), "nx": (6, 64)},
    dtypes="f32 f64",
    also=("Relax red and black points in turn, and measure what is left.",),
)
def red_black_sor(f, num_sweeps=integer(5, 60), omega=one_of(1.0, 1.5, 1.7, 1.3)):
    """Solve for an electrostatic potential by red-black successive over-relaxation."""
    rows, cols = f.shape
    parity = (jnp.arange(rows)[:, None] + jnp.arange(cols)) % 2
    if maybe("masks_from_list"):
        masks = [parity == color for color in (0, 1)]
    else:
        red = parity == 0
        masks = [red, ~red]

    def sweep(_, u):
        for mask in masks:
            # Points of one color only have neighbours of the other.
            relaxed = u + omega * (0.25 * (_neighbour_sum(u) + f / (rows * cols)) - u)
            u = jnp.where(mask, relaxed, u)
        return u

    u = jax.lax.fori_loop(0, num_sweeps, sweep, jnp.zeros_like(f))
    defect = f / (rows * cols) - (4 * u - _neighbour_sum(u))
    return u, one_of(jnp.max(jnp.abs(defect)), jnp.sqrt(jnp.mean(defect**2)))


def _restrict(fine):
    if maybe("full_weighting"):
        rows, cols = fine.shape
        return jnp.mean(fine.reshape(rows // 2, 2, cols // 2, 2), axis=(1, 3))
    else:
        # Injection takes every other point.
        return fine[::2, ::2]


def _prolong(coarse):
    return jnp.repeat(jnp.repeat(coarse, 2, axis=0), 2, axis=1)


def _smoothed(u, f, spacing, sweeps):
    """Damped Jacobi sweeps, which take the rough part of the error away."""
    weight = 0.8 * spacing * spacing / 4
    return jax.lax.fori_loop(0, sweeps, lambda _, u: u + weight * _poisson_defect(u, f, spacing), u)


def _v_cycle(u, f, spacing, pre, post):
    u = _smoothed(u, f, spacing, pre)
    if min(f.shape) > 4 and all(side % 2 == 0 for side in f.shape):
        coarse_defect = _restrict(_poisson_defect(u, f, spacing))
        correction = _v_cycle(jnp.zeros_like(coarse_defect), coarse_defect, 2 * spacing, pre, post)
        u = u + one_of(0.5, 0.6, 0.4) * _prolong(correction)
    else:
        u = _smoothed(u, f, spacing, 4)
    return _smoothed(u, f, spacing, post)


@sketch(
    takes={"f": "field f[8*k, 8*k]"},
    gives="field f[8*k, 8*k]: solution",
    sizes={"k": (1, 8)},
    dtypes="f32 f64",
    also=("Solve Poisson's equation on a square by a multigrid method.",),
)
def multigrid_poisson(
    f, num_cycles=integer(1, 2), pre_sweeps=integer(1, 3), post_sweeps=integer(1, 3)
):
    """Run multigrid V-cycles for Poisson's equation with zero boundary values."""
    rows, cols = f.shape
    if rows != cols or rows % 8:
        raise ValueError(f"the grid has to be a square of a multiple of 8 points, got {f.shape}")
    spacing = 1.0 / (rows + 1)
    if maybe("zero_mean_load"):
        f = f - jnp.mean(f)
    u = jnp.zeros_like(f) if maybe("cold_start") else 0.25 * spacing * spacing * f
    for cycle in range(num_cycles):
        # The first cycle smooths more, as nothing is known yet.
        extra = 1 if cycle == 0 and num_cycles > 1 else 0
        u = _v_cycle(u, f, spacing, pre_sweeps + extra, post_sweeps)
    if maybe("last_sweep", 0.3):
        u = u + spacing * spacing / 8 * _poisson_defect(u, f, spacing)
    return u


@sketch(
    takes={"f": "field f[n, n]"},
    gives="field f[n, n]: solution",
    sizes={"n": (6, 128)},
)
def spectral_poisson(f):
    """Solve Poisson's equation on a torus with Fourier transforms."""
    n = f.shape[0]
    k = 2 * jnp.pi * jnp.fft.fftfreq(n, d=1.0 / n)
    if maybe("real_transform"):
        k_last = 2 * jnp.pi * jnp.fft.rfftfreq(n, d=1.0 / n)
        k_squared = jnp.square(k[:, None]) + k_last * k_last
        # The mean is free; it is set to zero.
        inverse = jnp.where(k_squared > 0, 1.0 / jnp.maximum(k_squared, 1.0), 0.0)
        return jnp.fft.irfft2(jnp.fft.rfft2(f) * inverse, s=f.shape)
    k_squared = one_of(jnp.square(k[:, None]) + k * k, sum(g * g for g in jnp.meshgrid(k, k)))
    if maybe("screened"):
        # Screening removes the zero of the denominator.
        return jnp.real(jnp.fft.ifft2(jnp.fft.fft2(f) / (k_squared + number(0.5, 20.0))))
    inverse = jnp.where(k_squared > 0, 1.0 / jnp.maximum(k_squared, 1.0), 0.0)
    return jnp.fft.ifft2(jnp.fft.fft2(f) * inverse).real


@sketch(
    takes={"charges": "f[n]", "sources": "points f[n, 2]", "targets": "points f[m, 2]"},
    gives=("f[m]: potential", "f[m, 2]: field"),
    sizes={"n": (2, 128), "m": (2, 256)},
    dtypes="f32 bf16 f64",
    also=("Sum the potentials of line charges, and their gradient, at some targets.",),
)
def line_charge_field(charges, sources, targets, softening=number(0.05, 0.5)):
    """Evaluate the electric field of line charges in the plane."""
    if charges.shape[0] != sources.shape[0]:
        raise ValueError(f"{charges.shape[0]} charges at {sources.shape[0]} places")
    if maybe("field_by_grad"):

        def potential_at(r):
            squared = jnp.sum((r - sources) ** 2, axis=-1) + softening
            return -0.5 * jnp.sum(charges * jnp.log(squared))

        values, slopes = jax.vmap(jax.value_and_grad(potential_at))(targets)
        return values, -slopes
    offset = targets[:, None, :] - sources[None, :, :]
    squared = jnp.sum(offset**2, axis=-1) + softening
    values = -0.5 * jnp.log(squared) @ charges
    strengths = charges / squared
    return values, one_of(
        jnp.einsum("mn,mnd->md", strengths, offset), jnp.sum(strengths[..., None] * offset, axis=1)
    )
