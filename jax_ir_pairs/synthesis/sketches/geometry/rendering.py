"""Rays, signed distances and cameras."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

scene_distance = nested("(points: points f[n, 3]) -> signed_distances f[n]")


@sketch(
    takes={"points": "points f[n, 3]"},
    gives="signed_distances f[n]",
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
    also=("Evaluate the signed distances of points to a blend of simple solids.",),
)
def blended_solids(points, radius=number(0.5, 1.5), blend=number(0.1, 0.6)):
    """Measure signed distances to a scene of two solids."""

    def sphere(p):
        return jnp.sqrt(jnp.sum(p * p, axis=-1) + 1e-6) - radius

    def box(p):
        q = jnp.abs(p) - jnp.array(one_of([0.6, 0.4, 0.8], [1.0, 0.3, 0.3]), p.dtype)
        outside = jnp.sqrt(jnp.sum(jnp.maximum(q, 0) ** 2, axis=-1) + 1e-6)
        return outside + jnp.minimum(jnp.max(q, axis=-1), 0)

    def torus(p):
        ring = jnp.sqrt(p[..., 0] * p[..., 0] + p[..., 2] * p[..., 2] + 1e-6) - radius
        return jnp.sqrt(ring * ring + p[..., 1] * p[..., 1] + 1e-6) - 0.3

    shift = jnp.array(one_of([0.8, 0.0, 0.0], [0.0, 0.5, -0.5]), points.dtype)
    first = one_of(sphere, torus)(points)
    second = one_of(box, sphere)(points - shift)
    if maybe("smooth_union"):
        # Quilez's polynomial blend.
        mix = jnp.maximum(blend - jnp.abs(first - second), 0) / blend
        return jnp.minimum(first, second) - mix * mix * blend / 4
    elif maybe("subtract_solid", 0.4):
        return jnp.maximum(first, -second)
    else:
        return -blend * jnp.logaddexp(-first / blend, -second / blend)


@sketch(
    takes={"points": "points f[n, 3]"},
    gives="signed_distances f[n]",
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
)
def wavy_ground(points, height=number(0.05, 0.4), frequency=number(0.5, 3.0)):
    """Measure a bound of the distance of points to a wavy ground."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    level = one_of(
        height * jnp.sin(frequency * x) * jnp.cos(frequency * z),
        height * (jnp.sin(frequency * x) + jnp.sin(frequency * z)) / 2,
    )
    # Divided by the greatest slope, it is no longer than the distance.
    steepness = jnp.sqrt(1.0 + (height * frequency) ** 2)
    distance = (y + one_of(1.0, 0.5) - level) / steepness
    if maybe("pillars"):
        cell = jnp.stack([x, z], axis=-1)
        cell = cell - 2.0 * jnp.round(cell / 2.0)
        pillar = jnp.sqrt(jnp.sum(cell * cell, axis=-1) + 1e-6) - 0.3
        distance = jnp.minimum(distance, pillar)
    return distance


@sketch(
    takes={"origins": "points f[n, 3]", "directions": "vector f[n, 3]"},
    gives=("distances f[n]: depth", "points f[n, 3]: hits"),
    sizes={"n": (2, 512)},
    also=("March rays by the distance to the nearest surface.",),
)
def sphere_trace(origins, directions, num_steps=integer(5, 32), far=one_of(10.0, 20.0)):
    """Trace rays to the surface of a signed distance function."""
    if origins.shape != directions.shape:
        raise ValueError(f"{origins.shape[0]} origins for {directions.shape[0]} directions")
    directions = directions / jnp.sqrt(
        jnp.sum(directions * directions, axis=-1, keepdims=True) + 1e-4
    )

    def march(_, depth):
        distance = scene_distance(origins + depth[:, None] * directions)
        if maybe("relaxed_march", 0.3):
            distance = 0.8 * distance
        return jnp.clip(depth + distance, 0.0, far)

    start = jnp.zeros(origins.shape[0], origins.dtype)
    if maybe("march_by_scan"):
        depth, _ = jax.lax.scan(lambda d, i: (march(i, d), None), start, jnp.arange(num_steps))
    elif maybe("march_until_far", 0.4):

        def inside(carry):
            depth, i = carry
            return (i < num_steps) & jnp.any(depth < far)

        depth, _ = jax.lax.while_loop(inside, lambda c: (march(c[1], c[0]), c[1] + 1), (start, 0))
    else:
        depth = jax.lax.fori_loop(0, num_steps, march, start)
    hits = origins + depth[:, None] * directions
    return depth, hits


@sketch(
    takes={"points": "points f[n, 3]", "light": "vector f[3]"},
    gives="f[n]: brightness",
    sizes={"n": (2, 256)},
    also=("Light a surface by the gradient of its distance function.",),
)
def lambert_shading(points, light, ambient=number(0.05, 0.3), step=number(0.01, 0.1)):
    """Shade points of an implicit surface with a distant light."""
    light = light / jnp.sqrt(jnp.sum(light * light) + 1e-4)
    if maybe("autodiff_normal"):
        gradient = jax.grad(lambda p: jnp.sum(scene_distance(p)))(points)
    else:
        # Central differences along the axes.
        offsets = step * jnp.eye(3, dtype=points.dtype)
        gradient = jnp.stack(
            [scene_distance(points + o) - scene_distance(points - o) for o in offsets], axis=-1
        )
        gradient = gradient / (2 * step)
    normals = gradient / jnp.sqrt(jnp.sum(gradient * gradient, axis=-1, keepdims=True) + 1e-3)
    lambert = normals @ light
    if maybe("half_lambert"):
        lit = (0.5 * lambert + 0.5) ** 2
    else:
        lit = jnp.maximum(lambert, 0)
    return ambient + (1 - ambient) * lit


