"""Utilities for trees of parameters."""

import functools

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"params": "P"},
    dtypes="f32 bf16",
    also=("Summary of a tree of parameters.",),
)
def tree_summary(params):
    """Describe a tree of parameters by counts and magnitudes."""
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ValueError("the tree has no leaves")
    count = sum(leaf.size for leaf in leaves)
    total = functools.reduce(jnp.add, [jnp.sum(leaf**2) for leaf in leaves])
    summary = {"norm": jnp.sqrt(total + 1e-12), "rms": jnp.sqrt(total / count + 1e-12)}
    if maybe("extremes"):
        summary["largest"] = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    if maybe("by path"):
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            summary[jax.tree_util.keystr(path)] = jnp.mean(jnp.abs(leaf))
    if maybe("sparsity", 0.3):
        near_zero = sum(jnp.sum(jnp.abs(leaf) < 1e-2) for leaf in leaves)
        summary["sparsity"] = near_zero / count
    return summary


@sketch(
    takes={"start": "P", "end": "P", "t": "f[]: position between both"},
    gives="P",
    dtypes="f32 f64",
    also=("Spherical interpolation of parameters.",),
)
def interpolate_trees(start, end, t):
    """Blend two sets of weights, along a line or along an arc."""
    if jax.tree.structure(start) != jax.tree.structure(end):
        raise ValueError("both trees need the same structure")
    t = one_of(jax.nn.sigmoid(t), jnp.clip(t, 0.0, 1.0))
    if maybe("line", 0.3):
        return jax.tree.map(lambda a, b: a + t * (b - a), start, end)
    if maybe("leaf arcs", 0.4):

        def arc(a, b):
            if a.ndim < 2 or a.size < 4:
                return (1 - t) * a + t * b
            cosine = jnp.vdot(a, b) / jnp.sqrt(jnp.vdot(a, a) * jnp.vdot(b, b) + 1e-6)
            angle = jnp.arccos(jnp.clip(cosine, -0.99, 0.99))
            return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)

        return jax.tree.map(arc, start, end)
    flat_start, unravel = ravel_pytree(start)
    flat_end, _ = ravel_pytree(end)
    start_norm, end_norm = (jnp.sqrt(v @ v + 1e-6) for v in (flat_start, flat_end))
    cosine = flat_start @ flat_end / (start_norm * end_norm)
    angle = jnp.arccos(jnp.clip(cosine, -0.99, 0.99))
    a, b = jnp.sin((1 - t) * angle), jnp.sin(t * angle)
    direction = (a * flat_start / start_norm + b * flat_end / end_norm) / jnp.sin(angle)
    if maybe("blend lengths", 0.6):
        # Directions follow the arc, lengths a line.
        direction = direction * ((1 - t) * start_norm + t * end_norm)
    return unravel(direction)


@sketch(
    takes={"layers": ("l", {"w": "f[d, d]", "b": "f[d]"}), "x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"l": (2, 6), "d": (4, 64), "b": (4, 64)},
    dtypes="f32 bf16",
    also=("Stack layers into one tree and scan over it.",),
)
def scan_stacked_layers(layers, x):
    """Run equal layers as one scan over their stacked parameters."""
    shapes = {layer["w"].shape for layer in layers}
    if len(shapes) > 1:
        raise ValueError(f"layers differ in shape: {sorted(shapes)}")
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *layers)
    activation = one_of(jnp.tanh, jax.nn.silu, jax.nn.gelu)

    def apply_layer(h, layer):
        out = activation(h @ layer["w"] + layer["b"])
        if maybe("residual scan"):
            out = h + out / len(layers)
        return out, None

    if maybe("remat layers", 0.35):
        # Only the inputs of layers are kept for the backward pass.
        apply_layer = jax.checkpoint(apply_layer)
    if maybe("unroll", 0.3):
        out, _ = jax.lax.scan(apply_layer, x, stacked, unroll=2)
    else:
        out, _ = jax.lax.scan(apply_layer, x, stacked)
    return out


