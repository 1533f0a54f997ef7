"""Grids in slabs, one on each device, that exchange their edges."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch

SLAB_AXIS = one_of("x", "rows", "i", "space")
slab_mesh = one_of(
    jax.make_mesh((size("devices"),), (SLAB_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (SLAB_AXIS,)),
)


def with_neighbours(block, width=1):
    """Pad a block by the edges of the neighbours' blocks, around the ring."""
    count = jax.lax.axis_size(SLAB_AXIS)
    from_left = [(i, (i + 1) % count) for i in range(count)]
    from_right = [(i, (i - 1) % count) for i in range(count)]
    before = jax.lax.ppermute(block[-width:], SLAB_AXIS, from_left)
    after = jax.lax.ppermute(block[:width], SLAB_AXIS, from_right)
    return jnp.concatenate([before, block, after])


@sketch(
    takes={"u": "field f[devices*n, m]: temperature"},
    gives="field f[devices*n, m]",
    sizes={"devices": {2, 4, 8}, "n": (2, 16), "m": (3, 32)},
    also=("Solve the heat equation with slabs of the grid on the devices.",),
    weight=1.5,
)
def sharded_heat_flow(u, rate=number(0.02, 0.24), num_steps=integer(2, 10)):
    """Diffuse heat on a grid that is cut into slabs."""

    def step(u):
        padded = with_neighbours(u)
        if maybe("nine points", 0.3):
            vertical = padded[:-2] + padded[2:]
            sides = jnp.roll(padded, 1, axis=1) + jnp.roll(padded, -1, axis=1)
            diagonal = sides[:-2] + sides[2:]
            laplacian = (4 * (vertical + sides[1:-1]) + diagonal - 20 * u) / 6
        elif maybe("insulated sides"):
            vertical = padded[:-2] + padded[2:] - 2 * u
            wide = jnp.pad(u, ((0, 0), (1, 1)), mode="edge")
            laplacian = vertical + wide[:, :-2] + wide[:, 2:] - 2 * u
        else:
            vertical = padded[:-2] + padded[2:]
            laplacian = vertical + jnp.roll(u, 1, axis=1) + jnp.roll(u, -1, axis=1) - 4 * u
        return u + rate * laplacian

    def evolve(u):
        if maybe("scan"):
            u, _ = jax.lax.scan(lambda u, _: (step(u), None), u, length=num_steps)
            return u
        return jax.lax.fori_loop(0, num_steps, lambda _, u: step(u), u)

    specs = P(SLAB_AXIS, None)
    return jax.shard_map(evolve, mesh=slab_mesh, in_specs=specs, out_specs=specs)(u)


@sketch(
    takes={"u": "field f[devices*n]: displacement", "v": "f[devices*n]: velocity"},
    gives=("field f[devices*n]", "energy f[]"),
    sizes={"devices": {2, 4, 8}, "n": (4, 32)},
    also=("Propagate a wave along a string that lies on several devices.",),
)
def sharded_wave(u, v, speed=number(0.1, 0.9), num_steps=integer(3, 12)):
    """Step the wave equation with leapfrog over a sharded line, and sum its energy."""

    def propagate(u, v):
        def with_ends(u):
            if maybe("fixed ends"):
                padded = with_neighbours(u)
                rank = jax.lax.axis_index(SLAB_AXIS)
                is_first = rank == 0
                is_last = rank == jax.lax.axis_size(SLAB_AXIS) - 1
                padded = padded.at[0].set(jnp.where(is_first, 0.0, padded[0]))
                return padded.at[-1].set(jnp.where(is_last, 0.0, padded[-1]))
            return with_neighbours(u)

        def acceleration(u):
            padded = with_ends(u)
            return speed**2 * (padded[:-2] - 2 * u + padded[2:])

        def leapfrog(_, state):
            u, v = state
            if maybe("drift first", 0.4):
                u = u + 0.5 * v
                v = v + acceleration(u)
                return u + 0.5 * v, v
            v = v + 0.5 * acceleration(u)
            u = u + v
            return u, v + 0.5 * acceleration(u)

        u, v = jax.lax.fori_loop(0, num_steps, leapfrog, (u, v))
        stretch = one_of(jnp.diff(with_ends(u)), with_ends(u)[1:] - with_ends(u)[:-1])
        squares = jnp.sum(stretch[1:] ** 2)
        if maybe("fixed ends"):
            # The first device also has what lies between the wall and its first point.
            is_first = jax.lax.axis_index(SLAB_AXIS) == 0
            squares = squares + jnp.where(is_first, stretch[0] ** 2, 0.0)
        kinetic, potential = jnp.sum(v**2) / 2, speed**2 * squares / 2
        return u, jax.lax.psum(kinetic + potential, SLAB_AXIS)

    specs = P(SLAB_AXIS)
    sharded_propagate = jax.shard_map(
        propagate, mesh=slab_mesh, in_specs=(specs, specs), out_specs=(specs, P())
    )
    return sharded_propagate(u, v)


