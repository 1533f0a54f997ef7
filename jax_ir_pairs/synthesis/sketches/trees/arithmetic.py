"""Arithmetic of whole trees: sums, products, norms, averages."""

import functools
import operator
from collections.abc import Callable
from typing import Any, Optional

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch

PyTree = Any


def tree_sum(tree: PyTree):
    """Compute the sum of all the elements in a tree."""
    sums = jax.tree.map(jnp.sum, tree)
    return jax.tree.reduce(operator.add, sums, initializer=0)


@sketch(
    takes={"tree": "P"},
    gives="metric f[]: norm",
    also=("Global norm of a tree of arrays.",),
)
def tree_norm(
    tree, ord: int | str | None = one_of(None, 1, 2, "inf"), squared: bool = one_of(False, True)
):
    """Compute the vector norm of a tree, as if all its leaves were one vector."""
    if ord is None or ord == 2:
        squares = jax.tree.map(lambda x: jnp.sum(jnp.square(x)), tree)
        total = one_of(tree_sum(squares), jax.tree.reduce(operator.add, squares))
        return total if squared else jnp.sqrt(total + 1e-12)
    elif ord == 1:
        return tree_sum(jax.tree.map(jnp.abs, tree))
    elif ord in ("inf", jnp.inf):
        maxima = [jnp.max(jnp.abs(x)) for x in jax.tree.leaves(tree)]
        return functools.reduce(jnp.maximum, maxima)
    else:
        raise ValueError(f"Unsupported ord: {ord}")


@sketch(
    takes={"tree_x": "P", "tree_y": "P"},
    gives="metric f[]: product",
    also=("Inner product of two trees.",),
)
def tree_vdot(tree_x, tree_y, precision: Any = one_of(None, jax.lax.Precision.HIGHEST)):
    """Compute the inner product between two trees of arrays."""
    vdot = functools.partial(jnp.vdot, precision=precision)
    if maybe("leaves", 0.4):
        xs, treedef = jax.tree.flatten(tree_x)
        ys = treedef.flatten_up_to(tree_y)
        return functools.reduce(operator.add, map(vdot, xs, ys))
    products = jax.tree.map(vdot, tree_x, tree_y)
    return jax.tree.reduce(operator.add, products)


@sketch(
    takes={"tree_x": "P", "tree_y": "P", "scalar": "f[]"},
    gives="P",
    dtypes="f32 bf16",
    also=("Add a multiple of one tree to another.",),
)
def tree_add_scale(tree_x, tree_y, scalar, alpha: Optional[float] = one_of(None, 0.5, 0.1)):
    """Compute tree_x + scalar * tree_y, where a leaf of tree_x may be missing."""
    scalar = jnp.asarray(scalar) if alpha is None else alpha * scalar
    if maybe("none leaves"):
        return jax.tree.map(
            lambda x, y: None if x is None else x + scalar.astype(x.dtype) * y,
            tree_x,
            tree_y,
            is_leaf=lambda x: x is None,
        )
    if maybe("scaled first", 0.4):
        scaled = jax.tree.map(lambda y: scalar * y, tree_y)
        return jax.tree.map(operator.add, tree_x, scaled)
    return jax.tree.map(lambda x, y: x + scalar * y, tree_x, tree_y)


@sketch(
    takes={"flag": "f[]: positive where the first is meant", "tree_x": "P", "tree_y": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Select between two trees.",),
)
def tree_where(flag, tree_x, tree_y, threshold: float = one_of(0.0, 0.5)):
    """Select the leaves of one tree or of another by a condition."""
    condition = flag > threshold
    if jax.tree.structure(tree_x) != jax.tree.structure(tree_y):
        raise ValueError("tree_x and tree_y must have the same structure")
    if maybe("cond", 0.4):
        return jax.lax.cond(condition, lambda x, y: x, lambda x, y: y, tree_x, tree_y)
    if maybe("partial"):
        return jax.tree.map(functools.partial(jnp.where, condition), tree_x, tree_y)
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), tree_x, tree_y)


@sketch(
    takes={"key": "key", "tree": "P"},
    gives="P",
    also=("Draw a tree of random arrays.",),
)
def random_like(
    key,
    tree,
    sampler: Callable[..., Any] = one_of(
        jax.random.normal, jax.random.rademacher, jax.random.uniform
    ),
    dtype: Any = jnp.float32,
):
    """Create a tree with random entries of the same shapes as a target tree."""
    if maybe("key tree"):
        treedef = jax.tree.structure(tree)
        keys = jax.tree.unflatten(treedef, list(jax.random.split(key, treedef.num_leaves)))
        return jax.tree.map(lambda x, k: sampler(k, x.shape, dtype or x.dtype), tree, keys)
    leaves, treedef = jax.tree_util.tree_flatten(tree)
    keys = one_of(
        jax.random.split(key, len(leaves)),
        [jax.random.fold_in(key, i) for i in range(len(leaves))],
    )
    sampled = [sampler(k, jnp.shape(leaf), dtype=dtype) for k, leaf in zip(keys, leaves)]
    return jax.tree_util.tree_unflatten(treedef, sampled)


