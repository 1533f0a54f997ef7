"""Graphs as matrices: built from edges and points, and their Laplacians."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"senders": "edges i[m]", "receivers": "edges i[m]", "weights?": "f[m]"},
    gives="adjacency f[n, n]",
    sizes={"m": (4, 512), "n": (4, 64)},
    also=("Scatter a list of edges into a dense matrix.",),
)
def adjacency_from_edges(senders, receivers, weights=None, num_nodes=size("n")):
    """Assemble the adjacency matrix of an undirected graph from its edges."""
    if senders.shape != receivers.shape:
        raise ValueError(f"{senders.shape[0]} senders, {receivers.shape[0]} receivers")
    if weights is None:
        values = jnp.ones(senders.shape, jnp.float32)
    else:
        values = jax.nn.sigmoid(weights.astype(jnp.float32))
    if maybe("one_hot", 0.3):
        from_node = jax.nn.one_hot(senders, num_nodes)
        to_node = jax.nn.one_hot(receivers, num_nodes)
        directed = (from_node * values[:, None]).T @ to_node
        adjacency = jnp.minimum(directed, 1.0)
    else:
        adjacency = jnp.zeros((num_nodes, num_nodes)).at[senders, receivers].add(values)
        adjacency = jnp.minimum(adjacency, 1.0)
    adjacency = jnp.maximum(adjacency, adjacency.T)
    if maybe("no_loops", 0.6):
        adjacency = adjacency * (1 - jnp.eye(num_nodes))
    return adjacency


@sketch(
    takes={"points": "points f[n, d]"},
    gives="adjacency f[n, n]",
    sizes={"n": (4, 64), "d": (1, 16)},
    also=("Connect points that are close with weights that fall with distance.",),
)
def gaussian_similarity_graph(points, bandwidth=number(0.5, 3.0), cutoff=number(0.01, 0.2)):
    """Build a similarity graph over points with a Gaussian kernel."""
    n, dims = points.shape
    if maybe("expanded", 0.4):
        squares = jnp.sum(points * points, axis=1)
        squared = squares[:, None] + squares[None, :] - 2 * points @ points.T
        squared = jnp.maximum(squared, 0)
    else:
        gaps = points[:, None, :] - points[None, :, :]
        squared = jnp.sum(gaps * gaps, axis=-1)
    if maybe("self_tuning", 0.35):
        # Zelnik-Manor and Perona: a length scale for each point.
        local = jnp.sqrt(jnp.mean(squared, axis=1) + 1e-3)
        affinity = jnp.exp(-squared / (local[:, None] * local[None, :]))
    else:
        affinity = jnp.exp(-squared / (2 * bandwidth * bandwidth * dims))
    if maybe("soft_cutoff", 0.4):
        affinity = jnp.maximum(affinity - cutoff, 0) / (1 - cutoff)
    return affinity * (1 - jnp.eye(n, dtype=points.dtype))


@sketch(
    takes={"points": "points f[n, d]"},
    gives="adjacency f[n, n]",
    sizes={"n": (6, 64), "d": (2, 16)},
    also=("Link each point to those nearest to it.",),
)
def nearest_neighbour_graph(points, k=integer(2, 5), mutual=one_of(False, True)):
    """Connect every point with its nearest neighbours."""
    n = points.shape[0]
    if k >= n:
        raise ValueError(f"{n} points have no {k} neighbours each")
    gaps = points[:, None] - points[None]
    distances = jnp.sum(one_of(gaps * gaps, jnp.abs(gaps)), axis=-1)
    distances = distances + 1e6 * jnp.eye(n, dtype=points.dtype)
    _, neighbours = jax.lax.top_k(-distances, k)
    if maybe("scatter"):
        rows = jnp.arange(n)[:, None]
        directed = jnp.zeros((n, n), points.dtype)
        directed = directed.at[rows, neighbours].set(1.0)
    else:
        directed = jnp.sum(jax.nn.one_hot(neighbours, n, dtype=points.dtype), axis=1)
    if mutual:
        return directed * directed.T
    return one_of(jnp.maximum(directed, directed.T), (directed + directed.T) / 2)


@sketch(
    takes={"features": "features f[n, d]"},
    gives="adjacency f[n, n]",
    sizes={"n": (4, 64), "d": (2, 64)},
    also=("Turn correlations between rows into weights of edges.",),
)
def correlation_graph(features, sharpness=one_of(1, 2, 4), eps=number(1e-4, 1e-2)):
    """Weigh edges by how strongly the features of two nodes correlate."""
    centered = features - jnp.mean(features, axis=1, keepdims=True)
    norms = jnp.sqrt(jnp.sum(centered * centered, axis=1) + eps)
    correlation = centered @ centered.T / (norms[:, None] * norms[None, :])
    if maybe("signed", 0.3):
        affinity = (1 + correlation) / 2
    else:
        affinity = jnp.abs(correlation)
    affinity = jnp.clip(affinity, 0, 1) ** sharpness
    if maybe("sparse", 0.4):
        # Soft thresholding keeps small correlations from filling the graph.
        affinity = jnp.maximum(affinity - number(0.05, 0.3), 0)
    off_diagonal = 1 - jnp.eye(features.shape[0], dtype=features.dtype)
    return affinity * off_diagonal


@sketch(
    takes={"adjacency": "adjacency f[n, n]"},
    gives="laplacian f[n, n]",
    sizes={"n": (4, 96)},
    dtypes="f32 f64",
    also=("Form the Laplacian matrix of a weighted graph.",),
)
def graph_laplacian(adjacency, kind=one_of("normalized", "combinatorial", "random_walk")):
    """Subtract a graph's adjacency from its degrees, normalized as asked for."""
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {adjacency.shape}")
    if maybe("symmetrize"):
        adjacency = (adjacency + adjacency.T) / 2
    n = adjacency.shape[0]
    degree = jnp.sum(adjacency, axis=1)
    if kind == "combinatorial":
        return jnp.diag(degree) - adjacency
    identity = jnp.eye(n, dtype=adjacency.dtype)
    if kind == "random_walk":
        return identity - adjacency / (degree + 1e-3)[:, None]
    inverse_root = one_of(jax.lax.rsqrt(degree + 1e-3), 1 / jnp.sqrt(degree + 1e-3))
    return identity - inverse_root[:, None] * adjacency * inverse_root[None, :]


