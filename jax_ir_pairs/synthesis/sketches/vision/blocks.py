"""Convolutional blocks of image classifiers."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

block_norm = nested(
    "(x: feature_map f[b, height, width, channels], scale: f[channels], bias: f[channels])"
    " -> feature_map f[b, height, width, channels]"
)


def _conv2d(x, kernel, stride=1, groups=1):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding="SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def _pointwise(x, kernel):
    """1x1 convolution, which is a matrix product over channels."""
    return jnp.einsum("bhwc,cd->bhwd", x, kernel)


@sketch(
    takes={
        "params": {
            "conv1": "f[3, 3, channels, channels]",
            "conv2": "f[3, 3, channels, channels]",
            "norm1": {"scale": "f[channels]", "bias": "f[channels]"},
            "norm2": {"scale": "f[channels]", "bias": "f[channels]"},
        },
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, channels]",
    sizes={"b": (1, 4), "height": (4, 24), "width": (4, 48), "channels": (2, 16)},
    dtypes="f32 bf16",
    also=("Add two normalized 3x3 convolutions to their input.",),
)
def basic_residual_block(params, x):
    """Refine a feature map by the residual branch of a ResNet basic block."""
    shortcut = x
    if maybe("preactivation", 0.4):
        # He et al.'s second version: the identity path stays free of nonlinearities.
        for name in ("1", "2"):
            norm = params["norm" + name]
            x = jax.nn.relu(block_norm(x, norm["scale"], norm["bias"]))
            x = _conv2d(x, params["conv" + name])
        if maybe("branch_scale", 0.3):
            x = number(0.05, 0.5) * x
        return shortcut + x
    x = _conv2d(x, params["conv1"])
    x = block_norm(x, params["norm1"]["scale"], params["norm1"]["bias"])
    x = one_of(jax.nn.relu, jax.nn.silu, jax.nn.leaky_relu)(x)
    x = _conv2d(x, params["conv2"])
    x = block_norm(x, params["norm2"]["scale"], params["norm2"]["bias"])
    return jax.nn.relu(shortcut + x)


@sketch(
    takes={
        "params": {
            "reduce": "f[4*m, m]",
            "spatial": "f[3, 3, m, m]",
            "expand": "f[m, 4*m]",
            "scales": ("f[m]", "f[m]", "f[4*m]"),
        },
        "x": "image f[b, height, width, 4*m]",
    },
    gives="feature_map f[b, height, width, 4*m]",
    sizes={"b": (1, 4), "height": (4, 16), "width": (4, 32), "m": (1, 12)},
    also=("Run the 1x1, 3x3, 1x1 bottleneck of a deep ResNet.",),
)
def bottleneck_block(params, x, eps=number(1e-6, 1e-4)):
    """Squeeze channels by 1x1 convolutions around a 3x3 one and add the input back."""
    channels, width = params["reduce"].shape
    if x.shape[-1] != channels:
        raise ValueError(f"the block takes {channels} channels, got {x.shape[-1]}")

    def normalize(out, scale):
        axes = one_of((0, 1, 2), (1, 2))
        mean = jnp.mean(out, axes, keepdims=True)
        variance = jnp.var(out, axes, keepdims=True)
        return (out - mean) * jax.lax.rsqrt(variance + eps) * scale

    scales = params["scales"]
    out = jax.nn.relu(normalize(_pointwise(x, params["reduce"]), scales[0]))
    if maybe("grouped", 0.35):
        # ResNeXt: each channel of the bottleneck has a filter of its own.
        out = _conv2d(out, params["spatial"][:, :, :1], groups=width)
    else:
        out = _conv2d(out, params["spatial"])
    out = jax.nn.relu(normalize(out, scales[1]))
    out = normalize(_pointwise(out, params["expand"]), scales[2])
    if maybe("pre_add_only", 0.2):
        return x + out
    return jax.nn.relu(x + out)


@sketch(
    takes={
        "params": (
            "l",
            {
                "depthwise": "f[7, 7, 1, channels]",
                "norm": {"scale": "f[channels]", "bias": "f[channels]"},
                "expand": {"w": "f[channels, 4*channels]", "b": "f[4*channels]"},
                "project": {"w": "f[4*channels, channels]", "b": "f[channels]"},
                "gamma": "f[channels]",
            },
        ),
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, channels]",
    sizes={"l": (1, 4), "b": (1, 2), "height": (8, 16), "width": (8, 24), "channels": (2, 12)},
    dtypes="f32 bf16",
    also=("Stack ConvNeXt blocks at one resolution.",),
)
def convnext_stage(params, x, layer_scale=number(1e-3, 1e-1)):
    """Mix space by 7x7 depthwise filters and channels by an inverted bottleneck."""
    for block in params:
        residual = x
        out = _conv2d(x, block["depthwise"], groups=x.shape[-1])
        mean = jnp.mean(out, axis=-1, keepdims=True)
        variance = jnp.var(out, axis=-1, keepdims=True)
        out = (out - mean) / jnp.sqrt(variance + 1e-6)
        out = out * block["norm"]["scale"] + block["norm"]["bias"]
        out = out @ block["expand"]["w"] + block["expand"]["b"]
        out = jax.nn.gelu(out, approximate=one_of(True, False))
        if maybe("response_norm", 0.4):
            # Global response normalization of ConvNeXt V2.
            energy = jnp.sqrt(jnp.sum(out * out, axis=(1, 2), keepdims=True) + 1e-6)
            out = out * energy / (jnp.mean(energy, axis=-1, keepdims=True) + 1e-6)
        out = out @ block["project"]["w"] + block["project"]["b"]
        if maybe("layer_scale", 0.7):
            out = layer_scale * block["gamma"] * out
        x = residual + out
    return x


@sketch(
    takes={
        "params": {
            "expand": "f[channels, e*channels]",
            "depthwise": "f[3, 3, 1, e*channels]",
            "squeeze": "f[e*channels, r]",
            "excite": "f[r, e*channels]",
            "project": "f[e*channels, d]",
        },
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, d]: narrow",
    sizes={
        "b": (1, 4),
        "height": (6, 16),
        "width": (6, 32),
        "channels": (2, 12),
        "d": (2, 12),
        "e": (2, 6),
        "r": (1, 4),
    },
    also=("Expand, filter depthwise and project back to few channels, as MobileNet does.",),
)
def inverted_residual_block(params, x):
    """Filter a thin feature map in a wide space and project it linearly back."""

    def activate(features):
        return one_of(jax.nn.relu6, jax.nn.hard_swish, jax.nn.silu)(features)

    hidden = activate(_pointwise(x, params["expand"]))
    hidden = _conv2d(hidden, params["depthwise"], groups=hidden.shape[-1])
    hidden = activate(hidden / one_of(3.0, 9.0))
    if maybe("squeeze_excite"):
        pooled = jnp.mean(hidden, axis=(1, 2))
        gate = jax.nn.relu(pooled @ params["squeeze"]) @ params["excite"]
        gate = one_of(jax.nn.sigmoid, jax.nn.hard_sigmoid)(gate)
        hidden = hidden * gate[:, None, None, :]
    out = _pointwise(hidden, params["project"])
    # The shortcut exists only where nothing changes the shape.
    if out.shape == x.shape:
        out = out + x
    return out


@sketch(
    takes={
        "params": {
            "one": "f[channels, d]",
            "three": ("f[channels, r]", "f[3, 3, r, d]"),
            "five": ("f[channels, r]", "f[5, 5, r, d]"),
            "pool": "f[channels, d]",
        },
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, 4*d]",
    sizes={
        "b": (1, 3),
        "height": (6, 16),
        "width": (6, 24),
        "channels": (2, 12),
        "d": (1, 8),
        "r": (1, 6),
    },
    also=("Concatenate 1x1, 3x3, 5x5 and pooled branches of an Inception block.",),
)
def inception_block(params, x):
    """Look at several scales at once and concatenate what each branch finds."""
    branches = [_pointwise(x, params["one"])]
    for name in ("three", "five"):
        reduce, kernel = params[name]
        hidden = jax.nn.relu(_pointwise(x, reduce))
        hidden = _conv2d(hidden, kernel)
        if maybe("centered", 0.4):
            # Branches with larger filters would drown the others.
            hidden = hidden - jnp.mean(hidden, axis=(1, 2), keepdims=True)
            hidden = hidden / jnp.sqrt(jnp.mean(hidden * hidden) + 1e-5)
        branches.append(hidden)
    window, steps = (1, 3, 3, 1), (1, 1, 1, 1)
    if maybe("max_pool"):
        pooled = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, steps, "SAME")
    else:
        pooled = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, steps, "SAME") / 9
    branches.append(_pointwise(pooled, params["pool"]))
    if maybe("joint_activation"):
        return jax.nn.relu(jnp.concatenate(branches, axis=-1))
    return jnp.concatenate([jax.nn.relu(branch) for branch in branches], axis=-1)


@sketch(
    takes={
        "kernels": ("f[3, 3, channels, g]", "f[3, 3, channels+g, g]", "f[3, 3, channels+g+g, g]"),
        "x": "image f[b, height, width, channels]",
    },
    gives="feature_map f[b, height, width, channels+g+g+g]",
    sizes={"b": (1, 3), "height": (4, 16), "width": (4, 32), "channels": (2, 12), "g": (1, 6)},
    dtypes="f32 bf16",
    also=("Grow a feature map by layers that each see all earlier ones.",),
)
def dense_block(kernels, x, growth=size("g")):
    """Append the output of each DenseNet layer to everything before it."""
    features = [x]
    for depth, kernel in enumerate(kernels):
        seen = jnp.concatenate(features, axis=-1)
        if kernel.shape[-1] != growth:
            raise ValueError(f"layer {depth} grows by {kernel.shape[-1]}, not by {growth}")
        mean = seen.mean(axis=one_of((0, 1, 2), (1, 2)), keepdims=True)
        centered = seen - mean
        spread = jnp.std(seen, axis=(1, 2), keepdims=True) + 1e-3
        new = _conv2d(jax.nn.relu(centered / spread), kernel)
        if maybe("scaled", 0.4):
            new = new / (3 * seen.shape[-1] ** 0.5)
        features.append(new)
    return jnp.concatenate(features, axis=-1)


@sketch(
    takes={
        "x": "image f[b, height, width, channels]",
        "kernel": "f[3, 3, 1, channels]",
        "mix": "f[channels, d]",
    },
    gives="feature_map f[b, height, width, d]: filtered",
    sizes={"b": (1, 4), "height": (6, 24), "width": (6, 64), "channels": (1, 12), "d": (1, 16)},
    dtypes="f32 bf16",
    also=("Factor a convolution into per-channel filters and a channel mixer.",),
)
def separable_conv(x, kernel, mix, dilation=integer(1, 3)):
    """Convolve each channel by itself, then mix channels point by point."""
    channels = x.shape[-1]
    assert kernel.shape[-1] == channels, f"{kernel.shape[-1]} filters, {channels} channels"
    if maybe("reflect", 0.3):
        border = (dilation, dilation)
        x = jnp.pad(x, ((0, 0), border, border, (0, 0)), mode="reflect")
    out = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "VALID" if maybe("reflect", 0.3) else "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=channels,
    )
    if maybe("between"):
        out = one_of(jax.nn.relu, jax.nn.elu, jax.nn.silu)(out)
    if maybe("einsum"):
        return jnp.einsum("bhwc,cd->bhwd", out, mix)
    return jnp.dot(out, mix)
