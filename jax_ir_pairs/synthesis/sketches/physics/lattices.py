"""Models on lattices: automata, spins, patterns."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _count_neighbours(cells):
    if maybe("count_by_roll"):
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        return sum(jnp.roll(cells, shift, axis=(0, 1)) for shift in shifts)
    else:
        # The sum over a block of nine, without the cell itself.
        wrapped = jnp.pad(cells, 1, mode="wrap")
        block = jax.lax.reduce_window(wrapped, 0, jax.lax.add, (3, 3), (1, 1), "VALID")
        return block - cells


@sketch(
    takes={"alive": "mask bool[ny, nx]"},
    gives=("i32[ny, nx]: cells", "i32[t]: population"),
    sizes={"ny": (6, 128), "nx": (6, 128), "t": (2, 16)},
    also=("Run Conway's Game of Life and count the living cells.",),
)
def game_of_life(alive, generations=size("t")):
    """Play the Game of Life on a torus."""
    if alive.ndim != 2:
        raise ValueError(f"a world has two axes, got {alive.ndim}")

    def generation(cells, _):
        neighbours = _count_neighbours(cells)
        if maybe("high_life", 0.3):
            # HighLife: six neighbours also give birth.
            born = (neighbours == 3) | (neighbours == 6)
        else:
            born = neighbours == 3
        if maybe("survive_by_bounds"):
            survives = (cells == 1) & (neighbours >= 2) & (neighbours <= 3)
        else:
            survives = (cells == 1) & ((neighbours == 2) | (neighbours == 3))
        cells = one_of(jnp.where(born | survives, 1, 0), (born | survives).astype(jnp.int32))
        return cells, jnp.sum(cells)

    return jax.lax.scan(generation, alive.astype(jnp.int32), None, length=generations)


@sketch(
    takes={"spins": "mask bool[ny, nx]: which spins point up"},
    gives=("energy f32[]", "metric f32[]: magnetization"),
    sizes={"ny": (4, 128), "nx": (4, 128)},
)
def ising_energy(spins, coupling=number(0.2, 2.0), field=one_of(0.0, 0.1, -0.2)):
    """Measure energy and magnetization of a periodic Ising configuration."""
    s = one_of(2.0 * spins.astype(jnp.float32) - 1.0, jnp.where(spins, 1.0, -1.0))
    right = jnp.roll(s, -1, axis=1)
    below = jnp.roll(s, -1, axis=0)
    # Each bond is counted once.
    bonds = s * right + s * below
    if maybe("diagonal_bonds", 0.3):
        bonds = bonds + number(0.1, 0.5) * s * jnp.roll(right, -1, axis=0)
    energy = -coupling * jnp.mean(bonds)
    if field:
        energy = energy - field * jnp.mean(s)
    return energy, one_of(jnp.mean(s), jnp.abs(jnp.mean(s)))


@sketch(
    takes={"key": "key", "spins": "mask bool[n, n]"},
    gives="f32[n, n]: spins",
    sizes={"n": (4, 64)},
    also=("Sample spins by heat-bath updates of alternating sublattices.",),
)
def checkerboard_ising(key, spins, beta=number(0.1, 0.8), num_sweeps=integer(1, 10)):
    """Update an Ising lattice, one color of its checkerboard after the other."""
    n, _ = spins.shape
    s = jnp.where(spins, 1.0, -1.0)
    row, col = jnp.indices((n, n))
    color = (row + col) % 2

    def update(s, key, which):
        local = sum(jnp.roll(s, shift, axis) for axis in (0, 1) for shift in (1, -1))
        if maybe("heat_bath"):
            up = jax.nn.sigmoid(2.0 * beta * local)
            proposal = jnp.where(jax.random.uniform(key, s.shape) < up, 1.0, -1.0)
        else:
            # Metropolis: flip with probability min(1, exp(-dE)).
            accept = jnp.exp(jnp.minimum(-2.0 * beta * s * local, 0.0))
            proposal = jnp.where(jax.random.uniform(key, s.shape) < accept, -s, s)
        return jnp.where(color == which, proposal, s)

    def sweep(s, key):
        for which, subkey in enumerate(jax.random.split(key)):
            s = update(s, subkey, which)
        return s, None

    return jax.lax.scan(sweep, s, jax.random.split(key, num_sweeps))[0]


def _ring_laplacian(u):
    return sum(jnp.roll(u, s, axis=a) for a in (0, 1) for s in (-1, 1)) - 4 * u


@sketch(
    takes={"u": "field f[ny, nx]", "v": "field f[ny, nx]"},
    gives=("field f[ny, nx]: activator", "field f[ny, nx]: inhibitor"),
    sizes={"ny": (8, 64), "nx": (8, 64)},
    dtypes="f32 f64",
    also=("Let two substances react and diffuse until patterns form.",),
)
def reaction_diffusion(u, v, dt=number(0.05, 0.3), num_steps=integer(5, 50)):
    """Grow a Turing pattern from two reacting and diffusing substances."""
    if maybe("gray_scott"):
        feed, kill = number(0.02, 0.06), number(0.05, 0.07)
        u, v = jax.nn.sigmoid(u), 0.5 * jax.nn.sigmoid(v)

        def react(u, v):
            # Gray-Scott: U + 2V -> 3V.
            uvv = u * v * v
            return feed * (1.0 - u) - uvv, uvv - (feed + kill) * v
    else:
        u, v = jnp.tanh(u), jnp.tanh(v)

        def react(u, v):
            # FitzHugh-Nagumo kinetics.
            u_bounded = jnp.clip(u, -2.0, 2.0)
            return u_bounded - u_bounded**3 - v, number(0.05, 0.5) * (u - number(0.5, 1.5) * v)

    diffusion = one_of((0.16, 0.08), (0.2, 0.6), (0.1, 0.4))

    def step(_, state):
        u, v = state
        du, dv = react(u, v)
        u = u + dt * (diffusion[0] * _ring_laplacian(u) + du)
        v = v + dt * (diffusion[1] * _ring_laplacian(v) + dv)
        return u, v

    return jax.lax.fori_loop(0, num_steps, step, (u, v))


@sketch(
    takes={"phase": "field f[ny, nx]: order parameter"},
    gives=("field f[ny, nx]: phase", "energy f[]"),
    sizes={"ny": (8, 64), "nx": (8, 64)},
    dtypes="f32 f64",
)
def coarsen_phases(
    phase, width=number(0.5, 1.5), mobility=number(0.01, 0.05), num_steps=integer(5, 40)
):
    """Let two phases separate and coarsen, and measure their free energy."""
    phase = one_of(jnp.tanh(phase), jnp.clip(phase, -1.0, 1.0))

    def chemical_potential(c):
        bounded = jnp.clip(c, -1.5, 1.5)
        return bounded**3 - bounded - width * _ring_laplacian(c)

    def step(c, _):
        mu = chemical_potential(c)
        if maybe("conserved"):
            # Cahn-Hilliard: the phase only moves, none is made.
            c = c + mobility * _ring_laplacian(mu)
        else:
            # Allen-Cahn.
            c = c - mobility * one_of(mu, mu - jnp.mean(mu))
        return c, None

    phase, _ = jax.lax.scan(step, phase, None, length=num_steps)
    gradient = [jnp.roll(phase, -1, axis) - phase for axis in range(phase.ndim)]
    interface = 0.5 * width * sum(jnp.mean(g * g) for g in gradient)
    bulk = 0.25 * jnp.mean((jnp.clip(phase, -1.5, 1.5) ** 2 - 1.0) ** 2)
    return phase, bulk + interface