@sketch(
    takes={"laplacian": "laplacian f[n, n]"},
    gives="nodes f[n, k]: signature",
    sizes={"n": (4, 48), "k": (2, 5)},
    dtypes="f32 f64",
    also=("Describe nodes by how heat spreads from them.",),
)
def heat_kernel_signature(laplacian, num_times=size("k"), longest=one_of(2.0, 5.0, 10.0)):
    """Trace the heat that stays at each node over several times."""
    n, _ = laplacian.shape
    times = [longest / 2**i for i in range(num_times)]
    symmetric = (laplacian + laplacian.T) / 2
    if maybe("eigen", 0.6):
        values, vectors = jnp.linalg.eigh(symmetric)
        values = jnp.maximum(values, 0)
        shares = vectors * vectors
        columns = [shares @ jnp.exp(-t * values) for t in times]
    else:
        # Implicit Euler steps need no spectrum.
        identity = jnp.eye(n, dtype=laplacian.dtype)
        columns = []
        for t in times:
            step = jnp.linalg.inv(identity + t / 4 * symmetric + 0.01 * identity)
            twice = step @ step
            columns.append(jnp.diagonal(twice @ twice))
    signature = jnp.stack(columns, axis=-1)
    if maybe("relative", 0.4):
        signature = signature / (jnp.sum(signature, axis=0) + 1e-6)
    return signature


@sketch(
    takes={"adjacency": "adjacency f[n, n]", "membership": "logits f[n, k]"},
    gives="metric f[]",
    sizes={"n": (4, 96), "k": (2, 8)},
    also=("Compare edges within communities with what chance would give.",),
)
def soft_modularity(adjacency, membership, resolution=number(0.5, 2.0)):
    """Score a soft partition of a graph by its modularity."""
    n, num_groups = membership.shape
    assignment = jax.nn.softmax(membership, axis=-1)
    degree = jnp.sum(adjacency, axis=1)
    total = jnp.sum(degree) + 1e-3
    if maybe("explicit"):
        expected = jnp.outer(degree, degree) / total
        surplus = adjacency - resolution * expected
        score = jnp.einsum("ik,ij,jk->", assignment, surplus, assignment) / total
    else:
        inside = jnp.sum(assignment * (adjacency @ assignment))
        volumes = assignment.T @ degree
        score = inside / total - resolution * jnp.sum(volumes * volumes) / (total * total)
    if maybe("balance", 0.4):
        # Against everything in one group.
        shares = jnp.mean(assignment, axis=0)
        entropy = -jnp.sum(shares * jnp.log(shares + 1e-9))
        score = score + number(0.01, 0.2) * entropy
    return score


@sketch(
    takes={"senders": "edges i[m]", "receivers": "edges i[m]"},
    gives="laplacian f[n, n]",
    sizes={"m": (4, 512), "n": (4, 64)},
    also=("Build a Laplacian from the incidence of edges.",),
)
def laplacian_from_edges(senders, receivers, num_nodes=size("n")):
    """Accumulate the Laplacian of a multigraph edge by edge."""
    num_edges = senders.shape[0]
    if receivers.shape[0] != num_edges:
        raise ValueError(f"{num_edges} senders, {receivers.shape[0]} receivers")
    if maybe("incidence"):
        # Each row has +1 where an edge starts and -1 where it ends.
        start = jax.nn.one_hot(senders, num_nodes)
        end = jax.nn.one_hot(receivers, num_nodes)
        incidence = start - end
        laplacian = incidence.T @ incidence
    else:
        laplacian = jnp.zeros((num_nodes, num_nodes))
        for rows, columns in ((senders, receivers), (receivers, senders)):
            laplacian = laplacian.at[rows, rows].add(1.0)
            laplacian = laplacian.at[rows, columns].add(-1.0)
    if maybe("normalize"):
        degree = jnp.diagonal(laplacian) + 1.0
        root = jnp.sqrt(degree)
        return laplacian / (root[:, None] * root[None, :])
    if maybe("mean_degree", 0.4):
        return laplacian * num_nodes / (2 * num_edges)
    return laplacian
