"""Classic graph algorithms with a fixed number of rounds."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

FAR_AWAY = 1e3


@sketch(
    takes={"adjacency": "adjacency f[n, n]"},
    gives="weights f[n]: importance",
    sizes={"n": (4, 128)},
    dtypes="f32 f64",
    also=("Find where a random surfer spends the time.",),
)
def pagerank(adjacency, damping=one_of(0.85, 0.9, 0.8), num_iters=integer(10, 40)):
    """Rank nodes by the stationary distribution of a damped random walk."""
    n, columns = adjacency.shape
    if n != columns:
        raise ValueError(f"expected a square matrix, got {n}x{columns}")
    out_weight = jnp.sum(adjacency, axis=1)
    dangling = out_weight < 1e-4
    transition = adjacency / jnp.maximum(out_weight, 1e-4)[:, None]

    def update(rank):
        lost = jnp.sum(jnp.where(dangling, rank, 0.0))
        spread = rank @ transition + lost / n
        return damping * spread + (1 - damping) / n

    rank = jnp.full(n, 1 / n, adjacency.dtype)
    if maybe("residuals", 0.3):

        def body(rank, _):
            following = update(rank)
            return following, jnp.sum(jnp.abs(following - rank))

        rank, changes = jax.lax.scan(body, rank, length=num_iters)
    else:
        rank = jax.lax.fori_loop(0, num_iters, lambda i, r: update(r), rank)
    if maybe("renormalize", 0.4):
        rank = rank / jnp.sum(rank)
    return rank


@sketch(
    takes={"weights": "matrix f[n, n]: lengths of edges", "mask": "mask bool[n, n]"},
    gives="distances f[n, n]",
    sizes={"n": (4, 32)},
    also=("Relax all paths through every node in turn.",),
)
def floyd_warshall(weights, mask):
    """Tabulate shortest paths between all pairs of nodes."""
    n = weights.shape[0]
    if weights.shape != (n, n) or mask.shape != (n, n):
        raise ValueError(f"shapes {weights.shape} and {mask.shape} are not square and equal")
    lengths = one_of(jnp.abs(weights) + 0.1, jax.nn.softplus(weights))
    table = jnp.where(mask, lengths, FAR_AWAY)
    if maybe("undirected", 0.4):
        table = jnp.minimum(table, table.T)
    table = jnp.where(jnp.eye(n, dtype=bool), 0.0, table)

    def relax(middle, table):
        detour = table[:, middle, None] + table[None, middle, :]
        return jnp.minimum(table, detour)

    if maybe("min_plus", 0.3):
        # Repeated squaring in the min-plus semiring: paths double in length.
        for _ in range(math.ceil(math.log2(n))):
            table = jnp.min(table[:, :, None] + table[None, :, :], axis=1)
    else:
        table = jax.lax.fori_loop(0, n, relax, table)
    return jnp.minimum(table, one_of(FAR_AWAY, FAR_AWAY / 2))


@sketch(
    takes={"senders": "edges i[m]", "receivers": "edges i[m]", "lengths": "f[m]"},
    gives="distances f[n]",
    sizes={"m": (4, 1024), "n": (4, 4)},
    also=("Relax every edge a few times, starting at one node.",),
)
def bellman_ford(senders, receivers, lengths, num_nodes=4, source=one_of(0, 0, 1)):
    """Find shortest distances from a source over an edge list."""
    if not 0 <= source < num_nodes:
        raise ValueError(f"node {source} is none of {num_nodes}")
    lengths = one_of(jnp.abs(lengths), jnp.exp(lengths / 4)) + 0.1
    distances = jnp.full(num_nodes, FAR_AWAY, lengths.dtype)
    distances = distances.at[source].set(0.0)

    def relax(distances, _):
        proposals = distances[senders] + lengths
        if maybe("dense"):
            # A row of candidates for each node.
            arrives = receivers[None, :] == jnp.arange(num_nodes)[:, None]
            best = jnp.min(jnp.where(arrives, proposals, FAR_AWAY), axis=1)
        else:
            best = jax.ops.segment_min(proposals, receivers, num_segments=num_nodes)
        return jnp.minimum(distances, best), None

    if maybe("both_ways", 0.3):
        # An undirected edge is one in each direction.
        senders, receivers = (
            jnp.concatenate([senders, receivers]),
            jnp.concatenate([receivers, senders]),
        )
        lengths = jnp.concatenate([lengths, lengths])
    if maybe("unrolled", 0.4):
        for _ in range(num_nodes - 1):
            distances, _ = relax(distances, None)
    else:
        distances, _ = jax.lax.scan(relax, distances, length=num_nodes - 1)
    return jnp.minimum(distances, FAR_AWAY)


@sketch(
    takes={"adjacency": "adjacency f[n, n]", "labels": "labels i[n]", "known": "mask bool[n]"},
    gives="f[n, 4]: beliefs",
    sizes={"n": (4, 96)},
    also=("Spread the labels of a few nodes over the graph.",),
)
def propagate_labels(adjacency, labels, known, num_classes=4, num_rounds=integer(3, 15)):
    """Classify the unlabeled nodes of a graph by their neighbours."""
    n = adjacency.shape[0]
    assert labels.shape == (n,), f"{labels.shape[0]} labels for {n} nodes"
    seeds = jax.nn.one_hot(labels, num_classes, dtype=adjacency.dtype)
    clamped = known[:, None]
    seeds = jnp.where(clamped, seeds, 1 / num_classes)
    weights = adjacency + 0.01
    transition = weights / jnp.sum(weights, axis=1, keepdims=True)
    beliefs = seeds
    for _ in range(num_rounds):
        beliefs = transition @ beliefs
        if maybe("soft_clamp", 0.4):
            pull = one_of(0.2, 0.5, 0.8)
            beliefs = jnp.where(clamped, pull * seeds + (1 - pull) * beliefs, beliefs)
        else:
            beliefs = jnp.where(clamped, seeds, beliefs)
    if maybe("class_mass", 0.3):
        # Keeps a frequent label from taking everything.
        mass = jnp.mean(beliefs, axis=0)
        beliefs = beliefs / (mass + 1e-3)
        beliefs = beliefs / jnp.sum(beliefs, axis=1, keepdims=True)
    return beliefs


@sketch(
    takes={"senders": "edges i[m]", "receivers": "edges i[m]"},
    sizes={"m": (4, 1024)},
    also=("Let the smallest label of each component flow along its edges.",),
)
def component_labels(senders, receivers, num_nodes=integer(4, 24), num_rounds=one_of(4, 8, 16)):
    """Mark connected components by their smallest node."""
    m = senders.shape[0]
    if receivers.shape[0] != m:
        raise ValueError(f"{m} senders but {receivers.shape[0]} receivers")
    component = jnp.arange(num_nodes)

    def spread(component):
        lowest = jnp.minimum(component[senders], component[receivers])
        for ends in (senders, receivers):
            reached = jax.ops.segment_min(lowest, ends, num_segments=num_nodes)
            component = jnp.minimum(component, reached)
        if maybe("pointer_jumping"):
            # Halves the depth of the trees of labels.
            component = jnp.minimum(component, component[component])
        return component

    if maybe("until_stable", 0.4):

        def unfinished(carry):
            component, previous, count = carry
            return jnp.any(component != previous) & (count < num_rounds)

        def advance(carry):
            component, _, count = carry
            return spread(component), component, count + 1

        start = (spread(component), component, 0)
        component, _, _ = jax.lax.while_loop(unfinished, advance, start)
    else:
        component = jax.lax.fori_loop(0, num_rounds, lambda i, c: spread(c), component)
    roots = component == jnp.arange(num_nodes)
    if maybe("sizes"):
        sizes = jnp.bincount(component, length=num_nodes)
        return {"component": component, "count": jnp.sum(roots), "largest": jnp.max(sizes)}
    return component, jnp.sum(roots)


@sketch(
    takes={"adjacency": "adjacency f[n, n]"},
    gives=("f[n]: triangles", "metric f[n]: clustering"),
    sizes={"n": (4, 64)},
    dtypes="f32 f64",
    also=("Measure how often the neighbours of a node are neighbours.",),
)
def triangle_statistics(adjacency, eps=number(1e-6, 1e-3)):
    """Count triangles and derive clustering coefficients."""
    n = adjacency.shape[0]
    adjacency = adjacency * (1 - jnp.eye(n, dtype=adjacency.dtype))
    if maybe("einsum", 0.4):
        closed = jnp.einsum("ij,jk,ki->i", adjacency, adjacency, adjacency)
    else:
        closed = jnp.sum((adjacency @ adjacency) * adjacency.T, axis=1)
    # Each triangle is walked in two directions.
    triangles = closed / 2
    degree = jnp.sum(adjacency, axis=1)
    if maybe("weighted_pairs", 0.4):
        squares = jnp.sum(adjacency * adjacency, axis=1)
        pairs = (degree * degree - squares) / 2
    else:
        pairs = degree * jnp.maximum(degree - 1, 0) / 2
    local = triangles / (pairs + eps + 0.1)
    if maybe("shrink"):
        # Nodes with few neighbours borrow from the whole graph.
        overall = jnp.sum(triangles) / (jnp.sum(pairs) + eps + 0.1)
        trust = degree / (degree + one_of(1.0, 2.0))
        local = trust * local + (1 - trust) * overall
    return triangles, local


@sketch(
    takes={"scores": "matrix f[n, n]: unnormalized log weights", "key": "key"},
    sizes={"n": (4, 64)},
    also=("Follow edges at random from several starting nodes.",),
)
def random_walks(scores, key, num_walks=integer(2, 16), length=integer(3, 12)):
    """Sample random walks on a weighted graph."""
    n = scores.shape[0]
    log_weights = one_of(scores, (scores + scores.T) / 2, jax.nn.log_softmax(scores))
    start_key, walk_key = jax.random.split(key)
    if maybe("uniform_start"):
        position = jax.random.randint(start_key, (num_walks,), 0, n)
    else:
        # Nodes that much points to begin more walks.
        attraction = jax.nn.logsumexp(log_weights, axis=0)
        position = jax.random.categorical(start_key, attraction, shape=(num_walks,))

    def step(carry, key):
        position, previous = carry
        logits = log_weights[position]
        if maybe("no_return"):
            back = jax.nn.one_hot(previous, n, dtype=logits.dtype)
            logits = logits - number(0.5, 4.0) * back
        following = jax.random.categorical(key, logits, axis=-1)
        return (following, position), following

    keys = jax.random.split(walk_key, length)
    _, visited = jax.lax.scan(step, (position, position), keys)
    walks = jnp.concatenate([position[None], visited]).T
    if maybe("frequencies"):
        visits = jnp.bincount(walks.reshape(-1), length=n)
        return walks, visits / walks.size
    return walks


@sketch(
    takes={"adjacency": "adjacency f[n, n]"},
    gives=("f[n]: hubs", "f[n]: authorities"),
    sizes={"n": (4, 96)},
    dtypes="f32 f64",
    also=("Alternate between what points to good nodes and what they point to.",),
)
def hubs_and_authorities(adjacency, num_iters=integer(5, 30), smoothing=number(0.01, 0.2)):
    """Score hubs and authorities by mutual reinforcement."""
    n = adjacency.shape[0]
    # A weak link everywhere, so that scores cannot vanish.
    links = adjacency + smoothing / n
    hubs = jnp.ones(n, adjacency.dtype)
    authorities = hubs
    for _ in range(num_iters):
        authorities = links.T @ hubs
        authorities = authorities / one_of(
            jnp.linalg.norm(authorities), jnp.sum(authorities), jnp.max(authorities)
        )
        hubs = links @ authorities
        hubs = hubs / one_of(jnp.linalg.norm(hubs), jnp.sum(hubs))
    if maybe("rank", 0.3):
        hubs, authorities = hubs / jnp.max(hubs), authorities / jnp.max(authorities)
    return hubs, authorities
