"""Initial values of arrays, drawn with a variance that fits their shape."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, Optional

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch

Shape = Sequence[int]
Initializer = Callable[[Any, Shape, Any], Any]


def _compute_fans(
    shape: Shape, in_axis: int = -2, out_axis: int = -1, batch_axis: Shape = ()
) -> tuple[float, float]:
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    batch_size = math.prod(shape[a] for a in batch_axis)
    receptive_field = math.prod(shape) / shape[in_axis] / shape[out_axis] / batch_size
    return shape[in_axis] * receptive_field, shape[out_axis] * receptive_field


def variance_scaling(
    scale: float,
    mode: Literal["fan_in", "fan_out", "fan_avg"],
    distribution: Literal["truncated_normal", "normal", "uniform"],
    in_axis: int = -2,
    out_axis: int = -1,
    dtype: Any = jnp.float32,
) -> Initializer:
    """Initializer that adapts its scale to the shape of the weights."""

    def init(key, shape: Shape, dtype: Any = dtype):
        fan_in, fan_out = _compute_fans(shape, in_axis, out_axis)
        if mode == "fan_in":
            denominator = fan_in
        elif mode == "fan_out":
            denominator = fan_out
        elif mode == "fan_avg":
            denominator = (fan_in + fan_out) / 2
        else:
            raise ValueError(f"invalid mode for variance scaling initializer: {mode}")
        variance = jnp.array(scale / max(1.0, denominator), dtype=dtype)
        if distribution == "normal":
            return jax.random.normal(key, shape, dtype) * jnp.sqrt(variance)
        if distribution == "uniform":
            return jax.random.uniform(key, shape, dtype, -1) * jnp.sqrt(3 * variance)
        # The constant is the deviation of a normal that is cut off at 2.
        stddev = jnp.sqrt(variance) / jnp.array(0.87962566103423978, dtype)
        return jax.random.truncated_normal(key, -2, 2, shape, dtype) * stddev

    return init


@sketch(
    takes={"key": "key", "x": "features f[n, d]"},
    sizes={"n": (2, 64), "d": (2, 64)},
    also=("Affine layer with fresh weights of a scaled variance.",),
)
def scaled_linear(
    key,
    x,
    features: int = one_of(8, 16, 32),
    w_init: Optional[Initializer] = None,
    with_bias=one_of(True, False),
):
    """Apply a linear map to fresh weights, drawn by an initializer."""
    if w_init is None:
        w_init = one_of(
            variance_scaling(1.0, "fan_in", "truncated_normal"),
            variance_scaling(2.0, "fan_in", "normal"),
            variance_scaling(1.0, "fan_avg", "uniform"),
        )
    w = w_init(key, (x.shape[-1], features), x.dtype)
    y = jnp.dot(x, w)
    if with_bias:
        b = jnp.broadcast_to(jnp.zeros([features], x.dtype), y.shape)
        y = y + b
    return y


@sketch(
    takes={"key": "key"},
    gives="kernel f[3, 4, 8]",
    also=("Weights of a convolution with one of the usual scales.",),
)
def conv_kernel_init(key, name: str = one_of("lecun", "he", "glorot"), shape: Shape = (3, 4, 8)):
    """Draw the kernel of a convolution with a named scheme."""
    scales = {"lecun": (1.0, "fan_in"), "he": (2.0, "fan_in"), "glorot": (1.0, "fan_avg")}
    if name not in scales:
        raise ValueError(f"unknown initializer {name!r}, expected one of {sorted(scales)}")
    gain, mode = scales[name]
    init_fn = variance_scaling(gain, mode, one_of("normal", "uniform", "truncated_normal"))
    return init_fn(key, shape) if maybe("default dtype") else init_fn(key, shape, jnp.float32)


def orthogonal(scale: float = 1.0, column_axis: int = -1, dtype: Any = jnp.float32) -> Initializer:
    """Initializer for uniformly distributed orthogonal matrices."""

    def init(key, shape: Shape, dtype: Any = dtype):
        if len(shape) < 2:
            raise ValueError("orthogonal initializer requires at least a 2D shape")
        n_rows, n_cols = math.prod(shape) // shape[column_axis], shape[column_axis]
        matrix_shape = (n_rows, n_cols) if n_rows > n_cols else (n_cols, n_rows)
        normal = jax.random.normal(key, matrix_shape, dtype)
        q, r = jnp.linalg.qr(normal)
        d = jnp.diag(r)
        q = q * one_of(jnp.expand_dims(jnp.where(d < 0, -1.0, 1.0), 0), jnp.sign(d + 1e-9)[None, :])
        if n_rows < n_cols:
            q = q.T
        return scale * jnp.reshape(q, shape)

    return init


@sketch(
    takes={"key": "key", "x": "features f[n, d]"},
    sizes={"n": (2, 32), "d": (4, 24)},
    also=("Rotate features at random.",),
)
def random_rotation(
    key, x, scale: float = one_of(1.0, 0.5, 2**0.5), num_features: Optional[int] = None
):
    """Project features by a random matrix with orthonormal columns or rows."""
    if num_features is None:
        num_features = x.shape[-1]
    if maybe("initializer"):
        q = orthogonal(scale)(key, (x.shape[-1], num_features), x.dtype)
    elif maybe("builtin"):
        q = jax.nn.initializers.orthogonal(scale)(key, (x.shape[-1], num_features), x.dtype)
    else:
        q = scale * jax.random.orthogonal(key, num_features, dtype=x.dtype)
    return one_of(x @ q, jnp.dot(x, q), jnp.matmul(x, q))


@sketch(
    takes={"key": "key"},
    also=("Sparse random weights.",),
)
def sparse_init(
    key,
    shape: Shape = one_of((16, 8), (8, 32)),
    sparsity: float = number(0.1, 0.9),
    dtype: Any = jnp.float32,
):
    """Draw a matrix in each column of which a share of the entries is zero."""
    assert len(shape) == 2
    n_rows, n_cols = shape
    num_zeros = int(np.ceil(sparsity * n_rows))
    std = one_of(0.01, 1.0 / np.sqrt(n_rows), 1 / math.sqrt(max(n_rows - num_zeros, 1)))
    k1, k2 = jax.random.split(key)
    weights = std * jax.random.normal(k1, shape, dtype)
    if maybe("bernoulli"):
        keep = jax.random.bernoulli(k2, 1.0 - sparsity, shape)
        return weights * keep.astype(dtype)
    scores = jax.random.uniform(k2, shape)
    rank = jnp.argsort(jnp.argsort(scores, axis=0), axis=0)
    return jnp.where(rank < num_zeros, 0, weights)


@sketch(
    takes={"key": "key", "x": "image f[b, h, w, c]"},
    sizes={"b": (1, 2), "h": (4, 12), "w": (4, 12), "c": (2, 6)},
    also=("Convolution that begins as the identity.",),
)
def delta_convolution(
    key,
    x,
    kernel_size: int | tuple[int, int] = one_of(3, (3, 3), (1, 3)),
    noise: float = one_of(0.0, 1e-2),
):
    """Convolve by a kernel whose center alone is set."""
    if isinstance(kernel_size, int):
        kernel_size = (kernel_size,) * 2
    if any(k % 2 == 0 for k in kernel_size):
        raise ValueError(f"kernel_size must be odd, got {kernel_size}")
    channels = x.shape[-1]
    center = one_of(jnp.eye(channels), jax.random.orthogonal(key, channels)).astype(x.dtype)
    kernel = jnp.zeros((*kernel_size, channels, channels), x.dtype)
    kernel = kernel.at[kernel_size[0] // 2, kernel_size[1] // 2].set(center)
    if noise > 0:
        kernel = kernel + noise * jax.random.normal(key, kernel.shape, kernel.dtype)
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@sketch(
    takes={"key": "key"},
    also=("Initial values of a named distribution for several shapes.",),
)
def init_dict(
    key,
    shapes: Optional[dict[str, Shape]] = None,
    stddev: float | Callable[[Shape], float] = one_of(0.02, 1.0, lambda shape: shape[0] ** -0.5),
):
    """Draw a dict of arrays by a dict of shapes, where vectors begin at zero."""
    if shapes is None:
        shapes = one_of({"w": (8, 16), "b": (16,)}, dict(kernel=(4, 8), scale=(8,), bias=(8,)))
    keys = dict(zip(shapes, jax.random.split(key, len(shapes))))

    def init_leaf(name, shape):
        if len(shape) < 2:
            return jnp.ones(shape) if name == "scale" else jnp.zeros(shape)
        std = stddev(shape) if callable(stddev) else stddev
        if maybe("truncated"):
            return std * jax.random.truncated_normal(keys[name], -2.0, 2.0, shape)
        return std * jax.random.normal(keys[name], shape)

    if maybe("partial"):
        return {name: functools.partial(init_leaf, name)(shape) for name, shape in shapes.items()}
    return {name: init_leaf(name, shape) for name, shape in shapes.items()}
