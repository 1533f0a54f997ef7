"""Wrappers of optimizers: what runs another one inside, or only sometimes."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Optional, Protocol

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

inner_optimizer = nested("(params: P, grads: P, state: S) -> P & S")


class UpdateFn(Protocol):
    """Function that turns gradients and a state into updates and a state."""

    def __call__(self, updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]: ...


class ClipState(NamedTuple):
    """Holds how often a bound was active."""

    count: Any


def adaptive_clip(clipping: float, eps: float = 1e-3) -> tuple[Callable[[Any], Any], UpdateFn]:
    """Clip updates to a share of the norm of their parameters."""

    def unit_norm(x):
        axes = tuple(range(x.ndim - 1)) if x.ndim > 1 else None
        return jnp.sqrt(jnp.sum(jnp.square(x), axis=axes, keepdims=True) + 1e-12)

    def init_fn(params):
        del params
        return ClipState(count=jnp.zeros((), jnp.int32))

    def update_fn(updates, state, params=None):
        if params is None:
            raise ValueError(
                "You are using a transformation that requires the current value of "
                "parameters, but you are not passing `params` when calling `update`."
            )
        max_norms = jax.tree.map(lambda p: clipping * jnp.maximum(unit_norm(p), eps), params)
        factors = jax.tree.map(
            lambda g, m: jnp.minimum(1.0, m / (unit_norm(g) + 1e-6)), updates, max_norms
        )
        updates = jax.tree.map(jnp.multiply, updates, factors)
        is_active = jnp.any(jnp.array([jnp.any(f < 1) for f in jax.tree.leaves(factors)]))
        return updates, ClipState(count=state.count + is_active)

    return init_fn, update_fn


@sketch(
    takes={"params": "P", "grads": "P"},
    also=("Clip gradients unit by unit, and count when that happens.",),
)
def clipped_updates(
    params, grads, clipping: float = number(0.01, 1.0), inner: Optional[UpdateFn] = None
):
    """Limit each update by the norm of its parameters, before another function sees it."""
    init_fn, update_fn = (
        adaptive_clip(clipping)
        if maybe("default")
        else adaptive_clip(clipping, eps=one_of(1e-2, 1e-4))
    )
    updates, state = update_fn(grads, init_fn(params), params)
    if inner is not None:
        updates, _ = inner(updates, None, params)
    return one_of((updates, state), (updates, state.count), updates)


@sketch(
    takes={"params": "P", "grads": "P", "state": "S"},
    gives=("P", "S"),
    also=("Skip a step that would not be finite.",),
)
def apply_if_finite(params, grads, state, max_magnitude: float | None = one_of(None, 1e3, 10.0)):
    """Update parameters only where all gradients are finite."""
    flags = [jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)]
    if max_magnitude is not None:
        flags += [jnp.max(jnp.abs(g)) < max_magnitude for g in jax.tree.leaves(grads)]
    is_finite = one_of(jnp.all(jnp.stack(flags)), functools.reduce(jnp.logical_and, flags))
    if maybe("select"):
        new_params, new_state = inner_optimizer(params, grads, state)
        keep = functools.partial(jnp.where, is_finite)
        return jax.tree.map(keep, new_params, params), jax.tree.map(keep, new_state, state)

    def do_update(args):
        return inner_optimizer(*args)

    def reject_update(args):
        params, grads, state = args
        del grads
        return params, state

    return jax.lax.cond(is_finite, do_update, reject_update, (params, grads, state))


class MultiStepsState(NamedTuple):
    """Gradients that were accumulated, and how many."""

    mini_step: Any
    acc_grads: Any


def multi_steps(
    every_k: int, use_grad_mean: bool = True
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Accumulate gradients and emit them once in a number of steps."""

    def init_fn(params):
        return MultiStepsState(jnp.zeros([], jnp.int32), jax.tree.map(jnp.zeros_like, params))

    def accumulate(gradient, acc, n_acc):
        if use_grad_mean:
            return acc + (gradient - acc) / (n_acc + 1)
        return gradient + acc

    def update_fn(updates, state, params=None):
        del params
        acc = jax.tree.map(
            functools.partial(accumulate, n_acc=state.mini_step), updates, state.acc_grads
        )
        emit = state.mini_step == (every_k - 1)
        updates = jax.tree.map(lambda a: jnp.where(emit, a, jnp.zeros_like(a)), acc)
        acc = jax.tree.map(lambda a: jnp.where(emit, jnp.zeros_like(a), a), acc)
        return updates, MultiStepsState((state.mini_step + 1) % every_k, acc)

    return init_fn, update_fn


@sketch(
    takes={"params": "P", "grads": "P", "other_grads": "P"},
    gives="P",
    also=("Accumulate gradients over mini-batches.",),
)
def accumulated_step(
    params,
    grads,
    other_grads,
    learning_rate: float = number(1e-3, 1e-1),
    every_k: int = one_of(2, 3),
):
    """Step once after gradients of several mini-batches were accumulated."""
    init_fn, update_fn = one_of(multi_steps(every_k), multi_steps(every_k, use_grad_mean=False))
    state = init_fn(params)
    for g in (grads, other_grads):
        updates, state = update_fn(g, state, params)
        params = jax.tree.map(lambda p, u: p - learning_rate * u, params, updates)
    if maybe("flush"):
        # What is left after the last full group counts as well.
        params = jax.tree.map(lambda p, a: p - learning_rate * a, params, state.acc_grads)
    return params


class LookaheadParams(NamedTuple):
    """Holds a pair of slow and fast parameters."""

    fast: Any
    slow: Any