@sketch(
    takes={"image": "image f[devices*n, m]", "kernel": "kernel f[k, k]"},
    gives="image f[devices*n, m]",
    sizes={"devices": {2, 4, 8}, "n": (4, 16), "m": (6, 32), "k": {3, 5}},
    also=("Filter an image in strips that overlap by a halo.",),
)
def halo_convolution(image, kernel):
    """Convolve an image whose rows are divided over devices."""
    reach = kernel.shape[0] // 2

    @functools.partial(
        jax.shard_map, mesh=slab_mesh, in_specs=(P(SLAB_AXIS), P()), out_specs=P(SLAB_AXIS)
    )
    def convolve(strip, kernel):
        padded = with_neighbours(strip, reach)
        if maybe("zero border"):
            # Nothing lies above the first strip and below the last one.
            rank, count = jax.lax.axis_index(SLAB_AXIS), jax.lax.axis_size(SLAB_AXIS)
            row = rank * strip.shape[0] - reach + jnp.arange(padded.shape[0])
            is_inside = (row >= 0) & (row < count * strip.shape[0])
            padded = jnp.where(is_inside[:, None], padded, 0.0)
            padded = jnp.pad(padded, ((0, 0), (reach, reach)))
        else:
            padded = jnp.pad(padded, ((0, 0), (reach, reach)), mode=one_of("wrap", "edge"))
        if maybe("library"):
            return jax.scipy.signal.convolve2d(padded, kernel, mode="valid")
        return jax.lax.conv_general_dilated(
            padded[None, None], kernel[None, None], window_strides=(1, 1), padding="VALID"
        )[0, 0]

    return convolve(image, kernel)


@sketch(
    takes={"board": "bool[devices*n, m]: living cells"},
    gives="bool[devices*n, m]",
    sizes={"devices": {2, 4, 8}, "n": (2, 16), "m": (4, 48)},
    also=("Play the game of life on a torus of cells in slabs.",),
)
def sharded_life(board, num_steps=integer(1, 8)):
    """Evolve a cellular automaton whose rows lie on several devices."""

    def evolve(board):
        def step(_, board):
            cells = with_neighbours(board).astype(jnp.int32)
            if maybe("separable"):
                rows = cells + jnp.roll(cells, 1, axis=1) + jnp.roll(cells, -1, axis=1)
                neighbours = rows[:-2] + rows[1:-1] + rows[2:] - cells[1:-1]
            else:
                shifted = [
                    jnp.roll(cells, shift, axis=1)[row : row + board.shape[0]]
                    for row in range(3)
                    for shift in (-1, 0, 1)
                    if (row, shift) != (1, 0)
                ]
                neighbours = sum(shifted)
            if maybe("high life", 0.3):
                is_born = (neighbours == 3) | (neighbours == 6)
            else:
                is_born = neighbours == 3
            return is_born | (board & (neighbours == 2)) | (board & (neighbours == 3))

        return jax.lax.fori_loop(0, num_steps, step, board)

    specs = P(SLAB_AXIS)
    return jax.shard_map(evolve, mesh=slab_mesh, in_specs=specs, out_specs=specs)(board)


