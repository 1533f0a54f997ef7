"""Chemistry, optics, radiation and finite elements."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"concentrations": "state f[b, 4]"},
    gives="state f[b, 4]",
    sizes={"b": (1, 1024)},
    dtypes="f32 f64",
    also=("Step an enzyme reaction forward by the law of mass action.",),
)
def enzyme_kinetics(concentrations, dt=number(5e-3, 5e-2), num_steps=integer(5, 60)):
    """Follow enzyme, substrate, complex and product by mass-action kinetics."""
    if concentrations.shape[-1] != 4:
        raise ValueError(f"there are four species, got {concentrations.shape[-1]}")
    # E + S <-> ES -> E + P; a column says what a reaction makes and uses up.
    stoichiometry = jnp.array(
        [[-1, 1, 1], [-1, 1, 0], [1, -1, -1], [0, 0, 1]], concentrations.dtype
    )
    k_on, k_off, k_cat = number(0.2, 2.0), number(0.05, 0.5), number(0.1, 1.0)

    def rates(c):
        e, s, es, _ = jnp.split(c, 4, axis=-1) if maybe("split_species") else jnp.hsplit(c, 4)
        return jnp.concatenate([k_on * e * s, k_off * es, k_cat * es], axis=-1)

    def step(_, c):
        change = rates(c) @ stoichiometry.T
        if maybe("patankar", 0.3):
            # Losses are implicit, so that nothing becomes negative.
            gain, loss = jnp.maximum(change, 0), jnp.maximum(-change, 0)
            return (c + dt * gain) / (1 + dt * loss / (c + 1e-3))
        else:
            return jnp.maximum(c + dt * change, 0)

    start = one_of(jax.nn.sigmoid(concentrations), jnp.clip(jnp.abs(concentrations), 0.05, 3.0))
    return jax.lax.fori_loop(0, num_steps, step, start)


@sketch(
    takes={"rays": "rays f[n, 2]: height and angle of each ray"},
    gives=("rays f[n, 2]: traced", "matrix f[2, 2]: system"),
    sizes={"n": (4, 2048)},
    dtypes="f32 bf16 f64",
    also=("Trace paraxial rays through lenses and gaps by transfer matrices.",),
)
def trace_paraxial(
    rays,
    focal_lengths=one_of((2.0, -3.0, 2.0), (1.5, 4.0), (5.0, 2.0, 2.5, -4.0)),
    gap=number(0.2, 2.0),
):
    """Send paraxial rays through a train of thin lenses."""
    if any(f == 0 for f in focal_lengths):
        raise ValueError(f"a lens of focal length 0 in {focal_lengths}")

    def lens(f):
        return jnp.array([[1.0, 0.0], [-1.0 / f, 1.0]], rays.dtype)

    free = jnp.array([[1.0, gap], [0.0, 1.0]], rays.dtype)
    if maybe("reduce_lenses"):
        elements = [free @ lens(f) for f in focal_lengths]
        # Light meets the first lens first, so its matrix stands on the right.
        system = functools.reduce(lambda so_far, element: element @ so_far, elements)
    else:
        system = jnp.eye(2, dtype=rays.dtype)
        for f in focal_lengths:
            system = free @ lens(f) @ system
    if maybe("focal_units", 0.35):
        # Rays may be counted in units of the first focal length.
        rays = rays / abs(focal_lengths[0])
    traced = one_of(rays @ system.T, jnp.einsum("ij,nj->ni", system, rays))
    if maybe("aperture"):
        # What misses the aperture is dropped.
        passes = jnp.abs(rays[:, :1]) < number(1.0, 3.0)
        traced = jnp.where(passes, traced, 0.0)
    return traced, system


@sketch(
    takes={"optical_depth": "f[b, n]: of each layer, from the top", "source": "f[b, n]: emission"},
    gives=("f[b]: radiance", "f[b, n]: transmission"),
    sizes={"b": (1, 128), "n": (4, 256)},
    dtypes="f32 bf16 f64",
    also=("Add up what the layers of an atmosphere emit towards space.",),
)
def emergent_radiance(
    optical_depth, source, cosine=one_of(1.0, 0.5, 0.7), surface=number(0.0, 2.0)
):
    """Integrate the equation of radiative transfer up to the top of the atmosphere."""
    if optical_depth.shape != source.shape:
        raise ValueError(f"layers {optical_depth.shape} do not emit {source.shape}")
    depth = one_of(jax.nn.softplus(optical_depth), jnp.abs(optical_depth)) / cosine
    if maybe("scan_layers", 0.35):
        # From the ground upwards: absorb, then emit.
        def layer(radiance, inputs):
            tau, emitted = inputs
            passed = jnp.exp(-tau)
            return radiance * passed + emitted * (1 - passed), passed

        ground = jnp.full(depth.shape[0], surface, depth.dtype)
        radiance, passed = jax.lax.scan(layer, ground, (depth.T, source.T), reverse=True)
        return radiance, passed.T
    above = jnp.cumsum(depth, axis=1) - depth
    transmission = jnp.exp(-above)
    escaped = transmission * (1.0 - jnp.exp(-depth))
    radiance = jnp.sum(escaped * source, axis=1)
    radiance = radiance + surface * jnp.exp(-jnp.sum(depth, axis=1))
    return radiance, transmission


@sketch(
    takes={"stiffness": "f[n]: of the elements", "load": "f[n]"},
    gives=("signal f[n+1]: displacement", "signal f[n]: stress"),
    sizes={"n": (3, 48)},
    dtypes="f32 f64",
    also=("Assemble and solve linear finite elements on an interval.",),
)
def stretch_elastic_rod(stiffness, load, length=one_of(1.0, 2.0)):
    """Solve for the displacement of a loaded elastic rod with finite elements."""
    (num_elements,) = stiffness.shape
    h = length / num_elements
    moduli = 0.5 + one_of(jax.nn.softplus(stiffness), jnp.abs(stiffness))
    nodes = jnp.stack([jnp.arange(num_elements), jnp.arange(1, num_elements + 1)], axis=1)
    local = jnp.array([[1.0, -1.0], [-1.0, 1.0]], stiffness.dtype)
    blocks = moduli[:, None, None] * local / h
    matrix = jnp.zeros((num_elements + 1, num_elements + 1), stiffness.dtype)
    matrix = matrix.at[nodes[:, :, None], nodes[:, None, :]].add(blocks)
    # Each element gives half of its load to both ends.
    shares = jnp.repeat(0.5 * h * load[:, None], 2, axis=1)
    force = jnp.zeros(num_elements + 1, load.dtype).at[nodes].add(shares)
    if maybe("clamp_by_penalty", 0.4):
        matrix = matrix.at[0, 0].add(one_of(100.0, 1000.0) / h)
        if maybe("clamp_both"):
            matrix = matrix.at[-1, -1].add(100.0 / h)
        u = jax.scipy.linalg.solve(matrix, force, assume_a="pos")
    else:
        # The first node is held, so its row and column go.
        u = jnp.linalg.solve(matrix[1:, 1:], force[1:])
        u = jnp.concatenate([jnp.zeros(1, u.dtype), u])
    stress = moduli * jnp.diff(u) / h
    return u, stress


@sketch(
    takes={
        "vertices": "points f[n, 2]",
        "triangles": "ids i[m, 3]: corners of each triangle",
        "u": "f[n]",
    },
    gives=("f[n]: force", "energy f[]"),
    sizes={"n": (4, 256), "m": (2, 256)},
    also=("Apply the stiffness matrix of linear triangles without assembling it.",),
)
def triangle_stiffness_product(vertices, triangles, u, min_area=number(0.05, 0.5)):
    """Apply the finite element Laplacian of a triangle mesh to nodal values."""
    if triangles.shape[1] != 3:
        raise ValueError(f"triangles have three corners, got {triangles.shape[1]}")
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    # Opposite edges, in the order of the corners.
    edges = jnp.stack([c - b, a - c, b - a], axis=1)
    ab, ac = b - a, c - a
    twice_area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = one_of(
        0.5 * jnp.abs(twice_area) + min_area, jnp.maximum(0.5 * jnp.abs(twice_area), min_area)
    )
    blocks = jnp.einsum("mik,mjk->mij", edges, edges) / (4.0 * area[:, None, None])
    local = u[triangles]
    products = one_of(jnp.einsum("mij,mj->mi", blocks, local), (blocks @ local[..., None])[..., 0])
    if maybe("segment_sum"):
        force = jax.ops.segment_sum(
            products.reshape(-1), triangles.reshape(-1), num_segments=u.shape[0]
        )
    else:
        force = jnp.zeros_like(u).at[triangles].add(products)
    return force, 0.5 * jnp.sum(u * force) / u.shape[0]


def _pinn_network(params, point):
    """Scalar network, with a hidden layer of smooth units."""
    h = point
    for layer in params["layers"]:
        h = one_of(jnp.tanh, jnp.sin, jax.nn.swish)(h @ layer["w"] + layer["b"])
    return h @ params["out"] / params["out"].shape[0]


@sketch(
    takes={
        "params": {
            "layers": [{"w": "f[2, k]", "b": "f[k]"}, {"w": "f[k, k]", "b": "f[k]"}],
            "out": "f[k]",
        },
        "points": "points f[b, 2]: places and times",
    },
    gives="loss f[]",
    sizes={"k": (4, 24), "b": (4, 64)},
    also=("Score a network by how well it solves a differential equation.",),
)
def pinn_residual_loss(
    params, points, diffusivity=number(0.01, 0.5), boundary_weight=number(0.1, 2.0)
):
    """Penalize the residual of a diffusion equation that a network should solve."""
    points = one_of(jnp.tanh(points), jax.nn.sigmoid(points))

    def u(x, t):
        return _pinn_network(params, jnp.stack([x, t]))

    def residual(point):
        x, t = point
        # Second derivatives by two forward passes.
        slope = lambda x: jax.jvp(lambda x: u(x, t), (x,), (jnp.ones_like(x),))[1]
        u_xx = jax.jvp(slope, (x,), (jnp.ones_like(x),))[1]
        value, u_t = jax.jvp(lambda t: u(x, t), (t,), (jnp.ones_like(t),))
        if maybe("reaction_term"):
            return u_t - diffusivity * u_xx - value * (1 - jnp.tanh(value))
        else:
            return u_t - diffusivity * u_xx + 0.1 * value

    inside = jnp.mean(jax.vmap(residual)(points) ** 2)
    if maybe("initial_condition", 0.7):
        x = points[:, 0]
        start = jax.vmap(lambda x: u(x, jnp.zeros_like(x)))(x)
        inside = inside + boundary_weight * jnp.mean((start - jnp.sin(jnp.pi * x)) ** 2)
    return inside
