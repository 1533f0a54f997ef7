"""Embeddings of nodes: losses, links and spectra."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

node_encoder = nested("(params: P, x: features f[n, d]) -> features f[n, h]")


def _pair_scores(embeddings, first, second):
    return jnp.sum(embeddings[first] * embeddings[second], axis=-1)


@sketch(
    takes={
        "embeddings": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
        "key": "key",
    },
    gives="loss f[]",
    sizes={"n": (4, 256), "m": (4, 512), "d": (2, 64)},
    also=("Learn to tell edges from random pairs of nodes.",),
)
def link_prediction_loss(embeddings, senders, receivers, key, num_negatives=integer(1, 5)):
    """Contrast scores of edges with those of random pairs."""
    n, width = embeddings.shape
    (num_edges,) = senders.shape
    corrupted = jax.random.randint(key, (num_negatives, num_edges), 0, n)
    if maybe("unit_length", 0.4):
        norm = jnp.sqrt(jnp.sum(embeddings**2, axis=-1, keepdims=True) + 1e-6)
        embeddings = embeddings / norm
    positive = _pair_scores(embeddings, senders, receivers) / width**0.5
    negative = _pair_scores(embeddings, senders[None], corrupted) / width**0.5
    if maybe("margin", 0.3):
        gap = number(0.5, 2.0)
        return jnp.mean(jnp.maximum(gap - positive[None] + negative, 0.0))
    if maybe("sampled_softmax", 0.3):
        logits = jnp.concatenate([positive[None], negative])
        return -jnp.mean(positive - jax.nn.logsumexp(logits, axis=0))
    found = jnp.mean(jax.nn.softplus(-positive))
    refused = one_of(jnp.mean, jnp.sum)(jax.nn.softplus(negative)) / num_negatives
    return found + refused


@sketch(
    takes={"centers": "f[n, d]", "contexts": "f[n, d]", "walks": "ids i[b, t]", "key": "key"},
    gives="loss f[]",
    sizes={"n": (4, 128), "d": (2, 48), "b": (2, 24), "t": (6, 24)},
    also=("Predict the nodes around each node of a walk.",),
)
def node2vec_loss(
    centers, contexts, walks, key, window=one_of(1, 2, 3), num_negatives=integer(1, 4)
):
    """Train embeddings so that nodes near each other on walks get similar ones."""
    num_nodes, width = centers.shape
    num_walks, length = walks.shape
    if window >= length:
        raise ValueError(f"a window of {window} does not fit walks of {length} steps")
    loss = 0.0
    for offset in range(1, window + 1):
        left = centers[walks[:, :-offset]]
        right = contexts[walks[:, offset:]]
        agreement = jnp.sum(left * right, axis=-1) / width**0.5
        share = 1 / offset if maybe("distance_weights", 0.4) else 1.0
        loss = loss + share * jnp.mean(jax.nn.softplus(-agreement))
    shape = (num_walks, length, num_negatives)
    noise = jax.random.randint(key, shape, 0, num_nodes)
    if maybe("einsum"):
        against = jnp.einsum("btd,btkd->btk", centers[walks], contexts[noise])
    else:
        against = jnp.sum(centers[walks][:, :, None] * contexts[noise], axis=-1)
    loss = loss + jnp.mean(jax.nn.softplus(against / width**0.5))
    if maybe("decay", 0.3):
        loss = loss + number(1e-4, 1e-2) * (jnp.mean(centers**2) + jnp.mean(contexts**2))
    return loss


@sketch(
    takes={"laplacian": "laplacian f[n, n]"},
    gives="matrix f[n, k]: coordinates",
    sizes={"n": (6, 48), "k": (1, 4)},
    dtypes="f32 f64",
    also=("Place nodes by the smooth end of the spectrum of the Laplacian.",),
)
def smooth_graph_subspace(
    laplacian, dims=size("k"), num_iters=integer(5, 20), ridge=number(0.1, 1.0)
):
    """Embed nodes by projecting fixed patterns onto low graph frequencies.

    A resolvent of the Laplacian, applied several times, damps rough patterns.
    """
    n = laplacian.shape[0]
    if dims >= n:
        raise ValueError(f"{dims} coordinates for {n} nodes")
    symmetric = (laplacian + laplacian.T) / 2
    smoother = jnp.linalg.inv(symmetric + (ridge + 0.5) * jnp.eye(n, dtype=laplacian.dtype))
    phases = (jnp.arange(n, dtype=laplacian.dtype)[:, None] + 0.5) / n
    orders = jnp.arange(1, dims + 1, dtype=laplacian.dtype)
    coordinates = one_of(jnp.cos(jnp.pi * phases * orders), jnp.sin(jnp.pi * phases * orders))

    def smooth(_, current):
        current = smoother @ current
        return current / (jnp.max(jnp.abs(current)) + 1e-3)

    coordinates = jax.lax.fori_loop(0, num_iters, smooth, coordinates)
    if maybe("centered", 0.6):
        # Constant patterns say nothing about a node.
        coordinates = coordinates - jnp.mean(coordinates, axis=0)
    if maybe("unit_columns", 0.4):
        norm = jnp.sqrt(jnp.sum(coordinates**2, axis=0) + 1e-3)
        coordinates = coordinates / norm
    return coordinates


@sketch(
    takes={
        "params": "P",
        "features": "features f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives="loss f[]",
    sizes={"n": (4, 48), "m": (4, 192), "d": (2, 32), "h": (2, 32)},
    also=("Reconstruct a graph from the inner products of embeddings.",),
)
def graph_autoencoder_loss(params, features, senders, receivers):
    """Evaluate how well embeddings of nodes reproduce all edges."""
    n = features.shape[0]
    embeddings = node_encoder(params, features)
    if maybe("neighbour_mean"):
        ones = jnp.ones(receivers.shape)
        count = jax.ops.segment_sum(ones, receivers, num_segments=n)
        total = jax.ops.segment_sum(embeddings[senders], receivers, num_segments=n)
        embeddings = (embeddings + total) / (1 + count)[:, None]
    logits = embeddings @ embeddings.T / embeddings.shape[-1]
    truth = jnp.zeros((n, n)).at[senders, receivers].set(1.0)
    truth = jnp.maximum(truth, truth.T)
    # Edges are rare, so each counts as much as the pairs without one.
    density = jnp.mean(truth)
    positive_weight = jnp.minimum((1 - density) / (density + 1e-6), one_of(20.0, 10.0))
    losses = jnp.logaddexp(0, logits) - truth * logits
    if maybe("balanced", 0.7):
        losses = losses * (1 + (positive_weight - 1) * truth)
    if maybe("off_diagonal", 0.4):
        keep = 1 - jnp.eye(n)
        return jnp.sum(keep * losses) / jnp.sum(keep)
    return jnp.mean(losses)


@sketch(
    takes={
        "entities": "f[n, d]",
        "relations": "f[r, d]",
        "heads": "edges i[m]",
        "kinds": "ids i[m]",
        "tails": "edges i[m]",
    },
    gives="scores f[m]",
    sizes={"n": (4, 256), "r": (4, 32), "m": (2, 512), "d": (2, 64)},
    also=("Judge whether facts of a knowledge graph are plausible.",),
)
def knowledge_graph_scores(
    entities, relations, heads, kinds, tails, model=one_of("distmult", "transe", "complex")
):
    """Score triples of head, relation and tail by their embeddings."""
    head, relation, tail = entities[heads], relations[kinds], entities[tails]
    width = entities.shape[-1]
    if relations.shape[-1] != width:
        raise ValueError(f"entities have {width} dimensions, relations {relations.shape[-1]}")
    if model == "distmult":
        scores = jnp.sum(head * relation * tail, axis=-1) / width
    elif model == "transe":
        gap = head + relation - tail
        scores = one_of(
            -jnp.sqrt(jnp.mean(gap * gap, axis=-1) + 1e-6), -jnp.mean(jnp.abs(gap), axis=-1)
        )
    elif model == "complex":
        # The first half of a vector is real, the second imaginary.
        half = width // 2
        (head_re, head_im), (tail_re, tail_im), (rel_re, rel_im) = (
            (part[:, :half], part[:, half : 2 * half]) for part in (head, tail, relation)
        )
        even = rel_re * (head_re * tail_re + head_im * tail_im)
        odd = rel_im * (head_re * tail_im - head_im * tail_re)
        scores = jnp.mean(even + odd, axis=-1)
    else:
        raise ValueError(f"unknown model {model!r}")
    if maybe("squash", 0.4):
        return one_of(jnp.tanh, jax.nn.soft_sign)(scores)
    return scores


@sketch(
    takes={"first": "nodes f[n, d]", "second": "nodes f[n, d]"},
    gives="loss f[]",
    sizes={"n": (4, 96), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Agree on nodes across two corrupted copies of a graph.",),
)
def graph_contrastive_loss(first, second, temperature=number(0.2, 1.0)):
    """Pull together two views of each node and push others away."""
    if first.shape != second.shape:
        raise ValueError(f"views of shapes {first.shape} and {second.shape}")

    def unit(rows):
        return rows * jax.lax.rsqrt(jnp.sum(rows * rows, axis=-1, keepdims=True) + 1e-4)

    first, second = unit(first), unit(second)
    between = first @ second.T / temperature
    if maybe("intra_view"):
        # GRACE counts the other nodes of the same view as negatives too.
        n = first.shape[0]
        within = first @ first.T / temperature - 1e4 * jnp.eye(n, dtype=first.dtype)
        candidates = jnp.concatenate([between, within], axis=1)
    else:
        candidates = between
    agreement = jnp.diagonal(between)
    losses = jax.nn.logsumexp(candidates, axis=1) - agreement
    if maybe("symmetric"):
        backward = jax.nn.logsumexp(between, axis=0) - agreement
        losses = (losses + backward) / 2
    return jnp.mean(losses)
