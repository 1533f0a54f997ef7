"""Normalization layers, of activations and of weights."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "features f[*s, d]", "gain": "f[d]"},
    gives="features f[*s, d]",
    sizes={"d": (4, 1024)},
    dtypes="f32 bf16 f16",
    also=("Divide features by their root mean square.",),
)
def rms_norm_layer(x, gain, eps=number(1e-6, 1e-5), offset=one_of(0.0, 1.0)):
    """Rescale the last axis to a root mean square of one."""
    if gain.shape != x.shape[-1:]:
        raise ValueError(f"gain has shape {gain.shape}, features have {x.shape[-1:]}")
    if maybe("upcast"):
        # Squares are summed in full precision.
        wide = x.astype(jnp.float32)
        inverse = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + eps)
        normed = (wide * inverse).astype(x.dtype)
    elif maybe("partial", 0.3):
        # A quarter of the features is enough to estimate the scale.
        head = x[..., : max(x.shape[-1] // 4, 1)]
        normed = x * jax.lax.rsqrt(jnp.mean(head * head, axis=-1, keepdims=True) + 1e-2)
    else:
        normed = x / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return normed * (offset + gain)


@sketch(
    takes={
        "params": {"scale": "f[g*d]", "bias": "f[g*d]"},
        "images": "feature_map f[b, h, w, g*d]",
    },
    gives="feature_map f[b, h, w, g*d]",
    sizes={"b": (1, 4), "h": (2, 12), "w": (2, 12), "g": (2, 4), "d": (2, 8)},
    dtypes="f32 bf16",
    also=("Normalize groups of channels of each image by themselves.",),
)
def group_norm_layer(params, images, num_groups=size("g"), eps=number(1e-5, 1e-3)):
    """Standardize feature maps within groups of channels."""
    batch_size, height, width, channels = images.shape
    if channels % num_groups:
        raise ValueError(f"{channels} channels do not divide into {num_groups} groups")
    grouped = images.reshape(batch_size, height, width, num_groups, channels // num_groups)
    axes = (1, 2, 4)
    if maybe("one_pass", 0.4):
        # E[x^2] - E[x]^2: both moments in one pass over the data.
        mean = jnp.mean(grouped, axis=axes, keepdims=True)
        second = jnp.mean(grouped * grouped, axis=axes, keepdims=True)
        variance = jnp.maximum(second - mean * mean, 0.0)
    else:
        mean = grouped.mean(axis=axes, keepdims=True)
        variance = grouped.var(axis=axes, keepdims=True)
    normed = ((grouped - mean) * jax.lax.rsqrt(variance + eps)).reshape(images.shape)
    if maybe("swish", 0.35):
        return jax.nn.silu(normed * params["scale"] + params["bias"])
    return normed * params["scale"] + params["bias"]


@sketch(
    takes={
        "params": {"scale": "f[d]", "bias": "f[d]"},
        "stats": {"mean": "f[d]", "var": "f[d]"},
        "x": "features f[b, d]",
    },
    gives=("features f[b, d]", {"mean": "f[d]", "var": "f[d]"}),
    sizes={"b": (4, 128), "d": (2, 256)},
    also=("Normalize a batch by its own statistics and follow them over time.",),
)
def batch_norm_step(params, stats, x, momentum=one_of(0.9, 0.99), train=one_of(True, False)):
    """Normalize features over the batch and update running statistics."""
    if not train:
        # The running variance may never have been positive.
        inverse = jax.lax.rsqrt(jnp.abs(stats["var"]) + 1e-3)
        return (x - stats["mean"]) * inverse * params["scale"] + params["bias"], stats
    mean = jnp.mean(x, axis=0)
    var = one_of(jnp.var(x, axis=0), jnp.mean((x - mean) ** 2, axis=0))
    if maybe("unbiased", 0.4):
        batch_size = x.shape[0]
        tracked = var * batch_size / max(batch_size - 1, 1)
    else:
        tracked = var
    if maybe("tree_map"):
        new_stats = jax.tree.map(
            lambda old, new: momentum * old + (1 - momentum) * new,
            stats,
            {"mean": mean, "var": tracked},
        )
    else:
        new_stats = {
            "mean": momentum * stats["mean"] + (1 - momentum) * mean,
            "var": momentum * stats["var"] + (1 - momentum) * tracked,
        }
    normed = (x - mean) * jax.lax.rsqrt(var + 1e-3)
    return normed * params["scale"] + params["bias"], new_stats


@sketch(
    takes={"weight": "matrix f[m, n]", "u": "vector f[m]: from the step before"},
    gives=("matrix f[m, n]: normalized", "vector f[m]"),
    sizes={"m": (3, 64), "n": (3, 64)},
    dtypes="f32 f64",
    also=("Bound the largest singular value of a weight matrix by one.",),
)
def spectral_normalize(weight, u, num_iters=integer(1, 3), eps=number(1e-6, 1e-4)):
    """Divide a weight matrix by a running estimate of its spectral norm."""

    def unit(vector):
        return vector / (jnp.sqrt(jnp.sum(vector * vector)) + eps)

    u = unit(u)
    for _ in range(num_iters):
        right = unit(weight.T @ u)
        u = unit(weight @ right)
    # No gradient flows through the power iteration.
    u, right = jax.lax.stop_gradient(u), jax.lax.stop_gradient(right)
    spectral = one_of(u @ weight @ right, jnp.einsum("m,mn,n->", u, weight, right))
    if maybe("soft"):
        # Weights that are small already stay as they are.
        return weight / jnp.maximum(spectral, 1.0), u
    return weight / (jnp.abs(spectral) + 1e-3), u


@sketch(
    takes={
        "params": {"kernel": "kernel f[k, k, c, m]", "gain": "f[m]"},
        "images": "image f[b, h, w, c]",
    },
    gives="feature_map f[b, h, w, m]",
    sizes={"k": (1, 3), "c": (1, 4), "m": (2, 8), "b": (1, 4), "h": (4, 16), "w": (4, 16)},
    dtypes="f32 bf16",
    also=("Convolve with weights of zero mean and unit variance.",),
)
def weight_standardized_conv(params, images, eps=number(1e-5, 1e-3)):
    """Standardize the weights of a convolution before applying it."""
    kernel = params["kernel"]
    fan_in = math.prod(kernel.shape[:3])
    mean = jnp.mean(kernel, axis=(0, 1, 2), keepdims=True)
    variance = jnp.var(kernel, axis=(0, 1, 2), keepdims=True)
    if maybe("scaled"):
        standardized = (kernel - mean) * jax.lax.rsqrt(variance * fan_in + eps) * params["gain"]
    else:
        standardized = (kernel - mean) / (jnp.sqrt(variance) + eps) / math.sqrt(fan_in)
        standardized = standardized * params["gain"]
    out = jax.lax.conv_general_dilated(
        images,
        standardized,
        window_strides=(1, 1),
        padding=one_of("SAME", [(k // 2, (k - 1) // 2) for k in kernel.shape[:2]]),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return one_of(jax.nn.relu(out), out, jax.nn.silu(out))


@sketch(
    takes={"x": "features f[b, d]", "alpha": "f[]", "gain": "f[d]", "offset": "f[d]"},
    gives="features f[b, d]",
    sizes={"b": (2, 128), "d": (3, 512)},
    dtypes="f32 bf16",
    also=("Stand in for layer normalization with a bounded elementwise function.",),
)
def dynamic_tanh(x, alpha, gain, offset):
    """Squash features by a hyperbolic tangent of learned steepness."""
    steepness = one_of(alpha, jax.nn.softplus(alpha), 0.5 + alpha)
    if maybe("clip_tails", 0.3):
        x = jnp.clip(x, -one_of(6.0, 10.0), 10.0)
    squashed = one_of(jnp.tanh(steepness * x), jax.nn.soft_sign(steepness * x))
    if maybe("affine", 0.7):
        return squashed * gain + offset
    return squashed * gain


@sketch(
    takes={"x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"b": (8, 128), "d": (2, 8)},
    dtypes="f32 f64",
    also=("Decorrelate features over a batch and give them unit variance.",),
)
def whiten_batch(x, shrinkage=number(0.05, 0.3), num_iters=integer(3, 5)):
    """Whiten a batch of features with a shrunk covariance."""
    batch_size, width = x.shape
    if batch_size < 2:
        raise ValueError("a covariance needs at least two rows")
    centered = x - jnp.mean(x, axis=0)
    covariance = centered.T @ centered / (batch_size - 1)
    identity = jnp.eye(width, dtype=x.dtype)
    average = jnp.trace(covariance) / width
    covariance = (1 - shrinkage) * covariance + shrinkage * (average + 1e-3) * identity
    if maybe("newton_schulz", 0.4):
        # Iterates towards the inverse square root, once the trace is one.
        trace = jnp.trace(covariance)
        inverse_root = identity
        for _ in range(num_iters):
            cube = inverse_root @ inverse_root @ inverse_root
            inverse_root = 1.5 * inverse_root - 0.5 * cube @ (covariance / trace)
        return centered @ inverse_root / jnp.sqrt(trace)
    if maybe("cholesky"):
        lower = jnp.linalg.cholesky(covariance)
        return jax.scipy.linalg.solve_triangular(lower, centered.T, lower=True).T
    eigenvalues, eigenvectors = jnp.linalg.eigh(covariance)
    scaled = centered @ eigenvectors / jnp.sqrt(jnp.maximum(eigenvalues, 1e-6))
    # Back to the axes that the features came in.
    return one_of(scaled @ eigenvectors.T, jnp.einsum("bk,dk->bd", scaled, eigenvectors))
