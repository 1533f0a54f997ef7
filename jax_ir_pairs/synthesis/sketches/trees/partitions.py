"""Parts of trees: by path, by label, by what a leaf is."""

from collections.abc import Callable, Sequence
from typing import Any, Optional

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch

Predicate = Callable[[tuple[Any, ...], Any], bool]


def _path_to_str(path: Sequence[Any], sep: str = "/") -> str:
    parts = []
    for entry in path:
        if isinstance(entry, jax.tree_util.DictKey):
            parts.append(str(entry.key))
        elif isinstance(entry, jax.tree_util.SequenceKey):
            parts.append(str(entry.idx))
        elif isinstance(entry, jax.tree_util.GetAttrKey):
            parts.append(entry.name)
        else:
            parts.append(str(entry))
    return sep.join(parts)


def _is_matrix(path: tuple[Any, ...], leaf: Any) -> bool:
    del path
    return leaf.ndim > 1


def partition(tree: Any, predicate: Predicate) -> tuple[Any, Any]:
    """Split a tree into two of its structure, with None where the leaf is in the other."""
    mask = jax.tree_util.tree_map_with_path(predicate, tree)
    left = jax.tree.map(lambda m, x: x if m else None, mask, tree)
    right = jax.tree.map(lambda m, x: None if m else x, mask, tree)
    return left, right


def merge(left: Any, right: Any) -> Any:
    """Fill the leaves that are None in one tree from another."""
    return jax.tree.map(
        lambda x, y: y if x is None else x, left, right, is_leaf=lambda x: x is None
    )


