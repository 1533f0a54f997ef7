"""Explicit integrators of ordinary differential equations."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.ode import odeint

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

explicit_field = nested("(t: f[], y: state f[n]) -> slope f[n]")
autonomous_field = nested("(y: state f[n]) -> slope f[n]")


def _rk4_increment(f, t, y, dt):
    """Weighted slope of the classical Runge-Kutta method."""
    half = 0.5 * dt
    k1 = f(t, y)
    k2 = f(t + half, y + half * k1)
    k3 = f(t + half, y + half * k2)
    k4 = f(t + dt, y + dt * k3)
    return (k1 + 2 * k2 + 2 * k3 + k4) / 6


@sketch(
    takes={"y0": "state f[n]: initial state"},
    gives="trajectory f[t, n]",
    sizes={"t": (8, 64)},
    dtypes="f32 f64",
    also=("Solve an initial value problem on a uniform grid of times.",),
)
def rk4_trajectory(y0, dt=number(5e-3, 4e-2), num_steps=size("t")):
    """Integrate an ODE with fixed steps of the classical Runge-Kutta method."""
    if maybe("check_steps", 0.4):
        if num_steps < 1 or dt <= 0:
            raise ValueError(f"need positive steps, got {num_steps} of length {dt}")

    def step(y, t):
        y = y + dt * _rk4_increment(explicit_field, t, y, dt)
        return y, y

    times = one_of(
        dt * jnp.arange(num_steps, dtype=y0.dtype),
        jnp.linspace(0.0, dt * (num_steps - 1), num_steps),
    )
    if maybe("include_start", 0.4):
        # The initial state is the first one, so one step less is taken.
        _, ys = jax.lax.scan(step, y0, times[:-1])
        return jnp.concatenate([y0[None], ys])
    _, ys = jax.lax.scan(step, y0, times)
    return ys


@sketch(
    takes={"y": "state f[n]"},
    gives="state f[n]",
    dtypes="f32 f64",
)
def low_order_rollout(y, num_steps=integer(5, 60), dt=number(2e-3, 3e-2)):
    """Advance an autonomous system by many small explicit steps."""

    def advance(_, y):
        if maybe("euler", 0.3):
            # Forward Euler.
            return y + dt * autonomous_field(y)
        elif maybe("midpoint"):
            y_half = y + 0.5 * dt * autonomous_field(y)
            return y + dt * autonomous_field(y_half)
        else:
            # Heun: average the slopes at both ends.
            slope = autonomous_field(y)
            ahead = autonomous_field(y + dt * slope)
            return y + 0.5 * dt * (slope + ahead)

    if maybe("unrolled", 0.15):
        for i in range(4):
            y = advance(i, y)
        return y
    return jax.lax.fori_loop(0, num_steps, advance, y)


class EmbeddedStep(NamedTuple):
    proposal: jax.Array
    error_norm: jax.Array


@sketch(
    takes={"t": "f[]", "y": "state f[n]"},
    gives=("state f[n]: proposal", "f[]: error"),
    dtypes="f32 f64",
    also=("Take a step of an embedded pair and measure the difference of both orders.",),
)
def embedded_step(t, y, dt=number(5e-3, 5e-2), rtol=1e-3, atol=number(1e-6, 1e-3)):
    """Take one embedded Runge-Kutta step with an error estimate."""
    if maybe("bogacki"):
        # Bogacki-Shampine 3(2).
        nodes = (0.0, 0.5, 0.75, 1.0)
        stages = ((), (1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9))
        high = (2 / 9, 1 / 3, 4 / 9, 0.0)
        low = (7 / 24, 1 / 4, 1 / 3, 1 / 8)
    else:
        # Fehlberg 4(5).
        nodes = (0.0, 1 / 4, 3 / 8, 12 / 13, 1.0, 1 / 2)
        stages = (
            (),
            (1 / 4,),
            (3 / 32, 9 / 32),
            (1932 / 2197, -7200 / 2197, 7296 / 2197),
            (439 / 216, -8.0, 3680 / 513, -845 / 4104),
            (-8 / 27, 2.0, -3544 / 2565, 1859 / 4104, -11 / 40),
        )
        high = (16 / 135, 0.0, 6656 / 12825, 28561 / 56430, -9 / 50, 2 / 55)
        low = (25 / 216, 0.0, 1408 / 2565, 2197 / 4104, -1 / 5, 0.0)

    slopes = []
    for node, row in zip(nodes, stages):
        increment = sum(a * k for a, k in zip(row, slopes))
        slopes.append(explicit_field(t + node * dt, y + dt * increment))
    y_high = y + dt * sum(b * k for b, k in zip(high, slopes) if b)
    difference = dt * sum((b - c) * k for b, c, k in zip(high, low, slopes) if b != c)
    tolerance = atol + rtol * jnp.maximum(jnp.abs(y), jnp.abs(y_high))
    error = one_of(
        jnp.sqrt(jnp.mean((difference / tolerance) ** 2) + 1e-12),
        jnp.max(jnp.abs(difference / tolerance)),
    )
    return one_of(
        (y_high, error),
        EmbeddedStep(y_high, error),
        EmbeddedStep(proposal=y_high, error_norm=error),
    )


@sketch(
    takes={"y0": "state f[n]"},
    gives="state f[n]",
    dtypes="f32 f64",
)
def adaptive_heun(y0, t_end=number(0.1, 0.6), max_steps=integer(20, 60), tol=number(1e-3, 1e-1)):
    """Integrate up to a final time with steps that follow the local error.

    Steps are taken as long as the end is not reached, but no more than `max_steps` of them.
    """

    def not_done(carry):
        t, _, _, i = carry
        return one_of((t < t_end) & (i < max_steps), jnp.logical_and(t < t_end, i < max_steps))

    def attempt(carry):
        t, y, dt, i = carry
        dt = jnp.minimum(dt, t_end - t)
        k1 = explicit_field(t, y)
        k2 = explicit_field(t + dt, y + dt * k1)
        # Euler is the lower order of the pair.
        error = 0.5 * dt * jnp.max(jnp.abs(k2 - k1)) / tol
        # A smooth controller, without a step that is refused.
        factor = one_of(
            jnp.clip(0.9 / jnp.sqrt(error + 1e-6), 0.3, 2.0),
            jnp.clip(0.9 * (error + 1e-6) ** -0.5, 0.25, 3.0),
        )
        y = y + 0.5 * dt * (k1 + k2)
        return t + dt, y, jnp.clip(dt * factor, 1e-3, 0.1), i + 1

    dt0 = jnp.asarray(number(5e-3, 5e-2), y0.dtype)
    start = (jnp.zeros((), y0.dtype), y0, dt0, 0)
    if maybe("tuple_result", 0.4):
        _, y, _, _ = jax.lax.while_loop(not_done, attempt, start)
        return y
    return jax.lax.while_loop(not_done, attempt, start)[1]


@sketch(
    takes={"y0": "state f[n]"},
    gives="trajectory f[t, n]",
    sizes={"t": (6, 48)},
    dtypes="f32 f64",
    also=("Extrapolate the slopes of earlier steps to take the next one.",),
)
def adams_bashforth(y0, num_steps=size("t"), dt=number(2e-3, 2e-2)):
    """Integrate an autonomous system by an Adams-Bashforth method."""
    if maybe("third_order"):
        weights = (23 / 12, -16 / 12, 5 / 12)
    else:
        weights = (3 / 2, -1 / 2)
    order = len(weights)
    # The first steps pretend that the slope was the same before.
    history = one_of(
        jnp.tile(autonomous_field(y0), (order, 1)), jnp.stack([autonomous_field(y0)] * order)
    )
    coefficients = jnp.array(weights, y0.dtype)

    def step(carry, _):
        y, history = carry
        y = y + dt * one_of(coefficients @ history, jnp.tensordot(coefficients, history, axes=1))
        if maybe("roll_history"):
            history = jnp.roll(history, 1, axis=0).at[0].set(autonomous_field(y))
        else:
            history = jnp.concatenate([autonomous_field(y)[None], history[:-1]])
        return (y, history), y

    _, trajectory = jax.lax.scan(step, (y0, history), None, length=num_steps)
    return trajectory


def _learned_velocity(layers, h, t):
    """Velocity of every feature; a tanh at the end keeps the flow from running away."""
    *hidden_layers, last = layers
    for layer in hidden_layers:
        h = one_of(jax.nn.softplus, jnp.tanh, jax.nn.elu)(h @ layer["w"] + layer["b"])
    if maybe("time_gate"):
        return jnp.tanh(h @ last["w"] + last["b"] * (1.0 + t))
    else:
        return jnp.tanh(h @ last["w"] + t * last["b"])


@sketch(
    takes={"params": ("l", {"w": "f[d, d]", "b": "f[d]"}), "x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"d": (4, 128), "l": (1, 3)},
    dtypes="f32 f64",
    also=("Flow features along a learned vector field.",),
)
def neural_ode(params, x, t_end=number(0.2, 1.0), num_steps=integer(2, 6)):
    """Transform features by integrating a learned vector field."""
    if maybe("check_width"):
        width = params[0]["w"].shape[0]
        if x.shape[-1] != width:
            raise ValueError(f"the field is of width {width}, but x has {x.shape[-1]} features")
    dt = t_end / num_steps

    def step(h, i):
        t = i * dt
        if maybe("rk4_flow", 0.3):
            f = lambda time, z: _learned_velocity(params, z, time)
            return h + dt * _rk4_increment(f, t, h, dt)
        elif maybe("midpoint_flow"):
            middle = h + 0.5 * dt * _learned_velocity(params, h, t)
            return h + dt * _learned_velocity(params, middle, t + 0.5 * dt)
        else:
            k1 = _learned_velocity(params, h, t)
            k2 = _learned_velocity(params, h + dt * k1, t + dt)
            return h + 0.5 * dt * (k1 + k2)

    if maybe("short_python_loop", 0.35):
        for i in range(num_steps):
            x = step(x, i)
        return x
    return jax.lax.fori_loop(0, num_steps, lambda i, h: step(h, i), x)


@sketch(
    takes={"state": "state f[b, 2]: positions and velocities"},
    sizes={"b": (1, 6)},
    weight=0.5,
    also=("Solve an oscillator's equation with adaptive steps.",),
)
def adaptive_oscillation(state, damping=number(0.1, 1.5), t_end=number(0.5, 3.0)):
    """Follow oscillators by an integrator that chooses its steps by the error."""

    def velocity(y, t):
        position, speed = y[..., 0], y[..., 1]
        if maybe("limit_cycle"):
            force = damping * (1.0 - position**2) * speed - position
        else:
            force = -damping * speed - one_of(position, jnp.sin(position), position**3)
        if maybe("drive", 0.4):
            force = force + 0.5 * jnp.cos(2.0 * t)
        return jnp.stack([speed, force], axis=-1)

    start = jnp.tanh(state)
    times = jnp.linspace(0.0, t_end, integer(2, 12))
    if maybe("tolerances", 0.4):
        path = odeint(velocity, start, times, rtol=1e-4, atol=one_of(1e-5, 1e-6))
    else:
        path = odeint(velocity, start, times)
    if maybe("amplitudes", 0.3):
        return jnp.max(jnp.abs(path[..., 0]), axis=0)
    return path
