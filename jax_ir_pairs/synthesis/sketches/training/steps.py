"""Objectives and steps of training."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
loss_fn = nested("(params: P, batch: B) -> loss f[]")
optimizer = nested("(params: P, grads: P, state: S) -> P & S")
classification_loss = nested("(logits: logits f[b, c], labels: labels i[b]) -> loss f[]")


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 64)},
    dtypes="f32 bf16",
    also=("Softmax cross-entropy against integer labels.",),
)
def cross_entropy(logits, labels):
    """Average the negative log-likelihood of the labels."""
    if maybe("check ranks", 0.3):
        if logits.ndim != labels.ndim + 1:
            raise ValueError(f"logits {logits.shape} do not go with labels {labels.shape}")
    log_probs = one_of(
        jax.nn.log_softmax(logits, axis=-1),
        logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True),
    )
    if maybe("one_hot"):
        targets = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return -jnp.mean(jnp.sum(targets * log_probs, axis=-1))
    picked = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)
    return -jnp.mean(picked)


@sketch(
    takes={"params": "P", "batch": ("features f[b, d]", "labels i[b]")},
    gives="loss f[]",
    dtypes="f32 bf16",
    also=("Training objective of a classifier, regularized or not.",),
)
def classifier_loss(params, batch, decay=number(1e-5, 1e-2)):
    """Evaluate a classifier's loss on a batch, with penalties where they are wanted."""
    x, labels = batch
    logits = model(params, x)
    value = classification_loss(logits, labels)
    if maybe("decay"):
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        value = value + decay * squares
    if maybe("confidence penalty", 0.3):
        # Reward entropy, so that the classifier is less sure of itself.
        log_probs = jax.nn.log_softmax(logits, axis=-1)
        entropy = -jnp.mean(jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1))
        value = value - one_of(0.1, 0.01) * entropy
    return value


@sketch(
    takes={"params": "P", "batch": "B"},
    gives=("P", "loss f[]"),
    dtypes="f32 bf16",
    also=("One descent step on a batch.",),
)
def sgd_step(params, batch, learning_rate=number(1e-4, 1e-1), max_norm=one_of(1.0, 0.5, 5.0)):
    """Descend once along the gradient of a batch."""
    loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    if maybe("clip", 0.4):
        # Clip by the global norm.
        norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(grads)))
        scale = jnp.minimum(1.0, max_norm / (norm + 1e-6))
        grads = jax.tree.map(lambda g: g * scale, grads)
    if maybe("flat update", 0.3):
        flat, unravel = ravel_pytree(params)
        flat_grads, _ = ravel_pytree(grads)
        return unravel(flat - learning_rate * flat_grads), loss
    params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params, loss


@sketch(
    takes={"params": "P", "state": "S", "batch": "B"},
    gives=("P", "S", "loss f[]"),
    dtypes="f32 bf16",
    also=("One step of an optimizer on a batch.",),
)
def train_step(params, state, batch):
    """Update parameters and optimizer state on a batch."""
    if maybe("named objective", 0.3):

        def objective(p):
            return loss_fn(p, batch)

        loss, grads = jax.value_and_grad(objective)(params)
    else:
        loss, grads = jax.value_and_grad(loss_fn)(params, batch)
    if maybe("skip bad steps", 0.3):
        # A gradient that is not finite leaves everything as it is.
        is_finite = functools.reduce(
            jnp.logical_and, [jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)]
        )
        new = optimizer(params, grads, state)
        params, state = jax.tree.map(lambda n, o: jnp.where(is_finite, n, o), new, (params, state))
    else:
        params, state = optimizer(params, grads, state)
    return params, state, loss


class StepMetrics(NamedTuple):
    """What a training loop logs."""

    loss: jax.Array
    accuracy: jax.Array
    grad_norm: jax.Array