@sketch(
    takes={"params": "P", "updates": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Update a part of the parameters and keep the rest.",),
)
def update_trainable(
    params, updates, predicate: Optional[Predicate] = None, rate: float = number(1e-3, 1.0)
):
    """Apply updates to the leaves that a predicate selects."""
    if predicate is None:
        predicate = one_of(
            _is_matrix, lambda path, leaf: leaf.size > 8, lambda _, leaf: leaf.ndim < 2
        )
    if maybe("partition"):
        trainable, frozen = partition(params, predicate)
        selected, _ = partition(updates, predicate)
        trainable = jax.tree.map(lambda p, u: p - rate * u, trainable, selected)
        return merge(trainable, frozen)
    mask = jax.tree_util.tree_map_with_path(predicate, params)
    return jax.tree.map(lambda m, p, u: p - rate * u if m else p, mask, params, updates)


@sketch(
    takes={"params": "P", "updates": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Add updates, some of which may be missing.",),
)
def apply_updates(
    params,
    updates,
    *,
    drop_vectors: bool = one_of(False, True),
    max_size: Optional[int] = one_of(None, 4096),
):
    """Apply updates to parameters, and leave those alone that have none."""
    if drop_vectors:
        updates = jax.tree.map(lambda u: u if u.ndim > 1 else None, updates)
    if max_size is not None:
        updates = jax.tree.map(lambda u: u if u.size <= max_size else None, updates)

    def leaf_update(p, u):
        if p is None or u is None:
            return p
        return one_of(
            p + u, (p + u).astype(p.dtype), jnp.asarray(p + u, dtype=jnp.asarray(p).dtype)
        )

    return jax.tree.map(leaf_update, params, updates, is_leaf=lambda x: x is None)


@sketch(
    takes={"params": "P"},
    also=("Dictionary of leaves by their path.",),
)
def flatten_to_dict(
    params, sep: Optional[str] = one_of("/", ".", None), prefix: str = one_of("", "params")
):
    """Flatten a tree to a dict, whose keys are the paths of the leaves."""
    flat = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        if sep is None:
            name = jax.tree_util.keystr(path)
        else:
            name = _path_to_str(path, sep)
        if prefix:
            name = f"{prefix}{sep or ''}{name}"
        if name in flat:
            raise ValueError(f"duplicate path {name!r}")
        if maybe("norms", 0.6):
            flat[name] = jnp.sqrt(jnp.sum(leaf**2) + 1e-12)
        else:
            flat[name] = one_of(leaf, leaf.ravel())
    return flat


@sketch(
    takes={"params": "P", "grads": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Step with a rate for each group of parameters.",),
)
def grouped_step(
    params,
    grads,
    label_fn: Optional[Callable[..., str]] = None,
    rates: Optional[dict[str, float]] = None,
):
    """Give each leaf the learning rate of the group that its label names."""
    if label_fn is None:
        label_fn = one_of(
            lambda leaf: "decay" if leaf.ndim > 1 else "no_decay",
            lambda leaf: ("no_decay", "decay")[leaf.ndim > 1],
        )
    if rates is None:
        rates = one_of({"decay": 1e-2, "no_decay": 1e-1}, dict(decay=0.1, no_decay=0.01))
    labels = jax.tree.map(label_fn, params)
    missing = set(jax.tree.leaves(labels)) - set(rates)
    if missing:
        raise ValueError(f"no rate for the labels {sorted(missing)}")

    def step(label, p, g):
        if maybe("weight decay"):
            g = g + 1e-2 * p if label == "decay" else g
        return p - rates[label] * g

    return jax.tree.map(step, labels, params, grads)


@sketch(
    takes={"params": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Transform the leaves whose path has a name in it.",),
)
def map_named_leaves(
    params,
    names: str | Sequence[str] = one_of("w", ("b", "bias"), ("w", "kernel"), "scale"),
    fn: Optional[Callable[..., Any]] = None,
):
    """Apply a function to the leaves with one of the given names, and keep the others."""
    if isinstance(names, str):
        names = (names,)
    if fn is None:
        fn = one_of(
            jnp.zeros_like, lambda x: 0.5 * x, lambda x: x - jnp.mean(x), jax.lax.stop_gradient
        )

    def map_fn(path, leaf):
        last = one_of(_path_to_str(path[-1:]), _path_to_str(path).split("/")[-1])
        return fn(leaf) if last in names else leaf

    return jax.tree_util.tree_map_with_path(map_fn, params)


@sketch(
    takes={"params": "P"},
    also=("Sum of penalties over some leaves.",),
)
def regularizer(
    params,
    scale: float = number(1e-5, 1e-1),
    norm: str = one_of("l2", "l1", "elastic"),
    exclude: Optional[Predicate] = None,
):
    """Penalize the size of the weights, but for the leaves that are excluded."""
    penalty = {
        "l1": lambda x: jnp.sum(jnp.abs(x)),
        "l2": lambda x: 0.5 * jnp.sum(jnp.square(x)),
        "elastic": lambda x: jnp.sum(jnp.abs(x) + 0.5 * jnp.square(x)),
    }[norm]
    total = jnp.zeros(()) if maybe("zeros") else 0.0
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if exclude is not None and exclude(path, leaf):
            continue
        total = total + penalty(leaf)
    return scale * total


@sketch(
    takes={"params": "P", "mask_scores": "P"},
    gives="P",
    dtypes="f32",
    also=("Prune a tree by scores.",),
)
def prune_tree(
    params, mask_scores, sparsity: float = number(0.1, 0.9), scope: str = one_of("leaf", "global")
):
    """Zero the entries of a tree with the lowest scores."""
    assert 0 <= sparsity < 1, sparsity
    scores = jax.tree.map(jnp.abs, mask_scores)
    if scope == "global":
        flat = jnp.concatenate([s.ravel() for s in jax.tree.leaves(scores)])
        cutoff = jnp.quantile(flat, sparsity)
        cutoffs = jax.tree.map(lambda s: cutoff, scores)
    elif scope == "leaf":
        cutoffs = jax.tree.map(lambda s: jnp.quantile(s, sparsity), scores)
    else:
        raise ValueError(f"scope must be 'leaf' or 'global', got {scope!r}")
    return jax.tree.map(
        one_of(
            lambda p, s, c: jnp.where(s >= c, p, jnp.zeros_like(p)),
            lambda p, s, c: p * (s >= c).astype(p.dtype),
        ),
        params,
        scores,
        cutoffs,
    )


@sketch(
    takes={"tree": "P", "replacement": "P"},
    gives="P",
    dtypes="f32 bf16",
    also=("Replace one leaf of a tree.",),
)
def tree_at(tree, replacement, where: int | Callable[[Any], Any] = one_of(0, -1, jnp.size)):
    """Replace the leaf at a place by that of another tree.

    A function as `where` picks the leaf for which it is largest.
    """
    leaves, treedef = jax.tree.flatten(tree)
    others = treedef.flatten_up_to(replacement)
    if callable(where):
        sizes = [where(leaf) for leaf in leaves]
        index = sizes.index(max(sizes))
    else:
        index = where % len(leaves)
    if maybe("list"):
        leaves[index] = others[index]
        return jax.tree.unflatten(treedef, leaves)
    return treedef.unflatten([others[i] if i == index else leaf for i, leaf in enumerate(leaves)])
