"""Layers of graph neural networks over edge lists and adjacency matrices."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _degrees(receivers, num_nodes, dtype):
    ones = jnp.ones(receivers.shape, dtype)
    return jax.ops.segment_sum(ones, receivers, num_segments=num_nodes)


def edge_softmax(logits, receivers, num_nodes):
    """Softmax over the edges that end at the same node."""
    peak = jax.ops.segment_max(logits, receivers, num_segments=num_nodes)
    shifted = jnp.exp(logits - peak[receivers])
    total = jax.ops.segment_sum(shifted, receivers, num_segments=num_nodes)
    return shifted / (total[receivers] + 1e-6)


@sketch(
    takes={
        "nodes": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
        "weight": "f[d, h]",
        "bias": "f[h]",
    },
    gives="nodes f[n, h]",
    sizes={"n": (4, 128), "m": (4, 512), "d": (2, 64), "h": (2, 64)},
    dtypes="f32 bf16",
    also=("Propagate node features with the normalized adjacency of Kipf and Welling.",),
)
def graph_convolution(nodes, senders, receivers, weight, bias):
    """Average features over neighbours, weighted by degrees, and project them."""
    if senders.shape != receivers.shape:
        raise ValueError(f"{senders.shape} senders and {receivers.shape} receivers")
    num_nodes = nodes.shape[0]
    hidden = nodes @ weight
    if maybe("self_loops", 0.7):
        loops = jnp.arange(num_nodes, dtype=senders.dtype)
        senders = jnp.concatenate([senders, loops])
        receivers = jnp.concatenate([receivers, loops])
    incoming = jnp.maximum(_degrees(receivers, num_nodes, nodes.dtype), 1)
    if maybe("symmetric", 0.6):
        outgoing = jnp.maximum(_degrees(senders, num_nodes, nodes.dtype), 1)
        coefficients = jax.lax.rsqrt(outgoing[senders] * incoming[receivers])
    else:
        coefficients = 1 / incoming[receivers]
    messages = hidden[senders] * coefficients[:, None]
    out = jax.ops.segment_sum(messages, receivers, num_segments=num_nodes)
    if maybe("bias", 0.7):
        out = out + bias
    if maybe("scaled", 0.3):
        out = out / weight.shape[0] ** 0.5
    return one_of(jax.nn.relu, jax.nn.elu, jnp.tanh)(out)


@sketch(
    takes={
        "nodes": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
        "params": {"w": "f[d, h*k]", "source": "f[h, k]", "target": "f[h, k]"},
    },
    gives="nodes f[n, h*k]",
    sizes={"n": (4, 64), "m": (4, 256), "d": (2, 48), "h": (1, 4), "k": (2, 12)},
    also=("Let nodes attend to the neighbours that point at them.",),
)
def graph_attention(
    nodes, senders, receivers, params, num_heads=size("h"), slope=number(0.05, 0.3)
):
    """Weigh messages between nodes by multi-head attention over edges."""
    num_nodes, _ = nodes.shape
    projected = (nodes @ params["w"]).reshape(num_nodes, num_heads, -1)
    if maybe("dynamic"):
        # GATv2: the nonlinearity comes before the attention vector.
        pairs = jax.nn.leaky_relu(projected[senders] + projected[receivers], slope)
        logits = jnp.sum(pairs * params["source"], axis=-1)
    else:
        source = jnp.sum(projected * params["source"], axis=-1)
        target = jnp.sum(projected * params["target"], axis=-1)
        logits = jax.nn.leaky_relu(source[senders] + target[receivers], slope)
    if maybe("scaled", 0.3):
        logits = logits / projected.shape[-1] ** 0.5
    coefficients = edge_softmax(logits, receivers, num_nodes)
    messages = coefficients[:, :, None] * projected[senders]
    gathered = jax.ops.segment_sum(messages, receivers, num_segments=num_nodes)
    out = gathered.reshape(num_nodes, -1)
    if maybe("activation"):
        return one_of(jax.nn.elu, jax.nn.gelu)(out)
    return out


@sketch(
    takes={
        "params": ("l", {"w1": "f[d, d]", "w2": "f[d, d]", "b": "f[d]", "eps": "f[]"}),
        "nodes": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives="nodes f[n, d]",
    sizes={"n": (4, 64), "m": (4, 256), "d": (2, 32), "l": (1, 5)},
    also=("Stack isomorphism layers that add up neighbours.",),
)
def graph_isomorphism_network(params, nodes, senders, receivers):
    """Refine nodes by sums over neighbours and small perceptrons, layer by layer."""
    num_nodes, width = nodes.shape
    hidden = nodes
    outputs = []
    for layer in params:
        aggregated = jax.ops.segment_sum(hidden[senders], receivers, num_segments=num_nodes)
        mixed = (1 + layer["eps"]) * hidden + aggregated
        inner = jax.nn.relu(mixed @ layer["w1"] / width**0.5 + layer["b"])
        hidden = inner @ layer["w2"] / width**0.5
        if maybe("batch_norm", 0.6):
            mean = jnp.mean(hidden, axis=0)
            hidden = (hidden - mean) / jnp.sqrt(jnp.var(hidden, axis=0) + 1e-3)
        if maybe("activation"):
            hidden = one_of(jax.nn.relu, jax.nn.silu)(hidden)
        outputs.append(hidden)
    if maybe("jumping_knowledge", 0.4):
        # Nodes of different depth need different neighbourhoods.
        return one_of(sum(outputs), jnp.max(jnp.stack(outputs), axis=0))
    return hidden


@sketch(
    takes={
        "nodes": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
        "own": "f[d, h]",
        "neighbour": "f[d, h]",
    },
    gives="nodes f[n, h]",
    sizes={"n": (4, 128), "m": (4, 512), "d": (2, 48), "h": (2, 48)},
    also=("Combine a node with a summary of its neighbourhood.",),
)
def sage_layer(nodes, senders, receivers, own, neighbour, aggregator=one_of("mean", "max", "sum")):
    """Embed nodes from themselves and an aggregate of their neighbours."""
    num_nodes = nodes.shape[0]
    gathered = nodes[senders]
    if aggregator == "max":
        summary = jax.ops.segment_max(gathered, receivers, num_segments=num_nodes)
        # Nodes without neighbours have minus infinity there.
        summary = jnp.where(jnp.isfinite(summary), summary, 0.0)
    elif aggregator in ("mean", "sum"):
        summary = jax.ops.segment_sum(gathered, receivers, num_segments=num_nodes)
        if aggregator == "mean":
            count = _degrees(receivers, num_nodes, nodes.dtype)
            summary = summary / jnp.maximum(count, 1.0)[:, None]
    else:
        raise ValueError(f"unknown aggregator {aggregator!r}")
    out = nodes @ own + summary @ neighbour
    if maybe("activation", 0.7):
        out = one_of(jax.nn.relu, jnp.tanh, jax.nn.silu)(out)
    if maybe("unit_length"):
        norm = jnp.sqrt(jnp.sum(out * out, axis=-1, keepdims=True) + 1e-6)
        out = out / norm
    return out


@sketch(
    takes={
        "laplacian": "laplacian f[n, n]",
        "nodes": "nodes f[n, d]",
        "weights": ("f[d, h]", "f[d, h]", "f[d, h]", "f[d, h]"),
    },
    gives="nodes f[n, h]: filtered",
    sizes={"n": (4, 64), "d": (1, 24), "h": (1, 24)},
    dtypes="f32 f64",
    also=("Filter node signals by a polynomial of the Laplacian.",),
)
def chebyshev_filter(laplacian, nodes, weights):
    """Convolve node features with Chebyshev polynomials of a Laplacian."""
    n, columns = laplacian.shape
    if n != columns or nodes.shape[0] != n:
        raise ValueError(f"a Laplacian {laplacian.shape} for {nodes.shape[0]} nodes")
    # Gershgorin's bound brings the spectrum into [-1, 1].
    bound = jnp.max(jnp.sum(jnp.abs(laplacian), axis=1)) + 1e-3
    scaled = 2 * laplacian / bound - jnp.eye(n, dtype=laplacian.dtype)
    previous, current = nodes, scaled @ nodes
    out = previous @ weights[0] + current @ weights[1]
    for weight in weights[2:]:
        previous, current = current, 2 * scaled @ current - previous
        out = out + current @ weight
    if maybe("damped", 0.3):
        out = out / len(weights)
    if maybe("activation"):
        return one_of(jax.nn.relu, jnp.tanh)(out)
    return out


@sketch(
    takes={"adjacency": "adjacency f[n, n]", "nodes": "nodes f[n, d]"},
    gives="nodes f[n, d]: diffused",
    sizes={"n": (4, 96), "d": (1, 64)},
    dtypes="f32 f64",
    also=("Smooth predictions over a graph without forgetting where they came from.",),
)
def personalized_propagation(
    adjacency, nodes, teleport=number(0.05, 0.5), num_steps=integer(3, 15)
):
    """Diffuse node features by personalized PageRank, as APPNP does."""
    assert adjacency.shape[0] == nodes.shape[0], f"{adjacency.shape} for {nodes.shape[0]} nodes"
    if maybe("self_loops"):
        adjacency = adjacency + jnp.eye(adjacency.shape[0], dtype=adjacency.dtype)
    degree = jnp.sum(adjacency, axis=1) + 1e-3
    if maybe("symmetric"):
        root = jnp.sqrt(degree)
        transition = adjacency / (root[:, None] * root[None, :])
    else:
        transition = adjacency / degree[:, None]

    def step(_, current):
        return (1 - teleport) * transition @ current + teleport * nodes

    if maybe("unrolled", 0.3):
        diffused = nodes
        for i in range(num_steps):
            diffused = step(i, diffused)
    else:
        diffused = jax.lax.fori_loop(0, num_steps, step, nodes)
    if maybe("centered", 0.3):
        return diffused - jnp.mean(diffused, axis=0)
    return diffused


@sketch(
    takes={
        "params": {"q": "f[d, d]", "k": "f[d, d]", "v": "f[d, d]", "out": "f[d, d]"},
        "nodes": "nodes f[n, d]",
        "adjacency": "adjacency f[n, n]",
        "mask?": "mask bool[n]",
    },
    gives="nodes f[n, d]",
    sizes={"n": (4, 64), "d": (2, 48)},
    also=("Attend over all nodes with a bias for edges of the graph.",),
)
def graph_transformer_layer(params, nodes, adjacency, mask=None, edge_bias=number(0.5, 4.0)):
    """Update nodes by self-attention that knows the structure of the graph."""
    n, width = nodes.shape
    queries, keys = nodes @ params["q"], nodes @ params["k"]
    scores = queries @ keys.T / width
    if maybe("two_hops", 0.4):
        reach = adjacency + adjacency @ adjacency / n
    else:
        reach = adjacency
    if maybe("hard", 0.4):
        allowed = (reach > 0.1) | jnp.eye(n, dtype=bool)
        scores = jnp.where(allowed, scores, -1e9)
    else:
        scores = scores + edge_bias * reach
    if mask is not None:
        scores = jnp.where(mask[None, :] | jnp.eye(n, dtype=bool), scores, -1e9)
    attention = jax.nn.softmax(scores, axis=-1)
    update = attention @ (nodes @ params["v"]) @ params["out"] / width
    if maybe("gated", 0.3):
        update = jax.nn.sigmoid(update) * update
    out = nodes + update
    mean = jnp.mean(out, axis=-1, keepdims=True)
    return (out - mean) / jnp.sqrt(jnp.var(out, axis=-1, keepdims=True) + 1e-3)
