"""Triangle meshes, polygons and boxes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def triangle_corners(vertices, faces):
    return one_of(
        (vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]),
        jnp.moveaxis(vertices[faces], 1, 0),
        tuple(vertices[faces[:, i]] for i in range(3)),
    )


class FaceGeometry(NamedTuple):
    areas: jax.Array
    face_normals: jax.Array


@sketch(
    takes={"vertices": "points f[n, 3]", "faces": "ids i[m, 3]: corners of the triangles"},
    gives=("f[m]: areas", "direction f[m, 3]: normals"),
    sizes={"n": (4, 512), "m": (2, 512)},
    dtypes="f32 bf16 f64",
    also=("Measure the triangles of a mesh.",),
)
def face_areas_and_normals(vertices, faces, eps=1e-4):
    """Find areas and unit normals of the faces of a mesh."""
    if faces.shape[-1] != 3:
        raise ValueError(f"faces have to be triangles, got {faces.shape[-1]} corners")
    a, b, c = triangle_corners(vertices, faces)
    cross = jnp.cross(b - a, c - a)
    length = jnp.sqrt(jnp.sum(cross * cross, axis=-1) + eps)
    normals = one_of(cross / length[:, None], cross / jnp.expand_dims(length, -1))
    if maybe("outward"):
        # Turn normals away from the center of the mesh.
        middle = (a + b + c) / 3 - jnp.mean(vertices, axis=0)
        side = jnp.where(jnp.sum(normals * middle, axis=-1, keepdims=True) < 0, -1, 1)
        normals = normals * side.astype(normals.dtype)
    return one_of((0.5 * length, normals), FaceGeometry(0.5 * length, normals))


@sketch(
    takes={"vertices": "points f[n, 3]", "faces": "ids i[m, 3]"},
    gives="f[n, 3]: normals",
    sizes={"n": (4, 512), "m": (2, 512)},
    also=("Average the normals of the faces around each vertex.",),
)
def vertex_normals(vertices, faces):
    """Shade a mesh smoothly by averaging face normals at its vertices."""
    a, b, c = triangle_corners(vertices, faces)
    normal = jnp.cross(b - a, c - a)
    if maybe("angle_weighted", 0.4):
        weights = []
        for p, q, r in ((a, b, c), (b, c, a), (c, a, b)):
            u, v = q - p, r - p
            cosine = jnp.sum(u * v, axis=-1)
            sine = jnp.sqrt(jnp.sum(normal * normal, axis=-1) + 1e-4)
            weights.append(jnp.arctan2(sine, cosine))
        contributions = jnp.stack(weights, axis=1)[..., None] * normal[:, None, :]
    else:
        # The cross product already weighs by area.
        contributions = jnp.broadcast_to(normal[:, None, :], (faces.shape[0], 3, 3))
    if maybe("segment_normals"):
        summed = jax.ops.segment_sum(
            contributions.reshape(-1, 3), faces.reshape(-1), num_segments=vertices.shape[0]
        )
    else:
        summed = jnp.zeros_like(vertices).at[faces].add(contributions)
    return summed / jnp.sqrt(jnp.sum(summed * summed, axis=-1, keepdims=True) + 1e-4)


@sketch(
    takes={"vertices": "points f[n, d]", "edges": "edges i[m, 2]"},
    gives="points f[n, d]: smoothed",
    sizes={"n": (4, 512), "m": (4, 1024), "d": (2, 3)},
    also=("Fair a mesh by alternating shrinking and inflating steps.",),
)
def taubin_smoothing(vertices, edges, shrink=number(0.2, 0.6), num_rounds=integer(1, 10)):
    """Smooth a mesh along its edges without shrinking it."""
    n = vertices.shape[0]
    inflate = -shrink - number(0.01, 0.05)
    start, end = edges[:, 0], edges[:, 1]
    ones = jnp.ones(edges.shape[0], vertices.dtype)
    degree = jnp.zeros(n, vertices.dtype).at[start].add(ones).at[end].add(ones)

    def umbrella(x):
        difference = x[end] - x[start]
        total = jnp.zeros_like(x).at[start].add(difference).at[end].add(-difference)
        return total / jnp.maximum(degree, 1)[:, None]

    def one_round(_, x):
        for factor in (shrink, inflate):
            x = x + factor * umbrella(x)
        return x

    smoothed = jax.lax.fori_loop(0, num_rounds, one_round, vertices)
    if maybe("keep_center"):
        smoothed = smoothed + jnp.mean(vertices, axis=0) - jnp.mean(smoothed, axis=0)
    return smoothed


@sketch(
    takes={"corners": "points f[n, 2]: corners of a polygon, in order"},
    gives={"area": "f[]", "perimeter": "f[]", "centroid": "f[2]"},
    sizes={"n": (3, 2048)},
    dtypes="f32 f64",
    also=("Sum the cross products around a polygon to its area.",),
)
def polygon_measures(corners, signed=one_of(True, False)):
    """Measure area, perimeter and centroid of a polygon."""
    if corners.shape[0] < 3:
        raise ValueError(f"a polygon has three corners or more, got {corners.shape[0]}")
    following = jnp.roll(corners, -1, axis=0)
    if maybe("unpack_columns"):
        x, y = corners.T
        x_next, y_next = following.T
        cross = x * y_next - x_next * y
    else:
        cross = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]
    area = 0.5 * jnp.sum(cross)
    sides = following - corners
    perimeter = jnp.sum(jnp.sqrt(jnp.sum(sides * sides, axis=1) + 1e-6))
    if maybe("length_centroid", 0.6):
        # Midpoints of the sides, by their lengths.
        lengths = jnp.sqrt(jnp.sum(sides * sides, axis=1) + 1e-6)
        centroid = lengths @ (corners + following) / (2 * jnp.sum(lengths))
    else:
        centroid = jnp.mean(corners, axis=0)
    return {"area": area if signed else jnp.abs(area), "perimeter": perimeter, "centroid": centroid}


@sketch(
    takes={"polygon": "points f[n, 2]", "points": "points f[m, 2]"},
    gives="f[m]: winding",
    sizes={"n": (3, 64), "m": (2, 512)},
    dtypes="f32 f64",
    also=("Sum the angles under which points see the sides of a polygon.",),
)
def winding_numbers(polygon, points, softness=number(0.05, 0.3)):
    """Tell how often a polygon winds around each point."""
    a = polygon[None] - points[:, None]
    b = jnp.roll(polygon, -1, axis=0)[None] - points[:, None]
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    dot = jnp.sum(a * b, axis=-1)
    if maybe("solid_angle_form"):
        # Softened, so that points on the boundary get a fraction.
        angle = jnp.arctan2(cross, jnp.abs(dot) + dot + softness)
    else:
        lengths = jnp.sqrt(jnp.sum(a * a, axis=-1) * jnp.sum(b * b, axis=-1) + 1e-6)
        angle = 2 * jnp.arctan(cross / (lengths + dot + softness))
    return one_of(jnp.sum(angle, axis=1) / (2 * jnp.pi), jnp.mean(angle, axis=1))


@sketch(
    takes={"boxes": "f[n, 4]: center, width and height", "others": "f[m, 4]"},
    gives="f[n, m]: overlap",
    sizes={"n": (1, 128), "m": (1, 128)},
    dtypes="f32 bf16 f64",
    also=("Compare two sets of boxes by intersection over union.",),
)
def box_overlap(boxes, others, eps=1e-3):
    """Measure how much axis-aligned boxes overlap."""
    if boxes.shape[-1] != 4 or others.shape[-1] != 4:
        raise ValueError(f"boxes have four numbers, got {boxes.shape} and {others.shape}")

    def limits(box):
        center, extent = jnp.split(box, 2, axis=-1)
        extent = one_of(jax.nn.softplus(extent), jnp.abs(extent) + 0.1)
        return center - extent / 2, center + extent / 2

    low_a, high_a = limits(boxes[:, None])
    low_b, high_b = limits(others[None, :])
    shared = jnp.prod(
        jnp.maximum(jnp.minimum(high_a, high_b) - jnp.maximum(low_a, low_b), 0), axis=-1
    )
    area_a = jnp.prod(high_a - low_a, axis=-1)
    area_b = jnp.prod(high_b - low_b, axis=-1)
    union = area_a + area_b - shared if maybe("sum_union") else area_a - shared + area_b
    overlap = shared / (union + eps)
    if maybe("generalized"):
        # Boxes that do not meet are told apart by the hull around them.
        hull = jnp.prod(jnp.maximum(high_a, high_b) - jnp.minimum(low_a, low_b), axis=-1)
        return overlap - (hull - union) / (hull + eps)
    elif maybe("center_distance", 0.4):
        offset = boxes[:, None, :2] - others[None, :, :2]
        return overlap - 0.1 * jnp.tanh(jnp.sum(offset * offset, axis=-1))
    else:
        return overlap


@sketch(
    takes={"points": "points f[n, 3]", "weights?": "f[n]"},
    gives="field f[k, k, k]: occupancy",
    sizes={"n": (4, 512), "k": (3, 16)},
    also=("Splat points into a grid of voxels.",),
)
def voxelize(points, weights=None, extent=one_of(4.0, 5.0)):
    """Count the points of a cloud in the cells of a cubic grid."""
    n = points.shape[0]
    resolution = size("k")
    if weights is None:
        weights = jnp.ones(n, points.dtype)
    scaled = (jnp.clip(points / extent, -0.99, 0.99) + 1) * 0.5 * (resolution - 1)
    base = jnp.floor(scaled).astype(jnp.int32)
    grid = jnp.zeros((resolution,) * 3, points.dtype)
    fraction = scaled - base
    # Every point is shared by the eight corners around it.
    for corner in range(8):
        bits = jnp.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        share = jnp.prod(jnp.where(bits == 1, fraction, 1 - fraction), axis=-1)
        index = jnp.minimum(base + bits, resolution - 1)
        grid = grid.at[index[:, 0], index[:, 1], index[:, 2]].add(share * weights)
    return one_of(grid, grid / n, jnp.tanh(grid))
