"""Optimizers with first and second moments as functions of parameters, gradients and state."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _decayed_average(decay, old, new):
    return jax.tree.map(lambda o, n: decay * o + (1 - decay) * n, old, new)


def _leaf_norm(x, eps=1e-6):
    return jnp.sqrt(jnp.sum(x**2) + eps)


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "v": "P", "count": "i[]"}},
    gives=("P", {"m": "P", "v": "P", "count": "i[]"}),
    dtypes="f32 bf16",
    also=("Update parameters with bias-corrected first and second moments.",),
)
def adam(params, grads, state, learning_rate=number(1e-4, 1e-2), b1=0.9, b2=0.999, eps=1e-8):
    """Move parameters by Adam, momentum over root mean square."""
    count = state["count"] + 1
    if maybe("average helper", 0.4):
        m = _decayed_average(b1, state["m"], grads)
        v = _decayed_average(b2, state["v"], jax.tree.map(jnp.square, grads))
    else:
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state["m"], grads)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state["v"], grads)
    if maybe("folded correction"):
        rate = learning_rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
        m_hat, v_hat = m, v
    else:
        rate = learning_rate
        m_hat = jax.tree.map(lambda m: m / (1 - b1**count), m)
        v_hat = jax.tree.map(lambda v: v / (1 - b2**count), v)
    if maybe("decay", 0.3):
        # Decoupled weight decay.
        params = jax.tree.map(lambda p: p * (1 - learning_rate * 1e-2), params)

    def moved(p, m, v):
        update = rate * m / (jnp.sqrt(jnp.abs(v)) + eps)
        return p - update.astype(p.dtype)

    return jax.tree.map(moved, params, m_hat, v_hat), {"m": m, "v": v, "count": count}


class MomentSettings(NamedTuple):
    """Rates of an optimizer with two moments."""

    peak_rate: float = 1e-3
    b1: float = 0.9
    b2: float = 0.99
    floor: float = 1e-4


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "v": "P", "top": "P"}},
    gives=("P", {"m": "P", "v": "P", "top": "P"}),
    dtypes="f32 bf16",
    also=("Adam-like step whose rates never grow back.",),
)
def max_moment_step(params, grads, state):
    """Divide momentum by the largest second moment that was ever seen."""
    settings = one_of(
        MomentSettings(), MomentSettings(3e-4, b2=0.999), MomentSettings(peak_rate=1e-2, b1=0.8)
    )
    m = _decayed_average(settings.b1, state["m"], grads)
    if maybe("belief", 0.4):
        # The second moment of what momentum did not foresee.
        surprise = jax.tree.map(lambda g, m: (g - m) ** 2, grads, m)
    else:
        surprise = jax.tree.map(jnp.square, grads)
    v = _decayed_average(settings.b2, state["v"], surprise)
    top = jax.tree.map(jnp.maximum, state["top"], v)
    ahead = _decayed_average(settings.b1, m, grads) if maybe("nesterov moment", 0.4) else m

    def moved(p, m, t):
        scale = jnp.sqrt(jnp.maximum(t, 0)) + settings.floor
        if maybe("partial adaptation", 0.3):
            # A power below one half lies between Adam and momentum.
            scale = (jnp.maximum(t, 0) + settings.floor) ** one_of(0.25, 0.125)
        return p - settings.peak_rate * m / scale

    new_params = jax.tree.map(moved, params, ahead, top)
    return new_params, one_of({"m": m, "v": v, "top": top}, dict(m=m, v=v, top=top))


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "u": "P", "count": "i[]"}},
    gives=("P", {"m": "P", "u": "P", "count": "i[]"}),
    dtypes="f32 bf16",
    also=("Adamax update.",),
)
def infinity_norm_step(params, grads, state, learning_rate=number(1e-4, 1e-2), b1=0.9, b2=0.99):
    """Scale momentum by a decaying maximum of the gradients' magnitude."""
    count = state["count"] + 1
    if maybe("clip before max", 0.4):
        # One outlier would hold the maximum up for long.
        grads = jax.tree.map(lambda g: jnp.clip(g, -3.0, 3.0), grads)
    if maybe("moment helper"):
        m = _decayed_average(b1, state["m"], grads)
    else:
        m = jax.tree.map(lambda old, g: b1 * old + (1 - b1) * g, state["m"], grads)
    u = jax.tree.map(lambda old, g: jnp.maximum(b2 * old, jnp.abs(g)), state["u"], grads)
    rate = learning_rate / (1 - b1**count)
    if maybe("warm rate", 0.4):
        rate = rate * jnp.minimum(1.0, count / one_of(10, 100))
    if maybe("decay matrices", 0.4):
        params = jax.tree.map(lambda p: 0.999 * p if p.ndim == 2 else p, params)
    params = jax.tree.map(lambda p, m, u: p - (rate * m / (u + 1e-4)).astype(p.dtype), params, m, u)
    return params, {"m": m, "u": u, "count": count}


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "v": "P"}},
    gives=("P", {"m": "P", "v": "P"}),
    dtypes="f32 bf16",
    also=("LAMB update.", "Layerwise adaptation of Adam for large batches."),
)
def layerwise_adam(
    params, grads, state, learning_rate=number(1e-3, 1e-1), decay=one_of(0.01, 0.1, 1e-3), eps=1e-4
):
    """Give each layer a step in proportion to the norm of its weights."""
    b1, b2 = one_of((0.9, 0.999), (0.9, 0.95), (0.8, 0.99))
    m = _decayed_average(b1, state["m"], grads)
    v = _decayed_average(b2, state["v"], jax.tree.map(lambda g: g * g, grads))

    def trusted(p, m, v):
        direction = m / (jnp.sqrt(jnp.maximum(v, 0.0)) + eps) + decay * p
        if p.ndim < one_of(1, 2):
            return p - learning_rate * direction
        ratio = _leaf_norm(p) / _leaf_norm(direction)
        if maybe("bounded trust"):
            ratio = jnp.clip(ratio, 0.01, one_of(10.0, 1.0))
        return p - learning_rate * ratio * direction

    return jax.tree.map(trusted, params, m, v), {"m": m, "v": v}


