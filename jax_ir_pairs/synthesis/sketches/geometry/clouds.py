"""Clouds of points: distances, neighbours, alignment."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def squared_distances(x, y):
    if maybe("expanded_squares", 0.4):
        # |x|^2 + |y|^2 - 2 x.y, which rounding may make negative.
        squares = jnp.sum(x * x, axis=-1)[:, None] + jnp.sum(y * y, axis=-1)[None, :]
        return jnp.maximum(squares - 2 * x @ y.T, 0)
    else:
        return jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)


@sketch(
    takes={"x": "points f[n, d]", "y": "points f[m, d]"},
    gives="loss f[]",
    sizes={"n": (2, 256), "m": (2, 256), "d": (2, 3)},
    dtypes="f32 bf16 f64",
    also=("Compare two clouds by the distances to nearest points.",),
)
def chamfer_distance(x, y, reduction=one_of("mean", "sum", "max")):
    """Measure how far two point clouds are apart, in both directions."""
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"points in {x.shape[-1]} and in {y.shape[-1]} dimensions")
    squared = squared_distances(x, y)
    if maybe("euclidean_chamfer"):
        squared = jnp.sqrt(squared + 1e-4)
    there = jnp.min(squared, axis=1)
    back = jnp.min(squared, axis=0)
    if reduction == "mean":
        return jnp.mean(there) + jnp.mean(back)
    if reduction == "sum":
        return jnp.sum(there) / x.shape[0] + jnp.sum(back) / y.shape[0]
    # Hausdorff: the worst of all points.
    return jnp.maximum(jnp.max(there), jnp.max(back))


@sketch(
    takes={"points": "points f[n, d]", "queries": "points f[m, d]"},
    gives=("distances f[m, k]", "i32[m, k]: neighbours"),
    sizes={"n": (9, 256), "m": (2, 128), "d": (2, 16), "k": (1, 8)},
    dtypes="f32 f64",
    also=("Find the nearest points of a cloud for each query.",),
)
def nearest_neighbours(points, queries, k=size("k")):
    """Look up the k nearest neighbours of queries by brute force."""
    n, dim = points.shape
    if k > n:
        raise ValueError(f"cannot find {k} neighbours among {n} points")
    squared = squared_distances(queries, points)
    if maybe("top_k"):
        negative, index = jax.lax.top_k(-squared, k)
        nearest = -negative
    else:
        index = jnp.argsort(squared, axis=1)[:, :k]
        nearest = jnp.take_along_axis(squared, index, axis=1)
    return jnp.sqrt(nearest + 1e-4), index.astype(jnp.int32)


@sketch(
    takes={"points": "points f[n, d]"},
    gives=("points f[k, d]: chosen", "f[]: covering"),
    sizes={"n": (9, 512), "d": (2, 3), "k": (2, 8)},
    dtypes="f32 f64",
    also=("Choose points one by one, each as far from the others as can be.",),
)
def farthest_point_sampling(points, num_samples=size("k")):
    """Thin a cloud by farthest point sampling."""

    def distance_to(index):
        return jnp.sum((points - points[index]) ** 2, axis=-1)

    if maybe("start_at_center"):
        first = jnp.argmax(jnp.sum((points - jnp.mean(points, axis=0)) ** 2, axis=-1))
    else:
        first = jnp.zeros((), jnp.int32)
    if maybe("host_sampling", 0.4):
        chosen = [first]
        nearest = distance_to(first)
        for _ in range(num_samples - 1):
            chosen.append(jnp.argmax(nearest))
            nearest = jnp.minimum(nearest, distance_to(chosen[-1]))
        return points[jnp.stack([c.astype(jnp.int32) for c in chosen])], jnp.max(nearest)

    def step(carry, _):
        nearest, index = carry
        nearest = jnp.minimum(nearest, distance_to(index))
        following = jnp.argmax(nearest).astype(jnp.int32)
        return (nearest, following), index

    far = jnp.full(points.shape[0], 1e4, points.dtype)
    (nearest, _), index = jax.lax.scan(step, (far, first.astype(jnp.int32)), length=num_samples)
    return points[index], jnp.max(nearest)


class RigidFit(NamedTuple):
    rotation: jax.Array
    shift: jax.Array


def _kabsch(source, target, weights):
    """Rotation and shift that take one cloud to another at least squared distance."""
    weights = weights / jnp.sum(weights)
    source_center, target_center = weights @ source, weights @ target
    dim = source.shape[1]
    covariance = (source - source_center).T @ (weights[:, None] * (target - target_center))
    # The ridge keeps the singular values apart from zero.
    ridge = jnp.diag(jnp.arange(dim, 0, -1, dtype=source.dtype))
    u, _, vt = jnp.linalg.svd(covariance + one_of(0.5, 1.0) * ridge)
    sign = jnp.sign(jnp.linalg.det(u @ vt))
    flip = jnp.ones(dim, source.dtype).at[-1].set(sign)
    rotation = (vt.T * flip) @ u.T
    return RigidFit(rotation, target_center - rotation @ source_center)


@sketch(
    takes={"source": "points f[n, d]", "target": "points f[n, d]", "weights?": "f[n]"},
    gives=("rotations f[d, d]: rotation", "loss f[]"),
    sizes={"n": (4, 256), "d": (2, 3)},
    dtypes="f32 f64",
    also=("Superpose corresponding points by the algorithm of Kabsch.",),
)
def procrustes_alignment(source, target, weights=None):
    """Align one cloud with another whose points correspond."""
    if source.shape != target.shape:
        raise ValueError(f"{source.shape} and {target.shape} do not correspond")
    n, dim = source.shape
    if weights is None:
        weights = jnp.ones(n, source.dtype)
    else:
        weights = one_of(jax.nn.softplus(weights), jnp.abs(weights) + 0.1)
    fit = _kabsch(source, target, weights)
    aligned = source @ fit.rotation.T + fit.shift
    error = jnp.sum((aligned - target) ** 2, axis=-1)
    return fit.rotation, one_of(jnp.mean(error), jnp.sqrt(jnp.mean(error) + 1e-6))


@sketch(
    takes={"source": "points f[n, d]", "target": "points f[m, d]"},
    gives=("points f[n, d]: aligned", "loss f[]"),
    sizes={"n": (6, 128), "m": (6, 128), "d": (2, 3)},
    also=("Register one scan with another, from matches that are found again each time.",),
)
def soft_icp(source, target, num_iters=integer(1, 3), temperature=number(0.2, 2.0)):
    """Register clouds by iterative closest points with soft matches."""
    moved = source
    for _ in range(num_iters):
        squared = squared_distances(moved, target)
        # Soft matches change smoothly where the nearest point would jump.
        matching = jax.nn.softmax(-squared / temperature, axis=1)
        matched = matching @ target
        if maybe("trim_matches"):
            trust = jnp.exp(-jnp.sum((moved - matched) ** 2, axis=-1) / 10.0) + 1e-2
        else:
            trust = jnp.ones(source.shape[0], source.dtype)
        fit = _kabsch(moved, matched, trust)
        moved = moved @ fit.rotation.T + fit.shift
    return moved, jnp.mean(jnp.min(squared_distances(moved, target), axis=1))


@sketch(
    takes={"points": "points f[n, d]", "values": "f[n]", "queries": "points f[m, d]"},
    gives="f[m]: interpolated",
    sizes={"n": (4, 96), "m": (2, 128), "d": (1, 3)},
    dtypes="f32 f64",
    also=("Interpolate scattered data without a triangulation.",),
)
def scattered_interpolation(points, values, queries, width=number(0.5, 2.0)):
    """Interpolate values between scattered points."""
    n, _ = points.shape
    assert values.shape == (n,), f"{n} points, values of shape {values.shape}"
    squared = squared_distances(queries, points)
    if maybe("shepard"):
        # Inverse distances as weights.
        weights = 1.0 / one_of(squared + 0.05, (squared + 0.05) ** 2)
        return weights @ values / jnp.sum(weights, axis=1)

    def kernel(squared):
        return one_of(
            jnp.exp(-squared / (2 * width * width)), 1 / jnp.sqrt(1 + squared / (width * width))
        )

    gram = kernel(squared_distances(points, points)) + 0.1 * jnp.eye(n, dtype=points.dtype)
    if maybe("subtract_mean"):
        center = jnp.mean(values)
    else:
        center = 0.0
    return center + kernel(squared) @ jnp.linalg.solve(gram, values - center)
