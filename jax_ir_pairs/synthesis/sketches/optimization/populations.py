"""Derivative-free search and discrete optimization."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

fitness = nested("(x: vector f[n]) -> energy f[]")


@dataclass(frozen=True)
class SwarmWeights:
    inertia: float = 0.7
    own: float = 1.4
    best: float = 1.4


@sketch(
    takes={"key": "key", "x": "points f[m, n]: positions of the particles"},
    gives="vector f[n]: best",
    sizes={"m": (4, 24), "n": (2, 24)},
    also=("Let a swarm of particles search for a low value.",),
)
def particle_swarm(key, x, num_iters=integer(2, 12), weights=SwarmWeights()):
    """Search for a minimum with a swarm of particles."""
    num_particles, n = x.shape
    evaluate = jax.vmap(fitness)
    if maybe("one_draw"):
        noise = jax.random.uniform(key, (num_iters, 2, num_particles, n))
    else:
        own_key, best_key = jax.random.split(key)
        shape = (num_iters, num_particles, n)
        noise = (jax.random.uniform(own_key, shape), jax.random.uniform(best_key, shape))

    def fly(carry, drawn):
        x, v, personal, scores = carry
        r_own, r_best = drawn
        leader = personal[jnp.argmax(-scores)]
        pull = weights.own * r_own * (personal - x) + weights.best * r_best * (leader - x)
        v = weights.inertia * v + pull
        if maybe("clamp_speed"):
            v = jnp.clip(v, -1.0, 1.0)
        x = x + v
        values = evaluate(x)
        improved = values < scores
        personal = jnp.where(improved[:, None], x, personal)
        scores = jnp.where(improved, values, scores)
        return (x, v, personal, scores), one_of(None, jnp.min(scores))

    start = (x, jnp.zeros_like(x), x, evaluate(x))
    (_, _, personal, scores), _ = jax.lax.scan(fly, start, noise)
    # A soft choice among the best positions.
    return jax.nn.softmax(-one_of(5.0, 2.0, 10.0) * scores) @ personal


@sketch(
    takes={"key": "key", "mean": "vector f[n]"},
    gives=("vector f[n]: mean", "f[n]: spread"),
    sizes={"n": (2, 32)},
    also=("Adapt a Gaussian search distribution to the best of its samples.",),
)
def evolve_gaussian(
    key, mean, sigma=number(0.1, 1.0), population=integer(6, 16), generations=integer(1, 4)
):
    """Evolve mean and spread of a search distribution by ranked samples."""
    (n,) = mean.shape
    spread = jnp.full(n, sigma)
    ranks = jnp.arange(population)
    if maybe("log_weights"):
        # The weights of CMA-ES: half of the population counts.
        raw = jnp.maximum(math.log(population / 2 + 0.5) - jnp.log(ranks + 1.0), 0.0)
    else:
        raw = jnp.maximum(population / 2 - ranks, 0.0)
    utilities = raw / jnp.sum(raw)
    draws = jax.random.normal(key, (generations, population, n))
    for generation, z in enumerate(draws):
        if maybe("mirrored_samples", 0.4):
            half = z[: population // 2]
            z = jnp.concatenate([half, -half, z[2 * (population // 2) :]])
        values = jax.vmap(fitness)(mean + spread * z)
        order = jnp.argsort(values)
        selected = utilities @ z[order]
        mean = mean + one_of(1.0, 0.7) * spread * selected
        growth = utilities @ jnp.square(z[order]) - 1.0
        rate = 0.3 / (1.0 + generation)
        spread = spread * jnp.exp(0.5 * rate * jnp.clip(growth, -1.0, 1.0))
    return mean, spread


@sketch(
    takes={"key": "key", "x": "vector f[n]"},
    gives=("vector f[n]: state", "f[t]: temperatures"),
    sizes={"n": (2, 64), "t": (4, 40)},
    also=("Cool a random walk until it only goes downhill.",),
)
def anneal(key, x, num_steps=size("t"), start=number(0.5, 5.0), end=number(0.01, 0.2)):
    """Search for a minimum by simulated annealing with soft acceptance."""
    if maybe("geometric_cooling"):
        temperatures = start * (end / start) ** jnp.linspace(0.0, 1.0, num_steps)
    elif maybe("logarithmic_cooling", 0.4):
        temperatures = start / jnp.log(jnp.arange(num_steps) + math.e)
    else:
        temperatures = jnp.linspace(start, end, num_steps)

    def step(carry, inputs):
        x, energy = carry
        temperature, key = inputs
        key_move, key_accept = jax.random.split(key)
        candidate = x + number(0.1, 0.5) * jax.random.normal(key_move, x.shape)
        candidate_energy = fitness(candidate)
        chance = jnp.exp(jnp.minimum((energy - candidate_energy) / temperature, 0.0))
        accept = jax.random.uniform(key_accept) < chance
        if maybe("tree_select"):
            carry = jax.tree.map(
                lambda new, old: jnp.where(accept, new, old),
                (candidate, candidate_energy),
                (x, energy),
            )
            return carry, None
        else:
            x = jnp.where(accept, candidate, x)
            return (x, jnp.where(accept, candidate_energy, energy)), None

    keys = jax.random.split(key, num_steps)
    (x, _), _ = jax.lax.scan(step, (x, fitness(x)), (temperatures, keys))
    return x, temperatures


@sketch(
    takes={"simplex": "points f[n+1, n]: corners"},
    gives="points f[n+1, n]: simplex",
    sizes={"n": (2, 6)},
    also=("Reflect, expand or shrink a simplex by the values at its corners.",),
)
def nelder_mead_moves(simplex, num_moves=integer(1, 3)):
    """Make a few moves of the Nelder-Mead simplex method."""
    corners, n = simplex.shape
    if corners != n + 1:
        raise ValueError(f"a simplex in {n} dimensions has {n + 1} corners, got {corners}")
    for _ in range(num_moves):
        values = (
            jnp.stack([fitness(corner) for corner in simplex])
            if maybe("corner_loop", 0.3)
            else jax.vmap(fitness)(simplex)
        )
        order = jnp.argsort(values)
        simplex, values = simplex[order], values[order]
        center = jnp.mean(simplex[:-1], axis=0)
        worst = simplex[-1]
        reflected = center + one_of(1.0, 0.9) * (center - worst)
        expanded = center + 2.0 * (center - worst)
        contracted = center - 0.5 * (center - worst)
        trials = jnp.stack([reflected, expanded, contracted])
        trial_values = jax.vmap(fitness)(trials)
        pick = jnp.argmax(-trial_values)
        shrunk = simplex[0] + 0.5 * (simplex - simplex[0])
        moved = simplex.at[-1].set(trials[pick])
        simplex = jnp.where(trial_values[pick] < values[-1], moved, shrunk)
    return simplex


@sketch(
    takes={"values": "f[n]", "weights": "counts i[n]"},
    gives="f[c]: table",
    sizes={"n": (3, 32), "c": (8, 256)},
    dtypes="f32 f64",
    also=("Fill the table of the most valuable selections, capacity by capacity.",),
)
def knapsack_table(values, weights, capacity=size("c")):
    """Solve a knapsack problem by dynamic programming."""
    if values.shape != weights.shape:
        raise ValueError(f"{values.shape[0]} values for {weights.shape[0]} items")
    room = jnp.arange(capacity)
    values = one_of(jnp.abs(values), jax.nn.softplus(values))

    def consider(best, item):
        value, weight = item
        weight = weight + 1
        # Where the item fits, it may replace what filled its room.
        left = jnp.where(room >= weight, best[jnp.maximum(room - weight, 0)], -jnp.inf)
        best = jnp.maximum(best, left + value)
        return best, one_of(best[-1], jnp.max(best))

    best, _ = jax.lax.scan(consider, jnp.zeros(capacity, values.dtype), (values, weights))
    return best


@sketch(
    takes={"cost": "matrix f[n, m]: cost of each pair"},
    gives=("weights f[n, m]: plan", "loss f[]"),
    sizes={"n": (3, 64), "m": (3, 64)},
    dtypes="f32 f64",
    also=("Match rows with columns softly at low total cost.",),
)
def sinkhorn_plan(cost, epsilon=number(0.5, 3.0), num_iters=integer(5, 40)):
    """Transport mass between uniform marginals by Sinkhorn's algorithm."""
    n, m = cost.shape
    if maybe("check_epsilon"):
        if epsilon <= 0 or num_iters < 1:
            raise ValueError(f"no regularization with {epsilon} in {num_iters} iterations")
    if maybe("rescale_cost"):
        cost = cost / (1.0 + jnp.std(cost))
    log_kernel = -cost / epsilon
    log_a, log_b = -math.log(n), -math.log(m)

    def iteration(_, duals):
        f, g = duals
        f = log_a - jax.nn.logsumexp(log_kernel + g[None, :], axis=1)
        g = log_b - jax.nn.logsumexp(log_kernel + f[:, None], axis=0)
        return f, g

    start = (jnp.zeros(n, cost.dtype), jnp.zeros(m, cost.dtype))
    if maybe("sinkhorn_scan", 0.4):
        (f, g), _ = jax.lax.scan(
            lambda duals, i: (iteration(i, duals), None), start, length=num_iters
        )
    else:
        f, g = jax.lax.fori_loop(0, num_iters, iteration, start)
    plan = jnp.exp(f[:, None] + log_kernel + g[None, :])
    if maybe("row_sums_exact", 0.4):
        # The last half step makes the rows exact.
        plan = plan / (n * jnp.sum(plan, axis=1, keepdims=True) + 1e-9)
    return plan, jnp.sum(plan * cost)


@sketch(
    takes={"weights": "matrix f[n, n]: lengths of the edges"},
    gives="distances f[n, n]",
    sizes={"n": (3, 48)},
    dtypes="f32 f64",
)
def all_shortest_paths(weights):
    """Find the lengths of shortest paths between all pairs of nodes."""
    n = weights.shape[0]
    if weights.shape != (n, n):
        raise ValueError(f"adjacency has to be square, got {weights.shape}")
    lengths = one_of(jnp.abs(weights) + 0.1, jax.nn.softplus(weights))
    lengths = jnp.where(jnp.eye(n, dtype=bool), 0.0, lengths)
    if maybe("undirected"):
        lengths = jnp.minimum(lengths, lengths.T)
    if maybe("floyd_warshall", 0.6):

        def through(k, dist):
            return jnp.minimum(dist, dist[:, k, None] + dist[None, k, :])

        return jax.lax.fori_loop(0, n, through, lengths)
    # Squaring in the min-plus algebra doubles the number of edges of a path.
    for _ in range(max(1, (n - 1).bit_length())):
        lengths = jnp.min(lengths[:, :, None] + lengths[None, :, :], axis=1)
    return lengths
