"""Particles: molecules, gravity and smoothed hydrodynamics."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def pair_offsets(x):
    """Vectors from each particle to each other one."""
    return one_of(x[None, :, :] - x[:, None, :], jnp.expand_dims(x, 0) - jnp.expand_dims(x, 1))


@sketch(
    takes={"x": "points f[n, d]: positions", "v": "velocities f[n, d]", "masses?": "f[n]"},
    gives=("points f[n, d]: positions", "velocities f[n, d]: velocities"),
    sizes={"n": (3, 96), "d": (2, 3)},
    dtypes="f32 f64",
    also=("Move stars under their mutual attraction by kick and drift.",),
)
def gravitate(
    x,
    v,
    masses=None,
    *,
    dt=number(1e-3, 2e-2),
    softening=number(0.2, 0.8),
    num_steps=integer(2, 20),
):
    """Integrate self-gravitating bodies with softened forces."""
    n, dim = x.shape
    if v.shape != x.shape:
        raise ValueError(f"positions {x.shape}, but velocities {v.shape}")
    if masses is None:
        masses = jnp.ones(n, x.dtype) / n
    else:
        masses = jax.nn.softmax(masses)

    def acceleration(x):
        offset = pair_offsets(x)
        squared = jnp.sum(offset**2, axis=-1) + softening * softening
        if maybe("power_law"):
            strength = masses[None, :] * squared**-1.5
        else:
            inverse = jax.lax.rsqrt(squared)
            strength = masses * inverse * inverse * inverse
        return one_of(
            jnp.einsum("ij,ijk->ik", strength, offset),
            jnp.sum(strength[..., None] * offset, axis=1),
        )

    def kick_drift_kick(carry, _):
        x, v = carry
        v = v + 0.5 * dt * acceleration(x)
        x = x + dt * v
        v = v + 0.5 * dt * acceleration(x)
        return (x, v), None

    (x, v), _ = jax.lax.scan(kick_drift_kick, (x, v), None, length=num_steps)
    if maybe("center_of_mass"):
        x = x - masses @ x
    return x, v


@sketch(
    takes={"x": "points f[n, d]"},
    gives="energy f[]",
    sizes={"n": (3, 128), "d": (2, 3)},
    dtypes="f32 f64",
    also=("Sum a truncated and softened pair potential over all pairs.",),
)
def lennard_jones_energy(
    x,
    sigma=number(0.5, 1.5),
    epsilon=number(0.2, 2.0),
    cutoff=number(2.0, 5.0),
    box=one_of(None, 8.0, 10.0),
):
    """Sum Lennard-Jones energies over the pairs of a fluid, capped at short range."""
    n = x.shape[0]
    offset = pair_offsets(x)
    if box is not None:
        # Minimum image of a periodic box.
        offset = offset - box * jnp.round(offset / box)
    squared = jnp.sum(offset * offset, axis=-1)
    # The core is capped, as random particles may overlap.
    inverse = sigma * sigma / (squared + 0.5 * sigma * sigma)
    sixth = one_of(inverse**3, inverse * inverse * inverse)
    pair_energy = 4 * epsilon * (sixth * sixth - sixth)
    if maybe("smooth_cutoff"):
        fade = jnp.clip(1.0 - squared / cutoff**2, 0.0, 1.0)
        pair_energy = pair_energy * fade * fade
    else:
        pair_energy = jnp.where(squared < cutoff**2, pair_energy, 0.0)
    if maybe("triu_mask"):
        return jnp.sum(jnp.triu(pair_energy, k=1)) / n
    others = ~jnp.eye(n, dtype=bool)
    return 0.5 * jnp.sum(jnp.where(others, pair_energy, 0.0)) / n


@sketch(
    takes={"x": "points f[n, 3]: positions of the atoms of a chain"},
    gives={"bonds": "f[n-1]", "angles": "f[n-2]", "dihedrals": "f[n-3]"},
    sizes={"n": (4, 512)},
    dtypes="f32 f64",
    also=("Measure bond lengths, bond angles and torsions along a polymer.",),
)
def internal_coordinates(x, eps=1e-6):
    """Convert the atoms of a chain to bond lengths, angles and dihedrals."""
    if x.ndim != 2 or x.shape[0] < 4:
        raise ValueError(f"a torsion needs four atoms, got shape {x.shape}")
    bond = x[1:] - x[:-1]
    lengths = jnp.sqrt(jnp.sum(bond * bond, axis=-1) + eps)
    if maybe("angle_by_arctan"):
        # Better conditioned than arccos where the chain is straight.
        sine = jnp.linalg.norm(jnp.cross(bond[:-1], bond[1:]) + eps, axis=-1)
        cosine = -jnp.sum(bond[:-1] * bond[1:], axis=-1)
        angles = jnp.arctan2(sine, cosine)
    else:
        cosine = -jnp.sum(bond[:-1] * bond[1:], axis=-1) / (lengths[:-1] * lengths[1:])
        angles = jnp.arccos(jnp.clip(cosine, -0.999, 0.999))
    b1, b2, b3 = bond[:-2], bond[1:-1], bond[2:]
    n1, n2 = jnp.cross(b1, b2), jnp.cross(b2, b3)
    if maybe("cosine_torsion"):
        # The cosine alone has no jump at half a turn.
        scale = jnp.sqrt(jnp.sum(n1 * n1, axis=-1) * jnp.sum(n2 * n2, axis=-1) + eps)
        dihedrals = jnp.sum(n1 * n2, axis=-1) / scale
    else:
        m1 = jnp.cross(n1, b2 / lengths[1:-1, None])
        across = jnp.sum(m1 * n2, axis=-1)
        along = jnp.sum(n1 * n2, axis=-1)
        # Half the sine of twice the torsion, which has no jump at half a turn.
        dihedrals = across * along / (across * across + along * along + eps)
    return {"bonds": lengths, "angles": angles, "dihedrals": dihedrals}


@sketch(
    takes={"x": "points f[n, 3]"},
    gives=("energy f[]", "forces f[n, 3]"),
    sizes={"n": (4, 256)},
    dtypes="f32 f64",
    also=("Evaluate the force field of a chain molecule, and its negative gradient.",),
)
def polymer_forces(x, *, bond_stiffness=number(5.0, 50.0), bend_stiffness=number(0.5, 5.0)):
    """Evaluate energy and forces of a bead-spring chain that resists bending."""

    def bond_energy(x):
        bond = x[1:] - x[:-1]
        length = jnp.sqrt(jnp.sum(bond * bond, axis=-1) + 1e-4)
        if maybe("morse"):
            # A Morse bond gives way at large stretch.
            stretch = 1.0 - jnp.exp(-jnp.clip(length - 1.0, -2.0, 20.0))
            return number(1.0, 5.0) * jnp.sum(stretch**2)
        elif maybe("harmonic"):
            return 0.5 * bond_stiffness * jnp.sum((length - 1.0) ** 2)
        else:
            return bond_stiffness * jnp.sum(jnp.log(jnp.cosh(jnp.clip(length - 1.0, -10.0, 10.0))))

    def bend_energy(x):
        bond = x[1:] - x[:-1]
        unit = bond / jnp.sqrt(jnp.sum(bond * bond, axis=-1, keepdims=True) + 1e-2)
        cosine = jnp.sum(unit[1:] * unit[:-1], axis=-1)
        return bend_stiffness * jnp.sum(1.0 - cosine)

    def total_energy(x):
        terms = [bond_energy(x), bend_energy(x)]
        if maybe("confined"):
            terms.append(number(0.05, 0.5) * jnp.sum(x * x))
        return sum(terms) / x.shape[0]

    energy, gradient = jax.value_and_grad(total_energy)(x)
    return energy, -gradient


@sketch(
    takes={"x": "points f[n, d]", "masses?": "f[n]"},
    gives="f[n]: density",
    sizes={"n": (4, 256), "d": (2, 3)},
    dtypes="f32 bf16 f64",
)
def sph_density(x, masses=None, width=number(0.5, 2.0)):
    """Estimate densities at particles with the kernels of smoothed hydrodynamics."""
    n, dim = x.shape
    if dim not in (2, 3):
        raise ValueError(f"kernels are normalized for 2 and 3 dimensions, got {dim}")
    distance = jnp.sqrt(jnp.sum((x[:, None] - x[None]) ** 2, axis=-1) + 1e-6)
    q = distance / width
    if maybe("cubic_spline"):
        norm = 10 / (7 * jnp.pi) if dim == 2 else 1 / jnp.pi
        near = 1 - 1.5 * q * q + 0.75 * q**3
        far = 0.25 * jnp.maximum(2 - q, 0) ** 3
        kernel = norm * jnp.where(q < 1, near, far)
    elif maybe("poly6"):
        norm = 4 / jnp.pi if dim == 2 else 315 / (64 * jnp.pi)
        kernel = norm * jnp.maximum(1 - q * q, 0) ** 3
    else:
        # Wendland's C2 function.
        norm = 7 / (4 * jnp.pi) if dim == 2 else 21 / (16 * jnp.pi)
        kernel = norm * jnp.maximum(1 - q / 2, 0) ** 4 * (2 * q + 1)
    kernel = kernel / width**dim
    if masses is not None:
        return kernel @ one_of(jax.nn.softplus(masses), jnp.abs(masses)) / n
    return jnp.mean(kernel, axis=1)


@sketch(
    takes={"x": "points f[n, 3]", "charges": "f[n]"},
    gives=("energy f[]", "forces f[n, 3]"),
    sizes={"n": (3, 96)},
    dtypes="f32 f64",
    also=("Sum screened Coulomb interactions, and derive the forces.",),
)
def coulomb_forces(x, charges, screening=number(0.1, 2.0), softening=number(0.1, 0.5)):
    """Evaluate energy and forces of charges that a salt solution screens."""
    n = x.shape[0]
    assert charges.shape == (n,), f"{n} particles, but charges of shape {charges.shape}"
    if maybe("neutral"):
        # The whole is neutral.
        charges = charges - jnp.mean(charges)
    offset = x[:, None] - x[None, :]
    r = jnp.sqrt(jnp.sum(offset**2, axis=-1) + softening)
    products = charges[:, None] * charges[None, :] * (1 - jnp.eye(n, dtype=x.dtype))
    screened = one_of(jnp.exp(-screening * r), jnp.exp(-r * screening)) / r
    energy = 0.5 * jnp.sum(products * screened) / n
    # -d/dr (exp(-kr) / r) = exp(-kr) (kr + 1) / r^2, along the unit vector.
    magnitude = products * screened * (screening * r + 1) / (r * r)
    forces = jnp.einsum("ij,ijk->ik", magnitude, offset)
    if maybe("external_field", 0.4):
        # A uniform field along one axis.
        direction = jnp.array([0.0, 0.0, 1.0], x.dtype)
        forces = forces + number(0.1, 1.0) * charges[:, None] * direction
    if maybe("limit_forces", 0.3):
        forces = jnp.clip(forces, -50.0, 50.0)
    return energy, forces


@sketch(
    takes={"x": "points f[n, d]"},
    gives="f[k]: counts",
    sizes={"n": (8, 128), "d": (2, 3), "k": (4, 32)},
    dtypes="f32 f64",
)
def radial_distribution(x, num_bins=size("k"), r_max=number(2.0, 6.0)):
    """Bin the distances of all pairs into a smooth radial distribution."""
    n, dim = x.shape
    rows, cols = jnp.triu_indices(n, k=1)
    distance = jnp.sqrt(jnp.sum((x[rows] - x[cols]) ** 2, axis=-1) + 1e-6)
    centers = r_max * (jnp.arange(num_bins, dtype=x.dtype) + 0.5) / num_bins
    width = r_max / num_bins

    def smeared(r):
        return jnp.sum(jnp.exp(-0.5 * ((distance - r) / width) ** 2))

    counts = (
        jax.vmap(smeared)(centers)
        if maybe("vmap_bins")
        else jnp.sum(jnp.exp(-0.5 * ((distance[:, None] - centers) / width) ** 2), axis=0)
    )
    # Volume of a shell grows with its radius.
    shell = one_of(centers ** (dim - 1), (centers / r_max) ** (dim - 1))
    return counts / (shell * n)
