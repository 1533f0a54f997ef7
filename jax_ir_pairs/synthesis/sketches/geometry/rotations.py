"""Rotations, rigid motions and alignment."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, sketch


def unit_vectors(v, eps=1e-6):
    return v / jnp.sqrt(jnp.sum(v * v, axis=-1, keepdims=True) + eps)


def _cross_matrix(v):
    """Matrix of the cross product with a vector."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    zero = jnp.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


@sketch(
    takes={"q": "quaternions f[b, 4]: scalar part first"},
    gives="rotations f[b, 3, 3]",
    sizes={"b": (1, 1024)},
    dtypes="f32 bf16 f64",
    also=("Convert quaternions to rotation matrices, after normalizing them.",),
)
def quaternion_to_matrix(q):
    """Build rotation matrices from quaternions of any length."""
    if q.shape[-1] != 4:
        raise ValueError(f"quaternions have four components, got {q.shape[-1]}")
    if maybe("safe_start"):
        # A quaternion near zero counts as no rotation.
        q = q + 1e-3 * jnp.array([1.0, 0.0, 0.0, 0.0], q.dtype)
    q = unit_vectors(q)
    if maybe("outer_products"):
        w, v = q[..., :1], q[..., 1:]
        eye = jnp.eye(3, dtype=q.dtype)
        outer = v[..., :, None] * v[..., None, :]
        scalar = (w * w - jnp.sum(v * v, axis=-1, keepdims=True))[..., None]
        return scalar * eye + 2 * outer + 2 * w[..., None] * _cross_matrix(v)
    w, x, y, z = one_of(jnp.moveaxis(q, -1, 0), (q[..., 0], q[..., 1], q[..., 2], q[..., 3]))
    entries = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.stack([jnp.stack(row, axis=-1) for row in entries], axis=-2)


@sketch(
    takes={"omega": "vector f[b, 3]: axis times angle"},
    gives="rotations f[b, 3, 3]",
    sizes={"b": (1, 512)},
    dtypes="f32 f64",
    also=("Exponentiate rotation vectors by the formula of Rodrigues.",),
)
def rotation_exponential(omega):
    """Map rotation vectors to rotation matrices."""
    squared = jnp.sum(omega * omega, axis=-1) + 1e-6
    angle = jnp.sqrt(squared)
    k = _cross_matrix(omega)
    if maybe("unit_axis"):
        k = k / angle[..., None, None]
        first, second = jnp.sin(angle), one_of(1 - jnp.cos(angle), 2 * jnp.sin(angle / 2) ** 2)
    else:
        # sin(a) / a and (1 - cos(a)) / a^2
        first = one_of(jnp.sin(angle) / angle, jnp.sinc(angle / jnp.pi))
        second = 2 * (jnp.sin(angle / 2) / angle) ** 2
    eye = jnp.eye(3, dtype=omega.dtype)
    return eye + first[..., None, None] * k + second[..., None, None] * (k @ k)


@sketch(
    takes={"q0": "quaternions f[b, 4]", "q1": "quaternions f[b, 4]", "t": "f[b]"},
    gives="quaternions f[b, 4]",
    sizes={"b": (1, 1024)},
    dtypes="f32 f64",
    also=("Interpolate between orientations at constant angular speed.",),
)
def slerp_quaternions(q0, q1, t):
    """Interpolate along the shortest arcs between unit quaternions."""
    if q0.shape != q1.shape:
        raise ValueError(f"cannot interpolate from {q0.shape} to {q1.shape}")
    q0, q1 = unit_vectors(q0), unit_vectors(q1)
    t = one_of(jax.nn.sigmoid(t), jnp.clip(t, 0.0, 1.0))[:, None]
    dot = jnp.sum(q0 * q1, axis=-1, keepdims=True)
    # Both signs are the same rotation, so take the nearer one.
    q1 = jnp.where(dot < 0, -q1, q1)
    dot = jnp.clip(jnp.abs(dot), 0.0, 0.999)
    if maybe("nlerp", 0.35):
        # Normalized linear interpolation is close enough for small arcs.
        return unit_vectors((1 - t) * q0 + t * q1)
    theta = jnp.arccos(dot)
    mixed = jnp.sin((1 - t) * theta) * q0 + jnp.sin(t * theta) * q1
    return one_of(mixed / jnp.sin(theta), unit_vectors(mixed))


