"""Iterations of linear algebra and clustering over sharded data."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch

ROW_AXIS = one_of("rows", "data", "nodes", "ranks")
row_mesh = one_of(
    jax.make_mesh((size("devices"),), (ROW_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (ROW_AXIS,)),
)


@sketch(
    takes={"a": "matrix f[devices*n, devices*n]", "v": "vector f[devices*n]: first guess"},
    gives=("vector f[devices*n]", "f[]: eigenvalue"),
    sizes={"devices": {2, 4, 8}, "n": (1, 6)},
    also=("Iterate towards the leading eigenvector with a vector in parts.",),
)
def sharded_power_iteration(a, v, num_iters=integer(4, 20)):
    """Run power iteration on a matrix whose rows are divided over devices."""

    def iterate(rows, v):
        def multiply(v):
            whole = jax.lax.all_gather(v, ROW_AXIS, tiled=True)
            return rows @ whole

        def step(_, v):
            w = multiply(v)
            if maybe("shift", 0.3):
                w = w + one_of(0.5, 1.0) * v
            norm = jnp.sqrt(jax.lax.psum(jnp.vdot(w, w), ROW_AXIS))
            return w / (norm + 1e-6)

        if maybe("start at ones", 0.3):
            v = jnp.ones_like(v)
        v = jax.lax.fori_loop(0, num_iters, step, v)
        top = jax.lax.psum(jnp.vdot(v, multiply(v)), ROW_AXIS)
        if maybe("quotient"):
            top = top / (jax.lax.psum(jnp.vdot(v, v), ROW_AXIS) + 1e-6)
        return v, top

    specs = P(ROW_AXIS)
    sharded_iterate = jax.shard_map(
        iterate, mesh=row_mesh, in_specs=(specs, specs), out_specs=(specs, P()), check_vma=False
    )
    if maybe("symmetrize"):
        a = (a + a.T) / 2
    return sharded_iterate(a, v)


@sketch(
    takes={"x": "features f[devices*n, d]", "y": "targets f[devices*n]"},
    gives=("f[d]: coefficients", "metric f[]: residual"),
    sizes={"devices": {2, 4, 8}, "n": (2, 16), "d": (2, 16)},
    also=("Fit ridge regression by conjugate gradients on sharded examples.",),
)
def sharded_ridge_cg(x, y, ridge=number(1e-2, 1.0), num_iters=integer(3, 10)):
    """Solve the normal equations of ridge regression without gathering the examples."""

    @functools.partial(
        jax.shard_map,
        mesh=row_mesh,
        in_specs=(P(ROW_AXIS), P(ROW_AXIS)),
        out_specs=(P(), P()),
        check_vma=False,
    )
    def solve(x, y):
        def normal(v):
            return jax.lax.psum(x.T @ (x @ v), ROW_AXIS) + ridge * v

        rhs = jax.lax.psum(x.T @ y, ROW_AXIS)
        if maybe("library", 0.3):
            w, _ = jax.scipy.sparse.linalg.cg(normal, rhs, maxiter=num_iters)
            return w, jnp.linalg.norm(rhs - normal(w))

        def step(_, state):
            w, residual, direction, square = state
            product = normal(direction)
            alpha = square / (jnp.vdot(direction, product) + 1e-10)
            w = w + alpha * direction
            residual = residual - alpha * product
            new_square = jnp.vdot(residual, residual)
            direction = residual + new_square / (square + 1e-10) * direction
            return w, residual, direction, new_square

        state = jnp.zeros_like(rhs), rhs, rhs, jnp.vdot(rhs, rhs)
        w, residual, _, square = jax.lax.fori_loop(0, num_iters, step, state)
        return w, one_of(jnp.sqrt(square), jnp.max(jnp.abs(residual)))

    return solve(x, y)


@sketch(
    takes={"x": "points f[devices*n, d]", "centers": "points f[k, d]"},
    gives=("points f[k, d]: centers", "metric f[]: inertia"),
    sizes={"devices": {2, 4, 8}, "n": (2, 32), "d": (2, 16), "k": (2, 8)},
    also=("Move the centers of clusters whose points lie on several devices.",),
)
def sharded_kmeans_step(x, centers):
    """Take a k-means step over points in shards."""

    def step(x, centers):
        if maybe("expanded"):
            squares = jnp.sum(x**2, axis=1)[:, None] - 2 * x @ centers.T
            distances = squares + jnp.sum(centers**2, axis=1)
        else:
            distances = jnp.sum((x[:, None] - centers) ** 2, axis=-1)
        if maybe("soft", 0.3):
            assigned = jax.nn.softmax(-distances / one_of(1.0, 0.5), axis=-1)
        else:
            nearest = jnp.argmax(-distances, axis=-1)
            assigned = jax.nn.one_hot(nearest, centers.shape[0], dtype=x.dtype)
        sums = jax.lax.psum(assigned.T @ x, ROW_AXIS)
        counts = jax.lax.psum(jnp.sum(assigned, axis=0), ROW_AXIS)
        moved = sums / jnp.maximum(counts, 1e-3)[:, None]
        # A cluster without points stays where it is.
        moved = jnp.where(counts[:, None] > 1e-3, moved, centers)
        inertia = jax.lax.psum(jnp.sum(assigned * distances), ROW_AXIS)
        return moved, inertia

    def run(x, centers):
        for _ in range(one_of(1, 2, 4)):
            centers, inertia = step(x, centers)
        return centers, inertia

    return jax.shard_map(run, mesh=row_mesh, in_specs=(P(ROW_AXIS), P()), out_specs=(P(), P()))(
        x, centers
    )


@sketch(
    takes={"x": "matrix f[devices*n, d]", "y": "matrix f[devices*m, d]"},
    gives="matrix f[devices*n, devices*m]",
    sizes={"devices": {2, 4, 8}, "n": (1, 12), "m": (1, 12), "d": (2, 32)},
    also=("Fill a matrix of products while blocks of one factor go around.",),
)
def ring_product(x, y):
    """Multiply two sharded matrices with blocks of the second in a ring."""

    def multiply(x, y):
        rank = jax.lax.axis_index(ROW_AXIS)
        count = jax.lax.axis_size(ROW_AXIS)
        backward = [(i, (i - 1) % count) for i in range(count)]
        size_of_block = y.shape[0]

        def step(i, carry):
            out, block = carry
            if maybe("kernel", 0.3):
                gaps = jnp.sum((x[:, None] - block) ** 2, axis=-1)
                part = jnp.exp(-one_of(0.5, 0.1) * gaps)
            else:
                part = x @ block.T
            column = (rank + i) % count * size_of_block
            out = jax.lax.dynamic_update_slice(out, part, (0, column))
            return out, jax.lax.ppermute(block, ROW_AXIS, backward)

        out = jnp.zeros((x.shape[0], count * size_of_block), x.dtype)
        if maybe("unrolled"):
            for i in range(count):
                out, y = step(i, (out, y))
            return out
        out, _ = jax.lax.fori_loop(0, count, step, (out, y))
        return out

    specs = P(ROW_AXIS)
    return jax.shard_map(
        multiply, mesh=row_mesh, in_specs=(specs, specs), out_specs=specs, check_vma=False
    )(x, y)


@sketch(
    takes={"positions": "points f[devices*n, 3]", "masses": "f[devices*n]"},
    gives="forces f[devices*n, 3]",
    sizes={"devices": {2, 4, 8}, "n": (1, 16)},
    also=("Let groups of bodies visit all devices, and add up their pull.",),
)
def ring_gravity(positions, masses, softening=one_of(0.1, 0.3, 0.5)):
    """Compute gravity between bodies on several devices by a ring of visits."""

    def visit(positions, masses):
        masses = jnp.abs(masses)

        def pull(visitors, weights):
            offsets = visitors[None] - positions[:, None]
            squares = jnp.sum(offsets**2, axis=-1) + softening**2
            strength = weights * one_of(squares**-1.5, jax.lax.rsqrt(squares) / squares)
            return jnp.einsum("ij,ijk->ik", strength, offsets)

        count = jax.lax.axis_size(ROW_AXIS)
        ring = [(i, (i + 1) % count) for i in range(count)]
        total = pull(positions, masses)
        visitors, weights = positions, masses
        for _ in range(count - 1):
            visitors, weights = jax.lax.ppermute((visitors, weights), ROW_AXIS, ring)
            total = total + pull(visitors, weights)
        return total * masses[:, None] if maybe("force") else total

    specs = P(ROW_AXIS)
    return jax.shard_map(visit, mesh=row_mesh, in_specs=(specs, specs), out_specs=specs)(
        positions, masses
    )


@sketch(
    takes={"gradients": "vector f[devices, devices*n]: one vector per device"},
    gives="vector f[devices*n]",
    sizes={"devices": {2, 4, 8}, "n": (1, 32)},
    also=("Reduce and gather in a ring, one chunk of the vectors at a time.",),
)
def ring_all_reduce(gradients):
    """Add vectors of all devices up by passing chunks to the neighbour."""

    def reduce(vector):
        count = jax.lax.axis_size(ROW_AXIS)
        rank = jax.lax.axis_index(ROW_AXIS)
        ring = [(i, (i + 1) % count) for i in range(count)]
        chunks = vector.reshape(count, -1)
        # First every device gets the sum of one chunk.
        held = chunks[(rank - 1) % count] if maybe("behind", 0.3) else chunks[rank]
        start = rank - 1 if maybe("behind", 0.3) else rank
        for i in range(1, count):
            held = jax.lax.ppermute(held, ROW_AXIS, ring)
            held = held + chunks[(start - i) % count]
        if maybe("mean", 0.4):
            held = held / count
        # Then the sums travel on until all devices have all of them.
        place = (start - count + 1) % count
        out = jnp.zeros_like(chunks).at[place].set(held)
        for i in range(1, count):
            held = jax.lax.ppermute(held, ROW_AXIS, ring)
            out = out.at[(place - i) % count].set(held)
        return out.reshape(-1)

    return jax.pmap(reduce, axis_name=ROW_AXIS, out_axes=None)(gradients)


@sketch(
    takes={"x": "matrix f[devices*n, d]"},
    gives=("orthogonal f[devices*n, d]", "triangular f[d, d]"),
    sizes={"devices": {2, 4, 8}, "n": (4, 16), "d": (2, 4)},
    also=("Factor the blocks first, and then their stacked triangles.",),
)
def tall_skinny_qr(x, ridge=one_of(1e-3, 1e-2)):
    """Compute the QR factorization of a tall matrix in row blocks."""

    def factor(block):
        if maybe("cholesky"):
            gram = jax.lax.psum(block.T @ block, ROW_AXIS)
            gram = gram + ridge * jnp.eye(gram.shape[0], dtype=x.dtype)
            r = jnp.linalg.cholesky(gram).T
            q = jax.scipy.linalg.solve_triangular(r.T, block.T, lower=True).T
            return q, r
        q_local, r_local = jnp.linalg.qr(block)
        stacked = jax.lax.all_gather(r_local, ROW_AXIS, tiled=True)
        q_top, r = jnp.linalg.qr(stacked)
        width = block.shape[1]
        start = jax.lax.axis_index(ROW_AXIS) * width
        return q_local @ jax.lax.dynamic_slice_in_dim(q_top, start, width), r

    specs = P(ROW_AXIS)
    return jax.shard_map(
        factor, mesh=row_mesh, in_specs=specs, out_specs=(specs, P()), check_vma=False
    )(x)


@sketch(
    takes={"links": "f[devices*n, devices*n]: strengths of links", "start": "f[devices*n]"},
    gives="f[devices*n]: ranks",
    sizes={"devices": {2, 4, 8}, "n": (1, 8)},
    also=("Rank pages whose incoming links are divided over devices.",),
)
def sharded_page_rank(links, start, damping=one_of(0.85, 0.9), num_iters=integer(5, 20)):
    """Iterate PageRank with each device responsible for some of the pages."""

    def iterate(rows, ranks):
        num_pages = rows.shape[1]
        weights = jnp.abs(rows) + 1e-3
        weights = weights / jax.lax.psum(jnp.sum(weights, axis=0), ROW_AXIS)

        def step(ranks):
            spread = weights @ jax.lax.all_gather(ranks, ROW_AXIS, tiled=True)
            return (1 - damping) / num_pages + damping * spread

        if maybe("uniform start"):
            ranks = jnp.full_like(ranks, 1 / num_pages)
        else:
            ranks = jnp.exp(ranks - jax.lax.pmax(jnp.max(ranks), ROW_AXIS))
            ranks = ranks / jax.lax.psum(jnp.sum(ranks), ROW_AXIS)
        if maybe("until converged", 0.4):

            def is_moving(state):
                i, _, change = state
                return (i < num_iters) & (change > one_of(1e-4, 1e-3))

            def advance(state):
                i, ranks, _ = state
                new = step(ranks)
                return i + 1, new, jax.lax.psum(jnp.sum(jnp.abs(new - ranks)), ROW_AXIS)

            _, ranks, _ = jax.lax.while_loop(is_moving, advance, (0, ranks, jnp.array(1.0)))
            return ranks
        return jax.lax.fori_loop(0, num_iters, lambda _, ranks: step(ranks), ranks)

    specs = P(ROW_AXIS)
    return jax.shard_map(
        iterate, mesh=row_mesh, in_specs=(specs, specs), out_specs=specs, check_vma=False
    )(links, start)
