"""Gradient transformations: pairs of an init and an update function, made by factories."""

from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Union

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

ScalarOrSchedule = Union[float, Callable[[Any], Any]]


class GradientTransformation(NamedTuple):
    """A pair of functions that initialize a state and update gradients."""

    init: Callable[..., Any]
    update: Callable[..., Any]


class EmptyState(NamedTuple):
    """The state of a transformation that has none."""


def init_empty_state(params):
    """Initialize an empty state."""
    del params
    return EmptyState()


class ScaleByAdamState(NamedTuple):
    """Count and both moments."""

    count: Any
    mu: Any
    nu: Any


def _bias_correction(moment, decay, count):
    correction = 1 - decay**count
    return jax.tree.map(lambda t: t / correction.astype(t.dtype), moment)


@sketch(
    takes={"params": "P", "updates": "P"},
    gives="P",
    also=("Rescale updates by their first two moments.",),
)
def scale_by_moments(
    params,
    updates,
    b1: float = one_of(0.9, 0.8),
    b2: float = one_of(0.999, 0.99),
    eps: float = 1e-4,
    num_steps: int = integer(1, 3),
):
    """Rescale updates by the Adam rule, over a few steps from a fresh state."""

    def init_fn(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return ScaleByAdamState(count=jnp.zeros([], jnp.int32), mu=zeros, nu=zeros)

    def update_fn(updates, state, params=None):
        del params
        mu = jax.tree.map(lambda g, m: b1 * m + (1 - b1) * g, updates, state.mu)
        nu = jax.tree.map(lambda g, v: b2 * v + (1 - b2) * g**2, updates, state.nu)
        count = state.count + 1
        if maybe("nesterov", 0.4):
            ahead = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mu, updates)
            mu_hat = _bias_correction(ahead, b1, count + 1)
        else:
            mu_hat = _bias_correction(mu, b1, count)
        nu_hat = _bias_correction(nu, b2, count)
        if maybe("outside"):
            updates = jax.tree.map(lambda m, v: m / (jnp.sqrt(v + 1e-12) + eps), mu_hat, nu_hat)
        else:
            updates = jax.tree.map(lambda m, v: m * jax.lax.rsqrt(v + eps), mu_hat, nu_hat)
        return updates, ScaleByAdamState(count=count, mu=mu, nu=nu)

    state = init_fn(params)
    out = updates
    for _ in range(num_steps):
        out, state = update_fn(updates, state, params)
    return out


class TraceState(NamedTuple):
    """Holds an aggregation of past updates."""

    trace: Any


def momentum_trace(
    decay: float, nesterov: bool = False, accumulator_dtype: Optional[Any] = None
) -> GradientTransformation:
    """Compute a trace of past updates."""

    def init_fn(params):
        return TraceState(
            trace=jax.tree.map(lambda p: jnp.zeros_like(p, dtype=accumulator_dtype), params)
        )

    def update_fn(updates, state, params=None):
        del params
        f = lambda g, t: g + decay * t
        new_trace = jax.tree.map(f, updates, state.trace)
        updates = jax.tree.map(f, updates, new_trace) if nesterov else new_trace
        return updates, TraceState(trace=new_trace)

    return GradientTransformation(init_fn, update_fn)


def scale_by_factor(factor: float) -> GradientTransformation:
    """Scale updates by a fixed number."""

    def update_fn(updates, state, params=None):
        del params
        return jax.tree.map(lambda g: factor * g, updates), state

    return GradientTransformation(init_empty_state, update_fn)


def add_decayed_weights(
    weight_decay: float, mask: Optional[Callable[[Any], Any]] = None
) -> GradientTransformation:
    """Add parameters scaled by a weight decay to updates."""

    def update_fn(updates, state, params):
        if params is None:
            raise ValueError("`params` must be passed to `update` for weight decay.")
        if mask is None:
            return jax.tree.map(lambda g, p: g + weight_decay * p, updates, params), state
        masks = mask(params) if callable(mask) else mask
        updates = jax.tree.map(
            lambda m, g, p: g + weight_decay * p if m else g, masks, updates, params
        )
        return updates, state

    return GradientTransformation(init_empty_state, update_fn)


