"""Shuffled data, masks, splits and random structures."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class DataSplit(NamedTuple):
    """Two parts of a data set."""

    train_x: jax.Array
    train_y: jax.Array
    test_x: jax.Array
    test_y: jax.Array


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]", "key": "key"},
    sizes={"n": (10, 512), "d": (1, 64)},
    dtypes="f32 bf16",
    also=("Shuffle examples and split them into two parts.",),
)
def shuffle_and_split(x, y, key, test_share=one_of(0.2, 0.25, 0.1)):
    """Hold out a random part of a data set."""
    num_examples = x.shape[0]
    if y.shape[0] != num_examples:
        raise ValueError(f"{num_examples} inputs but {y.shape[0]} targets")
    num_test = max(1, int(test_share * num_examples))
    order = one_of(
        jax.random.permutation(key, num_examples),
        jnp.argsort(jax.random.uniform(key, (num_examples,))),
    )
    held_out, kept = order[:num_test], order[num_test:]
    if maybe("standardize_split"):
        # With the moments of the training part only.
        mean = jnp.mean(x[kept], axis=0)
        std = jnp.std(x[kept], axis=0) + 1e-2
        x = (x - mean) / std
    if maybe("split_tuple"):
        return DataSplit(x[kept], y[kept], x[held_out], y[held_out])
    return {"train": (x[kept], y[kept]), "test": (x[held_out], y[held_out])}


@sketch(
    takes={"x": "features f[n, d]", "labels": "labels i[n]", "key": "key"},
    gives=("features f[m, b, d]", "i[m, b]: labels"),
    sizes={"n": (32, 512), "d": (1, 64), "m": (2, 8), "b": (2, 8)},
    also=("Cut a shuffled data set into minibatches of equal size.",),
)
def epoch_minibatches(x, labels, key, num_batches=size("m"), batch_size=size("b")):
    """Arrange one epoch of examples as a stack of minibatches."""
    needed = num_batches * batch_size
    if needed > x.shape[0]:
        raise ValueError(f"{needed} examples are needed, there are {x.shape[0]}")
    if maybe("balanced_classes", 0.35):
        # Rare classes are drawn as often as common ones.
        counts = jnp.bincount(labels, length=4)
        weights = 1.0 / counts[labels]
        chosen = jax.random.categorical(key, jnp.log(weights), shape=(needed,))
    elif maybe("with_replacement", 0.35):
        chosen = jax.random.randint(key, (needed,), 0, x.shape[0])
    else:
        chosen = jax.random.permutation(key, x.shape[0])[:needed]
    index = chosen.reshape(num_batches, batch_size)
    batches = one_of(x[index], jnp.take(x, index, axis=0))
    if maybe("mixup"):
        # Mixup: convex combinations of neighbors in the batch.
        mix_key = jax.random.fold_in(key, 1)
        share = jax.random.beta(mix_key, 2.0, 2.0, (num_batches, batch_size, 1))
        batches = share * batches + (1 - share) * jnp.roll(batches, 1, axis=1)
    return batches, labels[index]


@sketch(
    takes={"x": "sequence f[b, t, d]", "key": "key"},
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 16), "t": (4, 64), "d": (2, 48)},
    dtypes="f32 bf16",
    also=("Hide random spans of sequences.",),
)
def drop_spans(x, key, drop_share=number(0.05, 0.4), span=integer(2, 4), training=True):
    """Regularize sequences by dropping features, steps or whole spans."""
    if not training:
        return x
    batch_size, length, num_features = x.shape
    keep = 1.0 - drop_share
    if maybe("drop_elements", 0.35):
        mask = jax.random.bernoulli(key, keep, x.shape)
        return jnp.where(mask, x / keep, 0.0)
    if maybe("drop_features", 0.35):
        # The same features for all steps of a sequence.
        mask = jax.random.bernoulli(key, keep, (batch_size, 1, num_features))
        return x * mask / keep
    starts = jax.random.bernoulli(key, drop_share / span, (batch_size, length))
    hidden = starts
    for offset in range(1, span):
        shifted = jnp.roll(starts, offset, axis=1)
        hidden = hidden | shifted.at[:, :offset].set(False)
    if maybe("span_noise", 0.4):
        noise = jax.random.normal(jax.random.fold_in(key, 1), x.shape, x.dtype)
        return jnp.where(hidden[:, :, None], one_of(0.1, 1.0) * noise, x)
    return jnp.where(hidden[:, :, None], 0.0, x)


@sketch(
    takes={"params": "P", "key": "key"},
    gives="P",
    also=("Perturb each leaf of a parameter tree with noise of its own.",),
)
def perturb_tree(params, key, scale=number(1e-3, 1e-1)):
    """Add independent noise to every leaf of a tree."""
    leaves, structure = jax.tree.flatten(params)
    if maybe("fold_in_leaves", 0.4):
        keys = [jax.random.fold_in(key, i) for i in range(len(leaves))]
    else:
        keys = jax.random.split(key, len(leaves))
    if maybe("tree_of_keys", 0.4):
        key_tree = jax.tree.unflatten(structure, list(keys))

        def disturb(leaf, leaf_key):
            return leaf + scale * jax.random.normal(leaf_key, leaf.shape, leaf.dtype)

        return jax.tree.map(disturb, params, key_tree)
    noisy = []
    for leaf, leaf_key in zip(leaves, keys):
        if maybe("relative_noise"):
            # Noise in proportion to the typical size of the leaf.
            typical = jnp.sqrt(jnp.mean(leaf**2) + 1e-6)
        else:
            typical = 1.0
        noise = one_of(jax.random.normal, jax.random.laplace, jax.random.rademacher)(
            leaf_key, leaf.shape, leaf.dtype
        )
        noisy.append(leaf + scale * typical * noise)
    return jax.tree.unflatten(structure, noisy)


@sketch(
    takes={"features": "nodes f[n, d]", "key": "key"},
    gives=("adjacency f[n, n]", "f[n]: degrees"),
    sizes={"n": (4, 96), "d": (1, 32)},
    also=("Draw an undirected graph whose edges depend on node features.",),
)
def random_graph(features, key, density=number(0.1, 0.5)):
    """Connect nodes at random."""
    num_nodes, dim = features.shape
    if maybe("geometric_graph"):
        squares = jnp.sum((features[:, None, :] - features[None, :, :]) ** 2, axis=-1)
        edge_probs = jnp.exp(-squares / (2 * dim))
    elif maybe("latent_graph"):
        affinity = features @ features.T / jnp.sqrt(dim)
        edge_probs = jax.nn.sigmoid(affinity + jnp.log(density))
    else:
        # Erdos-Renyi, except that nodes with large features have more edges.
        activity = jax.nn.sigmoid(jnp.mean(features, axis=1))
        edge_probs = 2 * density * (activity[:, None] + activity[None, :]) / 2
    uniforms = jax.random.uniform(key, (num_nodes, num_nodes))
    # Each pair is drawn once, above the diagonal.
    upper = jnp.triu((uniforms < edge_probs).astype(features.dtype), k=1)
    adjacency = upper + upper.T
    degrees = jnp.sum(adjacency, axis=1)
    if maybe("normalize_graph", 0.3):
        scale = jax.lax.rsqrt(degrees + 1.0)
        adjacency = scale[:, None] * (adjacency + jnp.eye(num_nodes)) * scale[None, :]
    return adjacency, degrees


@sketch(
    takes={"points": "points f[n, 3]", "key": "key"},
    gives="points f[n, 3]",
    sizes={"n": (1, 1024)},
    also=("Turn a point cloud by a uniformly random rotation.",),
)
def rotate_at_random(points, key, jitter=number(1e-3, 5e-2)):
    """Augment a point cloud with a random rotation."""
    if points.shape[-1] != 3:
        raise ValueError(f"points must have 3 coordinates, got {points.shape[-1]}")
    if maybe("quaternion"):
        # A normalized Gaussian quaternion is uniform over rotations.
        q = jax.random.normal(key, (4,), points.dtype)
        w, x, y, z = q / (jnp.sqrt(jnp.sum(q**2)) + 1e-6)
        rotation = jnp.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
    else:
        gaussian = jax.random.normal(key, (3, 3), points.dtype)
        orthogonal, upper = jnp.linalg.qr(gaussian)
        # The signs make the factorization unique, and the determinant positive.
        rotation = orthogonal * jnp.sign(jnp.diagonal(upper))
        rotation = rotation.at[:, 0].multiply(jnp.sign(jnp.linalg.det(rotation)))
    if maybe("about_centroid"):
        center = jnp.mean(points, axis=0)
        points = (points - center) @ rotation.T + center
    else:
        points = points @ rotation.T
    if maybe("cloud_jitter", 0.4):
        noise = jax.random.normal(jax.random.fold_in(key, 1), points.shape, points.dtype)
        points = points + jitter * jnp.clip(noise, -2.0, 2.0)
    return points