@sketch(
    takes={"six": "features f[b, 6]: two vectors"},
    gives="rotations f[b, 3, 3]",
    sizes={"b": (1, 1024)},
    dtypes="f32 f64",
    also=("Orthonormalize two predicted vectors to a rotation.",),
)
def rotation_from_six_numbers(six):
    """Turn a continuous six-number code into rotation matrices."""
    batch, width = six.shape
    assert width == 6, f"the code has 6 numbers, got {width}"
    if maybe("reshape_six"):
        a, b = jnp.moveaxis(six.reshape(batch, 2, 3), 1, 0)
    else:
        a, b = jnp.split(six, 2, axis=-1)
    # Gram-Schmidt.
    first = unit_vectors(a)
    second = unit_vectors(b - jnp.sum(first * b, axis=-1, keepdims=True) * first, 1e-3)
    third = jnp.cross(first, second)
    return jnp.stack([first, second, third], axis=one_of(-1, -2))


@sketch(
    takes={
        "rotation": "rotations f[b, 3, 3]",
        "shift": "vector f[b, 3]",
        "points": "points f[n, 3]",
    },
    gives="points f[b, n, 3]: moved",
    sizes={"b": (1, 16), "n": (2, 256)},
    dtypes="f32 bf16 f64",
    also=("Move one cloud of points by a batch of poses.",),
)
def transform_points(rotation, shift, points, inverse=one_of(False, True)):
    """Apply rigid motions to points, or take them back."""
    if rotation.shape[-2:] != (3, 3) or points.shape[-1] != 3:
        raise ValueError(f"rotations {rotation.shape} do not act on points {points.shape}")
    if inverse:
        return jnp.einsum("bji,bnj->bni", rotation, points[None] - shift[:, None, :])
    if maybe("homogeneous_points"):
        pose = jnp.concatenate([rotation, shift[:, :, None]], axis=-1)
        extended = jnp.concatenate([points, jnp.ones_like(points[:, :1])], axis=-1)
        return jnp.einsum("bij,nj->bni", pose, extended)
    rotated = one_of(
        jnp.einsum("bij,nj->bni", rotation, points), points @ jnp.swapaxes(rotation, 1, 2)
    )
    return rotated + shift[:, None, :]


@sketch(
    takes={"euler": "angles f[b, 3]: roll, pitch and yaw"},
    gives="rotations f[b, 3, 3]",
    sizes={"b": (1, 512)},
    dtypes="f32 bf16 f64",
    also=("Compose rotations about three axes.",),
)
def euler_to_matrix(euler, order=one_of("zyx", "xyz", "zxz")):
    """Multiply the rotations of Euler angles."""
    if set(order) - set("xyz") or len(order) != 3:
        raise ValueError(f"unknown order of axes: {order!r}")

    def about(axis, angle):
        c, s = jnp.cos(angle), jnp.sin(angle)
        one, zero = jnp.ones_like(c), jnp.zeros_like(c)
        if axis == "x":
            rows = [[one, zero, zero], [zero, c, -s], [zero, s, c]]
        elif axis == "y":
            rows = [[c, zero, s], [zero, one, zero], [-s, zero, c]]
        else:
            rows = [[c, -s, zero], [s, c, zero], [zero, zero, one]]
        return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)

    if maybe("degrees", 0.35):
        euler = jnp.deg2rad(10.0 * euler)
    if maybe("intrinsic_loop"):
        rotation = about(order[0], euler[:, 0])
        for i, axis in enumerate(order[1:], start=1):
            rotation = rotation @ about(axis, euler[:, i])
        return rotation
    first, second, third = (about(axis, euler[:, i]) for i, axis in enumerate(order))
    return one_of(first @ second @ third, jnp.einsum("bij,bjk,bkl->bil", first, second, third))


@sketch(
    takes={"rotation": "rotations f[b, 3, 3]", "reference": "rotations f[b, 3, 3]"},
    gives="distances f[b]",
    sizes={"b": (1, 256)},
    dtypes="f32 f64",
)
def geodesic_angle(rotation, reference):
    """Measure the angles between orientations."""
    relative = one_of(
        jnp.einsum("bji,bjk->bik", rotation, reference), jnp.swapaxes(rotation, 1, 2) @ reference
    )
    trace = one_of(jnp.trace(relative, axis1=1, axis2=2), jnp.einsum("bii->b", relative))
    if maybe("arctan_angle"):
        # The antisymmetric part has the sine, the trace the cosine.
        skew = relative - jnp.swapaxes(relative, 1, 2)
        sine = jnp.sqrt(jnp.sum(skew * skew, axis=(1, 2)) / 8 + 1e-6)
        return jnp.arctan2(sine, 0.5 * (trace - 1))
    return jnp.arccos(jnp.clip(0.5 * (trace - 1), -0.999, 0.999))
