"""Stochastic and delay differential equations."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

noisy_drift = nested("(t: f[], y: state f[n]) -> slope f[n]")
log_target = nested("(x: vector f[n]) -> energy f[]")


@sketch(
    takes={"key": "key", "y0": "state f[n]"},
    gives="trajectory f[t, n]",
    sizes={"t": (8, 64)},
    also=("Sample a path of a stochastic differential equation.",),
)
def euler_maruyama(key, y0, num_steps=size("t"), dt=number(2e-3, 2e-2), sigma=number(0.05, 0.5)):
    """Simulate a stochastic differential equation by the Euler-Maruyama method."""
    if maybe("draw_ahead"):
        noise = jax.random.normal(key, (num_steps, *y0.shape), y0.dtype)
    else:
        noise = jax.random.split(key, num_steps)

    def step(carry, drawn):
        t, y = carry
        if maybe("draw_ahead"):
            dw = math.sqrt(dt) * drawn
        else:
            dw = math.sqrt(dt) * jax.random.normal(drawn, y.shape, y.dtype)
        if maybe("multiplicative", 0.3):
            # Noise in proportion to the state, up to a bound.
            diffusion = sigma * jnp.tanh(y)
        else:
            diffusion = sigma
        y = y + dt * noisy_drift(t, y) + diffusion * dw
        return (t + dt, y), y

    _, path = jax.lax.scan(step, (jnp.zeros((), y0.dtype), y0), noise)
    return path


@sketch(
    takes={"key": "key", "x": "samples f[b]: starting values"},
    gives="samples f[b]",
    sizes={"b": (8, 2048)},
    dtypes="f32 f64",
)
def milstein_logistic(
    key, x, rate=number(0.2, 1.5), volatility=number(0.05, 0.4), dt=0.01, num_steps=integer(10, 50)
):
    """Diffuse a logistic growth process by Milstein's scheme of strong order one."""

    def drift(x):
        return rate * x * (1.0 - x)

    def diffusion(x):
        return volatility * one_of(x * (1.0 - x), jnp.sin(jnp.pi * x))

    def step(x, key):
        dw = jnp.sqrt(dt) * jax.random.normal(key, x.shape, x.dtype)
        b, db = jax.jvp(diffusion, (x,), (jnp.ones_like(x),))
        # The Ito correction, 0.5 b b' (dW^2 - dt).
        correction = 0.5 * b * db * (dw * dw - dt)
        x = x + drift(x) * dt + b * dw + correction
        return jnp.clip(x, 0.0, 1.0), None

    if maybe("map_to_unit"):
        x = jax.nn.sigmoid(x)
    else:
        # Shares of the capacity.
        x = jnp.clip(jnp.abs(x), 0.01, 0.99)
    x, _ = jax.lax.scan(step, x, jax.random.split(key, num_steps))
    return x


class OrnsteinUhlenbeck(NamedTuple):
    reversion: float = 1.0
    level: float = 0.0
    volatility: float = 0.3


@sketch(
    takes={"key": "key", "x0": "samples f[b]"},
    gives="series f[b, t]",
    sizes={"b": (2, 128), "t": (8, 256)},
    dtypes="f32 bf16 f64",
    also=("Draw paths of a mean-reverting Gaussian process from its exact transitions.",),
)
def ornstein_uhlenbeck_paths(key, x0, num_steps=size("t"), dt=number(0.01, 0.5)):
    """Sample mean-reverting paths without an error of discretization."""
    process = OrnsteinUhlenbeck(
        reversion=number(0.2, 3.0), level=number(-1.0, 1.0), volatility=number(0.1, 0.8)
    )
    decay = math.exp(-process.reversion * dt)
    stddev = process.volatility * math.sqrt((1.0 - decay * decay) / (2.0 * process.reversion))
    noise = stddev * jax.random.normal(key, (num_steps, x0.shape[0]), x0.dtype)

    if maybe("associative", 0.4):
        # x_t = decay x_{t-1} + e_t is a linear recurrence, which a parallel scan solves.
        def combine(left, right):
            return left[0] * right[0], right[0] * left[1] + right[1]

        gains = jnp.full_like(noise, decay)
        shocks = noise.at[0].add(decay * (x0 - process.level))
        _, deviations = jax.lax.associative_scan(combine, (gains, shocks))
        paths = process.level + deviations
    else:

        def step(x, e):
            x = process.level + decay * (x - process.level) + e
            return x, x

        _, paths = jax.lax.scan(step, x0, noise)
    return one_of(paths.T, jnp.swapaxes(paths, 0, 1))


