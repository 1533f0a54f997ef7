"""Spectral and kinetic methods for fluids and waves."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def _wavenumbers(n):
    return jnp.fft.fftfreq(n, d=1.0 / n)


@sketch(
    takes={"u": "signal f[n]: samples on a period"},
    gives="signal f[n]: derivative",
    sizes={"n": (8, 2048)},
    also=("Differentiate a periodic function in Fourier space.",),
)
def spectral_derivative(u, order=one_of(1, 2), period=one_of(2 * jnp.pi, 1.0, 10.0)):
    """Differentiate a periodic signal with spectral accuracy."""
    n = u.shape[-1]
    if maybe("real_fft"):
        k = 2 * jnp.pi / period * jnp.fft.rfftfreq(n, d=1.0 / n)
        spectrum = jnp.fft.rfft(u)
    else:
        k = 2 * jnp.pi / period * _wavenumbers(n)
        spectrum = jnp.fft.fft(u)
    if maybe("dealias"):
        # Orszag's rule: the upper third of the modes is dropped.
        spectrum = jnp.where(jnp.abs(k) < jnp.max(jnp.abs(k)) * 2 / 3, spectrum, 0)
    if order == 2:
        spectrum = -k * k * spectrum
    else:
        spectrum = 1j * k * spectrum
    derivative = jnp.fft.irfft(spectrum, n) if maybe("real_fft") else jnp.fft.ifft(spectrum).real
    return derivative / one_of(n, n * n)


@sketch(
    takes={
        "re": "field f[n]: real part",
        "im": "field f[n]: imaginary part",
        "potential": "field f[n]",
    },
    gives="f[n]: density",
    sizes={"n": (16, 1024)},
    also=("Evolve a quantum state on a ring by Strang splitting.",),
)
def split_step_schroedinger(re, im, potential, dt=number(1e-3, 2e-2), num_steps=integer(4, 40)):
    """Propagate a wave function with the split-step Fourier method."""
    (n,) = re.shape
    psi = re + 1j * im
    psi = psi / jnp.sqrt(jnp.mean(jnp.abs(psi) ** 2) + 1e-6)
    k = _wavenumbers(n)
    kinetic = jnp.exp(-0.5j * dt * k * k)

    def step(psi, _):
        v = potential
        if maybe("nonlinear_schroedinger", 0.4):
            # Gross-Pitaevskii: the condensate repels itself.
            v = v + number(0.1, 1.0) * jnp.abs(psi) ** 2
        half_kick = jnp.exp(-0.5j * dt * v)
        psi = half_kick * jnp.fft.ifft(kinetic * jnp.fft.fft(half_kick * psi))
        return psi, None

    psi, _ = jax.lax.scan(step, psi, None, length=num_steps)
    density = one_of(jnp.abs(psi) ** 2, jnp.real(psi * jnp.conj(psi)))
    return density / (jnp.mean(density) + 1e-6)


@sketch(
    takes={"vorticity": "field f[n, n]"},
    gives="field f[n, n]: vorticity",
    sizes={"n": (8, 48)},
)
def vorticity_step(
    vorticity, dt=number(1e-3, 1e-2), viscosity=number(1e-3, 5e-2), num_steps=integer(1, 6)
):
    """Advance two-dimensional incompressible flow in vorticity form."""
    n = vorticity.shape[0]
    if vorticity.shape != (n, n):
        raise ValueError(f"the domain is a square torus, but the field is {vorticity.shape}")
    k = _wavenumbers(n)
    kx, ky = jnp.meshgrid(k, k, indexing="ij")
    k_squared = kx * kx + ky * ky
    inverse = 1.0 / jnp.where(k_squared > 0, k_squared, 1.0)

    def tendency(w_hat):
        # Stream function, then velocities (u, v) = (psi_y, -psi_x).
        psi_hat = w_hat * inverse
        u = jnp.fft.ifft2(1j * ky * psi_hat).real
        v = jnp.fft.ifft2(-1j * kx * psi_hat).real
        w_x = jnp.fft.ifft2(1j * kx * w_hat).real
        w_y = jnp.fft.ifft2(1j * ky * w_hat).real
        advection = jnp.fft.fft2(u * w_x + v * w_y)
        if maybe("two_thirds"):
            advection = jnp.where(jnp.maximum(jnp.abs(kx), jnp.abs(ky)) < n / 3, advection, 0)
        return -advection

    def step(_, w_hat):
        damping = one_of(
            1.0 / (1.0 + dt * viscosity * k_squared), jnp.exp(-dt * viscosity * k_squared)
        )
        if maybe("heun_vorticity", 0.35):
            first = tendency(w_hat)
            ahead = damping * (w_hat + dt * first)
            return damping * (w_hat + 0.5 * dt * first) + 0.5 * dt * tendency(ahead)
        else:
            return damping * (w_hat + dt * tendency(w_hat))

    w_hat = jax.lax.fori_loop(0, num_steps, step, jnp.fft.fft2(vorticity))
    return jnp.fft.ifft2(w_hat).real


_VELOCITIES_D2Q9 = ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))
_WEIGHTS_D2Q9 = (4 / 9,) + (1 / 9,) * 4 + (1 / 36,) * 4


@sketch(
    takes={
        "density": "field f[ny, nx]",
        "momentum": "f[2, ny, nx]",
        "obstacle?": "mask bool[ny, nx]: solid cells",
    },
    gives=("field f[ny, nx]: density", "f[2, ny, nx]: momentum"),
    sizes={"ny": (6, 32), "nx": (6, 48)},
    also=("Relax and stream the populations of a lattice gas with nine velocities.",),
)
def lattice_boltzmann(
    density, momentum, obstacle=None, tau=number(0.6, 1.5), num_steps=integer(2, 12)
):
    """Simulate a flow with the D2Q9 lattice Boltzmann method."""
    if momentum.shape != (2, *density.shape):
        raise ValueError(f"momentum {momentum.shape} does not go with density {density.shape}")
    velocities = jnp.array(_VELOCITIES_D2Q9, density.dtype)
    weights = jnp.array(_WEIGHTS_D2Q9, density.dtype)[:, None, None]
    # Small deviations from a fluid at rest.
    rho = 1.0 + 0.05 * jnp.tanh(density)
    u = 0.1 * jnp.tanh(momentum)

    def equilibrium(rho, u):
        along = one_of(
            jnp.tensordot(velocities, u, axes=1), jnp.einsum("qk,kyx->qyx", velocities, u)
        )
        speed = jnp.sum(u * u, axis=0)
        if maybe("incompressible_lbm", 0.35):
            # Only the pressure feels the density.
            return weights * (rho + 3.0 * along + 4.5 * along * along - 1.5 * speed)
        else:
            return weights * rho * (1.0 + 3.0 * along + 4.5 * along * along - 1.5 * speed)

    def step(_, f):
        rho = jnp.sum(f, axis=0)
        u = jnp.tensordot(velocities.T, f, axes=1) / rho
        if maybe("body_force", 0.4):
            u = u.at[0].add(number(1e-4, 1e-2))
        collided = f + (equilibrium(rho, u) - f) / tau
        if obstacle is not None:
            # Full bounce-back: populations in a solid cell turn around.
            opposite = jnp.array([0, 3, 4, 1, 2, 7, 8, 5, 6])
            collided = jnp.where(obstacle, f[opposite], collided)
        if maybe("stream_in_place", 0.4):
            for q, (cx, cy) in enumerate(_VELOCITIES_D2Q9):
                if cx or cy:
                    collided = collided.at[q].set(jnp.roll(collided[q], (cx, cy), axis=(0, 1)))
            return collided
        else:
            streamed = [
                jnp.roll(g, (cx, cy), axis=(0, 1))
                for g, (cx, cy) in zip(collided, _VELOCITIES_D2Q9)
            ]
            return jnp.stack(streamed)

    f = jax.lax.fori_loop(0, num_steps, step, equilibrium(rho, u))
    return jnp.sum(f, axis=0), jnp.tensordot(velocities.T, f, axes=1)


class ShallowWater(NamedTuple):
    depth: jax.Array
    flow_x: jax.Array
    flow_y: jax.Array


@sketch(
    takes={"surface": "field f[ny, nx]: elevation"},
    gives="field f[ny, nx]: elevation",
    sizes={"ny": (6, 64), "nx": (6, 64)},
    dtypes="f32 f64",
    also=("Let a water surface collapse under gravity on a staggered grid.",),
)
def shallow_water_waves(surface, num_steps=integer(4, 40), dt=number(0.05, 0.4), gravity=1.0):
    """Propagate gravity waves of shallow water on a rotating plane."""

    def step(_, state):
        h, u, v = state
        u_next = u - gravity * dt * (jnp.roll(h, -1, axis=1) - h)
        v_next = v - gravity * dt * (jnp.roll(h, -1, axis=0) - h)
        if maybe("rotating"):
            coriolis = number(0.01, 0.2)
            u_next = u_next + dt * coriolis * v
            v_next = v_next - dt * coriolis * u_next
        if maybe("bottom_drag"):
            drag = 1.0 / (1.0 + dt * number(0.01, 0.2))
            u_next, v_next = drag * u_next, drag * v_next
        # The new velocities carry the water, which keeps the scheme stable.
        divergence = u_next - jnp.roll(u_next, 1, axis=1) + v_next - jnp.roll(v_next, 1, axis=0)
        return ShallowWater(h - dt * divergence, u_next, v_next)

    calm = jnp.zeros_like(surface)
    start = ShallowWater(depth=surface - jnp.mean(surface), flow_x=calm, flow_y=calm)
    final = jax.lax.fori_loop(0, num_steps, step, start)
    return final.depth


@sketch(
    takes={"u": "field f[n, n]: velocity along x", "v": "field f[n, n]: velocity along y"},
    gives=("field f[n, n]", "field f[n, n]"),
    sizes={"n": (8, 64)},
    also=("Remove the divergence of a velocity field by a pressure projection.",),
)
def project_velocity(u, v, num_sweeps=integer(10, 40)):
    """Project a velocity field onto the fields without divergence."""
    assert u.shape == v.shape, f"{u.shape} and {v.shape} are on different grids"
    divergence = jnp.roll(u, -1, axis=0) - u + jnp.roll(v, -1, axis=1) - v
    if maybe("pressure_by_fft"):
        k = 2 * jnp.pi * jnp.fft.fftfreq(u.shape[0])
        # Eigenvalues of the five-point Laplacian.
        symbol = 2 * (jnp.cos(k)[:, None] + jnp.cos(k)[None, :]) - 4
        symbol = symbol.at[0, 0].set(1.0)
        pressure = jnp.fft.ifft2(jnp.fft.fft2(divergence) / symbol).real
    else:

        def sweep(_, p):
            around = sum(jnp.roll(p, s, axis) for axis in (0, 1) for s in (1, -1))
            return (around - divergence) / 4

        pressure = jax.lax.fori_loop(0, num_sweeps, sweep, jnp.zeros_like(u))
    u = u - (pressure - jnp.roll(pressure, 1, axis=0))
    v = v - (pressure - jnp.roll(pressure, 1, axis=1))
    return u, v