@sketch(
    takes={
        "densities": "f[b, n]",
        "colors": "f[b, n, 3]",
        "depths": "f[b, n]: lengths of the segments",
    },
    gives=("f[b, 3]: color", "weights f[b, n]"),
    sizes={"b": (1, 64), "n": (4, 128)},
    dtypes="f32 bf16 f64",
    also=("Composite samples along camera rays, as radiance fields do.",),
)
def composite_rays(densities, colors, depths, background=one_of(None, 1.0, 0.5)):
    """Render colors from densities and colors along rays."""
    num_rays, num_samples = densities.shape
    if colors.shape != (num_rays, num_samples, 3):
        raise ValueError(f"colors of shape {colors.shape} for densities {densities.shape}")
    lengths = one_of(jax.nn.softplus(depths), jnp.abs(depths)) / num_samples
    optical = one_of(jax.nn.relu, jax.nn.softplus)(densities) * lengths
    alpha = 1 - jnp.exp(-optical)
    # Light reaches a sample through all that lies before it.
    transmittance = jnp.exp(optical - jnp.cumsum(optical, axis=-1))
    weights = alpha * transmittance
    color = one_of(
        jnp.einsum("bn,bnc->bc", weights, jax.nn.sigmoid(colors)),
        jnp.sum(weights[..., None] * jax.nn.sigmoid(colors), axis=1),
    )
    if background is not None:
        color = color + (1 - jnp.sum(weights, axis=-1, keepdims=True)) * background
    return color, weights


@sketch(
    takes={
        "origins": "points f[n, 3]",
        "directions": "vector f[n, 3]",
        "centers": "points f[m, 3]",
    },
    gives=("f[n]: depth", "i[n]: hit"),
    sizes={"n": (2, 256), "m": (1, 32)},
    also=("Find the nearest of several spheres along each ray.",),
)
def intersect_spheres(
    origins, directions, centers, radius=number(0.5, 2.0), miss=one_of(1e3, 100.0)
):
    """Intersect rays with spheres."""
    if maybe("check_rays"):
        if origins.shape != directions.shape or centers.shape[-1] != origins.shape[-1]:
            raise ValueError(f"rays {origins.shape}, {directions.shape}; spheres {centers.shape}")
    if maybe("rsqrt_length"):
        squares = jnp.sum(directions * directions, axis=-1, keepdims=True)
        directions = directions * jax.lax.rsqrt(squares + 1e-4)
    else:
        length = jnp.sqrt(jnp.sum(directions * directions, axis=-1, keepdims=True) + 1e-4)
        directions = directions / length
    offset = centers[None] - origins[:, None]
    along = one_of(
        jnp.einsum("nmk,nk->nm", offset, directions), jnp.sum(offset * directions[:, None], axis=-1)
    )
    # Squared distance between center and ray.
    if maybe("foot_of_center"):
        foot = offset - along[..., None] * directions[:, None]
        aside = jnp.sum(foot * foot, axis=-1)
    else:
        aside = jnp.sum(offset * offset, axis=-1) - along * along
    half_chord = jnp.sqrt(jnp.maximum(radius * radius - aside, 0) + 1e-6)
    depth = jnp.where((aside < radius * radius) & (along > half_chord), along - half_chord, miss)
    if maybe("take_nearest"):
        hit = jnp.argmax(-depth, axis=1)
        nearest = jnp.take_along_axis(depth, hit[:, None], axis=1)[:, 0]
        return nearest, hit
    return jnp.min(depth, axis=1), jnp.argmax(-depth, axis=1)


@sketch(
    takes={"points": "points f[n, 3]", "rotation": "vector f[3]", "shift": "vector f[3]"},
    gives=("points f[n, 2]: pixels", "f[n]: depth"),
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
    also=("Project points into the image of a pinhole camera.",),
)
def project_to_image(points, rotation, shift, focal=one_of(1.0, 1.5, 2.0), near=number(0.2, 1.0)):
    """Project a cloud of points into a camera with lens distortion."""
    # Small rotations are well described to first order, and made orthonormal.
    x, y, z = 0.5 * jnp.tanh(rotation)
    zero = jnp.zeros_like(x)
    generator = jnp.stack(
        [jnp.stack([zero, -z, y]), jnp.stack([z, zero, -x]), jnp.stack([-y, x, zero])]
    )
    if maybe("cayley"):
        eye = jnp.eye(3, dtype=points.dtype)
        matrix = jnp.linalg.solve(eye - generator, eye + generator)
    else:
        matrix = jax.scipy.linalg.expm(2 * generator)
    camera = one_of(points @ matrix.T + shift, jnp.einsum("ij,nj->ni", matrix, points) + shift)
    depth = one_of(jax.nn.softplus(camera[:, 2]), jnp.abs(camera[:, 2])) + near
    plane = camera[:, :2] / depth[:, None]
    if maybe("distortion"):
        squared = jnp.sum(plane * plane, axis=-1, keepdims=True)
        plane = plane * (1 + number(0.01, 0.1) * squared / (1 + squared))
    return focal * plane, depth
