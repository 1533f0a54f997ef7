"""Diagnostics of training: curvature, noise and influence."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

observed_loss = nested("(params: P, batch: B) -> loss f[]")
diagnosed_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
diagnosed_regressor = nested("(params: P, x: features f[b, d]) -> predictions f[b]")


def _random_like(key, tree):
    leaves, treedef = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    draw = one_of(jax.random.rademacher, jax.random.normal)
    draws = [draw(k, x.shape, x.dtype) for k, x in zip(keys, leaves)]
    return treedef.unflatten(draws)


def _tree_dot(a, b):
    return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, a, b)))


def _curvature_product(params, batch, direction):
    """Multiply the Hessian of the loss by a direction, forward over reverse."""
    gradient = jax.grad(lambda p: observed_loss(p, batch))
    if maybe("linearized product", 0.3):
        _, push = jax.linearize(gradient, params)
        return push(direction)
    return jax.jvp(gradient, (params,), (direction,))[1]


@sketch(
    takes={"key": "key", "params": "P", "batch": "B"},
    gives="metric f[]",
    sizes={"b": (4, 16)},
    also=("Stochastic trace of the Hessian of a loss.",),
)
def hutchinson_trace(key, params, batch, num_probes=integer(1, 3)):
    """Estimate the trace of the Hessian by quadratic forms of random vectors."""
    total = 0.0
    for probe_key in jax.random.split(key, num_probes):
        probe = _random_like(probe_key, params)
        product = _curvature_product(params, batch, probe)
        total = total + _tree_dot(probe, product)
    trace = total / num_probes
    if maybe("mean eigenvalue", 0.4):
        return trace / sum(p.size for p in jax.tree.leaves(params))
    return trace


@sketch(
    takes={"key": "key", "params": "P", "batch": "B"},
    gives=("f[]: sharpness", "P"),
    sizes={"b": (4, 16)},
    also=("Largest curvature of a loss.",),
)
def sharpest_direction(key, params, batch, num_iters=integer(1, 3), shift=number(0.1, 1.0)):
    """Iterate Hessian products towards the direction of largest curvature."""
    direction = _random_like(key, params)
    sharpness = 0.0
    for _ in range(num_iters):
        scale = jax.lax.rsqrt(_tree_dot(direction, direction) + 1e-6)
        direction = jax.tree.map(lambda d: scale * d, direction)
        product = _curvature_product(params, batch, direction)
        sharpness = _tree_dot(direction, product)
        # The shift keeps the iterate from vanishing where the loss is flat.
        direction = jax.tree.map(lambda h, d: h + shift * d, product, direction)
    return sharpness, direction


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "labels": "labels i[b]"},
    sizes={"b": (4, 12), "d": (4, 32), "c": (4, 16)},
    also=("Norms of gradients example by example.",),
)
def example_gradient_norms(params, x, labels, quantile=one_of(0.9, 0.5, 0.75)):
    """Measure how strongly each example pulls on the parameters."""
    if x.shape[0] != labels.shape[0]:
        raise ValueError(f"{x.shape[0]} examples have {labels.shape[0]} labels")

    def example_loss(p, features, label):
        log_probs = jax.nn.log_softmax(diagnosed_model(p, features[None])[0])
        return -log_probs[label]

    grads = jax.vmap(jax.grad(example_loss), in_axes=(None, 0, 0))(params, x, labels)
    squares = jax.tree.map(lambda g: jnp.sum(g**2, axis=tuple(range(1, g.ndim))), grads)
    norms = jnp.sqrt(sum(jax.tree.leaves(squares)) + 1e-12)
    if maybe("noise scale"):
        # Variance of the gradient over its squared mean: the batch size that pays off.
        mean_square = sum(jnp.sum(jnp.mean(g, axis=0) ** 2) for g in jax.tree.leaves(grads))
        variance = jnp.mean(norms**2) - mean_square
        noise_scale = jnp.maximum(variance, 0.0) / (mean_square + 1e-2)
        return {"norms": norms, "noise_scale": noise_scale}
    by_leaf = {
        jax.tree_util.keystr(path): jnp.sqrt(jnp.mean(s) + 1e-12)
        for path, s in jax.tree_util.tree_leaves_with_path(squares)
    }
    return {"norms": norms, "typical": jnp.quantile(norms, quantile), "layers": by_leaf}


@sketch(
    takes={"key": "key", "params": "P", "x": "features f[b, d]"},
    gives="P",
    sizes={"b": (4, 12), "d": (4, 32), "c": (4, 16)},
    also=("Diagonal of the Fisher information.",),
)
def fisher_diagonal(key, params, x, floor=one_of(0.0, 1e-3, 1e-2)):
    """Estimate the diagonal Fisher information from labels that the model itself draws."""
    logits = jax.lax.stop_gradient(diagnosed_model(params, x))
    if maybe("gumbel draws", 0.4):
        sampled = jnp.argmax(logits + jax.random.gumbel(key, logits.shape, logits.dtype), axis=-1)
    else:
        sampled = jax.random.categorical(key, logits, axis=-1)

    def log_likelihood(p, features, label):
        return jax.nn.log_softmax(diagnosed_model(p, features[None])[0])[label]

    scores = jax.vmap(jax.grad(log_likelihood), in_axes=(None, 0, 0))(params, x, sampled)
    fisher = jax.tree.map(lambda s: floor + jnp.mean(s**2, axis=0), scores)
    if maybe("normalize fisher", 0.4):
        largest = jnp.max(jnp.stack([jnp.max(f) for f in jax.tree.leaves(fisher)]))
        fisher = jax.tree.map(lambda f: f / (largest + 1e-3), fisher)
    return fisher


@sketch(
    takes={
        "params": "P",
        "x": "features f[b, d]",
        "targets": "targets f[b]",
        "probe": "features f[1, d]",
    },
    gives="scores f[b]: influence",
    sizes={"b": (4, 16), "d": (4, 24)},
    also=("Influence of training examples on a prediction.",),
)
def gradient_influence(params, x, targets, probe, damping=number(0.1, 2.0)):
    """Trace a prediction back to the training examples that shaped it.

    Gradients of the examples and of the prediction are compared as flat vectors.
    """

    def flat_gradient(features, weight):
        grads = jax.grad(lambda p: diagnosed_regressor(p, features[None])[0])(params)
        return weight * ravel_pytree(grads)[0]

    residuals = diagnosed_regressor(params, x) - targets
    rows = jax.vmap(flat_gradient)(x, residuals)
    goal = flat_gradient(probe[0], 1.0)
    if maybe("damped kernel"):
        # (J J^T + damping I)^-1 J g: no matrix as large as the parameters is built.
        kernel = rows @ rows.T / rows.shape[1]
        kernel = kernel / (jnp.trace(kernel) / x.shape[0] + 1e-3)
        ridge = damping * jnp.eye(x.shape[0], dtype=x.dtype)
        return jnp.linalg.solve(kernel + ridge, rows @ goal / rows.shape[1])
    similarity = rows @ goal
    if maybe("cosine influence"):
        return similarity / (jnp.linalg.norm(rows, axis=1) * jnp.linalg.norm(goal) + 1e-3)
    return similarity / rows.shape[1]


class LandscapeSlice(NamedTuple):
    """Losses along a line through the parameters."""

    offsets: jax.Array
    losses: jax.Array


@sketch(
    takes={"key": "key", "params": "P", "batch": "B"},
    sizes={"b": (4, 16)},
    also=("Slice through a loss landscape.",),
)
def loss_landscape_slice(key, params, batch, radius=number(0.1, 1.0), num_points=integer(3, 9)):
    """Evaluate the loss along a random line through the parameters."""
    direction = _random_like(key, params)
    if maybe("filter normalize", 0.6):
        # Each leaf gets a step in proportion to its own norm.
        direction = jax.tree.map(
            lambda d, p: d * jnp.sqrt(jnp.sum(p**2) / (jnp.sum(d**2) + 1e-6)), direction, params
        )
    offsets = jnp.linspace(-radius, radius, num_points)
    losses = []
    for i in range(num_points):
        moved = jax.tree.map(lambda p, d: p + offsets[i] * d, params, direction)
        losses.append(observed_loss(moved, batch))
    curve = LandscapeSlice(offsets, jnp.stack(losses))
    if maybe("curvature fit", 0.4):
        # Second difference in the middle of the line.
        middle, spacing = num_points // 2, 2 * radius / (num_points - 1)
        bend = curve.losses[middle - 1] - 2 * curve.losses[middle] + curve.losses[middle + 1]
        return curve, bend / spacing
    return curve
