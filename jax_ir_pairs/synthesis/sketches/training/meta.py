"""Training over tasks, clients and time."""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

task_model = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
task_loss = nested("(predictions: predictions f[b], targets: targets f[b]) -> loss f[]")
client_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
client_loss = nested("(logits: logits f[b, c], labels: labels i[b]) -> loss f[]")
episode_encoder = nested("(params: P, x: features f[b, d]) -> features f[b, h]")


def _descended(params, grads, rate):
    return jax.tree.map(lambda p, g: p - rate * jnp.clip(g, -1.0, 1.0), params, grads)


@sketch(
    takes={
        "params": "P",
        "support": ("features f[b, d]", "targets f[b]"),
        "query": ("features f[b, d]", "targets f[b]"),
    },
    gives=("P", "loss f[]"),
    sizes={"b": (4, 16), "d": (4, 32)},
    weight=0.7,
    also=("Gradient of MAML for one task.",),
)
def meta_gradient(params, support, query, inner_rate=number(1e-3, 3e-2), inner_steps=one_of(1, 2)):
    """Differentiate the loss on a query set through adaptation to a support set."""
    x, targets = support
    query_x, query_targets = query

    def fit_of(p):
        return task_loss(task_model(p, x), targets)

    def after_adaptation(p):
        for _ in range(inner_steps):
            grads = jax.grad(fit_of)(p)
            if maybe("first order", 0.6):
                # FOMAML: the inner gradient counts as a constant.
                grads = jax.lax.stop_gradient(grads)
            p = _descended(p, grads, inner_rate)
        return task_loss(task_model(p, query_x), query_targets)

    loss, grads = jax.value_and_grad(after_adaptation)(params)
    return grads, loss


@sketch(
    takes={"params": "P", "x": "features f[n, b, d]: tasks", "targets": "targets f[n, b]"},
    gives="P",
    sizes={"n": (2, 4), "b": (4, 12), "d": (4, 24)},
    weight=0.7,
    also=("Reptile update over several tasks.",),
)
def reptile_update(params, x, targets, inner_rate=number(1e-3, 3e-2), outer_rate=number(0.1, 1.0)):
    """Move the initialization towards the weights that each task ends at."""
    num_tasks = x.shape[0]
    if targets.shape[:1] != (num_tasks,):
        raise ValueError(f"{num_tasks} tasks need as many targets, got {targets.shape[0]}")
    shift = jax.tree.map(jnp.zeros_like, params)
    for task in range(num_tasks):
        adapted = params
        for _ in range(one_of(1, 2)):
            grads = jax.grad(lambda p: task_loss(task_model(p, x[task]), targets[task]))(adapted)
            adapted = _descended(adapted, grads, inner_rate)
        shift = jax.tree.map(lambda s, a, p: s + (a - p), shift, adapted, params)
    rate = outer_rate / num_tasks
    if maybe("normalize shift", 0.3):
        norm = jnp.sqrt(sum(jnp.sum(s**2) for s in jax.tree.leaves(shift)) + 1e-8)
        rate = rate / jnp.maximum(norm, 1.0)
    return jax.tree.map(lambda p, s: p + rate * s, params, shift)


@dataclass(frozen=True)
class PrivacyBudget:
    """How far one example may move the parameters, and how much noise hides it."""

    clip_norm: float = 1.0
    noise_multiplier: float = 1.1


