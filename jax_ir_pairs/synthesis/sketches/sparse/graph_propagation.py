"""Sparse adjacency matrices that messages go through."""

import jax
import jax.numpy as jnp
from jax.experimental import sparse

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

node_model = nested("(params: P, x: features f[b, d]) -> features f[b, h]")


@sketch(
    takes={"x": "f[n, d]: features of nodes", "edges": "i[m, 2]: targets and sources"},
    gives="nodes f[n, d]",
    sizes={"n": (4, 32), "d": (2, 24), "m": (4, 48)},
    also=("Message passing as a product with a sparse matrix of edges.",),
    fills=False,
    weight=1.5,
)
def propagate_over_edges(x, edges, hops=one_of(1, 2, 3), alpha=number(0.05, 0.5)):
    """Propagate features over edges by products with a sparse adjacency matrix."""
    n = x.shape[0]
    ones = jnp.ones(edges.shape[0], x.dtype)
    adjacency = sparse.BCOO((ones, edges), shape=(n, n))
    degrees = adjacency @ jnp.ones((n,), x.dtype)
    if maybe("sum duplicate edges"):
        adjacency = adjacency.sum_duplicates(nse=edges.shape[0])
    h = x
    for _ in range(hops):
        messages = adjacency @ h
        if maybe("mean of neighbors"):
            messages = messages / jnp.maximum(degrees, 1.0)[:, None]
        if maybe("teleport"):
            h = (1 - alpha) * messages + alpha * x
        else:
            h = one_of(jnp.tanh, jax.nn.relu)(messages)
    return h


@sketch(
    takes={"edges": "i[m, 2]: targets and sources", "weights": "f[m]: logits of the edges"},
    gives="f[n]: ranks",
    sizes={"m": (4, 48), "n": (4, 24)},
    also=("Stationary distribution of a random surfer.",),
    fills=False,
    weight=1.5,
)
def sparse_pagerank(edges, weights, num_nodes=size("n"), damping=number(0.5, 0.95)):
    """Rank nodes by power iteration with a sparse transition matrix."""
    strengths = one_of(jax.nn.softplus(weights), jax.nn.sigmoid(weights))
    links = sparse.BCOO((strengths, edges), shape=(num_nodes, num_nodes))
    out_strength = links.T @ jnp.ones(num_nodes)
    if maybe("sorted indices", 0.6):
        links = links.sort_indices()

    def surf(_, ranks):
        spread = links @ (ranks / (out_strength + 1e-3))
        ranks = damping * spread + (1 - damping) / num_nodes
        if maybe("keep the sum"):
            ranks = ranks / jnp.sum(ranks)
        return ranks

    start = jnp.full((num_nodes,), 1 / num_nodes)
    ranks = jax.lax.fori_loop(0, one_of(5, 10, 20), surf, start)
    if maybe("log ranks", 0.3):
        return jnp.log(ranks + 1e-6)
    return ranks


@sketch(
    takes={"adjacency": "f[n, n]: strengths", "x": "f[n, d]: features", "w": "f[d, h]: weights"},
    gives="nodes f[n, h]",
    sizes={"n": (4, 24), "d": (2, 16), "h": (2, 16)},
    also=("Graph convolution with a thresholded matrix.",),
    fills=False,
    weight=2.0,
)
def compressed_graph_convolution(adjacency, x, w, threshold=one_of(0.5, 1.0, 1.5)):
    """Convolve over the strong links of a dense matrix, in compressed rows."""
    n = adjacency.shape[0]
    if adjacency.shape != (n, n):
        raise ValueError(f"an adjacency matrix is square, not {adjacency.shape}")
    strong = jnp.where(jnp.abs(adjacency) > threshold, adjacency, 0.0)
    if maybe("through coordinates", 0.4):
        links = sparse.BCSR.from_bcoo(sparse.BCOO.fromdense(strong, nse=n * n))
    else:
        links = sparse.BCSR.fromdense(strong, nse=n * n)
    if maybe("weights first"):
        h = links @ (x @ w)
    else:
        h = (links @ x) @ w
    if maybe("vector of degrees"):
        h = h / (1 + jnp.abs(links @ jnp.ones((n,))))[:, None]
    if maybe("coordinates again", 0.3):
        h = h + links.to_bcoo() @ (x @ w)
    return one_of(jax.nn.relu, jnp.tanh, jax.nn.elu)(h)


