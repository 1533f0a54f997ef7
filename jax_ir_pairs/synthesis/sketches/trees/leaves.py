"""Short functions of trees, one line per leaf."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"tree": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Build a tree of constants like another one.",),
)
def filled_like(tree):
    """Create a tree of one value with the shapes of another."""
    if maybe("zeros", 0.4):
        return jax.tree.map(jnp.zeros_like, tree)
    if maybe("ones"):
        return jax.tree.map(jnp.ones_like, tree)
    return jax.tree.map(lambda x: jnp.full_like(x, one_of(0.1, 1e-3, -1.0)), tree)


@sketch(
    takes={"tree_x": "P", "tree_y": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Subtract or multiply two trees.",),
)
def binary_leaves(tree_x, tree_y):
    """Combine two trees leaf by leaf."""
    if maybe("product", 0.4):
        return jax.tree.map(lambda x, y: x * y, tree_x, tree_y)
    return jax.tree.map(one_of(jnp.subtract, jnp.maximum, lambda x, y: x - y), tree_x, tree_y)


def tree_multimap_except_none(f, tree: Any, *rest: Any) -> Any:
    return jax.tree.map(
        lambda x, *xs: None if x is None else f(x, *xs), tree, *rest, is_leaf=lambda x: x is None
    )


@sketch(
    takes={"updates": "P", "params": "P"},
    gives="P",
    also=("Orient or normalize updates leaf by leaf.",),
)
def normalize_updates(updates, params):
    """Normalize each update, or project it away from its parameters."""
    if maybe("center", 0.3):
        return tree_multimap_except_none(lambda u: u - u.mean(), updates)
    if maybe("project"):

        def remove_radial(u, p):
            return u - p * jnp.vdot(u, p) / (jnp.vdot(p, p) + 1e-3)

        return tree_multimap_except_none(remove_radial, updates, params)
    return jax.tree.map(lambda u: u / (jnp.sqrt(jnp.sum(u**2)) + 1e-3), updates)


@sketch(
    takes={"tree": "P"},
    also=("Sizes and dtypes of a tree.",),
)
def describe_leaves(tree):
    """Count the entries of a tree and find its extremes."""
    leaves = jax.tree.leaves(tree)
    assert leaves, "tree has no leaves"
    size = sum(x.size for x in leaves)
    nbytes = sum(x.size * x.dtype.itemsize for x in leaves)
    largest = functools.reduce(jnp.maximum, (jnp.max(jnp.abs(x)) for x in leaves))
    if maybe("tuple"):
        return largest, one_of(size, nbytes)
    return {"size": size, "bytes": nbytes, "largest": largest}


@sketch(
    takes={"tree": "P", "other": "P"},
    also=("Angle between two trees.",),
)
def tree_cosine(tree, other):
    """Measure the cosine between two trees, as one vector or leaf by leaf."""

    def inner(a, b):
        return sum(map(jnp.vdot, jax.tree_util.tree_leaves(a), jax.tree_util.tree_leaves(b)))

    if maybe("leaves", 0.4):
        return jax.tree.map(
            lambda a, b: jnp.vdot(a, b) / jnp.sqrt(jnp.vdot(a, a) * jnp.vdot(b, b) + 1e-6),
            tree,
            other,
        )
    return inner(tree, other) / jnp.sqrt(inner(tree, tree) * inner(other, other) + 1e-6)


@sketch(
    takes={"params": "P", "direction": "P", "t": "f[]"},
    gives="P",
    also=("Move along a direction in the space of trees.",),
)
def tree_retract(params, direction, t):
    """Move parameters along a direction, on a line or on spheres of their norms."""
    moved = jax.tree.map(lambda p, d: p + t * d, params, direction)
    if maybe("line"):
        return moved
    norm = lambda x: jnp.sqrt(jnp.sum(x**2) + 1e-6)
    return jax.tree.map(lambda new, old: new * (norm(old) / norm(new)), moved, params)


def ema_leaf(decay: float, old: Any, new: Any) -> Any:
    return decay * old + (1 - decay) * new


@sketch(
    takes={"moment": "P", "updates": "P"},
    gives="P",
    also=("Update a moment of given order.",),
)
def update_moment(moment, updates):
    """Update an exponential moving average of a power of the updates."""
    decay = one_of(0.9, 0.99, 0.999)
    if maybe("partial", 0.4):
        return jax.tree.map(functools.partial(ema_leaf, decay), moment, updates)
    if maybe("second"):
        return jax.tree.map(lambda t, g: (1 - decay) * g**2 + decay * t, moment, updates)
    return jax.tree.map(lambda t, g: ema_leaf(decay, t, g), moment, updates)


@sketch(
    takes={"state": "S", "new_state": "S", "logits": "logits f[]"},
    gives="S",
    also=("Accept a new state or keep the old one.",),
)
def accept_state(state, new_state, logits):
    """Keep one of two states by a criterion that is a scalar."""
    accepted = one_of(logits > 0, jax.nn.sigmoid(logits) > 0.5)
    if maybe("cond"):
        return jax.lax.cond(accepted, lambda: new_state, lambda: state)
    else:
        return jax.tree.map(lambda n, s: jnp.where(accepted, n, s), new_state, state)


@sketch(
    takes={"key": "key", "params": "P"},
    gives="P",
    also=("Perturb all leaves by noise.",),
)
def perturb_leaves(key, params):
    """Add noise to a tree, relative to its entries or not."""
    keys = jax.tree_util.tree_unflatten(
        jax.tree_util.tree_structure(params),
        jax.random.split(key, len(jax.tree_util.tree_leaves(params))),
    )
    std = number(1e-3, 0.3)
    if maybe("relative"):
        return jax.tree.map(
            lambda p, k: p * (1 + std * jax.random.normal(k, p.shape)), params, keys
        )
    return jax.tree.map(lambda p, k: p + std * jax.random.normal(k, p.shape, p.dtype), params, keys)


@sketch(
    takes={"tree": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Bound or round the leaves of a tree.",),
)
def limit_leaves(tree):
    """Limit the entries of each leaf."""
    if maybe("by value"):
        bound = one_of(1.0, 0.5, 2.0)
        return jax.tree.map(lambda x: jnp.clip(x, -bound, bound), tree)
    if maybe("rms"):
        return jax.tree.map(lambda x: x / jnp.maximum(1.0, jnp.sqrt(jnp.mean(x**2))), tree)
    return jax.tree.map(jnp.tanh, tree)
