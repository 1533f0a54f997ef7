"""Schedules: functions of the step, made by factories, joined and applied."""

from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

Schedule = Callable[[Any], Any]
Numeric = Union[int, float]


def constant_schedule(value: Numeric) -> Schedule:
    """Construct a constant schedule."""
    return lambda count: value


def polynomial_schedule(
    init_value: Numeric,
    end_value: Numeric,
    power: Numeric,
    transition_steps: int,
    transition_begin: int = 0,
) -> Schedule:
    """Construct a schedule with polynomial transition from an initial to an end value."""
    if transition_steps <= 0:
        return lambda count: init_value
    if transition_begin < 0:
        transition_begin = 0

    def schedule(count):
        count = jnp.clip(count - transition_begin, 0, transition_steps)
        frac = 1 - count / transition_steps
        return (init_value - end_value) * (frac**power) + end_value

    return schedule


def cosine_decay_schedule(
    init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Return a function which implements cosine learning rate decay."""
    if not decay_steps > 0:
        raise ValueError(
            "The cosine_decay_schedule requires positive decay_steps, "
            f"got decay_steps={decay_steps}."
        )

    def schedule(count):
        count = jnp.minimum(count, decay_steps)
        cosine_decay = 0.5 * (1 + jnp.cos(jnp.pi * count / decay_steps))
        decayed = (1 - alpha) * cosine_decay**exponent + alpha
        return init_value * decayed

    return schedule


def exponential_schedule(init_value: float, decay_steps: int, decay_rate: float) -> Schedule:
    """Construct a schedule that falls by a rate in each period of decay."""
    return lambda count: init_value * decay_rate ** (count / decay_steps)


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Apply several schedules one after another."""

    def schedule(step):
        output = schedules[0](step)
        for boundary, fn in zip(boundaries, schedules[1:]):
            output = jnp.where(step < boundary, output, fn(step - boundary))
        return output

    return schedule


@sketch(
    takes={"count": "i[n]: steps"},
    gives="signal f[n]: rates",
    sizes={"n": (2, 64)},
    also=("Learning rates of a warmup and a decay.",),
)
def warmup_then_decay(
    count,
    peak_value: float = number(1e-3, 1.0),
    warmup_steps: int = integer(1, 3),
    decay_steps: Optional[int] = one_of(None, 10, 100),
):
    """Evaluate a schedule that warms up and decays afterwards."""
    if decay_steps is None:
        decay_steps = one_of(10 * warmup_steps, warmup_steps + 20)
    warmup = polynomial_schedule(0.0, peak_value, 1, warmup_steps)
    if maybe("cosine"):
        decay = cosine_decay_schedule(peak_value, decay_steps, alpha=one_of(0.0, 0.1))
    elif maybe("polynomial"):
        decay = polynomial_schedule(peak_value, 0.0, one_of(1, 2, 0.5), decay_steps)
    else:
        decay = exponential_schedule(peak_value, decay_steps, one_of(0.5, 0.1))
    schedule = join_schedules([warmup, decay], [warmup_steps])
    if maybe("mapped"):
        return jax.vmap(schedule)(count).astype(jnp.float32)
    return jnp.broadcast_to(schedule(count), count.shape).astype(jnp.float32)


@sketch(
    takes={"params": "P", "grads": "P", "count": "counts i[]"},
    gives="P",
    also=("Step with a decaying rate that may be a staircase.",),
)
def exponential_decay_step(
    params,
    grads,
    count,
    decay_rate: float = one_of(0.5, 0.9, 0.99),
    staircase: bool = one_of(False, True),
    end_value: float | None = one_of(None, 1e-3),
):
    """Step by a learning rate that decays exponentially."""
    if decay_rate == 0:
        return params
    clip_fn = jnp.maximum if decay_rate < 1.0 else jnp.minimum

    def schedule(count, init_value=0.1, transition_steps=integer(1, 4)):
        p = count / transition_steps
        if staircase:
            p = jnp.floor(p)
        value = init_value * jnp.power(decay_rate, p)
        return value if end_value is None else clip_fn(value, end_value)

    rate = schedule(count) if maybe("plain") else schedule(count, init_value=number(0.01, 0.5))
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


@sketch(
    takes={"count": "i[n]: steps"},
    gives="signal f[n]",
    sizes={"n": (2, 64)},
    also=("Piecewise schedule of rates.",),
)
def piecewise_rates(
    count,
    boundaries_and_scales: Optional[dict[int, float]] = None,
    init_value: float = one_of(1.0, 0.1),
    interpolate: str = one_of("constant", "linear", "cosine"),
):
    """Evaluate a schedule that changes at some steps, at once or little by little."""
    if boundaries_and_scales is None:
        boundaries_and_scales = one_of({1: 0.5, 3: 0.1}, {2: 0.1}, {1: 2.0, 2: 0.5, 3: 0.5})
    boundaries, scales = zip(*sorted(boundaries_and_scales.items()))
    if any(scale < 0.0 for scale in scales):
        raise ValueError("`piecewise` expects non-negative scale factors")
    values = np.cumprod(np.array((init_value, *scales)))
    if interpolate == "constant":
        index = jnp.searchsorted(jnp.array(boundaries), count, side=one_of("right", "left"))
        return jnp.asarray(values, jnp.float32)[index]
    bounds = jnp.array((0, *boundaries), jnp.float32)
    if interpolate == "linear":
        return jnp.interp(count.astype(jnp.float32), bounds, jnp.asarray(values, jnp.float32))
    start = jnp.clip(jnp.searchsorted(bounds, count, side="right") - 1, 0, len(boundaries) - 1)
    low, high = (jnp.asarray(v, jnp.float32)[start] for v in (values[:-1], values[1:]))
    width = bounds[start + 1] - bounds[start]
    pct = jnp.clip((count - bounds[start]) / width, 0.0, 1.0)
    return high + (low - high) / 2.0 * (jnp.cos(jnp.pi * pct) + 1)


@sketch(
    takes={"loss": "loss f[]", "best": "loss f[]", "count": "counts i[]", "scale": "scale f[]"},
    gives=("loss f[]: best", "i[]: plateau_count", "f[]: scale"),
    also=("Reduce a rate when the loss stagnates.",),
)
def reduce_on_plateau(
    loss,
    best,
    count,
    scale,
    patience: int = one_of(1, 2),
    factor: float = number(0.1, 0.9),
    rtol: float = 1e-3,
    *,
    min_scale: float = 0.0,
):
    """Shrink the scale of updates where the loss has not improved for long."""
    if not 0.0 < factor < 1.0:
        raise ValueError(f"Factor must be in the range (0, 1), got factor = {factor}.")
    has_improved = one_of(loss < best - rtol * jnp.abs(best), loss < (1 - rtol) * best)
    new_best = jnp.where(has_improved, loss, best)
    plateau_count = jnp.where(has_improved, 0, count + 1)
    reached = one_of(plateau_count >= patience, plateau_count == patience)
    new_scale = jnp.where(reached, jnp.maximum(scale * factor, min_scale), scale)
    if maybe("reset"):
        plateau_count = jnp.where(reached, jnp.zeros_like(plateau_count), plateau_count)
    return new_best, plateau_count, new_scale


@sketch(
    takes={"params": "P", "count": "counts i[]"},
    also=("Hyperparameters that may be numbers or schedules.",),
)
def resolve_hyperparams(
    params,
    count,
    *,
    learning_rate: Optional[Numeric | Schedule] = None,
    weight_decay: Numeric | Schedule = one_of(1e-2, 0.1, 0.0),
):
    """Evaluate all hyperparameters at a step, and shrink the parameters by them."""
    if learning_rate is None:
        learning_rate = one_of(
            cosine_decay_schedule(0.1, 10),
            polynomial_schedule(0.1, 0.01, power=2, transition_steps=20),
            constant_schedule(1e-2),
        )
    hparams = {"learning_rate": learning_rate, "weight_decay": weight_decay}
    resolved = {
        name: value(count) if callable(value) else jnp.asarray(value, dtype=jnp.float32)
        for name, value in hparams.items()
    }
    shrink = 1.0 - resolved["learning_rate"] * resolved["weight_decay"]
    params = jax.tree.map(lambda p: shrink * p, params)
    return one_of(params, (params, resolved), (params, resolved["learning_rate"]))


@sketch(
    takes={"count": "i[n]: steps"},
    gives="signal f[n]",
    sizes={"n": (2, 64)},
    also=("Cyclic schedule with warm restarts.",),
)
def restarted_rates(
    count,
    kwargs: Optional[Sequence[dict[str, float]]] = None,
    period: int = integer(2, 6),
    gamma: float = one_of(1.0, 0.5),
):
    """Evaluate a schedule that decays over a period and then starts again."""
    if kwargs is None:
        cycle = count // period
        position = (count % period) / period
        peak = gamma ** cycle.astype(jnp.float32)
        return peak * one_of(0.5 * (1 + jnp.cos(jnp.pi * position)), (1 - position))
    schedules = [cosine_decay_schedule(decay_steps=period, **kw) for kw in kwargs]
    boundaries = [period * i for i in range(1, len(schedules))]
    return join_schedules(schedules, boundaries)(count)