@sketch(
    takes={"history": "series f[t]: values before the start"},
    gives="series f[n]",
    sizes={"t": (4, 32), "n": (16, 256)},
    dtypes="f32 f64",
    also=("Solve a delay differential equation with a buffer of the past.",),
)
def delayed_feedback(history, num_steps=size("n"), dt=number(0.02, 0.2), gain=number(0.5, 2.0)):
    """Integrate an equation whose slope depends on the state some time ago."""
    if maybe("check_delay"):
        assert history.shape[0] > 1, f"a delay of {history.shape[0]} steps needs no buffer"

    def feedback(x):
        if maybe("mackey_glass"):
            # Mackey-Glass: production falls where there is much already.
            x = jnp.clip(x, 0.0, 10.0)
            return gain * x / (1.0 + x ** one_of(4, 6, 8))
        else:
            return -gain * jnp.tanh(x)

    if maybe("shift_buffer"):

        def step(past, _):
            x = past[-1] + dt * (feedback(past[0]) - past[-1])
            return jnp.append(past[1:], x), x

        _, path = jax.lax.scan(step, history, length=num_steps)
    else:
        # A ring buffer: the oldest value is where the newest goes.
        delay = history.shape[0]

        def step(carry, i):
            past, x = carry
            x = x + dt * (feedback(past[i % delay]) - x)
            return (past.at[i % delay].set(x), x), x

        _, path = jax.lax.scan(step, (history, history[-1]), jnp.arange(num_steps))
    return path


@sketch(
    takes={"key": "key", "x": "vector f[n]", "v": "f[n]: velocity"},
    gives=("vector f[n]: position", "vector f[n]: velocity"),
    sizes={"n": (2, 128)},
)
def langevin_baoab(
    key,
    x,
    v,
    dt=number(1e-3, 2e-2),
    friction=number(0.5, 5.0),
    temperature=1.0,
    num_steps=integer(2, 8),
):
    """Take Langevin steps with the splitting kick, drift, thermostat, drift, kick."""
    decay = jnp.exp(-friction * dt)
    spread = jnp.sqrt(temperature * (1.0 - decay**2))

    def force(x):
        return -jnp.clip(jax.grad(log_target)(x), -20.0, 20.0)

    for subkey in jax.random.split(key, num_steps):
        v = v + 0.5 * dt * force(x)
        x = x + 0.5 * dt * v
        v = decay * v + spread * jax.random.normal(subkey, v.shape)
        x = x + 0.5 * dt * v
        if maybe("second_kick", 0.7):
            v = v + 0.5 * dt * force(x)
    return x, v


@sketch(
    takes={"key": "key", "state": "state f[n]: concentrations"},
    gives="state f[n]",
    sizes={"n": (2, 512)},
)
def birth_death_leaps(
    key, state, birth=number(1.0, 20.0), death=number(0.2, 1.5), dt=number(0.01, 0.1)
):
    """Advance birth-death processes by leaps with Gaussian numbers of events."""
    num_leaps = integer(5, 30)
    state = jnp.abs(state)

    @functools.partial(jax.jit, inline=True)
    def leap(level, birth_noise, death_noise):
        born = birth * dt
        died = death * dt * level
        # A Poisson number is nearly normal, of equal mean and variance.
        level = level + born + math.sqrt(born) * birth_noise
        level = level - died - jnp.sqrt(died + 1e-6) * death_noise
        return one_of(jnp.maximum(level, 0.0), jnp.abs(level))

    key_birth, key_death = jax.random.split(key)
    shape = (num_leaps, *state.shape)
    noises = jax.random.normal(key_birth, shape), jax.random.normal(key_death, shape)
    state, _ = jax.lax.scan(lambda level, z: (leap(level, *z), None), state, noises)
    return state
