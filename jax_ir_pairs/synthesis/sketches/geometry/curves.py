"""Curves, splines and the sphere."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch


@sketch(
    takes={"control_points": "points f[k, d]", "t": "f[n]: parameters"},
    gives="points f[n, d]: curve",
    sizes={"k": (3, 7), "d": (2, 3), "n": (4, 512)},
    dtypes="f32 f64",
    also=("Evaluate a Bezier curve at many parameters.",),
)
def bezier_curve(control_points, t):
    """Draw a Bezier curve through a polygon of control points."""
    num_points = control_points.shape[0]
    if num_points < 2:
        raise ValueError(f"a curve needs two control points, got {num_points}")
    t = one_of(jax.nn.sigmoid(t), jnp.clip(t, 0.0, 1.0))
    if maybe("de_casteljau"):
        # Interpolate between neighbours until one point is left.
        points = jnp.broadcast_to(control_points, (t.shape[0], *control_points.shape))
        u = t[:, None, None]
        for _ in range(num_points - 1):
            points = (1 - u) * points[:, :-1] + u * points[:, 1:]
        return points[:, 0]
    degree = num_points - 1
    basis = [math.comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(num_points)]
    return one_of(
        jnp.stack(basis, axis=1) @ control_points,
        jnp.einsum("kn,kd->nd", jnp.stack(basis), control_points),
    )


@sketch(
    takes={"x": "f[n]", "coefficients": "f[k]"},
    gives="signal f[n]",
    sizes={"n": (4, 512), "k": (6, 16)},
    dtypes="f32 f64",
    also=("Evaluate a spline in a basis of B-splines by the Cox-de Boor recursion.",),
)
def bspline_curve(x, coefficients, degree=integer(1, 3), low=-3.0, high=3.0):
    """Evaluate a B-spline with equally spaced knots."""
    num_basis = coefficients.shape[0]
    if num_basis <= degree:
        raise ValueError(f"degree {degree} needs more than {num_basis} coefficients")
    spacing = (high - low) / (num_basis - degree)
    knots = low + spacing * jnp.arange(-degree, num_basis + 1, dtype=x.dtype)
    # Inside of the knots that carry a full basis.
    x = one_of(jnp.clip(x, low, high - 1e-3), low + (high - low) * jax.nn.sigmoid(x))
    if maybe("cardinal_form", 0.35):
        distance = (x[:, None] - knots[None, :num_basis]) / spacing
        hat = jnp.maximum(1 - jnp.abs(distance - 1), 0)
        return hat @ coefficients
    position = x[:, None]
    basis = jnp.where((knots[:-1] <= position) & (position < knots[1:]), 1.0, 0.0).astype(x.dtype)
    for p in range(1, degree + 1):
        left = (position - knots[: -p - 1]) / (p * spacing)
        right = (knots[p + 1 :] - position) / (p * spacing)
        basis = left * basis[:, :-1] + right * basis[:, 1:]
    return one_of(basis @ coefficients, jnp.einsum("nk,k->n", basis, coefficients))


@sketch(
    takes={"points": "points f[n, d]"},
    gives="points f[t, d]: resampled",
    sizes={"n": (4, 128), "d": (2, 3), "t": (8, 256)},
    dtypes="f32 f64",
)
def catmull_rom_path(points, num_samples=size("t"), tension=one_of(0.5, 0.3, 1.0)):
    """Run a smooth path through waypoints with cubic Hermite pieces."""
    n, dim = points.shape
    if maybe("natural_ends"):
        tangents = tension * (jnp.roll(points, -1, axis=0) - jnp.roll(points, 1, axis=0))
        tangents = tangents.at[0].set(points[1] - points[0]).at[-1].set(points[-1] - points[-2])
    else:
        padded = jnp.pad(points, ((1, 1), (0, 0)), mode="edge")
        tangents = tension * (padded[2:] - padded[:-2])
    place = (n - 1) * (jnp.arange(num_samples, dtype=points.dtype) + 0.5) / num_samples
    piece = jnp.clip(place.astype(jnp.int32), 0, n - 2)
    s = (place - piece)[:, None]
    start, end = points[piece], points[piece + 1]
    m0, m1 = tangents[piece], tangents[piece + 1]
    if maybe("horner_hermite"):
        delta = end - start
        cubic = m0 + m1 - 2 * delta
        quadratic = 3 * delta - 2 * m0 - m1
        return start + s * (m0 + s * (quadratic + s * cubic))
    h00 = (1 + 2 * s) * (1 - s) ** 2
    h10 = s * (1 - s) ** 2
    h01 = s * s * (3 - 2 * s)
    h11 = s * s * (s - 1)
    return h00 * start + h10 * m0 + h01 * end + h11 * m1


@sketch(
    takes={"points": "points f[n, d]"},
    gives={"length": "f[]", "curvature": "f[n-2]"},
    sizes={"n": (4, 2048), "d": (2, 3)},
    dtypes="f32 f64",
    also=("Measure how long a polyline is, and how much it bends.",),
)
def polyline_bending(points, closed=False):
    """Measure length and discrete curvature of a polyline."""
    steps = one_of(jnp.diff(points, axis=0), points[1:] - points[:-1])
    lengths = jnp.sqrt(jnp.sum(steps * steps, axis=-1) + 1e-4)
    tangents = steps / lengths[:, None]
    turn = jnp.diff(tangents, axis=0)
    bend = jnp.sqrt(jnp.sum(turn * turn, axis=-1) + 1e-6)
    if maybe("by_arc_length"):
        # Over the mean length of both sides.
        bend = 2 * bend / (lengths[1:] + lengths[:-1] + 0.1)
    total = jnp.sum(lengths)
    if closed:
        gap = points[-1] - points[0]
        total = total + jnp.sqrt(jnp.sum(gap * gap) + 1e-4)
    return {"length": total, "curvature": bend}


@sketch(
    takes={"latitude": "angles f[n]", "longitude": "angles f[n]"},
    gives="distances f[n, n]",
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Measure great-circle distances between all pairs of places.",),
)
def great_circle_distances(latitude, longitude, radius=one_of(1.0, 6.371)):
    """Measure distances between places along the surface of a sphere."""
    if latitude.shape != longitude.shape:
        raise ValueError(f"{latitude.shape[0]} latitudes, {longitude.shape[0]} longitudes")
    # Any number is squashed to a latitude.
    latitude = 0.5 * jnp.pi * jnp.tanh(latitude)
    if maybe("haversine"):
        d_lat = latitude[:, None] - latitude[None, :]
        d_lon = longitude[:, None] - longitude[None, :]
        a = jnp.sin(d_lat / 2) ** 2
        a = a + jnp.cos(latitude)[:, None] * jnp.cos(latitude)[None, :] * jnp.sin(d_lon / 2) ** 2
        angle = 2 * jnp.arcsin(jnp.sqrt(jnp.clip(a, 1e-6, 0.999)))
    else:
        places = jnp.stack(
            [
                jnp.cos(latitude) * jnp.cos(longitude),
                jnp.cos(latitude) * jnp.sin(longitude),
                jnp.sin(latitude),
            ],
            axis=-1,
        )
        chord = jnp.sqrt(jnp.sum((places[:, None] - places[None]) ** 2, axis=-1) + 1e-6)
        angle = 2 * jnp.arcsin(jnp.clip(chord / 2, 0.0, 0.999))
    return radius * angle


@sketch(
    takes={"directions": "vector f[n, 3]", "coefficients?": "f[9, c]"},
    gives="features f[n, 9]: basis",
    sizes={"n": (2, 512), "c": (1, 4)},
    dtypes="f32 bf16 f64",
    also=("Evaluate real spherical harmonics up to the second degree.",),
)
def spherical_harmonics(directions, coefficients=None):
    """Expand directions in the first nine real spherical harmonics."""
    if directions.shape[-1] != 3:
        raise ValueError(f"directions have three components, got {directions.shape[-1]}")
    unit = directions / jnp.sqrt(jnp.sum(directions * directions, axis=-1, keepdims=True) + 1e-3)
    x, y, z = one_of(jnp.moveaxis(unit, -1, 0), (unit[..., 0], unit[..., 1], unit[..., 2]))
    basis = jnp.stack(
        [
            0.282095 * jnp.ones_like(x),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=-1,
    )
    if coefficients is not None:
        # Weigh each function by how strong it is in a given signal.
        strength = jnp.sqrt(jnp.mean(coefficients * coefficients, axis=-1) + 1e-6)
        basis = basis * strength
    return basis