@sketch(
    takes={"params": "P", "grads": "P", "velocity": "P"},
    gives=("P", "P"),
    dtypes="f32 f64",
    also=("LARS update.",),
)
def layerwise_momentum(
    params, grads, velocity, learning_rate=number(1e-2, 1.0), trust=number(1e-3, 1e-1), decay=1e-4
):
    """Scale the gradient of each layer to a share of the norm of its weights."""
    is_vector = jax.tree.map(lambda p: p.ndim < 2, params)

    def local_rate(p, g, skip):
        if skip:
            return 1.0
        p_norm, g_norm = _leaf_norm(p), _leaf_norm(g)
        return trust * p_norm / (g_norm + decay * p_norm + 1e-6)

    rates = jax.tree.map(local_rate, params, grads, is_vector)
    if maybe("rate before momentum"):
        velocity = jax.tree.map(
            lambda u, p, g, r: 0.9 * u + learning_rate * r * (g + decay * p),
            velocity, params, grads, rates,
        )  # fmt: skip
        return jax.tree.map(jnp.subtract, params, velocity), velocity
    velocity = jax.tree.map(lambda u, g, r: 0.9 * u + r * g, velocity, grads, rates)
    shrink = 1 - learning_rate * decay
    params = jax.tree.map(lambda p, u: shrink * p - learning_rate * u, params, velocity)
    return params, velocity


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "curvature": "P"}},
    gives=("P", {"m": "P", "curvature": "P"}),
    dtypes="f32 bf16",
    also=("Step with clipped second-order scaling.",),
)
def clipped_curvature_step(
    params, grads, state, learning_rate=number(1e-3, 1e-1), rho=one_of(0.04, 0.1, 1.0), b1=0.96
):
    """Precondition momentum by a diagonal curvature and clip each coordinate."""
    m = _decayed_average(b1, state["m"], grads)
    if maybe("gauss newton", 0.6):
        # Squared gradients stand in for the diagonal of the Hessian.
        fresh = jax.tree.map(lambda g: g**2, grads)
        curvature = _decayed_average(0.99, state["curvature"], fresh)
    else:
        curvature = jax.tree.map(lambda h, g: 0.99 * h + 0.01 * g * g, state["curvature"], grads)
    bounded = functools.partial(jnp.clip, min=-1.0, max=1.0)
    update = jax.tree.map(
        lambda m, h: bounded(m / jnp.maximum(rho * h, one_of(1e-3, 1e-2))), m, curvature
    )
    params = jax.tree.map(lambda p, u: p - learning_rate * u, params, update)
    return params, {"m": m, "curvature": curvature}
