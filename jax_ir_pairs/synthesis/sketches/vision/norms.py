"""Normalization of feature maps, channels last."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={
        "x": "image f[b, height, width, g*m]",
        "scale": "f[g*m]",
        "bias": "f[g*m]",
    },
    gives="feature_map f[b, height, width, g*m]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 64), "g": (1, 4), "m": (2, 6)},
    dtypes="f32 bf16",
    also=("Standardize groups of channels of each image.",),
)
def group_norm(x, scale, bias, num_groups=size("g"), eps=number(1e-6, 1e-4)):
    """Normalize groups of channels per image, then scale and shift each channel."""
    batch_size, height, width, channels = x.shape
    if channels % num_groups != 0:
        raise ValueError(f"{num_groups} groups do not divide {channels} channels")
    grouped = x.reshape(batch_size, height, width, num_groups, channels // num_groups)
    if maybe("two_moments", 0.4):
        mean = jnp.mean(grouped, axis=(1, 2, 4), keepdims=True)
        second = jnp.mean(grouped**2, axis=(1, 2, 4), keepdims=True)
        variance = jnp.maximum(second - jnp.square(mean), 0)
    else:
        mean = grouped.mean(axis=(1, 2, 4), keepdims=True)
        variance = grouped.var(axis=(1, 2, 4), keepdims=True)
    normalized = one_of(
        (grouped - mean) * jax.lax.rsqrt(variance + eps),
        (grouped - mean) / jnp.sqrt(variance + eps),
    )
    return normalized.reshape(x.shape) * scale + bias


@sketch(
    takes={
        "x": "image f[b, height, width, channels]",
        "scale": "f[channels]",
        "bias": "f[channels]",
    },
    gives="feature_map f[b, height, width, channels]",
    sizes={"b": (1, 4), "height": (4, 32), "width": (4, 128), "channels": (1, 16)},
    dtypes="f32 bf16",
    also=("Remove the contrast of each image and channel.",),
)
def instance_norm(x, scale, bias, eps=number(1e-6, 1e-3)):
    """Standardize every channel of every image over its pixels."""
    axes = (1, 2)
    mean = jnp.mean(x, axes, keepdims=True)
    deviations = x - mean
    if maybe("unbiased", 0.3):
        pixels = x.shape[1] * x.shape[2]
        variance = jnp.sum(deviations**2, axes, keepdims=True) / (pixels - 1)
    else:
        variance = jnp.mean(deviations**2, axes, keepdims=True)
    out = deviations * one_of(jax.lax.rsqrt(variance + eps), 1 / (jnp.sqrt(variance) + eps))
    if maybe("zero_centered_scale", 0.3):
        # Scales are stored as offsets from one.
        return out * (1 + scale) + bias
    return out * scale + bias


class ChannelStatistics(NamedTuple):
    """Moving averages that evaluation uses in place of those of a batch."""

    average: jax.Array
    spread: jax.Array


@sketch(
    takes={
        "x": "image f[b, height, width, channels]",
        "scale": "f[channels]",
        "bias": "f[channels]",
        "running_mean": "f[channels]",
        "running_variance": "f[channels]",
    },
    sizes={"b": (2, 8), "height": (4, 16), "width": (4, 64), "channels": (1, 24)},
    dtypes="f32 bf16",
    also=("Normalize by statistics over images and pixels and track their averages.",),
)
def batch_norm_2d(
    x,
    scale,
    bias,
    running_mean,
    running_variance,
    training=one_of(True, True, False),
    momentum=one_of(0.9, 0.99, 0.997),
    eps=number(1e-6, 1e-3),
):
    """Batch-normalize a feature map and update the running statistics.

    Evaluation leaves the running statistics as they are.
    """
    running = ChannelStatistics(running_mean, jnp.abs(running_variance))
    if training:
        mean = jnp.mean(x, axis=(0, 1, 2))
        variance = jnp.var(x, axis=(0, 1, 2))
        updated = ChannelStatistics(
            momentum * running.average + (1 - momentum) * mean,
            momentum * running.spread + (1 - momentum) * variance,
        )
    else:
        mean, variance = running
        updated = running
    if maybe("folded"):
        # Fold everything into one multiply-add per channel.
        gain = scale * jax.lax.rsqrt(variance + eps)
        out = x * gain + (bias - mean * gain)
    else:
        out = (x - mean) / jnp.sqrt(variance + eps) * scale + bias
    if maybe("relu", 0.3):
        out = jax.nn.relu(out)
    return out, updated


@sketch(
    takes={"x": "image f[b, height, width, channels]"},
    gives="feature_map f[b, height, width, channels]",
    sizes={"b": (1, 4), "height": (2, 32), "width": (2, 64), "channels": (4, 32)},
    also=("Divide each activation by the energy of its neighbouring channels.",),
)
def local_response_norm(
    x, radius=one_of(1, 2, 3), strength=number(1e-4, 1e-1), exponent=0.75, offset=2.0
):
    """Inhibit activations by the squared activity of channels next to them."""
    squared = jnp.square(x)
    width = 2 * radius + 1
    if maybe("reduce_window"):
        window = (1, 1, 1, width)
        energy = jax.lax.reduce_window(
            squared, 0.0, jax.lax.add, window, (1, 1, 1, 1), padding="SAME"
        )
    elif maybe("cumulative", 0.4):
        padded = jnp.pad(squared, ((0, 0), (0, 0), (0, 0), (radius + 1, radius)))
        total = jnp.cumsum(padded, axis=-1)
        energy = total[..., width:] - total[..., :-width]
    else:
        channels = x.shape[-1]
        padded = jnp.pad(squared, ((0, 0), (0, 0), (0, 0), (radius, radius)))
        energy = sum(padded[..., i : i + channels] for i in range(width))
    if maybe("averaged", 0.4):
        energy = energy / width
    return x / (offset + strength * jnp.maximum(energy, 0)) ** exponent


@sketch(
    takes={
        "kernel": "f[3, 3, channels, d]",
        "gain": "f[d]",
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, d]: filtered",
    sizes={"b": (1, 4), "height": (4, 16), "width": (4, 64), "channels": (1, 12), "d": (1, 16)},
    dtypes="f32 bf16",
    also=("Convolve with kernels whose weights have zero mean and unit variance.",),
)
def standardized_kernel_conv(kernel, gain, x, eps=number(1e-6, 1e-4)):
    """Standardize the weights of each output channel before convolving."""
    fan_in = kernel.shape[0] * kernel.shape[1] * kernel.shape[2]
    mean = jnp.mean(kernel, axis=(0, 1, 2))
    variance = jnp.var(kernel, axis=(0, 1, 2))
    standardized = (kernel - mean) * jax.lax.rsqrt(variance * fan_in + eps)
    if maybe("gain", 0.7):
        standardized = standardized * gain
    out = jax.lax.conv_general_dilated(
        x,
        standardized,
        window_strides=(1, 1),
        padding=one_of("SAME", ((1, 1), (1, 1))),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    if maybe("activation"):
        # NF-Nets rescale so that the variance stays one.
        return one_of(1.7139588 * jax.nn.relu(out), 1.7881293 * jax.nn.silu(out))
    return out


@sketch(
    takes={"content": "image f[b, height, width, channels]", "style": "image f[b, m, n, channels]"},
    gives="feature_map f[b, height, width, channels]: stylized",
    sizes={
        "b": (1, 3),
        "height": (4, 24),
        "width": (4, 64),
        "m": (4, 24),
        "n": (4, 48),
        "channels": (1, 16),
    },
    dtypes="f32 bf16",
    also=("Give a feature map the channel statistics of another one.",),
)
def adaptive_instance_norm(content, style, strength=number(0.3, 1.0), eps=1e-5):
    """Transfer the mean and spread of style features onto content features."""

    def statistics(features):
        mean = jnp.mean(features, axis=(1, 2), keepdims=True)
        std = jnp.sqrt(jnp.var(features, axis=(1, 2), keepdims=True) + eps)
        return mean, std

    if content.shape[-1] != style.shape[-1]:
        raise ValueError(f"channels differ: {content.shape[-1]} and {style.shape[-1]}")
    content_mean, content_std = statistics(content)
    style_mean, style_std = statistics(style)
    transferred = (content - content_mean) / content_std * style_std + style_mean
    if maybe("clipped", 0.3):
        low = jnp.min(style, axis=(1, 2), keepdims=True)
        high = jnp.max(style, axis=(1, 2), keepdims=True)
        transferred = jnp.clip(transferred, low, high)
    if maybe("blend"):
        return strength * transferred + (1 - strength) * content
    return transferred
