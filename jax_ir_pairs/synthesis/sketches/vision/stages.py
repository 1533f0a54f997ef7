"""Encoders, decoders and pyramids of feature maps."""

import functools
import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

context_refiner = nested("(x: feature_map f[b, h, w, c]) -> feature_map f[b, h, w, c]")

_nhwc_conv = functools.partial(
    jax.lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC")
)


def _halve(x):
    """2x2 average pooling with stride 2."""
    b, h, w, c = x.shape
    return jnp.mean(x.reshape(b, h // 2, 2, w // 2, 2, c), axis=(2, 4))


def _double(x):
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


@sketch(
    takes={
        "params": {
            "stem": "f[3, 3, c, d]",
            "blocks": ("l", {"conv1": "f[3, 3, d, d]", "conv2": "f[3, 3, d, d]", "gain": "f[d]"}),
            "head": {"w": "f[d, k]", "b": "f[k]"},
        },
        "images": "image f[b, h, w, c]",
    },
    gives="logits f[b, k]",
    sizes={
        "b": (1, 6),
        "h": (8, 24),
        "w": (8, 32),
        "c": (1, 4),
        "d": (2, 12),
        "l": (1, 4),
        "k": (2, 10),
    },
    dtypes="f32 bf16",
    also=("Score images with a stack of residual convolutions.",),
)
def small_resnet(params, images):
    """Classify images with a stem, residual blocks and a linear head."""
    activate = one_of(jax.nn.relu, jax.nn.silu, jax.nn.gelu)

    def rms(x):
        return x * jax.lax.rsqrt(jnp.mean(x * x, axis=(1, 2), keepdims=True) + 1e-5)

    stride = one_of(1, 2)
    x = _nhwc_conv(images, params["stem"], (stride, stride), "SAME")
    x = activate(rms(x))
    for index, block in enumerate(params["blocks"]):
        y = activate(_nhwc_conv(rms(x), block["conv1"], (1, 1), "SAME"))
        y = _nhwc_conv(rms(y), block["conv2"], (1, 1), "SAME")
        if maybe("gain"):
            y = y * block["gain"]
        if maybe("stochastic_depth", 0.3):
            # Expected value of a branch that training drops more often the deeper it is.
            y = y * (1 - one_of(0.1, 0.2, 0.5) * index / len(params["blocks"]))
        x = x + y
    pooled = one_of(jnp.mean, jnp.mean, jnp.max)(rms(x), axis=(1, 2))
    logits = pooled @ params["head"]["w"] + params["head"]["b"]
    if maybe("soft_cap", 0.2):
        return 30 * jnp.tanh(logits / 30)
    return logits


@sketch(
    takes={
        "params": {
            "down": ("f[3, 3, c, d]", "f[3, 3, d, d]", "f[3, 3, d, d]"),
            "up": ("f[3, 3, d+d, d]", "f[3, 3, d+d, d]"),
            "out": "f[d, k]",
        },
        "image": "image f[b, 4*m, 4*n, c]",
    },
    gives="feature_map f[b, 4*m, 4*n, k]: logits per pixel",
    sizes={"b": (1, 2), "m": (2, 6), "n": (2, 12), "c": (1, 4), "d": (2, 8), "k": (1, 6)},
    also=("Predict one vector per pixel with a two-level U-Net.",),
)
def tiny_unet(params, image):
    """Segment an image by a U-Net with skip connections at two resolutions."""
    height, width = image.shape[1:3]
    levels = len(params["up"])
    factor = 2**levels
    if height % factor or width % factor:
        raise ValueError(f"{height}x{width} cannot be halved {levels} times")

    def convolve(x, kernel):
        y = _nhwc_conv(x, kernel, (1, 1), "SAME")
        if maybe("normalized", 0.7):
            mean = jnp.mean(y, axis=(1, 2), keepdims=True)
            y = (y - mean) / jnp.sqrt(jnp.var(y, axis=(1, 2), keepdims=True) + 1e-5)
        return one_of(jax.nn.relu, jax.nn.gelu, jax.nn.leaky_relu)(y)

    skips = []
    x = image
    for level, kernel in enumerate(params["down"]):
        x = convolve(x, kernel)
        if level < levels:
            skips.append(x)
            if maybe("max_pool"):
                window = (1, 2, 2, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
            else:
                x = _halve(x)
    for skip, kernel in zip(reversed(skips), params["up"]):
        x = jnp.concatenate([skip, _double(x)], axis=-1)
        x = convolve(x, kernel)
    return x @ params["out"]


@sketch(
    takes={
        "pyramid": ("image f[b, 4*m, 4*n, c]", "image f[b, 2*m, 2*n, d]", "image f[b, m, n, e]"),
        "lateral": ("f[c, k]", "f[d, k]", "f[e, k]"),
        "smooth": ("f[3, 3, k, k]", "f[3, 3, k, k]", "f[3, 3, k, k]"),
    },
    sizes={
        "b": (1, 2),
        "m": (2, 6),
        "n": (2, 12),
        "c": (1, 4),
        "d": (2, 8),
        "e": (2, 8),
        "k": (2, 8),
    },
    dtypes="f32 bf16",
    also=("Merge features of three resolutions from coarse to fine.",),
)
def feature_pyramid(pyramid, lateral, smooth):
    """Build a feature pyramid by a top-down path with lateral connections."""
    if len(pyramid) != len(lateral):
        raise ValueError(f"{len(pyramid)} levels but {len(lateral)} lateral weights")
    projected = [x @ w for x, w in zip(pyramid, lateral)]
    outputs = []
    top = None
    for level in reversed(range(len(projected))):
        x = projected[level]
        if top is not None:
            upsampled = one_of(
                jax.image.resize(top, x.shape, method="nearest"),
                jax.image.resize(top, x.shape, method="bilinear"),
                _double(top),
            )
            if maybe("averaged", 0.35):
                x = (x + upsampled) / 2
            else:
                x = x + upsampled
        top = x
        if maybe("smoothing", 0.7):
            # Takes away the aliasing of the upsampling.
            x = _nhwc_conv(x, smooth[level], (1, 1), "SAME")
        outputs.append(x)
    if maybe("extra_level", 0.3):
        coarsest = outputs[0]
        outputs.insert(0, coarsest[:, ::2, ::2])
    if maybe("named"):
        return {f"p{3 + level}": x for level, x in enumerate(reversed(outputs))}
    return tuple(reversed(outputs))


@sketch(
    takes={"x": "image f[b, 4*m, 4*n, c]"},
    gives="features f[b, 21*c]: descriptor",
    sizes={"b": (1, 8), "m": (1, 8), "n": (1, 24), "c": (1, 16)},
    dtypes="f32 bf16",
    also=("Describe an image by pooled cells of a 1x1, a 2x2 and a 4x4 grid.",),
)
def spatial_pyramid_pooling(x, grids=(1, 2, 4)):
    """Pool a feature map over ever finer grids and concatenate all cells."""
    b, h, w, c = x.shape
    parts = []
    for cells in grids:
        if h % cells or w % cells:
            raise ValueError(f"a {h}x{w} map has no {cells}x{cells} equal cells")
        blocks = x.reshape(b, cells, h // cells, cells, w // cells, c)
        pooled = one_of(jnp.max, jnp.mean, jnp.max)(blocks, axis=(2, 4))
        if maybe("weighted", 0.4):
            # Finer levels count more, as in the pyramid match kernel.
            pooled = pooled * cells / max(grids)
        parts.append(pooled.reshape(b, cells * cells * c))
    descriptor = jnp.concatenate(parts, axis=-1)
    if maybe("normalize"):
        norm = jnp.sqrt(jnp.sum(descriptor**2, axis=-1, keepdims=True) + 1e-6)
        descriptor = descriptor / norm
    return descriptor


@sketch(
    takes={"x": "image f[b, h, w, c]", "kernel": "f[4, 4, d, c]", "bias": "f[d]"},
    gives="feature_map f[b, 2*h, 2*w, d]: upsampled",
    sizes={"b": (1, 4), "h": (2, 12), "w": (2, 32), "c": (1, 12), "d": (1, 8)},
    also=("Double the resolution of a feature map by learned filters.",),
)
def transposed_conv_upsample(x, kernel, bias, negative_slope=number(0.01, 0.3)):
    """Upsample by a transposed 4x4 convolution with stride 2."""
    b, h, w, _ = x.shape
    if maybe("lhs_dilation"):
        # A transposed convolution is an ordinary one of the input with holes.
        y = _nhwc_conv(
            x,
            jnp.flip(kernel, (0, 1)).transpose(0, 1, 3, 2),
            (1, 1),
            ((2, 2), (2, 2)),
            lhs_dilation=(2, 2),
        )
    else:
        y = jax.lax.conv_transpose(
            x,
            kernel,
            strides=(2, 2),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            transpose_kernel=True,
        )
    assert y.shape[1:3] == (2 * h, 2 * w), f"unexpected size {y.shape[1:3]}"
    if maybe("bias", 0.7):
        y = y + bias
    if maybe("leaky"):
        y = jnp.where(y >= 0, y, negative_slope * y)
    return y


@sketch(
    takes={"x": "image f[b, h, w, r*r*c]"},
    gives="feature_map f[b, r*h, r*w, c]",
    sizes={"b": (1, 4), "h": (2, 16), "w": (2, 64), "r": (2, 4), "c": (1, 4)},
    dtypes="f32 bf16 f16",
    also=("Trade channels for resolution, as sub-pixel convolutions do.",),
)
def pixel_shuffle(x, factor=size("r")):
    """Rearrange blocks of channels into finer pixels."""
    b, h, w, channels = x.shape
    if channels % (factor * factor):
        raise ValueError(f"{channels} channels are no multiple of {factor}^2")
    c = channels // (factor * factor)
    if maybe("channels_first_blocks"):
        # Channel order (c, r, r), as in PyTorch.
        blocks = x.reshape(b, h, w, c, factor, factor)
        y = jnp.transpose(blocks, (0, 1, 4, 2, 5, 3))
    else:
        blocks = x.reshape(b, h, w, factor, factor, c)
        y = jnp.transpose(blocks, (0, 1, 3, 2, 4, 5))
    y = y.reshape(b, factor * h, factor * w, c)
    if maybe("blur", 0.3):
        # A box filter against checkerboards.
        y = (y + jnp.roll(y, 1, axis=1)) / 2
        y = (y + jnp.roll(y, 1, axis=2)) / 2
    return y


@sketch(
    takes={
        "x": "image f[b, h, w, c]",
        "kernels": ("l", "f[3, 3, c, d]"),
        "pooled": "f[c, d]",
        "project": "f[d, k]",
    },
    gives="feature_map f[b, h, w, k]: context",
    sizes={
        "b": (1, 2),
        "h": (8, 16),
        "w": (8, 32),
        "c": (1, 8),
        "d": (1, 8),
        "l": (1, 4),
        "k": (1, 8),
    },
    also=("Collect context at growing dilations, with the mean of the image.",),
)
def atrous_pyramid(x, kernels, pooled, project, base_rate=integer(1, 3)):
    """Gather context with parallel dilated convolutions and a global branch."""
    total = 0.0
    for i, kernel in enumerate(kernels):
        rate = one_of(base_rate * (i + 1), base_rate * 2**i)
        branch = _nhwc_conv(x, kernel, (1, 1), "SAME", rhs_dilation=(rate, rate))
        total = total + jax.nn.relu(branch)
    if maybe("image_level", 0.7):
        descriptor = jnp.mean(x, axis=(1, 2)) @ pooled
        total = total + jax.nn.relu(descriptor)[:, None, None, :]
    merged = total / (len(kernels) + 1)
    if maybe("refined", 0.4):
        merged = context_refiner(merged)
    return merged @ project


@sketch(
    takes={"x": "image f[b, h, w, c]"},
    gives="features f[b, c]: descriptor",
    sizes={"b": (1, 16), "h": (2, 16), "w": (2, 64), "c": (2, 32)},
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
