"""Points that fill a space evenly, and integrals over them."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, size, sketch

integrand = nested("(x: vector f[n]) -> energy f[]")

_FIRST_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def _radical_inverse(index, base, num_digits):
    """Mirror the digits of integers at the point."""
    result = jnp.zeros(index.shape)
    weight = 1.0 / base
    for _ in range(num_digits):
        result = result + weight * (index % base)
        index = index // base
        weight = weight / base
    return result


@sketch(
    takes={"shift": "f[d]: moves all points, modulo one"},
    gives="points f[n, d]",
    sizes={"n": (8, 1024), "d": (1, 8)},
    also=("Halton points in the unit cube.",),
)
def halton_points(shift, *, num_points=size("n"), skip=one_of(0, 1, 20)):
    """Fill the unit cube with a low-discrepancy sequence."""
    dim = shift.shape[0]
    if dim > len(_FIRST_PRIMES):
        raise ValueError(f"at most {len(_FIRST_PRIMES)} dimensions, got {dim}")
    index = jnp.arange(skip, skip + num_points)
    columns = [_radical_inverse(index, base, one_of(6, 8)) for base in _FIRST_PRIMES[:dim]]
    points = jnp.stack(columns, axis=-1)
    if maybe("rotate_points"):
        # A common shift keeps the distances between points.
        points = (points + jax.nn.sigmoid(shift)) % 1.0
    else:
        points = jnp.clip(points + 0.01 * jnp.tanh(shift), 0.0, 1.0)
    if maybe("center_cube", 0.4):
        points = 2.0 * points - 1.0
    return points


@sketch(
    takes={"lows": "f[d]", "key": "key"},
    gives="points f[n, d]",
    sizes={"n": (4, 512), "d": (1, 24)},
    also=("Sample a box so that each coordinate is covered evenly.",),
)
def latin_hypercube(lows, key, num_points=size("n"), width=number(1.0, 4.0)):
    """Place one point in each row and column of a grid."""
    dim = lows.shape[0]
    permute_key, jitter_key = jax.random.split(key)
    if maybe("permute_columns"):
        keys = jax.random.split(permute_key, dim)
        cells = jnp.stack([jax.random.permutation(k, num_points) for k in keys], axis=1)
    else:
        # The ranks of random numbers are a random permutation.
        uniforms = jax.random.uniform(permute_key, (num_points, dim))
        cells = jnp.argsort(uniforms, axis=0)
    if maybe("cell_centers", 0.35):
        offsets = 0.5
    else:
        offsets = jax.random.uniform(jitter_key, (num_points, dim))
    unit = (cells + offsets) / num_points
    if maybe("gaussian_margins", 0.3):
        normal = jax.scipy.special.ndtri(jnp.clip(unit, 1e-3, 1.0 - 1e-3))
        return lows + width * normal.astype(lows.dtype)
    return lows + width * unit.astype(lows.dtype)


@sketch(
    takes={"center": "vector f[n]", "key": "key"},
    gives=("metric f[]", "f[]: standard_error"),
    sizes={"n": (1, 24), "m": (8, 128)},
    also=("Integrate a function against a Gaussian with antithetic pairs.",),
)
def antithetic_expectation(center, key, num_pairs=size("m"), scale=number(0.1, 1.0)):
    """Average a function over mirrored random perturbations."""
    noise = scale * jax.random.normal(key, (num_pairs, center.shape[0]), center.dtype)
    evaluate = jax.vmap(integrand)
    plus, minus = evaluate(center + noise), evaluate(center - noise)
    pair_means = 0.5 * (plus + minus)
    if maybe("control_variate"):
        # The squared length has a known mean, and often goes along with the function.
        lengths = jnp.sum(noise**2, axis=1)
        expected = scale**2 * center.shape[0]
        centered = lengths - jnp.mean(lengths)
        slope = jnp.mean(centered * pair_means) / (jnp.mean(centered**2) + 1e-3)
        pair_means = pair_means - slope * (lengths - expected)
    estimate = jnp.mean(pair_means)
    spread = jnp.sqrt(jnp.var(pair_means) + 1e-8)
    return estimate, spread / one_of(jnp.sqrt(num_pairs), num_pairs**0.5)


@sketch(
    takes={"start": "vector f[n]", "end": "vector f[n]", "key": "key"},
    gives={"integral": "f[]", "strata": "f[m]"},
    sizes={"n": (1, 24), "m": (4, 64)},
    also=("Integrate a function along a segment, one random point in each part.",),
)
def stratified_line_integral(start, end, key, num_strata=size("m")):
    """Estimate a line integral from stratified points."""
    if start.shape != end.shape:
        raise ValueError(f"ends have shapes {start.shape} and {end.shape}")
    if maybe("midpoints", 0.3):
        offsets = jnp.full(num_strata, 0.5, start.dtype)
    else:
        offsets = jax.random.uniform(key, (num_strata,), start.dtype)
    fractions = (jnp.arange(num_strata, dtype=start.dtype) + offsets) / num_strata
    if maybe("mirror_strata", 0.3):
        # Opposite points of each stratum cancel the linear part of the error.
        mirrored = (2 * jnp.arange(num_strata, dtype=start.dtype) + 1) / num_strata - fractions
        fractions = jnp.concatenate([fractions, mirrored])
    points = start + fractions[:, None] * (end - start)
    values = one_of(jax.vmap(integrand)(points), jax.lax.map(integrand, points))
    length = jnp.sqrt(jnp.sum((end - start) ** 2) + 1e-8)
    if maybe("mirror_strata", 0.3):
        values = 0.5 * (values[:num_strata] + values[num_strata:])
    return {"integral": length * jnp.mean(values), "strata": values}


@sketch(
    takes={"points": "points f[n, d]"},
    gives="metric f[]",
    sizes={"n": (4, 256), "d": (1, 8)},
    dtypes="f32 f64",
    also=("Rate how evenly points fill the unit cube.",),
)
def centered_discrepancy(points):
    """Measure the distance of points from a uniform distribution."""
    num_points, dim = points.shape
    # Into the cube, whatever the points were.
    unit = one_of(jax.nn.sigmoid(points), 0.5 + jnp.arctan(points) / jnp.pi)
    if maybe("wraparound"):
        gaps = jnp.abs(unit[:, None, :] - unit[None, :, :])
        terms = jnp.prod(1.5 - gaps * (1.0 - gaps), axis=-1)
        return jnp.mean(terms) - (4.0 / 3.0) ** dim
    offset = jnp.abs(unit - 0.5)
    single = jnp.prod(1.0 + 0.5 * offset - 0.5 * offset**2, axis=1)
    pairs = 0.5 * (offset[:, None, :] + offset[None, :, :])
    pairs = pairs - 0.5 * jnp.abs(unit[:, None, :] - unit[None, :, :])
    double = jnp.prod(1.0 + pairs, axis=-1)
    squared = (13.0 / 12.0) ** dim - 2.0 * jnp.mean(single) + jnp.mean(double)
    if maybe("root_discrepancy", 0.4):
        return jnp.sqrt(jnp.maximum(squared, 0.0) + 1e-8)
    return squared * num_points if maybe("scaled_discrepancy", 0.3) else squared


@sketch(
    takes={"center": "vector f[n]", "key": "key"},
    gives="vector f[n]",
    sizes={"n": (1, 32), "m": (4, 64)},
    also=("Estimate a gradient from function values at random directions.",),
)
def smoothed_gradient(center, key, num_directions=size("m"), radius=number(0.05, 0.5)):
    """Differentiate a function that is smoothed with a sphere, by sampling."""
    dim = center.shape[0]
    directions = jax.random.normal(key, (num_directions, dim), center.dtype)
    if maybe("sphere_directions", 0.4):
        # On the sphere rather than Gaussian, which bounds each term.
        lengths = jnp.sqrt(jnp.sum(directions**2, axis=1, keepdims=True) + 1e-6)
        directions = directions / lengths * jnp.sqrt(dim)
    ahead = jax.vmap(integrand)(center + radius * directions)
    if maybe("central_estimate"):
        behind = jax.vmap(integrand)(center - radius * directions)
        slopes = (ahead - behind) / (2 * radius)
    else:
        slopes = (ahead - integrand(center)) / radius
    if maybe("clip_slopes", 0.4):
        # A single steep direction does not decide the estimate.
        slopes = jnp.clip(slopes, -50.0, 50.0)
    return slopes @ directions / num_directions
