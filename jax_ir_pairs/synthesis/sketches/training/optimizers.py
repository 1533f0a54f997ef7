"""Optimizers as functions of parameters, gradients and state."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, sketch

objective = nested("(params: P, batch: B) -> loss f[]")
optimizer = nested("(params: P, grads: P, state: S) -> P & S")


@sketch(
    takes={"params": "P", "grads": "P", "state": {"m": "P", "v": "P", "count": "i[]"}},
    gives=("P", {"m": "P", "v": "P", "count": "i[]"}),
    also=("Update parameters with bias-corrected first and second moments.",),
)
def adam(params, grads, state, learning_rate=number(1e-4, 1e-2), b1=0.9, b2=0.999, eps=1e-8):
    """Apply one Adam update."""
    count = state["count"] + 1
    m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state["m"], grads)
    v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state["v"], grads)
    rate = learning_rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
    if maybe("decay", 0.3):
        # Decoupled weight decay.
        params = jax.tree.map(lambda p: p * (1 - learning_rate * 1e-2), params)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(jnp.abs(v)) + eps), params, m, v)
    return params, {"m": m, "v": v, "count": count}


@sketch(takes={"params": "P", "state": "S", "batch": "B"}, gives=("P", "S", "loss f[]"))
def train_step(params, state, batch):
    """Take one optimizer step on a batch."""
    loss, grads = jax.value_and_grad(objective)(params, batch)
    params, state = optimizer(params, grads, state)
    return params, state, loss