@sketch(
    takes={"tree": "P"},
    sizes={},
    dtypes="f32 bf16",
    also=("Cast the floating leaves of a tree.",),
)
def tree_cast(tree, dtype: Any = one_of(jnp.bfloat16, jnp.float16, None, jnp.float32)):
    """Cast a tree to a dtype, and skip what is no floating array."""
    if dtype is None:
        return tree

    def conditional_cast(x):
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(dtype)
        return x

    if maybe("lambda", 0.4):
        return jax.tree.map(
            lambda x: jnp.asarray(x, dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else x, tree
        )
    return jax.tree.map(conditional_cast, tree)


@sketch(
    takes={"tree": "P", "other": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Merge two trees by an elementwise rule.",),
)
def tree_combine(
    tree, other, fn: str | Callable[..., Any] = one_of("max", "min", "absmax", "sign")
):
    """Combine two trees entry by entry, by a function or by its name."""
    if fn == "max":
        fn = jnp.maximum
    elif fn == "min":
        fn = jnp.minimum
    elif fn == "absmax":
        fn = lambda x, y: jnp.where(jnp.abs(x) >= jnp.abs(y), x, y)
    elif fn == "sign":
        fn = lambda x, y: jnp.abs(x) * jnp.sign(y)
    if not callable(fn):
        raise TypeError(f"fn must be callable or one of max, min, absmax and sign, got {fn!r}")
    return jax.tree.map(fn, tree, other)


@sketch(
    takes={"trees": ("l", "P")},
    gives="P",
    dtypes="f32",
    also=("Average several trees into one.",),
)
def tree_average(
    trees, weights: Optional[tuple[float, ...]] = None, decay: float = number(0.3, 0.95)
):
    """Average trees of one structure, the later ones by more where a decay is given."""
    if not trees:
        raise ValueError("cannot average an empty sequence of trees")
    if weights is None:
        weights = one_of(
            (1.0 / len(trees),) * len(trees),
            tuple(decay ** (len(trees) - 1 - i) for i in range(len(trees))),
        )
    total = sum(weights)
    if maybe("stacked", 0.4):
        w = jnp.asarray(weights) / total
        return jax.tree.map(lambda *xs: jnp.tensordot(w, jnp.stack(xs), axes=1), *trees)
    return jax.tree.map(lambda *xs: sum(w * x for w, x in zip(weights, xs)) / total, *trees)


@sketch(
    takes={"tree": "P"},
    gives="P",
    also=("Scale a tree down to a norm that it must not exceed.",),
)
def tree_clip_by_norm(
    tree, max_norm: float = number(0.1, 5.0), per_leaf: bool = one_of(False, True)
):
    """Scale a tree so that its norm, or that of each leaf, stays within a bound."""

    def scale_for(squares):
        norm = jnp.sqrt(squares + 1e-12)
        return one_of(
            jnp.minimum(1.0, max_norm / norm),
            jnp.where(norm < max_norm, 1.0, max_norm / norm),
        )

    if per_leaf:
        return jax.tree.map(lambda x: x * scale_for(jnp.sum(x**2)), tree)
    if maybe("ravel", 0.3):
        flat, unravel = ravel_pytree(tree)
        return unravel(flat * scale_for(jnp.vdot(flat, flat)))
    scale = scale_for(tree_sum(jax.tree.map(jnp.square, tree)))
    return jax.tree.map(lambda x: (x * scale).astype(x.dtype), tree)


@sketch(
    takes={"tree": "P", "target": "P"},
    also=("Compare two trees within a tolerance.",),
)
def tree_allclose(
    tree,
    target,
    rtol: float = 1e-5,
    atol: float = one_of(1e-2, 0.5),
    per_leaf: bool = one_of(False, True),
):
    """Tell whether two trees are equal up to a tolerance."""
    if jax.tree.structure(tree) != jax.tree.structure(target):
        raise AssertionError(
            "Error in tree structs equality check: trees do not match,"
            f"\n tree: {jax.tree.structure(tree)}"
            f"\n target: {jax.tree.structure(target)}"
        )
    close = jax.tree.map(functools.partial(jnp.allclose, rtol=rtol, atol=atol), tree, target)
    if per_leaf:
        return close
    if maybe("reduce"):
        return jax.tree.reduce(jnp.logical_and, close)
    return jnp.all(jnp.array(jax.tree.leaves(close)))
