"""What is done to gradients before a step, and to parameters after it."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

wrapped_loss = nested("(params: P, batch: B) -> loss f[]")
wrapped_optimizer = nested("(params: P, grads: P, state: S) -> P & S")


def _norm_of_tree(tree):
    if maybe("reduce norm", 0.4):
        total = jax.tree.reduce(lambda acc, x: acc + jnp.sum(x**2), tree, 0.0)
    else:
        total = sum(jnp.sum(x**2) for x in jax.tree.leaves(tree))
    return jnp.sqrt(total + 1e-12)


@sketch(
    takes={"grads": "P"},
    dtypes="f32 bf16",
    also=("Clip gradients and report how much was cut.",),
)
def clip_gradient_tree(grads, max_norm=one_of(1.0, 0.5, 5.0, 0.1)):
    """Keep gradients from growing beyond a bound.

    Returns the clipped tree and what a logger would show.
    """
    if max_norm is None or max_norm <= 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    if maybe("elementwise", 0.25):
        clipped = jax.tree.map(lambda g: jnp.clip(g, -max_norm, max_norm), grads)
        cut = jax.tree.map(lambda g: jnp.mean((jnp.abs(g) > max_norm).astype(g.dtype)), grads)
        return clipped, cut
    if maybe("per leaf", 0.3):

        def clip_leaf(g):
            norm = jnp.sqrt(jnp.sum(g**2) + 1e-12)
            return g * jnp.minimum(1.0, max_norm / norm)

        clipped = jax.tree.map(clip_leaf, grads)
        return clipped, {"norm": _norm_of_tree(clipped)}
    norm = _norm_of_tree(grads)
    scale = one_of(
        jnp.minimum(1.0, max_norm / norm),
        jnp.where(norm > max_norm, max_norm / norm, 1.0),
        max_norm / jnp.maximum(norm, max_norm),
    )
    clipped = jax.tree.map(lambda g: g * scale.astype(g.dtype), grads)
    return clipped, {"norm": norm, "scale": scale}


def _unit_norms(x, eps):
    """Norm of each output unit: all axes but the last."""
    axes = tuple(range(x.ndim - 1)) if x.ndim > 1 else None
    return jnp.sqrt(jnp.sum(x**2, axis=axes, keepdims=True) + eps)


@sketch(
    takes={"params": "P", "grads": "P"},
    dtypes="f32 bf16",
    also=("Adaptive gradient clipping.",),
)
def unitwise_clip(params, grads, ratio=number(0.01, 0.2), eps=1e-3):
    """Bound the gradient of each unit by a share of the norm of its weights."""

    def clip_units(p, g):
        if p.ndim == 0:
            return g
        p_norm = jnp.maximum(_unit_norms(p, 1e-6), eps)
        g_norm = _unit_norms(g, 1e-6)
        bound = ratio * p_norm
        if maybe("where units"):
            return jnp.where(g_norm > bound, g * (bound / g_norm), g)
        return g * jnp.minimum(1.0, bound / g_norm)

    clipped = jax.tree.map(clip_units, params, grads)
    if maybe("centralize", 0.4):
        # The mean over the inputs of a unit moves nothing but its bias.
        clipped = jax.tree.map(
            lambda g: g - jnp.mean(g, axis=0, keepdims=True) if g.ndim > 1 else g, clipped
        )
    return clipped


@sketch(
    takes={"key": "key", "grads": "P", "step": "counts i[]"},
    gives="P",
    also=("Annealed gradient noise.",),
)
def noisy_gradients(key, grads, step, eta=number(0.01, 1.0), gamma=0.55):
    """Perturb gradients by Gaussian noise that anneals over training."""
    if eta <= 0 or gamma < 0:
        raise ValueError(f"noise needs eta > 0 and gamma >= 0, got {eta} and {gamma}")
    if maybe("exponential annealing", 0.4):
        std = jnp.sqrt(eta) * jnp.exp(-gamma * step)
    else:
        std = jnp.sqrt(eta / (1.0 + step) ** gamma)
    leaves, treedef = jax.tree.flatten(grads)
    if maybe("fold keys"):
        keys = [jax.random.fold_in(key, i) for i in range(len(leaves))]
    else:
        keys = jax.random.split(key, len(leaves))
    if maybe("relative noise", 0.4):
        noisy = []
        for k, g in zip(keys, leaves):
            size = jnp.sqrt(jnp.mean(g**2) + 1e-8)
            noisy.append(g + std * size * jax.random.normal(k, g.shape, g.dtype))
    else:
        draws = [jax.random.normal(k, g.shape, g.dtype) for k, g in zip(keys, leaves)]
        noisy = [g + std * z for g, z in zip(leaves, draws)]
    return jax.tree.unflatten(treedef, noisy) if maybe("tree api") else treedef.unflatten(noisy)


@sketch(
    takes={"params": "P", "average": "P", "step": "counts i[]"},
    gives="P",
    dtypes="f32 bf16",
    also=("Running average of weights for evaluation.",),
)
def averaged_weights(params, average, step, decay=one_of(0.999, 0.99, 0.9)):
    """Follow the parameters with a slower average of them."""
    if jax.tree.structure(params) != jax.tree.structure(average):
        raise ValueError("the average has to have the structure of the parameters")
    if maybe("stochastic weight averaging", 0.35):
        # A plain mean over what has been seen.
        weight = 1.0 / (step + 1.0)
    elif maybe("warm decay"):
        # Early on the average should forget its start soon.
        weight = 1.0 - jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    else:
        weight = 1.0 - decay

    def blend(a, p):
        return a + (weight * (p - a)).astype(a.dtype)

    return jax.tree.map(blend, average, params)


@sketch(
    takes={"params": "P", "slow": "P", "grads": "P", "state": "S", "count": "counts i[]"},
    gives=("P", "P", "S", "i[]"),
    also=("Lookahead around another optimizer.",),
)
def lookahead_step(params, slow, grads, state, count, period=one_of(2, 3, 5), alpha=0.5):
    """Let fast weights run and pull slow ones after them every few steps."""
    params, state = wrapped_optimizer(params, grads, state)
    count = count + 1
    is_sync = count % period == 0
    if maybe("cond sync", 0.4):

        def synced(trees):
            fast, slow = trees
            slow = jax.tree.map(lambda s, f: s + alpha * (f - s), slow, fast)
            return slow, slow

        params, slow = jax.lax.cond(is_sync, synced, lambda trees: trees, (params, slow))
    else:
        rate = jnp.where(is_sync, alpha, 0.0)
        slow = jax.tree.map(lambda s, f: s + rate * (f - s), slow, params)
        params = jax.tree.map(functools.partial(jnp.where, is_sync), slow, params)
    return params, slow, state, count


@sketch(
    takes={"params": "P", "batch": "B"},
    gives=("P", "loss f[]"),
    dtypes="f32 bf16",
    also=("Gradient at the worst point nearby.",),
)
def sharpness_aware_gradient(params, batch, rho=number(0.02, 0.2)):
    """Differentiate the loss where it is worst in a small ball around the parameters."""
    loss, ascent = jax.value_and_grad(wrapped_loss)(params, batch)
    if maybe("adaptive ball", 0.35):
        # Larger weights may be perturbed more.
        ascent = jax.tree.map(lambda p, g: p**2 * g, params, ascent)
    factor = rho / (_norm_of_tree(ascent) + 1e-6)
    worst = jax.tree.map(lambda p, g: p + factor * g, params, ascent)
    if maybe("loss there"):
        loss, grads = jax.value_and_grad(wrapped_loss)(worst, batch)
    else:
        grads = jax.grad(wrapped_loss)(worst, batch)
    return grads, loss


@sketch(
    takes={"params": "P", "grads": "P"},
    dtypes="f32 bf16",
    also=("Weight decay for some of the parameters.",),
)
def masked_weight_decay(params, grads, decay=number(1e-4, 1e-1), skip=("b", "bias", "scale")):
    """Add decay to the gradients of weights, but to no bias or scale."""

    def decayed(path, g, p):
        last = path[-1]
        name = getattr(last, "key", getattr(last, "idx", None))
        if name in skip or p.ndim < 2:
            return g
        if maybe("l1 decay", 0.3):
            return g + decay * jnp.sign(p)
        return g + decay * p

    if maybe("path names"):
        return jax.tree_util.tree_map_with_path(decayed, grads, params)
    mask = jax.tree.map(lambda p: p.ndim > 1, params)
    return jax.tree.map(lambda g, p, m: g + decay * p if m else g, grads, params, mask)


@sketch(
    takes={"grads": "P", "total": "P", "count": "counts i[]"},
    gives=("P", "P", "i[]"),
    also=("Gradients that are held back until enough of them are there.",),
)
def accumulate_gradients(grads, total, count, every=one_of(2, 4, 8)):
    """Hold gradients back until several micro-batches have been seen.

    What it gives first is zero except at every few steps.
    """
    count = count + 1
    total = jax.tree.map(jnp.add, total, grads)
    is_due = count >= every
    if maybe("divide"):
        released = jax.tree.map(lambda t: jnp.where(is_due, t / every, 0), total)
    else:
        weight = is_due / every
        released = jax.tree.map(lambda t: weight * t, total)
    kept = jax.tree.map(lambda t: jnp.where(is_due, jnp.zeros_like(t), t), total)
    return released, kept, jnp.where(is_due, 0, count)
