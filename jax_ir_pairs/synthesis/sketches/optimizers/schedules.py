"""Schedules of learning rates and other coefficients."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

rate_schedule = nested("(step: counts i[]) -> scale f[]")


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Linear warmup followed by cosine decay.",),
)
def warmup_cosine(
    step, peak=number(1e-2, 1.0), warmup_steps=one_of(10, 4, 100, 500), total_steps=1000, floor=0.1
):
    """Ramp the rate up linearly, then anneal it along half a cosine."""
    if warmup_steps >= total_steps:
        raise ValueError(f"warmup of {warmup_steps} steps leaves none of {total_steps} to decay")
    step = step.astype(jnp.float32)
    warm = (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    progress = jnp.clip(progress, 0.0, 1.0)
    if maybe("squared cosine", 0.3):
        decayed = jnp.cos(0.5 * math.pi * progress) ** 2
    else:
        decayed = 0.5 * (1 + jnp.cos(math.pi * progress))
    if maybe("lowest rate"):
        decayed = floor + (1 - floor) * decayed
    return one_of(
        peak * jnp.where(step < warmup_steps, warm, decayed),
        peak * jnp.minimum(warm, 1.0) * decayed,
    )


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Polynomial decay of the rate.",),
)
def polynomial_decay(
    step, start=number(0.05, 1.0), end=number(1e-3, 1e-2), power=one_of(1.0, 2.0, 0.5), steps=100
):
    """Lower the rate from one value to another along a polynomial."""
    if maybe("cycle", 0.3):
        # Stretch the span whenever it is over, rather than stay at the end.
        spans = jnp.maximum(jnp.ceil(step / steps), 1.0)
        remaining = 1 - step / (steps * spans)
    else:
        remaining = 1 - jnp.clip(step, 0, steps) / steps
    if maybe("smooth ends", 0.3):
        remaining = remaining**2 * (3 - 2 * remaining)
    return end + (start - end) * remaining**power


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Piecewise constant rate.",),
)
def step_decay(
    step,
    boundaries=one_of((1, 3), (2,), (1, 2, 3), (30, 60, 90)),
    base=number(0.05, 1.0),
    factor=one_of(0.1, 0.5, 0.3),
):
    """Drop the rate by a factor at each boundary."""
    if list(boundaries) != sorted(boundaries):
        raise ValueError(f"boundaries have to grow, got {boundaries}")
    if maybe("host loop"):
        rate = jnp.float32(base)
        for boundary in boundaries:
            rate = jnp.where(step >= boundary, rate * factor, rate)
        return rate
    edges = jnp.asarray(boundaries)
    if maybe("table"):
        rates = jnp.asarray([base * factor**i for i in range(len(boundaries) + 1)])
        return rates[jnp.searchsorted(edges, step, side="right")]
    passed = jnp.sum(step >= edges)
    return base * factor ** passed.astype(jnp.float32)


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("One-cycle policy for the learning rate.",),
)
def one_cycle(step, *, peak=number(0.05, 1.0), total=one_of(8, 20, 100), pct_start=0.3, div=25.0):
    """Raise the rate to a peak and bring it down below where it began."""
    first = max(1, int(pct_start * total))
    low, last = peak / div, peak / one_of(40, 100)

    def anneal(start, end, fraction):
        if maybe("cosine phases", 0.6):
            return end + (start - end) * 0.5 * (1 + jnp.cos(math.pi * fraction))
        return start + (end - start) * fraction

    up = anneal(low, peak, jnp.clip(step / first, 0, 1))
    down = anneal(peak, last, jnp.clip((step - first) / (total - first), 0, 1))
    if maybe("cond phases", 0.3):
        return jax.lax.cond(step < first, lambda: up, lambda: down)
    return jnp.where(step < first, up, down)


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Cyclic learning rate with a triangular wave.",),
)
def triangular_cycle(
    step, low=number(1e-3, 1e-2), high=number(0.02, 1.0), half_period=integer(3, 20)
):
    """Swing the rate between two bounds in triangular waves."""
    cycle = jnp.floor(1 + step / (2 * half_period))
    x = jnp.abs(step / half_period - 2 * cycle + 1)
    height = jnp.maximum(0.0, 1 - x)
    if maybe("shrink cycles"):
        amplitude = one_of(1 / 2 ** (cycle - 1), 0.9 ** (cycle - 1))
        height = height * amplitude
    if maybe("sine waves", 0.3):
        height = jnp.sin(0.5 * math.pi * height)
    return low + (high - low) * height


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Transformer schedule: linear warmup, then inverse square root.",),
)
def inverse_sqrt_schedule(
    step, warmup_steps=one_of(4, 16, 400, 100), scale=number(0.05, 1.0), model_dim=None
):
    """Warm up linearly, then decay with the inverse root of the step."""
    step = jnp.maximum(step, 1).astype(jnp.float32) if maybe("from one", 0.5) else step + 1.0
    if model_dim is not None:
        scale = scale * model_dim**-0.5
    if maybe("minimum form"):
        return scale * jnp.minimum(step * warmup_steps**-1.0, jnp.sqrt(warmup_steps / step))
    shifted = jnp.maximum(step, warmup_steps)
    return scale * jnp.minimum(1.0, step / warmup_steps) * jnp.sqrt(warmup_steps / shifted)


@dataclass(frozen=True)
class Phases:
    """Steps of warmup, of a stable rate and of decay."""

    warmup: int
    stable: int
    decay: int

    @property
    def decay_start(self):
        """The step at which the rate begins to fall."""
        return self.warmup + self.stable


@sketch(
    takes={"step": "counts i[]"},
    gives="scale f[]: rate",
    also=("Warmup, stable and decay phases.",),
)
def trapezoid_schedule(step, peak=number(0.05, 1.0), floor=number(0.01, 0.2)):
    """Hold the rate between a short warmup and a decay at the end."""
    phases = one_of(Phases(2, 2, 2), Phases(1, 1, 4), Phases(warmup=100, stable=800, decay=100))
    rise = (step + 1) / (phases.warmup + 1)
    fraction = jnp.clip((step - phases.decay_start) / phases.decay, 0.0, 1.0)
    if maybe("root decay"):
        fall = 1 - jnp.sqrt(fraction)
    elif maybe("exponential decay"):
        fall = floor**fraction
    else:
        fall = 1 - fraction
    return peak * jnp.minimum(rise, jnp.maximum(fall, floor))


@sketch(
    takes={"steps": "counts i[n]"},
    gives="f[n]: rates",
    sizes={"n": (4, 512)},
    also=("Curve of a learning rate over training.",),
)
def schedule_curve(steps):
    """Trace a schedule over many steps, as one plots it before a run."""
    curve = jax.vmap(rate_schedule)(steps)
    if maybe("normalize curve", 0.4):
        curve = curve / (jnp.max(curve) + 1e-6)
    if maybe("smooth curve", 0.3):
        # Average neighbours, where the plot would show jumps.
        padded = jnp.pad(curve, 1, mode="edge")
        curve = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return one_of(curve, jnp.log10(curve + 1e-6), jnp.cumsum(curve))
