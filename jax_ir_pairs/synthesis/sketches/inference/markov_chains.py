"""Markov chain Monte Carlo."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

potential_energy = nested("(x: vector f[n]) -> energy f[]")


class ChainState(NamedTuple):
    """Where a chain is, and how often it has moved."""

    position: jax.Array
    energy: jax.Array
    accepted: jax.Array


@sketch(
    takes={"start": "vector f[n]", "key": "key"},
    gives=("samples f[m, n]", "f[]: acceptance"),
    sizes={"n": (1, 32), "m": (4, 64)},
    also=("Run a random-walk Metropolis chain.",),
)
def metropolis_chain(start, key, num_samples=size("m"), step_size=number(0.05, 1.0)):
    """Sample a density with Gaussian proposals that are accepted or rejected."""
    dim = start.shape[0]

    def move(chain, step_key):
        proposal_key, accept_key = jax.random.split(step_key)
        if maybe("one_coordinate", 0.3):
            # Metropolis within Gibbs: one coordinate moves at a time.
            index = jax.random.randint(proposal_key, (), 0, dim)
            kick = step_size * jax.random.normal(jax.random.fold_in(proposal_key, 1))
            proposal = chain.position.at[index].add(kick)
        else:
            noise = jax.random.normal(proposal_key, (dim,), chain.position.dtype)
            proposal = chain.position + step_size / dim**0.5 * noise
        energy = potential_energy(proposal)
        log_ratio = chain.energy - energy
        if maybe("log_uniform"):
            threshold = jnp.log(jax.random.uniform(accept_key, minval=1e-6))
            accept = threshold < log_ratio
        else:
            accept = jax.random.uniform(accept_key) < jnp.exp(jnp.minimum(log_ratio, 0.0))
        moved = ChainState(
            jnp.where(accept, proposal, chain.position),
            jnp.where(accept, energy, chain.energy),
            chain.accepted + accept,
        )
        return moved, moved.position

    chain = ChainState(start, potential_energy(start), jnp.zeros((), jnp.int32))
    if maybe("thin", 0.4):
        # Two of three states are dropped, since neighbors hardly differ.
        keys = jax.random.split(key, 3 * num_samples)
        chain, positions = jax.lax.scan(move, chain, keys)
        positions = positions[2::3]
        return positions, chain.accepted / (3 * num_samples)
    keys = jax.random.split(key, num_samples)
    chain, positions = jax.lax.scan(move, chain, keys)
    return positions, chain.accepted / num_samples


@sketch(
    takes={"position": "vector f[n]", "key": "key"},
    gives={"position": "vector f[n]", "accept_prob": "f[]"},
    sizes={"n": (1, 64)},
    also=("Make one Hamiltonian Monte Carlo transition.",),
)
def hamiltonian_transition(
    position, key, step_size=number(0.02, 0.2), num_leapfrog=integer(2, 5), max_force=20.0
):
    """Propose a distant state by simulating Hamiltonian dynamics."""
    if num_leapfrog < 1:
        raise ValueError(f"at least one leapfrog step is needed, got {num_leapfrog}")

    def force(position):
        # Any function of the position keeps the integrator reversible, so clipping is allowed.
        return -jnp.clip(jax.grad(potential_energy)(position), -max_force, max_force)

    momentum_key, accept_key = jax.random.split(key)
    momentum = jax.random.normal(momentum_key, position.shape, position.dtype)
    proposal, velocity = position, momentum
    if maybe("unrolled_leapfrog"):
        velocity = velocity + 0.5 * step_size * force(proposal)
        for i in range(num_leapfrog):
            proposal = proposal + step_size * velocity
            # The last kick is half a one.
            kick = step_size if i < num_leapfrog - 1 else 0.5 * step_size
            velocity = velocity + kick * force(proposal)
    else:
        for _ in range(num_leapfrog):
            velocity = velocity + 0.5 * step_size * force(proposal)
            proposal = proposal + step_size * velocity
            velocity = velocity + 0.5 * step_size * force(proposal)

    def hamiltonian(position, momentum):
        return potential_energy(position) + 0.5 * jnp.sum(momentum**2)

    gap = hamiltonian(position, momentum) - hamiltonian(proposal, velocity)
    accept_prob = jnp.exp(jnp.clip(gap, -50.0, 0.0))
    if maybe("blend_proposal", 0.3):
        # Expected position over the acceptance, useful as a control variate.
        return {
            "position": position + accept_prob * (proposal - position),
            "accept_prob": accept_prob,
        }
    accept = jax.random.uniform(accept_key) < accept_prob
    return {"position": jnp.where(accept, proposal, position), "accept_prob": accept_prob}


@sketch(
    takes={"position": "vector f[n]", "key": "key"},
    gives=("vector f[n]", "energy f[]"),
    sizes={"n": (1, 64)},
    also=("Follow the gradient of a log density with noise, and correct by acceptance.",),
)
def langevin_transition(position, key, *, step_size=number(5e-3, 0.1)):
    """Take a Langevin step towards likelier states."""
    noise_key, accept_key = jax.random.split(key)

    def drift(x):
        energy, gradient = jax.value_and_grad(potential_energy)(x)
        if maybe("truncated_drift", 0.6):
            # Truncated, since steep tails would throw the chain far away.
            norm = jnp.sqrt(jnp.sum(gradient**2) + 1e-6)
            gradient = gradient * jnp.minimum(1.0, 10.0 / norm)
        else:
            gradient = 10.0 * jnp.tanh(gradient / 10.0)
        return energy, x - step_size * gradient

    energy, center = drift(position)
    noise = jax.random.normal(noise_key, position.shape, position.dtype)
    proposal = center + jnp.sqrt(2 * step_size) * noise
    if maybe("reflect_walls", 0.25):
        # Keeps the chain in a box.
        proposal = jnp.clip(proposal, -10.0, 10.0)
    if maybe("unadjusted", 0.35):
        return proposal, potential_energy(proposal)
    new_energy, back = drift(proposal)
    forward_cost = jnp.sum((proposal - center) ** 2) / (4 * step_size)
    backward_cost = jnp.sum((position - back) ** 2) / (4 * step_size)
    log_ratio = energy - new_energy + forward_cost - backward_cost
    accept = jnp.log(jax.random.uniform(accept_key, minval=1e-6)) < log_ratio
    return jnp.where(accept, proposal, position), jnp.where(accept, new_energy, energy)


@sketch(
    takes={"spins": "mask bool[y, x]: up or down", "key": "key", "field?": "field f[y, x]"},
    gives=("f[y, x]: spins", "energy f[]"),
    sizes={"y": (4, 32), "x": (4, 32)},
    also=("Sweep an Ising model with checkerboard Gibbs updates.",),
)
def ising_gibbs(spins, key, field=None, coupling=number(0.1, 0.6), num_sweeps=integer(1, 4)):
    """Resample the spins of a lattice given their neighbors."""
    height, width = spins.shape
    if height < 2 or width < 2:
        raise ValueError(f"a lattice of {height} by {width} has no neighbors")
    spins = jnp.where(spins, 1.0, -1.0)
    rows, columns = jnp.indices((height, width))
    black = (rows + columns) % 2 == 0

    def neighbor_sum(spins):
        return sum(jnp.roll(spins, shift, axis) for axis in (0, 1) for shift in (1, -1))

    def sweep(spins, sweep_key):
        # Cells of one color do not interact, so that all of them move at once.
        for color, color_key in zip((black, ~black), jax.random.split(sweep_key)):
            local = coupling * neighbor_sum(spins)
            if field is not None:
                local = local + field
            up = jax.nn.sigmoid(2.0 * local)
            drawn = jax.random.uniform(color_key, spins.shape) < up
            spins = jnp.where(color, jnp.where(drawn, 1.0, -1.0), spins)
        return spins

    if maybe("scan_sweeps"):
        keys = jax.random.split(key, num_sweeps)
        spins, _ = jax.lax.scan(lambda s, k: (sweep(s, k), None), spins, keys)
    else:
        for i in range(num_sweeps):
            spins = sweep(spins, jax.random.fold_in(key, i))
    energy = -0.5 * coupling * jnp.sum(spins * neighbor_sum(spins))
    if field is not None:
        energy = energy - jnp.sum(field * spins)
    if maybe("energy_per_site", 0.4):
        energy = energy / spins.size
    return spins, energy


@sketch(
    takes={"replicas": "samples f[r, n]: coldest first", "key": "key"},
    gives=("samples f[r, n]", "i[r]: order"),
    sizes={"r": (2, 16), "n": (1, 32)},
    also=("Exchange neighboring replicas of a tempered ensemble.",),
)
def temper_replicas(replicas, key, hottest=one_of(4.0, 10.0, 25.0)):
    """Propose swaps between chains at neighboring temperatures."""
    num_replicas = replicas.shape[0]
    if maybe("geometric_ladder", 0.6):
        temperatures = jnp.geomspace(1.0, hottest, num_replicas)
    else:
        temperatures = jnp.linspace(1.0, hottest, num_replicas)
    inverse = (1.0 / temperatures).astype(replicas.dtype)
    energies = jax.vmap(potential_energy)(replicas)
    order = jnp.arange(num_replicas)
    uniforms = jax.random.uniform(key, (num_replicas,), minval=1e-6)
    if maybe("odd_even"):
        # Pairs (0, 1), (2, 3), ... at once.
        partner = jnp.minimum(order ^ 1, num_replicas - 1)
        log_ratio = (inverse - inverse[partner]) * (energies - energies[partner])
        lower = jnp.minimum(order, partner)
        swap = jnp.log(uniforms[lower]) < log_ratio
        order = jnp.where(swap, partner, order)
    else:
        for i in range(num_replicas - 1):
            gap = energies[order[i]] - energies[order[i + 1]]
            swap = jnp.log(uniforms[i]) < (inverse[i] - inverse[i + 1]) * gap
            exchanged = order.at[i].set(order[i + 1]).at[i + 1].set(order[i])
            order = jnp.where(swap, exchanged, order)
    return replicas[order], order


@sketch(
    takes={"position": "vector f[n]", "key": "key"},
    gives="vector f[n]",
    sizes={"n": (1, 32)},
    also=("Move along random directions with slice sampling.",),
)
def slice_transition(position, key, width=number(0.5, 3.0), num_shrinks=integer(3, 8)):
    """Draw a point from a slice of a density by shrinking an interval."""
    direction_key, level_key, place_key, try_key = jax.random.split(key, 4)
    direction = jax.random.normal(direction_key, position.shape, position.dtype)
    direction = direction / (jnp.sqrt(jnp.sum(direction**2)) + 1e-3)
    level = potential_energy(position) + one_of(
        jax.random.exponential(level_key),
        -jnp.log(jax.random.uniform(level_key, minval=1e-6)),
    )
    low = -width * jax.random.uniform(place_key, minval=0.1, maxval=0.9)
    high = low + width
    shares = jax.random.uniform(try_key, (num_shrinks,))
    offset = jnp.zeros_like(low)
    found = jnp.zeros((), bool)
    for i in range(num_shrinks):
        attempt = low + shares[i] * (high - low)
        inside = potential_energy(position + attempt * direction) <= level
        # The first attempt inside of the slice counts.
        offset = jnp.where(inside & ~found, attempt, offset)
        found = found | inside
        low = jnp.where(attempt < 0, attempt, low)
        high = jnp.where(attempt < 0, high, attempt)
    return jnp.where(found, position + offset * direction, position)