@sketch(
    takes={"key": "key", "params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives=("P", "f[]: norm"),
    sizes={"b": (4, 12), "d": (4, 32)},
    also=("Differentially private gradient of a batch.",),
)
def private_gradient(key, params, x, labels):
    """Clip the gradient of each example and hide the sum under noise."""
    budget = one_of(PrivacyBudget(), PrivacyBudget(0.5), PrivacyBudget(noise_multiplier=0.3))
    batch_size = x.shape[0]

    def example_loss(p, features, label):
        return client_loss(client_model(p, features[None]), label[None])

    grads = jax.vmap(jax.grad(example_loss), in_axes=(None, 0, 0))(params, x, labels)
    squares = [jnp.sum(g.reshape(batch_size, -1) ** 2, axis=1) for g in jax.tree.leaves(grads)]
    norms = jnp.sqrt(functools.reduce(jnp.add, squares) + 1e-12)
    factors = one_of(
        jnp.minimum(1.0, budget.clip_norm / norms),
        budget.clip_norm / jnp.maximum(norms, budget.clip_norm),
        # Automatic clipping has no kink.
        budget.clip_norm / (norms + 0.01),
    )
    std = budget.noise_multiplier * budget.clip_norm
    leaves, treedef = jax.tree.flatten(grads)
    private = []
    for leaf_key, g in zip(jax.random.split(key, len(leaves)), leaves):
        total = jnp.tensordot(factors, g, axes=1)
        noise = jax.random.normal(leaf_key, total.shape, total.dtype)
        private.append((total + std * noise) / batch_size)
    return treedef.unflatten(private), one_of(jnp.mean(norms), jnp.median(norms), jnp.max(norms))


@sketch(
    takes={
        "params": "P",
        "anchor": "P",
        "importance": "P",
        "batch": ("features f[b, d]", "labels i[b]"),
    },
    gives="loss f[]",
    dtypes="f32 bf16",
    also=("Elastic weight consolidation.",),
)
def elastic_consolidation_loss(params, anchor, importance, batch, strength=number(0.1, 10.0)):
    """Learn a new task while weights that old tasks need stay where they were."""
    x, labels = batch
    fit = client_loss(client_model(params, x), labels)
    if maybe("path integral", 0.3):
        importance = jax.tree.map(jax.nn.softplus, importance)
    else:
        importance = jax.tree.map(jnp.square, importance)

    def pull(p, a, w):
        return jnp.sum(w * (p - a) ** 2)

    pulls = jax.tree.leaves(jax.tree.map(pull, params, anchor, importance))
    penalty = one_of(sum(pulls), jnp.sum(jnp.stack(pulls)))
    if maybe("per parameter", 0.5):
        penalty = penalty / sum(leaf.size for leaf in jax.tree.leaves(params))
    return fit + 0.5 * strength * penalty


@sketch(
    takes={
        "params": "P",
        "x": "features f[n, b, d]: one batch a client",
        "labels": "labels i[n, b]",
        "mask?": "mask bool[n]: clients that answered",
    },
    gives=("P", "f[n]: drift"),
    sizes={"n": (2, 6), "b": (4, 16), "d": (4, 32)},
    also=("Federated averaging.",),
)
def federated_round(
    params, x, labels, mask=None, rate=number(1e-3, 0.1), proximal=number(0.01, 1.0)
):
    """Train on each client for a moment and average what they send back."""
    num_clients = x.shape[0]

    def local_objective(p, inputs, targets):
        loss = client_loss(client_model(p, inputs), targets)
        if maybe("proximal", 0.4):
            # FedProx keeps clients with odd data near the shared model.
            gaps = jax.tree.map(lambda q, s: jnp.sum((q - s) ** 2), p, params)
            loss = loss + 0.5 * proximal * sum(jax.tree.leaves(gaps))
        return loss

    def client_update(inputs, targets):
        p = params
        for _ in range(one_of(1, 2)):
            p = _descended(p, jax.grad(local_objective)(p, inputs, targets), rate)
        return jax.tree.map(jnp.subtract, p, params)

    if maybe("vmapped clients"):
        updates = jax.vmap(client_update)(x, labels)
    else:
        sent = [client_update(x[i], labels[i]) for i in range(num_clients)]
        updates = jax.tree.map(lambda *parts: jnp.stack(parts), *sent)
    if mask is None:
        weights = jnp.full(num_clients, 1 / num_clients, x.dtype)
    else:
        weights = mask / jnp.maximum(jnp.sum(mask), 1)
    params = jax.tree.map(lambda p, u: p + jnp.tensordot(weights, u, axes=1), params, updates)
    flat = [u.reshape(num_clients, -1) for u in jax.tree.leaves(updates)]
    return params, jnp.sqrt(sum(jnp.sum(u**2, axis=1) for u in flat) + 1e-12)


@sketch(
    takes={
        "params": "P",
        "support": "features f[b, d]",
        "labels": "labels i[b]",
        "query": "features f[m, d]",
    },
    gives="log_probabilities f[m, 4]",
    sizes={"b": (8, 32), "m": (4, 32), "d": (4, 64)},
    also=("Few-shot classification by class prototypes.",),
)
def prototype_log_probs(params, support, labels, query, num_ways=4, shrink=number(0.5, 3.0)):
    """Classify queries by their distance to the mean embedding of each class."""
    z, q = (episode_encoder(params, inputs) for inputs in (support, query))
    if maybe("segment prototypes"):
        sums = jax.ops.segment_sum(z, labels, num_segments=num_ways)
        counts = jax.ops.segment_sum(jnp.ones(z.shape[:1], z.dtype), labels, num_segments=num_ways)
    else:
        membership = jax.nn.one_hot(labels, num_ways, dtype=z.dtype)
        sums, counts = membership.T @ z, jnp.sum(membership, axis=0)
    # A class without examples falls back to the mean of all.
    center = jnp.mean(z, axis=0)
    prototypes = (sums + shrink * center) / (counts[:, None] + shrink)
    if maybe("cosine", 0.35):
        q, prototypes = (
            v * jax.lax.rsqrt(jnp.sum(v**2, axis=-1, keepdims=True) + 1e-4) for v in (q, prototypes)
        )
        return jax.nn.log_softmax(one_of(10.0, 5.0) * q @ prototypes.T, axis=-1)
    squared = jnp.mean((q[:, None, :] - prototypes[None, :, :]) ** 2, axis=-1)
    return jax.nn.log_softmax(-jnp.minimum(squared, 80.0), axis=-1)
