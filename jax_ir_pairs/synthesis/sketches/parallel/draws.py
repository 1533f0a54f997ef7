"""Sampling on several devices, each with a random key of its own."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch

WORKER_AXIS = one_of("workers", "devices", "chains", "i")
worker_mesh = one_of(
    jax.make_mesh((size("devices"),), (WORKER_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (WORKER_AXIS,)),
)


@sketch(
    takes={"key": "key", "x": "features f[devices*b, d]"},
    gives="features f[devices*b, d]",
    sizes={"devices": {2, 4, 8}, "b": (1, 16), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Fold the place of a device into the key before it draws a mask.",),
)
def sharded_dropout(key, x, rate=one_of(0.1, 0.2, 0.5)):
    """Drop units of a sharded batch with another mask on every device."""

    @functools.partial(
        jax.shard_map, mesh=worker_mesh, in_specs=(P(), P(WORKER_AXIS)), out_specs=P(WORKER_AXIS)
    )
    def dropout(key, x):
        key = jax.random.fold_in(key, jax.lax.axis_index(WORKER_AXIS))
        if maybe("whole features", 0.3):
            # All examples of a device lose the same features.
            keep = jax.random.bernoulli(key, 1 - rate, x.shape[1:])
        else:
            keep = jax.random.bernoulli(key, 1 - rate, x.shape)
        if maybe("noise", 0.4):
            noise = jax.random.normal(jax.random.fold_in(key, 1), x.shape, x.dtype)
            x = x + one_of(0.1, 0.01) * noise
        return jnp.where(keep, x / (1 - rate), 0)

    return dropout(key, x)


@sketch(
    takes={"key": "key"},
    gives=("f[]: estimate", "metric f[]: error"),
    sizes={"devices": {2, 4, 8}, "n": (16, 256)},
    also=("Estimate an integral from samples of all devices, with its standard error.",),
)
def monte_carlo_on_devices(key, num_samples=size("n")):
    """Integrate by Monte Carlo with independent samples on each device."""

    def estimate(key):
        key = jax.random.fold_in(key, jax.lax.axis_index(WORKER_AXIS))
        points = jax.random.uniform(key, (num_samples, one_of(2, 3)))
        if maybe("antithetic", 0.4):
            points = jnp.concatenate([points, 1 - points])
        if maybe("quarter circle"):
            values = jnp.where(jnp.sum(points**2, axis=-1) < 1, 1.0, 0.0)
        else:
            values = one_of(
                jnp.exp(-jnp.sum(points**2, axis=-1)),
                jnp.cos(jnp.sum(points, axis=-1)),
                jnp.max(points, axis=-1),
            )
        count = values.size * jax.lax.axis_size(WORKER_AXIS)
        mean = jax.lax.pmean(jnp.mean(values), WORKER_AXIS)
        spread = jax.lax.psum(jnp.sum((values - mean) ** 2), WORKER_AXIS)
        return mean, jnp.sqrt(spread / (count - 1) / count)

    run = jax.shard_map(
        estimate, mesh=worker_mesh, in_specs=P(), out_specs=(P(), P()), check_vma=False
    )
    if maybe("scale"):
        value, error = run(key)
        return 2 ** one_of(1, 2, 3) * value, error
    return run(key)


@sketch(
    takes={"key": "key", "positions": "state f[devices, k, d]: chains of each device"},
    gives=("state f[devices, k, d]", "metric f[]: acceptance"),
    sizes={"devices": {2, 4, 8}, "k": (1, 8), "d": (1, 8)},
    also=("Advance chains of a sampler on all devices, and average how often they move.",),
)
def parallel_metropolis(key, positions, step_size=number(0.1, 1.0), num_steps=integer(2, 10)):
    """Run Metropolis chains on each device from the same density."""

    def log_density(x):
        if maybe("banana"):
            return -0.5 * jnp.sum(x**2) - one_of(0.5, 0.2) * jnp.sum((x[1:] - x[:-1] ** 2) ** 2)
        return -one_of(0.5 * jnp.sum(x**2), jnp.sum(jnp.abs(x)), jnp.sum(jnp.log1p(x**2)))

    def chains(key, positions):
        key = jax.random.fold_in(key, jax.lax.axis_index(WORKER_AXIS))

        def step(positions, key):
            key_move, key_accept = jax.random.split(key)
            noise = jax.random.normal(key_move, positions.shape)
            proposed = positions + step_size * noise
            gain = jax.vmap(log_density)(proposed) - jax.vmap(log_density)(positions)
            accepted = jnp.log(jax.random.uniform(key_accept, gain.shape, minval=1e-6)) < gain
            positions = jnp.where(accepted[:, None], proposed, positions)
            return positions, jnp.mean(accepted)

        positions, rates = jax.lax.scan(step, positions, jax.random.split(key, num_steps))
        return positions, jax.lax.pmean(jnp.mean(rates), WORKER_AXIS)

    return jax.pmap(chains, axis_name=WORKER_AXIS, in_axes=(None, 0), out_axes=(0, None))(
        key, positions
    )


@sketch(
    takes={"key": "key", "states": "state f[devices, d]: one replica per temperature"},
    gives="state f[devices, d]",
    sizes={"devices": {2, 4, 8}, "d": (2, 16)},
    also=("Swap neighbouring replicas by the difference of their energies.",),
)
def replica_exchange(key, states, coldest=one_of(0.5, 1.0), ratio=one_of(1.5, 2.0)):
    """Exchange states between devices that sample at different temperatures."""

    def energy(x):
        return one_of(jnp.sum(x**2) / 2, jnp.sum((x**2 - 1) ** 2) / 10, jnp.sum(1 - jnp.cos(x)))

    def swap(key, x):
        count = jax.lax.axis_size(WORKER_AXIS)
        rank = jax.lax.axis_index(WORKER_AXIS)
        beta = 1 / (coldest * ratio**rank)
        if maybe("move first"):
            noise = jax.random.normal(jax.random.fold_in(key, rank + 1), x.shape)
            x = x + 0.1 / beta * noise
        # Pairs are (0, 1), (2, 3) and so on; partners use the same random number.
        pairs = [(i, i + 1 - 2 * (i % 2)) for i in range(count)]
        other, other_energy, other_beta = jax.lax.ppermute((x, energy(x), beta), WORKER_AXIS, pairs)
        log_ratio = (beta - other_beta) * (energy(x) - other_energy)
        uniform = jax.random.uniform(jax.random.fold_in(key, rank // 2), minval=1e-6)
        return jnp.where(jnp.log(uniform) < log_ratio, other, x)

    specs = P(WORKER_AXIS)
    swap_shard = jax.shard_map(
        lambda key, x: swap(key, x[0])[None],
        mesh=worker_mesh,
        in_specs=(P(), specs),
        out_specs=specs,
    )
    return swap_shard(key, states)


@sketch(
    takes={"key": "key", "population": "state f[devices, k, d]: an island per device"},
    gives=("state f[devices, k, d]", "f[]: best"),
    sizes={"devices": {2, 4, 8}, "k": (3, 12), "d": (2, 12)},
    also=("Evolve islands, whose best individuals move on to the next one.",),
)
def island_evolution(key, population, mutation=number(0.05, 0.5), num_generations=integer(1, 4)):
    """Evolve a population on each device, with migrants between neighbours."""

    def fitness(x):
        return one_of(
            -jnp.sum(x**2, axis=-1),
            -jnp.sum(x**2 - jnp.cos(3 * x), axis=-1),
            -jnp.max(jnp.abs(x), axis=-1),
        )

    def evolve(key, island):
        rank = jax.lax.axis_index(WORKER_AXIS)
        count = jax.lax.axis_size(WORKER_AXIS)
        for generation in range(num_generations):
            local = jax.random.fold_in(jax.random.fold_in(key, rank), generation)
            noise = jax.random.normal(local, island.shape)
            children = island + mutation * noise
            everyone = jnp.concatenate([island, children])
            _, chosen = jax.lax.top_k(fitness(everyone), island.shape[0])
            island = everyone[chosen]
            # The best one of an island replaces the worst one of the next.
            migrant = jax.lax.ppermute(
                island[0], WORKER_AXIS, [(i, (i + 1) % count) for i in range(count)]
            )
            island = island.at[-1].set(migrant)
        best = jax.lax.pmax(jnp.max(fitness(island)), WORKER_AXIS)
        return island, best

    return jax.pmap(evolve, axis_name=WORKER_AXIS, in_axes=(None, 0), out_axes=(0, None))(
        key, population
    )


@sketch(
    takes={"key": "key", "theta": "f[d]: parameters", "x": "features f[b, d]", "y": "targets f[b]"},
    gives=("f[d]: theta", "metric f[]: fitness"),
    sizes={"devices": {2, 4, 8}, "k": (1, 8), "b": (2, 32), "d": (2, 32)},
    also=("Estimate a gradient from perturbations that each device draws itself.",),
)
def distributed_evolution_step(key, theta, x, y, sigma=number(0.01, 0.3), num_pairs=size("k")):
    """Take an evolution-strategy step that exchanges only what perturbations are worth."""

    def reward(theta):
        return -jnp.mean((one_of(jnp.tanh(x @ theta), x @ theta / math.sqrt(x.shape[1])) - y) ** 2)

    def step(key, theta):
        key = jax.random.fold_in(key, jax.lax.axis_index(WORKER_AXIS))
        noise = jax.random.normal(key, (num_pairs, theta.size))
        plus = jax.vmap(lambda e: reward(theta + sigma * e))(noise)
        if maybe("mirrored", 0.6):
            minus = jax.vmap(lambda e: reward(theta - sigma * e))(noise)
            worth = (plus - minus) / 2
        else:
            worth = plus - jax.lax.pmean(jnp.mean(plus), WORKER_AXIS)
        if maybe("normalize"):
            scale = jnp.sqrt(jax.lax.pmean(jnp.mean(worth**2), WORKER_AXIS))
            worth = worth / (scale + 1e-6)
        gradient = jax.lax.pmean(worth @ noise / num_pairs, WORKER_AXIS) / sigma
        return theta + one_of(0.1, 0.01) * gradient, jax.lax.pmean(jnp.mean(plus), WORKER_AXIS)

    return jax.shard_map(
        step, mesh=worker_mesh, in_specs=(P(), P()), out_specs=(P(), P()), check_vma=False
    )(key, theta)