@sketch(
    takes={"members": ("l", {"w": "f[d, h]", "b": "f[h]"}), "x": "features f[b, d]"},
    gives=("features f[b, h]: mean", "f[b, h]: spread"),
    sizes={"l": (2, 6), "d": (4, 64), "h": (2, 32), "b": (4, 48)},
    dtypes="f32 bf16",
    also=("Ensemble of affine maps as one batched tree.",),
)
def ensemble_prediction(members, x):
    """Evaluate an ensemble at once and tell how far its members disagree."""
    batched = jax.tree.map(lambda *leaves: jnp.stack(leaves, axis=0), *members)

    def member_output(member, inputs):
        return one_of(jnp.tanh, jax.nn.softplus)(inputs @ member["w"] + member["b"])

    outputs = jax.vmap(member_output, in_axes=(0, None))(batched, x)
    mean = jnp.mean(outputs, axis=0)
    if maybe("pairwise spread", 0.35):
        gaps = outputs[:, None] - outputs[None, :]
        return mean, jnp.mean(jnp.abs(gaps), axis=(0, 1))
    deviation = outputs - mean
    return mean, jnp.sqrt(jnp.mean(deviation**2, axis=0) + 1e-6)


@sketch(
    takes={"params": "P"},
    dtypes="f32",
    also=("Parameters in half precision, but for norms and biases.",),
)
def cast_for_compute(params, keep=("b", "bias", "scale", "gain")):
    """Cast weights to half precision for compute, and keep small leaves as they are."""
    half = one_of(jnp.bfloat16, jnp.float16)
    if maybe("cast by path"):

        def cast(path, leaf):
            names = {getattr(entry, "key", None) for entry in path}
            if names & set(keep) or leaf.ndim < 2:
                return leaf
            if not jnp.issubdtype(leaf.dtype, jnp.floating):
                return leaf
            return leaf.astype(half)

        compute = jax.tree_util.tree_map_with_path(cast, params)
    else:
        is_matrix = jax.tree.map(lambda leaf: leaf.ndim == 2, params)
        compute = jax.tree.map(lambda p, m: p.astype(half) if m else p, params, is_matrix)
    if maybe("rounding error"):
        # What the cast loses, relative to each leaf.
        errors = jax.tree.map(
            lambda p, q: jnp.max(jnp.abs(p - q.astype(p.dtype))) / (jnp.max(jnp.abs(p)) + 1e-6),
            params,
            compute,
        )
        return compute, errors
    if maybe("with size", 0.4):
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(compute))
        return {"params": compute, "bytes": jnp.asarray(size)}
    return compute


@sketch(
    takes={"params": "P", "vector": "vector f[n]: new values"},
    gives="P",
    sizes={"n": (8, 4096)},
    also=("Parameters with a vector written over their first entries.",),
)
def write_flat(params, vector, mix=number(0.1, 1.0)):
    """Write a flat vector into a tree of parameters, as far as it reaches."""
    leaves, treedef = jax.tree.flatten(params)
    sizes = [leaf.size for leaf in leaves]
    total = sum(sizes)
    if vector.shape[0] < total:
        vector = jnp.pad(vector, (0, total - vector.shape[0]))
    if maybe("split offsets"):
        offsets = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
        parts = jnp.split(vector[:total], offsets)
    else:
        parts, offset = [], 0
        for count in sizes:
            parts.append(jax.lax.dynamic_slice_in_dim(vector, offset, count))
            offset += count
    blended = []
    for leaf, part in zip(leaves, parts):
        fresh = part.reshape(leaf.shape)
        blended.append(leaf + mix * (fresh - leaf) if maybe("blend") else fresh)
    return jax.tree.unflatten(treedef, blended)


@sketch(
    takes={"params": ("l", {"w": "f[d, h]", "b": "f[h]"}), "weights": "f[l]: raw mixing weights"},
    gives={"w": "f[d, h]", "b": "f[h]"},
    sizes={"l": (2, 6), "d": (4, 128), "h": (2, 64)},
    dtypes="f32 bf16",
    also=("Model soup of several checkpoints.",),
)
def mix_checkpoints(params, weights, trim=integer(1, 2)):
    """Average checkpoints with learned weights into one model."""
    if len(params) != weights.shape[0]:
        raise ValueError(f"{len(params)} checkpoints need {len(params)} weights")
    shares = one_of(jax.nn.softmax(weights), jax.nn.softplus(weights) / len(params))
    if maybe("task arithmetic"):
        # Add scaled differences to the first checkpoint.
        base, *others = params
        mixed = base
        for share, other in zip(shares[1:], others):
            mixed = jax.tree.map(lambda m, o, b: m + share * (o - b), mixed, other, base)
        return mixed
    if maybe("trimmed", 0.3):
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
        k = min(trim, (len(params) - 1) // 2)
        ordered = jax.tree.map(lambda s: jnp.sort(s, axis=0), stacked)
        return jax.tree.map(lambda s: jnp.mean(s[k : len(params) - k], axis=0), ordered)
    return jax.tree.map(lambda *leaves: sum(s * leaf for s, leaf in zip(shares, leaves)), *params)