@sketch(
    takes={"source": "field f[devices*n, m]: right-hand side"},
    gives=("field f[devices*n, m]", "metric f[]: residual"),
    sizes={"devices": {2, 4, 8}, "n": (2, 12), "m": (4, 32)},
    also=("Relax Poisson's equation in slabs, and report the residual of all.",),
)
def sharded_relaxation(source, num_sweeps=integer(4, 20), omega=one_of(0.6, 0.8, 1.0)):
    """Solve Poisson's equation by sweeps of relaxation over sharded rows."""

    def solve(source):
        if maybe("zero mean", 0.7):
            # Around a torus a solution needs a source without a mean.
            source = source - jax.lax.pmean(jnp.mean(source), SLAB_AXIS)

        def neighbours(u):
            padded = with_neighbours(u)
            sides = jnp.roll(u, 1, axis=1) + jnp.roll(u, -1, axis=1)
            return padded[:-2] + padded[2:] + sides

        def sweep(_, u):
            if maybe("red black", 0.4):
                # The black points already see the new values of the red ones.
                first = jax.lax.axis_index(SLAB_AXIS) * u.shape[0]
                rows = first + jnp.arange(u.shape[0])[:, None]
                is_red = (rows + jnp.arange(u.shape[1])) % 2 == 0
                u = jnp.where(is_red, (neighbours(u) + source) / 4, u)
                return jnp.where(is_red, u, (neighbours(u) + source) / 4)
            return (1 - omega) * u + omega * (neighbours(u) + source) / 4

        u = jax.lax.fori_loop(0, num_sweeps, sweep, jnp.zeros_like(source))
        residual = neighbours(u) - 4 * u + source
        if maybe("largest"):
            return u, jax.lax.pmax(jnp.max(jnp.abs(residual)), SLAB_AXIS)
        return u, jnp.sqrt(jax.lax.pmean(jnp.mean(residual**2), SLAB_AXIS))

    specs = P(SLAB_AXIS)
    return jax.shard_map(
        solve, mesh=slab_mesh, in_specs=specs, out_specs=(specs, P()), check_vma=False
    )(source)


@sketch(
    takes={"q": "field f[rows*n, cols*m]: a tracer"},
    gives="field f[rows*n, cols*m]",
    sizes={"rows": {2, 4}, "cols": {2}, "n": (2, 16), "m": (2, 16)},
    also=("Advect a tracer with blocks of the grid on a two-dimensional mesh.",),
)
def blockwise_advection(
    q, wind=one_of((0.4, 0.2), (0.3, -0.3), (0.5, 0.25)), num_steps=integer(2, 8)
):
    """Carry a tracer with the wind over a grid in blocks, by upwind differences."""
    mesh = jax.make_mesh(
        (size("rows"), size("cols")), ("y", "x"), axis_types=(AxisType.Auto, AxisType.Auto)
    )

    def edge(block, axis, name, step):
        count = jax.lax.axis_size(name)
        ring = [(i, (i + step) % count) for i in range(count)]
        place = -1 if step > 0 else 0
        strip = jax.lax.index_in_dim(block, place % block.shape[axis], axis)
        return jax.lax.ppermute(strip, name, ring)

    def upwind(block, axis, name, speed):
        if speed > 0:
            before = edge(block, axis, name, 1)
            shifted = jax.lax.concatenate([before, block], axis)
            shifted = jax.lax.slice_in_dim(shifted, 0, block.shape[axis], axis=axis)
            return speed * (block - shifted)
        after = edge(block, axis, name, -1)
        shifted = jax.lax.concatenate([block, after], axis)
        shifted = jax.lax.slice_in_dim(shifted, 1, None, axis=axis)
        return speed * (shifted - block)

    def evolve(block):
        def step(_, block):
            if maybe("split"):
                block = block - upwind(block, 0, "y", wind[0])
                return block - upwind(block, 1, "x", wind[1])
            return block - upwind(block, 0, "y", wind[0]) - upwind(block, 1, "x", wind[1])

        return jax.lax.fori_loop(0, num_steps, step, block)

    specs = P("y", "x")
    return jax.shard_map(evolve, mesh=mesh, in_specs=specs, out_specs=specs)(q)
