"""Trees as vectors, and stacks of trees."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

flat_objective = nested("(params: P, batch: B) -> loss f[]")


class LeafSpec(NamedTuple):
    """Where a leaf lies in a flat vector."""

    shape: tuple[int, ...]
    dtype: Any
    start: int
    size: int


def _leaf_specs(leaves: Sequence[Any]) -> list[LeafSpec]:
    sizes = [int(np.prod(leaf.shape, dtype=np.int64)) for leaf in leaves]
    starts = itertools.accumulate(sizes[:-1], initial=0)
    return [LeafSpec(x.shape, x.dtype, s, n) for x, s, n in zip(leaves, starts, sizes)]


@sketch(
    takes={"params": "P"},
    gives="P",
    dtypes="f32",
    also=("Transform a tree as one flat vector.",),
)
def through_vector(params, fn: Optional[Callable[..., Any]] = None):
    """Ravel a tree into a vector, apply a function to it, and restore the tree."""
    if fn is None:
        fn = one_of(jnp.tanh, lambda v: v / (1.0 + jnp.max(jnp.abs(v))), lambda v: v - jnp.mean(v))
    leaves, treedef = jax.tree_util.tree_flatten(params)
    if not leaves:
        return params
    specs = _leaf_specs(leaves)
    flat = fn(jnp.concatenate([jnp.ravel(x) for x in leaves]))
    if maybe("split"):
        parts = jnp.split(flat, [spec.start for spec in specs[1:]])
    else:
        parts = [jax.lax.slice(flat, (s.start,), (s.start + s.size,)) for s in specs]
    restored = [part.reshape(s.shape).astype(s.dtype) for part, s in zip(parts, specs)]
    return jax.tree_util.tree_unflatten(treedef, restored)


@sketch(
    takes={"params": "P", "batch": "B"},
    also=("Value and flat gradient of an objective.",),
)
def flat_value_and_grad(params, batch, max_norm: float | None = one_of(None, 1.0, 10.0)):
    """Evaluate an objective on a raveled vector and return its gradient as one too."""
    flat, unravel = ravel_pytree(params)

    def fun(x, *args, **kwargs):
        return flat_objective(unravel(x), *args, **kwargs)

    value, gradient = jax.value_and_grad(fun)(flat, batch)
    if max_norm is not None:
        norm = one_of(jnp.sqrt(gradient @ gradient + 1e-12), jnp.linalg.norm(gradient) + 1e-6)
        gradient = gradient * jnp.minimum(1.0, max_norm / norm)
    return one_of((value, gradient), {"value": value, "gradient": gradient})


@sketch(
    takes={"trees": ("l", "P")},
    dtypes="f32 bf16",
    also=("Stack trees along a new axis.",),
)
def tree_stack(trees, axis: int = one_of(0, -1), summarize: Optional[Callable[..., Any]] = None):
    """Stack the leaves of several trees of one structure."""
    first, *rest = trees
    structure = jax.tree.structure(first)
    for i, tree in enumerate(rest, start=1):
        if jax.tree.structure(tree) != structure:
            raise ValueError(
                "All trees must have the same structure, "
                f"but tree {i} has {jax.tree.structure(tree)} and tree 0 has {structure}."
            )
    if maybe("transposed", 0.4):
        columns = zip(*(jax.tree.leaves(tree) for tree in trees))
        stacked = jax.tree.unflatten(structure, [jnp.stack(c, axis) for c in columns])
    else:
        stacked = jax.tree.map(lambda *xs: jnp.stack(xs, axis=axis), *trees)
    if summarize is None:
        return stacked
    return jax.tree.map(lambda x: summarize(x, axis=axis), stacked)


@sketch(
    takes={"tree": {"w": "f[l, d, d]", "b": "f[l, d]"}, "x": "features f[n, d]"},
    gives="features f[n, d]",
    sizes={"l": (2, 4), "d": (2, 32), "n": (2, 32)},
    also=("Run layers whose parameters are stacked.",),
)
def unstack_and_apply(
    tree, x, num_layers: Optional[int] = None, residual: bool = one_of(True, False)
):
    """Take a stack of layers apart and apply them in order."""
    leaves, treedef = jax.tree.flatten(tree)
    if num_layers is None:
        num_layers = leaves[0].shape[0]
    if any(leaf.shape[0] != num_layers for leaf in leaves):
        raise ValueError("All leaves must have the same leading dimension, "
                         f"got {[leaf.shape for leaf in leaves]}")  # fmt: skip
    if maybe("index"):
        layers = [jax.tree.map(lambda leaf, i=i: leaf[i], tree) for i in range(num_layers)]
    else:
        layers = [treedef.unflatten(parts) for parts in zip(*leaves)]
    for layer in layers:
        y = one_of(jnp.tanh, jax.nn.relu)(jnp.dot(x, layer["w"] / 8) + layer["b"])
        x = (x + y) / 2 if residual else y
    return x


@sketch(
    takes={"params": "P", "batch": "B"},
    also=("Gradient of the mean over copies with noise.",),
)
def antithetic_gradient(params, batch, sigma: float = number(1e-2, 0.3), seed: int = integer(0, 9)):
    """Estimate a gradient by values on both sides along one random direction."""
    flat, unravel = ravel_pytree(params)
    direction = jax.random.normal(jax.random.key(seed), flat.shape, flat.dtype)
    if maybe("normalized"):
        direction = direction / jnp.sqrt(jnp.mean(jnp.square(direction)) + 1e-6)

    def value_at(sign):
        return flat_objective(unravel(flat + sign * sigma * direction), batch)

    if maybe("both at once"):
        plus, minus = jax.vmap(value_at)(jnp.array([1.0, -1.0]))
    else:
        plus, minus = value_at(1.0), value_at(-1.0)
    return unravel((plus - minus) / (2 * sigma) * direction)


@sketch(
    takes={"batch": {"x": "f[4*n, d]", "y": "f[4*n]"}},
    gives={"x": "f[4*n, d]", "y": "f[4*n]"},
    sizes={"n": (1, 16), "d": (1, 32)},
    dtypes="f32 bf16",
    also=("Split batches into groups and put them together again.",),
)
def regroup_batch(batch, num_groups: int = one_of(2, 4), normalize: bool = one_of(True, False)):
    """Center each group of a batch, which is split along the leading axis."""
    sizes = {leaf.shape[0] for leaf in jax.tree.leaves(batch)}
    if len(sizes) > 1:
        raise ValueError(f"leaves differ in their leading axis: {sizes}")
    batch_size = sizes.pop()
    if batch_size % num_groups != 0:
        raise ValueError(f"{batch_size} examples cannot be split into {num_groups} groups")

    def split(x):
        return x.reshape((num_groups, batch_size // num_groups) + x.shape[1:])

    def center(x):
        x = x - jnp.mean(x, axis=0, keepdims=True)
        if normalize:
            x = x / (jnp.max(jnp.abs(x), axis=0, keepdims=True) + one_of(1e-2, 1.0))
        return x

    groups = jax.tree.map(split, batch)
    groups = one_of(
        jax.vmap(lambda group: jax.tree.map(center, group))(groups),
        jax.tree.map(jax.vmap(center), groups),
    )
    return jax.tree.map(lambda x: x.reshape((-1, *x.shape[2:])), groups)


@sketch(
    takes={"params": "P", "batch": "B"},
    gives="P",
    also=("Jacobian-vector product in the space of trees.",),
)
def hessian_times(params, batch, tangent: Any = None, damping: float = number(1e-3, 1.0)):
    """Multiply the Hessian of an objective with a tree, by default that of ones."""
    if tangent is None:
        tangent = jax.tree.map(jnp.ones_like, params)
    grad_fn = lambda p: jax.grad(flat_objective)(p, batch)
    if maybe("linearize"):
        _, jvp_fn = jax.linearize(grad_fn, params)
        product = jvp_fn(tangent)
    else:
        _, product = jax.jvp(grad_fn, (params,), (tangent,))
    return jax.tree.map(lambda hv, v: hv + damping * v, product, tangent)


@sketch(
    takes={"carry": "f[d]", "xs": {"u": "f[t, d]", "gate": "f[t]"}},
    gives="sequence f[t, d]",
    sizes={"t": (2, 32), "d": (1, 32)},
    also=("Scan over a tree whose leaves share an axis.",),
)
def scan_tree(
    carry,
    xs,
    reverse: bool = one_of(False, True),
    unroll: int = one_of(1, 2),
    length: Optional[int] = None,
):
    """Scan a gated update over a dict of sequences."""
    lengths = [x.shape[0] for x in jax.tree.leaves(xs)]
    if length is None:
        length = lengths[0]
    if not all(n == length for n in lengths):
        raise ValueError(f"scan got arguments of different lengths: {lengths}")

    def f(c, x):
        gate = one_of(jax.nn.sigmoid(x["gate"]), jnp.exp(-jnp.square(x["gate"])))
        c = gate * c + (1 - gate) * x["u"]
        return c, c

    if maybe("python", 0.25):
        order = range(length) if not reverse else range(length - 1, -1, -1)
        ys = []
        for i in order:
            carry, y = f(carry, jax.tree.map(lambda x, i=i: x[i], xs))
            ys.append(y)
        return jnp.stack(ys[::-1] if reverse else ys)
    return jax.lax.scan(f, carry, xs, length=length, reverse=reverse, unroll=unroll)[1]