def chain(*args: GradientTransformation) -> GradientTransformation:
    """Apply a list of transformations one after another."""
    init_fns, update_fns = zip(*args)

    def init_fn(params):
        return tuple(fn(params) for fn in init_fns)

    def update_fn(updates, state, params=None):
        if len(update_fns) != len(state):
            raise ValueError(
                "The number of updates and states has to be the same in "
                "chain! Make sure you have called init first!"
            )
        new_state = []
        for s, fn in zip(state, update_fns):
            updates, new_s = fn(updates, s, params)
            new_state.append(new_s)
        return updates, tuple(new_state)

    return GradientTransformation(init_fn, update_fn)


@sketch(
    takes={"params": "P", "grads": "P"},
    gives="P",
    also=("Take a step by a chain of transformations.",),
)
def chained_step(
    params,
    grads,
    learning_rate: float = number(1e-3, 1e-1),
    momentum: Optional[float] = one_of(None, 0.9, 0.8),
):
    """Update parameters by momentum, weight decay and a learning rate, composed."""
    decay = one_of(
        add_decayed_weights(1e-4),
        add_decayed_weights(1e-2, mask=lambda p: jax.tree.map(lambda x: x.ndim > 1, p)),
    )
    transforms = [decay]
    if momentum is not None:
        transforms.append(momentum_trace(momentum, nesterov=one_of(True, False)))
    transforms.append(scale_by_factor(-learning_rate))
    opt = chain(*transforms)
    updates, _ = opt.update(grads, opt.init(params), params)
    return jax.tree.map(one_of(jnp.add, lambda p, u: (p + u).astype(p.dtype)), params, updates)


@sketch(
    takes={"grads": "P", "velocity": "P"},
    gives=("P", "P"),
    also=("Momentum step from a given trace.",),
)
def momentum_updates(
    grads, velocity, decay: float = one_of(0.9, 0.95), dampening: float = one_of(0.0, 0.1)
):
    """Aggregate gradients into a trace, and return the updates with the new one."""
    if maybe("damped"):
        grads = jax.tree.map(lambda g: (1 - dampening) * g, grads)
    opt = momentum_trace(decay) if maybe("plain", 0.6) else momentum_trace(decay, nesterov=True)
    updates, state = opt.update(grads, TraceState(trace=velocity))
    if maybe("scaled"):
        tx = scale_by_factor(one_of(-1.0, 1 - decay))
        updates, _ = tx.update(updates, EmptyState())
    return updates, state.trace


class ScheduleState(NamedTuple):
    """Count of the steps so far."""

    count: Any


def scale_by_schedule(step_size_fn: Callable[[Any], Any]) -> GradientTransformation:
    """Scale updates by a function of the step."""

    def init_fn(params):
        del params
        return ScheduleState(count=jnp.zeros([], jnp.int32))

    def update_fn(updates, state, params=None):
        del params
        step_size = step_size_fn(state.count)
        updates = jax.tree.map(lambda g: jnp.array(step_size, dtype=g.dtype) * g, updates)
        return updates, ScheduleState(count=state.count + 1)

    return GradientTransformation(init_fn, update_fn)


@sketch(
    takes={"params": "P", "grads": "P", "count": "counts i[]"},
    gives=("P", "i[]"),
    also=("Descend by a learning rate that may be a schedule.",),
)
def scheduled_step(
    params, grads, count, learning_rate: Optional[ScalarOrSchedule] = None, flip_sign: bool = True
):
    """Scale updates by a learning rate, which is a number or a function of the step."""
    if learning_rate is None:
        learning_rate = one_of(0.1, lambda step: 0.1 / (1.0 + step), lambda step: 0.1 * 0.9**step)
    m = -1 if flip_sign else 1
    if callable(learning_rate):
        schedule = learning_rate
        opt = scale_by_schedule(lambda step: m * schedule(step))
    else:
        opt = scale_by_schedule(lambda _: m * learning_rate)
    updates, state = opt.update(grads, ScheduleState(count=count), params)
    return jax.tree.map(lambda p, u: p + u, params, updates), state.count
