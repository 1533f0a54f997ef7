"""Encoders, decoders and pyramids of feature maps."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

context_refiner = nested(
    "(x: feature_map f[b, height, width, channels]) -> feature_map f[b, height, width, channels]"
)

_nhwc_conv = functools.partial(
    jax.lax.conv_general_dilated, dimension_numbers=("NHWC", "HWIO", "NHWC")
)


def _halve(x):
    """2x2 average pooling with stride 2."""
    batch_size, height, width, channels = x.shape
    return jnp.mean(x.reshape(batch_size, height // 2, 2, width // 2, 2, channels), axis=(2, 4))


def _double(x):
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


@sketch(
    takes={
        "params": {
            "stem": "f[3, 3, channels, d]",
            "blocks": ("l", {"conv1": "f[3, 3, d, d]", "conv2": "f[3, 3, d, d]", "gain": "f[d]"}),
            "head": {"w": "f[d, k]", "b": "f[k]"},
        },
        "images": "image f[b, height, width, channels]",
    },
    gives="logits f[b, k]",
    sizes={
        "b": (1, 6),
        "height": (8, 24),
        "width": (8, 32),
        "channels": (1, 4),
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
        branch = activate(_nhwc_conv(rms(x), block["conv1"], (1, 1), "SAME"))
        branch = _nhwc_conv(rms(branch), block["conv2"], (1, 1), "SAME")
        if maybe("gain"):
            branch = branch * block["gain"]
        if maybe("stochastic_depth", 0.3):
            # Expected value of a branch that training drops more often the deeper it is.
            branch = branch * (1 - one_of(0.1, 0.2, 0.5) * index / len(params["blocks"]))
        x = x + branch
    pooled = one_of(jnp.mean, jnp.mean, jnp.max)(rms(x), axis=(1, 2))
    logits = pooled @ params["head"]["w"] + params["head"]["b"]
    if maybe("soft_cap", 0.2):
        return 30 * jnp.tanh(logits / 30)
    return logits


@sketch(
    takes={
        "params": {
            "down": ("f[3, 3, channels, d]", "f[3, 3, d, d]", "f[3, 3, d, d]"),
            "up": ("f[3, 3, d+d, d]", "f[3, 3, d+d, d]"),
            "out": "f[d, k]",
        },
        "image": "image f[b, 4*m, 4*n, channels]",
    },
    gives="feature_map f[b, 4*m, 4*n, k]: logits per pixel",
    sizes={"b": (1, 2), "m": (2, 6), "n": (2, 12), "channels": (1, 4), "d": (2, 8), "k": (1, 6)},
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
        out = _nhwc_conv(x, kernel, (1, 1), "SAME")
        if maybe("normalized", 0.7):
            mean = jnp.mean(out, axis=(1, 2), keepdims=True)
            out = (out - mean) / jnp.sqrt(jnp.var(out, axis=(1, 2), keepdims=True) + 1e-5)
        return one_of(jax.nn.relu, jax.nn.gelu, jax.nn.leaky_relu)(out)

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
        "pyramid": (
            "image f[b, 4*m, 4*n, channels]",
            "image f[b, 2*m, 2*n, d]",
            "image f[b, m, n, e]",
        ),
        "lateral": ("f[channels, k]", "f[d, k]", "f[e, k]"),
        "smooth": ("f[3, 3, k, k]", "f[3, 3, k, k]", "f[3, 3, k, k]"),
    },
    sizes={
        "b": (1, 2),
        "m": (2, 6),
        "n": (2, 12),
        "channels": (1, 4),
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
    projected = [x @ width for x, width in zip(pyramid, lateral)]
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
    takes={
        "x": "image f[b, height, width, channels]",
        "kernel": "f[4, 4, d, channels]",
        "bias": "f[d]",
    },
    gives="feature_map f[b, 2*height, 2*width, d]: upsampled",
    sizes={"b": (1, 4), "height": (2, 12), "width": (2, 32), "channels": (1, 12), "d": (1, 8)},
    also=("Double the resolution of a feature map by learned filters.",),
)
def transposed_conv_upsample(x, kernel, bias, negative_slope=number(0.01, 0.3)):
    """Upsample by a transposed 4x4 convolution with stride 2."""
    batch_size, height, width, _ = x.shape
    if maybe("lhs_dilation"):
        # A transposed convolution is an ordinary one of the input with holes.
        out = _nhwc_conv(
            x,
            jnp.flip(kernel, (0, 1)).transpose(0, 1, 3, 2),
            (1, 1),
            ((2, 2), (2, 2)),
            lhs_dilation=(2, 2),
        )
    else:
        out = jax.lax.conv_transpose(
            x,
            kernel,
            strides=(2, 2),
            padding="SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            transpose_kernel=True,
        )
    assert out.shape[1:3] == (2 * height, 2 * width), f"unexpected size {out.shape[1:3]}"
    if maybe("bias", 0.7):
        out = out + bias
    if maybe("leaky"):
        out = jnp.where(out >= 0, out, negative_slope * out)
    return out


@sketch(
    takes={
        "x": "image f[b, height, width, channels]",
        "kernels": ("l", "f[3, 3, channels, d]"),
        "pooled": "f[channels, d]",
        "project": "f[d, k]",
    },
    gives="feature_map f[b, height, width, k]: context",
    sizes={
        "b": (1, 2),
        "height": (8, 16),
        "width": (8, 32),
        "channels": (1, 8),
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
        dilation = one_of(base_rate * (i + 1), base_rate * 2**i)
        branch = _nhwc_conv(x, kernel, (1, 1), "SAME", rhs_dilation=(dilation, dilation))
        total = total + jax.nn.relu(branch)
    if maybe("image_level", 0.7):
        descriptor = jnp.mean(x, axis=(1, 2)) @ pooled
        total = total + jax.nn.relu(descriptor)[:, None, None, :]
    merged = total / (len(kernels) + 1)
    if maybe("refined", 0.4):
        merged = context_refiner(merged)
    return merged @ project