@sketch(
    takes={"fast": "P", "slow": "P", "step": "counts i[]"},
    gives=("P", "P"),
    also=("Synchronize slow and fast parameters.",),
)
def synchronize(
    fast, slow, step, sync_period: int = one_of(2, 3), slow_step_size: float = number(0.1, 0.9)
):
    """Pull slow parameters towards fast ones in every few steps, and restart from there."""
    if sync_period < 1:
        raise ValueError("Synchronization period must be >= 1.")
    params = LookaheadParams(fast=fast, slow=slow)
    sync_next = one_of((step + 1) % sync_period == 0, step % sync_period == sync_period - 1)

    def mix(f, s):
        return one_of(s + slow_step_size * (f - s), slow_step_size * f + (1 - slow_step_size) * s)

    if maybe("arithmetic", 0.4):
        weight = slow_step_size * sync_next
        new_slow = jax.tree.map(lambda f, s: s + weight * (f - s), params.fast, params.slow)
    else:
        new_slow = jax.tree.map(
            lambda f, s: jnp.where(sync_next, mix(f, s), s), params.fast, params.slow
        )
    new_fast = jax.tree.map(lambda f, s: jnp.where(sync_next, s, f), params.fast, new_slow)
    return new_fast, new_slow


@sketch(
    takes={"params": "P", "grads": "P", "state": "S"},
    gives=("P", "S"),
    also=("Run an optimizer on the part of the gradients that a mask selects.",),
)
def masked_optimizer(
    params,
    grads,
    state,
    mask: Any | Callable[[Any], Any] = one_of(lambda p: p.ndim > 1, lambda p: p.size > 4, True),
):
    """Hide the gradients of some leaves from an optimizer, and restore their parameters."""
    if callable(mask):
        mask_tree = jax.tree.map(mask, params)
    else:
        mask_tree = jax.tree.map(lambda _: bool(mask), params)
    masked = jax.tree.map(lambda m, g: g if m else jnp.zeros_like(g), mask_tree, grads)
    new_params, state = inner_optimizer(params, masked, state)
    if maybe("restore"):
        new_params = jax.tree.map(
            lambda m, new, old: new if m else old, mask_tree, new_params, params
        )
    return new_params, state


@sketch(
    takes={"average": "P", "params": "P", "count": "counts i[]"},
    gives=("P", "P"),
    dtypes="f32",
    also=("Exponential moving average without a bias towards its start.",),
)
def ema_update(
    average,
    params,
    count,
    decay: float = one_of(0.99, 0.9),
    debias: bool = one_of(True, False),
    accumulator_dtype: Any = None,
):
    """Update an exponential moving average of a tree; returns it and what to use of it."""
    if not 0.0 <= decay < 1.0:
        raise ValueError(f"decay must be in the range [0, 1), got {decay}")
    new = jax.tree.map(lambda p, a: (1 - decay) * p + decay * a, params, average)
    if accumulator_dtype is not None:
        new = jax.tree.map(lambda t: t.astype(accumulator_dtype), new)
    if not debias:
        return new, new
    correction = 1 - one_of(jnp.asarray(decay), decay) ** (count + 1)
    return new, jax.tree.map(lambda t: t / correction, new)


@sketch(
    takes={"params": "P", "grads": "P", "key": "key"},
    gives="P",
    also=("Apply transformations by the label of a leaf.",),
)
def labeled_updates(
    key,
    params,
    grads,
    transforms: Optional[dict[str, Callable[..., Any]]] = None,
    noise: float = number(1e-3, 0.1),
):
    """Transform each gradient as its label says, and zero what has none."""
    if transforms is None:
        transforms = {
            "matrix": one_of(lambda g, p: jnp.sign(g), lambda g, p: g + 1e-2 * p),
            "vector": one_of(lambda g, p: 0.1 * g, lambda g, p: jnp.clip(g, -1.0, 1.0)),
        }
    labels = jax.tree.map(lambda p: {1: "vector", 2: "matrix"}.get(p.ndim, "other"), params)

    def transform(label, g, p):
        if label not in transforms:
            return jnp.zeros_like(g)
        return transforms[label](g, p)

    updates = jax.tree.map(transform, labels, grads, params)
    if maybe("noise"):
        leaves, treedef = jax.tree.flatten(updates)
        keys = jax.tree.unflatten(treedef, list(jax.random.split(key, len(leaves))))
        updates = jax.tree.map(
            lambda u, k: u + noise * jax.random.normal(k, u.shape, u.dtype), updates, keys
        )
    return updates


@sketch(
    takes={"params": "P", "grads": "P", "loss_scale": "scale f[]"},
    also=("Unscale gradients and adjust the scale of the loss.",),
)
def adjust_loss_scale(
    params,
    grads,
    loss_scale,
    factor: float = one_of(2.0, 4.0),
    *,
    min_scale: float = 1.0,
    learning_rate: float = one_of(1e-2, 0.1),
):
    """Undo a scale of the loss, step where the gradients are finite, and change the scale."""
    inv_scale = one_of(1.0 / loss_scale, jnp.reciprocal(loss_scale))
    grads = jax.tree.map(lambda g: g * inv_scale, grads)
    finite = jax.tree.reduce(
        jnp.logical_and, jax.tree.map(lambda g: jnp.all(jnp.isfinite(g)), grads)
    )
    stepped = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    params = jax.tree.map(lambda new, old: jax.lax.select(finite, new, old), stepped, params)
    shrunk = jnp.maximum(loss_scale / factor, min_scale)
    if maybe("growth"):
        return params, jnp.where(finite, loss_scale * factor, shrunk)
    return params, jnp.where(finite, loss_scale, shrunk)