@sketch(
    takes={"params": "P", "state": "S", "batch": ("features f[b, d]", "labels i[b]")},
    dtypes="f32 bf16",
    also=("Training step of a classifier with its metrics.",),
)
def logged_train_step(params, state, batch):
    """Train a classifier for a step and collect what a log should show."""
    inputs, labels = batch

    def objective(p):
        logits = model(p, inputs)
        return classification_loss(logits, labels), logits

    (loss, logits), grads = jax.value_and_grad(objective, has_aux=True)(params)
    params, state = optimizer(params, grads, state)
    accuracy = jnp.mean(jnp.argmax(logits, axis=-1) == labels)
    grad_norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
    if maybe("metrics tuple"):
        return params, state, StepMetrics(loss, accuracy, grad_norm)
    metrics = {"loss": loss, "accuracy": accuracy, "grad_norm": grad_norm}
    if maybe("parameter norm", 0.4):
        metrics["param_norm"] = jnp.sqrt(sum(jnp.sum(p**2) for p in jax.tree.leaves(params)))
    return {"params": params, "state": state, "metrics": metrics}


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives=("loss f[]", "P"),
    sizes={"b": (4, 48)},
    dtypes="f32 bf16",
    also=("Gradient of a large batch from small ones.",),
)
def microbatched_gradient(params, x, labels, num_micro=one_of(2, 3, 4)):
    """Accumulate the gradient of a batch over micro-batches that fit into memory."""
    batch_size = x.shape[0]
    size = -(-batch_size // num_micro)

    def objective(p, inputs, targets):
        return classification_loss(model(p, inputs), targets)

    if maybe("scan batches", 0.2):
        if batch_size % num_micro == 0:
            split = jax.tree.map(lambda a: a.reshape(num_micro, -1, *a.shape[1:]), (x, labels))

            def add_part(carry, part):
                parts = jax.value_and_grad(objective)(params, *part)
                return jax.tree.map(jnp.add, carry, parts), None

            start = (jnp.zeros((), x.dtype), jax.tree.map(jnp.zeros_like, params))
            total, _ = jax.lax.scan(add_part, start, split)
            return jax.tree.map(lambda t: t / num_micro, total)
    loss, grads = 0.0, jax.tree.map(jnp.zeros_like, params)
    for first in range(0, batch_size, size):
        part = slice(first, min(first + size, batch_size))
        share = (part.stop - part.start) / batch_size
        value, gradient = jax.value_and_grad(objective)(params, x[part], labels[part])
        loss = loss + share * value
        grads = jax.tree.map(lambda total, g: total + share * g, grads, gradient)
    return loss, grads


@sketch(
    takes={"params": "P", "batches": ("features f[n, b, d]", "labels i[n, b]")},
    gives=("P", "f[n]: losses"),
    sizes={"n": (2, 6), "b": (4, 16), "d": (4, 48)},
    weight=0.5,
    also=("Train a classifier over a few batches.",),
)
def train_epoch(params, batches, learning_rate=number(1e-3, 3e-2)):
    """Sweep once over an epoch of batches with plain gradient descent."""

    def on_batch(params, batch):
        x, labels = batch
        loss, grads = jax.value_and_grad(lambda p: classification_loss(model(p, x), labels))(params)
        # A bounded step: early gradients may be large.
        params = jax.tree.map(
            lambda p, g: p - learning_rate * jnp.clip(g, -1.0, 1.0), params, grads
        )
        return params, loss

    if maybe("host epoch", 0.6):
        losses = []
        for i in range(batches[1].shape[0]):
            params, loss = on_batch(params, (batches[0][i], batches[1][i]))
            losses.append(loss)
        return params, jnp.stack(losses)
    return jax.lax.scan(on_batch, params, batches)


@sketch(
    takes={
        "params": "P",
        "x": "features f[b, d]",
        "labels": "labels i[b]",
        "log_scale": "f[]: logarithm of the loss scale",
        "streak": "counts i[]: good steps in a row",
    },
    gives=("P", "f[]: log_scale", "i[]: streak"),
    sizes={"b": (4, 32), "d": (4, 64)},
    also=("Dynamic loss scaling for half precision.",),
)
def loss_scaled_gradient(params, x, labels, log_scale, streak, patience=integer(2, 3)):
    """Scale the loss before differentiation in half precision, and unscale the gradient.

    The scale halves where a gradient overflowed and doubles after a streak of good steps.
    """
    scale = jnp.exp2(jnp.round(jnp.clip(log_scale, 0.0, 8.0)))
    half = jax.tree.map(lambda p: p.astype(jnp.bfloat16).astype(p.dtype), params)

    def scaled_loss(p):
        return scale * classification_loss(model(p, x), labels)

    grads = jax.tree.map(lambda g: g / scale, jax.grad(scaled_loss)(half))
    finite = [jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)]
    is_good = one_of(jnp.all(jnp.stack(finite)), functools.reduce(jnp.logical_and, finite))
    grads = jax.tree.map(lambda g: jnp.where(is_good, jnp.nan_to_num(g), 0), grads)
    streak = jnp.where(is_good, streak + 1, 0)
    grows = streak >= patience
    if maybe("where scale"):
        log_scale = jnp.where(is_good, jnp.where(grows, log_scale + 1, log_scale), log_scale - 1)
    else:
        log_scale = log_scale + jnp.where(grows, 1.0, 0.0) - jnp.where(is_good, 0.0, 1.0)
    return grads, log_scale, jnp.where(grows, 0, streak)
