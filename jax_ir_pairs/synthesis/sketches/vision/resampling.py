"""Feature maps made larger and smaller."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "image f[b, 4*m, 4*n, channels]"},
    gives="features f[b, 21*channels]: descriptor",
    sizes={"b": (1, 8), "m": (1, 8), "n": (1, 24), "channels": (1, 16)},
    dtypes="f32 bf16",
    also=("Describe an image by pooled cells of a 1x1, a 2x2 and a 4x4 grid.",),
)
def spatial_pyramid_pooling(x, grids=(1, 2, 4)):
    """Pool a feature map over ever finer grids and concatenate all cells."""
    batch_size, height, width, channels = x.shape
    parts = []
    for cells in grids:
        if height % cells or width % cells:
            raise ValueError(f"a {height}x{width} map has no {cells}x{cells} equal cells")
        blocks = x.reshape(batch_size, cells, height // cells, cells, width // cells, channels)
        pooled = one_of(jnp.max, jnp.mean, jnp.max)(blocks, axis=(2, 4))
        if maybe("weighted", 0.4):
            # Finer levels count more, as in the pyramid match kernel.
            pooled = pooled * cells / max(grids)
        parts.append(pooled.reshape(batch_size, cells * cells * channels))
    descriptor = jnp.concatenate(parts, axis=-1)
    if maybe("normalize"):
        norm = jnp.sqrt(jnp.sum(descriptor**2, axis=-1, keepdims=True) + 1e-6)
        descriptor = descriptor / norm
    return descriptor


@sketch(
    takes={"x": "image f[b, height, width, r*r*channels]"},
    gives="feature_map f[b, r*height, r*width, channels]",
    sizes={"b": (1, 4), "height": (2, 16), "width": (2, 64), "r": (2, 4), "channels": (1, 4)},
    dtypes="f32 bf16 f16",
    also=("Trade channels for resolution, as sub-pixel convolutions do.",),
)
def pixel_shuffle(x, factor=size("r")):
    """Rearrange blocks of channels into finer pixels."""
    batch_size, height, width, channels = x.shape
    if channels % (factor * factor):
        raise ValueError(f"{channels} channels are no multiple of {factor}^2")
    out_channels = channels // (factor * factor)
    if maybe("channels_first_blocks"):
        # Channel order (c, r, r), as in PyTorch.
        blocks = x.reshape(batch_size, height, width, out_channels, factor, factor)
        out = jnp.transpose(blocks, (0, 1, 4, 2, 5, 3))
    else:
        blocks = x.reshape(batch_size, height, width, factor, factor, out_channels)
        out = jnp.transpose(blocks, (0, 1, 3, 2, 4, 5))
    out = out.reshape(batch_size, factor * height, factor * width, out_channels)
    if maybe("blur", 0.3):
        # A box filter against checkerboards.
        out = (out + jnp.roll(out, 1, axis=1)) / 2
        out = (out + jnp.roll(out, 1, axis=2)) / 2
    return out


@sketch(
    takes={"x": "image f[b, height, width, channels]"},
    gives="features f[b, channels]: descriptor",
    sizes={"b": (1, 16), "height": (2, 16), "width": (2, 64), "channels": (2, 32)},
    also=("Average a feature map with more weight on its strong responses.",),
)
def generalized_mean_pool(x, p=one_of(3.0, 2.0, 4.0), eps=number(1e-4, 1e-2)):
    """Pool each channel by a power mean between average and maximum."""
    if p < 1:
        raise ValueError(f"the power has to be at least 1, got {p}")
    if maybe("bounded"):
        x = jax.nn.sigmoid(x)
    positive = one_of(jnp.maximum(x, eps), jax.nn.softplus(x) + eps)
    if maybe("log_domain", 0.4):
        pixels = x.shape[1] * x.shape[2]
        powers = p * jnp.log(positive)
        log_mean = jax.nn.logsumexp(powers, axis=(1, 2)) - math.log(pixels)
        descriptor = jnp.exp(log_mean / p)
    else:
        descriptor = jnp.mean(positive**p, axis=(1, 2)) ** (1 / p)
    if maybe("unit_norm", 0.4):
        return descriptor / jnp.linalg.norm(descriptor, axis=-1, keepdims=True)
    return descriptor
