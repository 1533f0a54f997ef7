"""Losses and steps of training."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
loss_fn = nested("(params: P, batch: B) -> loss f[]")
optimizer = nested("(params: P, grads: P, state: S) -> P & S")
classification_loss = nested("(logits: logits f[b, c], labels: labels i[b]) -> loss f[]")


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 64)},
    dtypes="f32 bf16",
)
def cross_entropy(logits, labels):
    """Average the negative log-likelihood of the labels."""
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if maybe("one_hot"):
        targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return -jnp.mean(jnp.sum(targets * log_probs, axis=-1))
    picked = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)
    return -jnp.mean(picked)


@sketch(
    takes={"params": "P", "batch": ("features f[b, d]", "labels i[b]")},
    gives="loss f[]",
    also=("Training objective of a classifier, with weight decay.",),
)
def classifier_loss(params, batch, decay=number(1e-5, 1e-2)):
    """Compute the regularized loss of a classifier on a batch."""
    x, labels = batch
    value = classification_loss(model(params, x), labels)
    if maybe("decay"):
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        value = value + decay * squares
    return value


@sketch(takes={"params": "P", "batch": "B"}, gives=("P", "loss f[]"))
def sgd_step(params, batch, learning_rate=number(1e-4, 1e-1)):
    """Take one step of gradient descent on a batch."""
    loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    if maybe("clip", 0.3):
        # Clip by the global norm.
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)))
        scale = jnp.minimum(1.0, one_of(1.0, 0.5, 5.0) / (norm + 1e-6))
        grads = jax.tree.map(lambda g: g * scale, grads)
    params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params, loss


@sketch(takes={"params": "P", "state": "S", "batch": "B"}, gives=("P", "S", "loss f[]"))
def train_step(params, state, batch):
    """Take one optimizer step on a batch."""
    loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    params, state = optimizer(params, grads, state)
    return params, state, loss
