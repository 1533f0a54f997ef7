"""Message passing with edge states and coordinates, and what is read out of graphs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _affine(params, x):
    return x @ params["w"] / x.shape[-1] ** 0.5 + params["b"]


class GraphState(NamedTuple):
    """Features of nodes and edges that layers update."""

    node_features: jax.Array
    edge_features: jax.Array


@sketch(
    takes={
        "params": {
            "edge": {"w": "f[d+d+e, e]", "b": "f[e]"},
            "node": {"w": "f[d+e, d]", "b": "f[d]"},
        },
        "nodes": "nodes f[n, d]",
        "edge_attributes": "f[m, e]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives=("nodes f[n, d]", "f[m, e]: edge_attributes"),
    sizes={"n": (4, 48), "m": (4, 256), "d": (2, 24), "e": (1, 16)},
    also=("Run rounds of an interaction network with shared weights.",),
)
def interaction_network(
    params, nodes, edge_attributes, senders, receivers, num_rounds=integer(1, 4)
):
    """Update edges from their ends, then nodes from their edges, several times."""
    if edge_attributes.shape[0] != senders.shape[0]:
        raise ValueError(f"{edge_attributes.shape[0]} attributes, {senders.shape[0]} edges")
    activate = one_of(jax.nn.relu, jax.nn.silu, jnp.tanh)
    graph = GraphState(nodes, edge_attributes)
    for _ in range(num_rounds):
        ends = [graph.node_features[senders], graph.node_features[receivers]]
        inputs = jnp.concatenate([*ends, graph.edge_features], axis=-1)
        messages = activate(_affine(params["edge"], inputs))
        pooled = jax.ops.segment_sum(messages, receivers, num_segments=nodes.shape[0])
        if maybe("mean", 0.4):
            ones = jnp.ones(receivers.shape)
            count = jax.ops.segment_sum(ones, receivers, num_segments=nodes.shape[0])
            pooled = pooled / jnp.maximum(count, 1)[:, None]
        joined = jnp.concatenate([graph.node_features, pooled], axis=-1)
        update = activate(_affine(params["node"], joined))
        if maybe("residual"):
            update = graph.node_features + update
            messages = graph.edge_features + messages
        graph = GraphState(update, messages)
    return graph.node_features, graph.edge_features


@sketch(
    takes={
        "params": {
            "message": ({"w": "f[d+d+1, h]", "b": "f[h]"}, {"w": "f[h, h]", "b": "f[h]"}),
            "shift": {"w": "f[h, 1]", "b": "f[1]"},
            "node": {"w": "f[d+h, d]", "b": "f[d]"},
        },
        "nodes": "nodes f[n, d]",
        "points": "points f[n, 3]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives=("nodes f[n, d]", "points f[n, 3]"),
    sizes={"n": (4, 48), "m": (4, 192), "d": (1, 16), "h": (2, 24)},
    also=("Update features and positions so that rotations carry over.",),
)
def equivariant_layer(params, nodes, points, senders, receivers):
    """Pass messages that depend on distances and move points along edges."""
    num_nodes, dims = points.shape
    assert dims == 3, f"points of space have three coordinates, got {dims}"
    offsets = points[receivers] - points[senders]
    squared = jnp.sum(offsets * offsets, axis=-1, keepdims=True)
    if maybe("log_distance", 0.4):
        geometry = jnp.log1p(squared)
    else:
        geometry = squared / (1 + squared)
    hidden = jnp.concatenate([nodes[receivers], nodes[senders], geometry], axis=-1)
    for layer in params["message"]:
        hidden = one_of(jax.nn.silu, jax.nn.gelu)(_affine(layer, hidden))
    if maybe("soft_edges", 0.4):
        # An edge counts less the longer it is.
        hidden = hidden * jnp.exp(-squared / one_of(4.0, 10.0))
    strength = jnp.tanh(_affine(params["shift"], hidden))
    if maybe("unit_offsets"):
        offsets = offsets / (jnp.sqrt(squared + 1e-6) + 1)
    moves = jax.ops.segment_sum(offsets * strength, receivers, num_segments=num_nodes)
    points = points + moves / max(num_nodes - 1, 1)
    gathered = jax.ops.segment_sum(hidden, receivers, num_segments=num_nodes)
    update = _affine(params["node"], jnp.concatenate([nodes, gathered], axis=-1))
    if maybe("residual", 0.7):
        update = nodes + update
    return update, points


@sketch(
    takes={
        "points": "points f[n, 3]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives="features f[m, k]: expanded",
    sizes={"n": (4, 128), "m": (4, 512), "k": (4, 32)},
    also=("Expand the lengths of bonds in radial functions with a smooth cutoff.",),
)
def radial_edge_features(points, senders, receivers, num_basis=size("k"), cutoff=number(3.0, 8.0)):
    """Describe edges of a molecule by a radial basis of their lengths."""
    offsets = points[receivers] - points[senders]
    lengths = jnp.sqrt(jnp.sum(offsets * offsets, axis=-1) + 1e-4)
    if maybe("bessel", 0.4):
        orders = jnp.arange(1, num_basis + 1)
        waves = jnp.sin(orders * jnp.pi * lengths[:, None] / cutoff)
        expanded = jnp.sqrt(2 / cutoff) * waves / (lengths[:, None] + 0.1)
    else:
        centers = jnp.linspace(0.0, cutoff, num_basis)
        spacing = cutoff / (num_basis - 1)
        scaled = (lengths[:, None] - centers) / spacing
        expanded = jnp.exp(-scaled * scaled / 2)
    ratio = jnp.clip(lengths / cutoff, 0, 1)
    if maybe("cosine"):
        envelope = (1 + jnp.cos(jnp.pi * ratio)) / 2
    else:
        # A polynomial that is flat at both ends.
        envelope = 1 - 10 * ratio**3 + 15 * ratio**4 - 6 * ratio**5
    return expanded * envelope[:, None]


@sketch(
    takes={
        "params": {"z": "f[d+d, d]", "r": "f[d+d, d]", "candidate": "f[d+d, d]", "edge": "f[d, d]"},
        "nodes": "nodes f[n, d]",
        "senders": "edges i[m]",
        "receivers": "edges i[m]",
    },
    gives="nodes f[n, d]",
    sizes={"n": (4, 48), "m": (4, 256), "d": (2, 24)},
    also=("Let each node be a recurrent cell that reads its neighbours.",),
)
def gated_graph_network(params, nodes, senders, receivers, num_steps=integer(2, 6)):
    """Propagate messages through gated recurrent units at the nodes."""
    num_nodes, width = nodes.shape
    if params["edge"].shape != (width, width):
        raise ValueError(f"edge weights of shape {params['edge'].shape} for width {width}")
    scale = 1 / width**0.5

    def step(hidden, _):
        messages = scale * hidden[senders] @ params["edge"]
        incoming = jax.ops.segment_sum(messages, receivers, num_segments=num_nodes)
        if maybe("bounded"):
            incoming = jnp.tanh(incoming)
        joined = jnp.concatenate([incoming, hidden], axis=-1)
        update_gate = jax.nn.sigmoid(scale * joined @ params["z"])
        reset_gate = jax.nn.sigmoid(scale * joined @ params["r"])
        inputs = jnp.concatenate([incoming, reset_gate * hidden], axis=-1)
        candidate = jnp.tanh(scale * inputs @ params["candidate"])
        return (1 - update_gate) * hidden + update_gate * candidate, None

    if maybe("host_loop", 0.4):
        for _ in range(num_steps):
            nodes, _ = step(nodes, None)
        return nodes
    nodes, _ = jax.lax.scan(step, nodes, length=num_steps)
    return nodes


@sketch(
    takes={"nodes": "nodes f[n, d]", "graph_ids": "ids i[n]", "gate": "f[d]"},
    gives="features f[4, k]: pooled",
    sizes={"n": (4, 256), "d": (2, 32), "k": (4, 96)},
    also=("Summarize the nodes of each graph in a batch of four graphs.",),
    weight=0.5,
)
def attentive_readout(nodes, graph_ids, gate, width=size("k"), num_graphs=4):
    """Pool nodes into one vector per graph by gates and extremes."""
    n, dims = nodes.shape
    assert graph_ids.shape == (n,), f"{graph_ids.shape[0]} graph numbers for {n} nodes"
    scores = nodes @ gate / dims**0.5
    if maybe("softmax"):
        peak = jax.ops.segment_max(scores, graph_ids, num_segments=num_graphs)
        shares = jnp.exp(scores - peak[graph_ids])
        total = jax.ops.segment_sum(shares, graph_ids, num_segments=num_graphs)
        shares = shares / (total[graph_ids] + 1e-6)
    else:
        shares = jax.nn.sigmoid(scores)
    parts = [jax.ops.segment_sum(shares[:, None] * nodes, graph_ids, num_segments=num_graphs)]
    if maybe("extremes"):
        highest = jax.ops.segment_max(nodes, graph_ids, num_segments=num_graphs)
        parts.append(jnp.where(jnp.isfinite(highest), highest, 0.0))
    if maybe("mean", 0.4):
        count = jnp.bincount(graph_ids, length=num_graphs)
        total = jax.ops.segment_sum(nodes, graph_ids, num_segments=num_graphs)
        parts.append(total / jnp.maximum(count, 1)[:, None])
    pooled = jnp.concatenate(parts, axis=-1)
    # Zeros fill up to the width that the head expects.
    missing = max(width - pooled.shape[-1], 0)
    return jnp.pad(pooled, ((0, 0), (0, missing)))[:, :width]


@sketch(
    takes={"nodes": "nodes f[n, d]", "assign": "f[d, k]", "adjacency": "adjacency f[n, n]"},
    gives=("nodes f[k, d]: coarse", "matrix f[k, k]: links", "loss f[]: entropy"),
    sizes={"n": (4, 64), "d": (2, 32), "k": (2, 8)},
    also=("Coarsen a graph by learned clusters of its nodes.",),
)
def differentiable_pooling(nodes, assign, adjacency, temperature=number(0.5, 2.0)):
    """Pool nodes into soft clusters, with the edges between them."""
    n, width = nodes.shape
    logits = nodes @ assign / width**0.5
    if maybe("smoothed", 0.4):
        # Neighbours should end up together.
        degree = jnp.sum(adjacency, axis=1, keepdims=True)
        logits = (logits + adjacency @ logits) / (1 + degree)
    clusters = jax.nn.softmax(logits / temperature, axis=-1)
    coarse = clusters.T @ nodes
    links = clusters.T @ adjacency @ clusters
    if maybe("averaged"):
        weight = jnp.sum(clusters, axis=0) + 1e-3
        coarse = coarse / weight[:, None]
        links = links / (weight[:, None] * weight[None, :])
    entropy = -jnp.mean(jnp.sum(clusters * jnp.log(clusters + 1e-9), axis=-1))
    if maybe("link_loss", 0.4):
        error = adjacency - clusters @ clusters.T
        entropy = entropy + jnp.sqrt(jnp.sum(error * error) + 1e-6) / (n * n)
    return coarse, links, entropy


@sketch(
    takes={
        "params": ({"w": "f[d+d, h]", "b": "f[h]"}, {"w": "f[h, h]", "b": "f[h]"}),
        "points": "points f[n, d]",
    },
    gives="nodes f[n, h]",
    sizes={"n": (6, 64), "d": (2, 8), "h": (2, 24)},
    also=("Convolve over the nearest neighbours of each point.",),
)
def edge_convolution(params, points, num_neighbours=integer(2, 5)):
    """Summarize the differences of a point to its neighbours, as DGCNN does."""
    n, _ = points.shape
    if num_neighbours >= n:
        raise ValueError(f"{n} points have no {num_neighbours} neighbours")
    gaps = points[:, None] - points[None]
    squared = jnp.sum(gaps * gaps, axis=-1)
    if maybe("exclude_self"):
        squared = squared + 1e4 * jnp.eye(n)
    _, neighbours = jax.lax.top_k(-squared, num_neighbours)
    center = jnp.broadcast_to(points[:, None], (n, num_neighbours, points.shape[1]))
    relative = points[neighbours] - center
    hidden = jnp.concatenate([center, relative], axis=-1)
    for depth, layer in enumerate(params):
        hidden = _affine(layer, hidden)
        if depth < len(params) - 1:
            hidden = jax.nn.leaky_relu(hidden, 0.2)
    return one_of(jnp.max, jnp.mean, jnp.max)(hidden, axis=1)