@sketch(
    takes={"q": "f[n, d]: queries", "k": "f[m, d]: keys", "pairs": "i[p, 2]", "v": "f[m, h]"},
    gives="f[n, h]: attended",
    sizes={"n": (4, 24), "d": (2, 16), "m": (4, 24), "p": (4, 48), "h": (2, 16)},
    also=("Attention over given pairs.",),
    fills=False,
    weight=1.5,
)
def sampled_pair_attention(q, k, pairs, v):
    """Score given pairs of queries and keys by a sampled product and mix values with it."""
    numbers = (((1,), (0,)), ((), ()))
    scores = sparse.bcoo_dot_general_sampled(q, k.T, pairs, dimension_numbers=numbers)
    scores = scores / q.shape[1] ** 0.5
    if maybe("softmax over pairs"):
        top = jax.ops.segment_max(scores, pairs[:, 0], q.shape[0])
        weights = jnp.exp(jnp.clip(scores - top[pairs[:, 0]], -30.0, 0.0))
        totals = jax.ops.segment_sum(weights, pairs[:, 0], q.shape[0])
        weights = weights / (totals[pairs[:, 0]] + 1e-6)
    else:
        weights = one_of(jax.nn.sigmoid(scores), jnp.tanh(scores))
    mixing = sparse.BCOO((weights, pairs), shape=(q.shape[0], k.shape[0]))
    if maybe("by dot general", 0.4):
        return sparse.bcoo_dot_general(mixing, v, dimension_numbers=numbers)
    return mixing @ v


@sketch(
    takes={"edges": "i[m, 2]: edges", "weights": "f[m]: logits of weights", "x": "f[n]: signal"},
    gives=("f[n]: smoothed", "energy f[]"),
    sizes={"m": (4, 48), "n": (4, 24)},
    also=("Heat flow over a graph without a dense Laplacian.",),
    fills=False,
)
def sparse_graph_diffusion(edges, weights, x, rate=number(0.05, 0.3), num_steps=integer(2, 8)):
    """Diffuse a signal over a graph whose Laplacian stays sparse."""
    n = x.shape[0]
    w = jax.nn.sigmoid(weights)
    one_way = sparse.BCOO((w, edges), shape=(n, n))
    if maybe("add transposed"):
        both = one_way + one_way.T
    else:
        flipped = one_of(
            sparse.bcoo_transpose(one_way, permutation=(1, 0)), one_way.transpose((1, 0))
        )
        both = sparse.bcoo_concatenate([one_way, flipped], dimension=0)
        both = sparse.bcoo_reduce_sum(both.reshape((2, n, n)), axes=(0,))
    degrees = both @ jnp.ones((n,))

    def step(_, u):
        flow = both @ u - degrees * u
        return u + rate * flow / (1 + jnp.max(degrees))

    u = jax.lax.fori_loop(0, num_steps, step, x)
    return u, 0.5 * u @ (degrees * u - both @ u)


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "edges": "i[m, 2]: targets and sources"},
    gives=("P", "loss f[]"),
    sizes={"b": (4, 16), "d": (2, 16), "h": (2, 16), "m": (4, 32)},
    also=("Gradient of smoothness over sparse edges.",),
    fills=False,
    weight=1.4,
)
def smoothness_gradient(params, x, edges):
    """Differentiate how much representations vary along the edges of a graph."""
    n = x.shape[0]
    adjacency = sparse.BCOO((jnp.ones(edges.shape[0]), edges), shape=(n, n))

    def loss_of(p):
        h = node_model(p, x)
        h = h / jnp.sqrt(jnp.sum(h**2, axis=1, keepdims=True) + 1e-3)
        neighbors = adjacency @ h
        if maybe("against others"):
            neighbors = neighbors - jnp.mean(h, axis=0) * edges.shape[0] / n
        return -jnp.mean(jnp.sum(one_of(h, jax.lax.stop_gradient(h)) * neighbors, axis=1))

    loss, grads = jax.value_and_grad(loss_of)(params)
    if maybe("signed descent", 0.25):
        return jax.tree.map(jnp.sign, grads), loss
    return grads, loss
