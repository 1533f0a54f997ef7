"""Convolutions of one to three axes, pooling, and the blocks made of them."""

from __future__ import annotations

import math
from typing import Any

from jax_ir_pairs.synthesis.constructs.layers import dense, normalization
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Code, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.convolutions import LAYOUTS
from jax_ir_pairs.synthesis.ops.indexing import part_of


def _spatial(x: Var) -> int:
    spatial = x.aval.rank - 2
    if spatial not in (1, 2, 3):
        raise IllTyped("convolution needs one to three axes")
    return spatial


def conv(
    net: Net, x: Var, filters: int, window: int, *, stride: int = 1, padding: str = "SAME",
    dilation: int = 1, groups: int = 1, name: str = "kernel", bias: bool = False,
) -> Var:  # fmt: skip
    """A convolution of channels-last signals, images or volumes."""
    spatial, channels = _spatial(x), x.aval.shape[-1]
    if channels % groups or filters % groups:
        raise IllTyped("channels that make no groups")
    kernel = net.weight(name, *(window,) * spatial, channels // groups, filters)
    params: dict[str, Any] = {
        "window_strides": (stride,) * spatial,
        "padding": padding,
        "dimension_numbers": LAYOUTS[spatial][0],
    }
    if dilation > 1:
        params["rhs_dilation"] = (dilation,) * spatial
    if groups > 1:
        params["feature_group_count"] = groups
    y = net.let(f"conv_{spatial}d", x, kernel, **params)
    if bias:
        y = net.let("add", y, net.weight("bias" if name == "kernel" else f"{name}_bias", filters))
    return y


def convolution(net: Net, x: Var) -> Var:
    """A convolution with an activation: plain, strided, dilated, grouped or depthwise."""
    stream, channels = net.stream, x.aval.shape[-1]
    sides = x.aval.shape[1:-1]
    window = stream.choice((1, 3, 3, 3, 5) if _spatial(x) < 3 else (2, 3))
    way = stream.weighted(("plain", "dilated", "grouped", "valid"), (6, 1, 1, 1.5))
    filters = stream.choice((4, 8, 16))
    fits = min(sides) >= window and way == "valid"
    dilation = stream.choice((2, 2, 3)) if way == "dilated" and window > 1 else 1
    stride = stream.choice((1, 1, 2)) if min(sides) > 3 and dilation == 1 else 1
    groups = 2 if way == "grouped" and channels % 2 == 0 else 1
    bias = stream.chance(0.6)
    h = conv(net, x, filters, window, stride=stride, dilation=dilation, groups=groups, bias=bias,
             padding="VALID" if fits else "SAME")  # fmt: skip
    return net.act(h)


def separable(net: Net, x: Var) -> Var:
    """A depthwise convolution followed by a pointwise one."""
    channels, filters = x.aval.shape[-1], net.stream.choice((4, 8, 16))
    if channels < 2:
        raise IllTyped("depthwise convolution of one channel")
    name = net.stream.choice(("relu", "silu", "gelu"))

    def build(inner: Net, x: Var) -> Var:
        h = conv(inner, x, channels, 3, groups=channels, name="depthwise")
        return inner.act(conv(inner, h, filters, 1, name="pointwise", bias=True), name)

    out: Var = net.call("separable_conv", build, x=x)
    return out


def transposed(net: Net, x: Var) -> Var:
    """A transposed convolution, which doubles the sides."""
    spatial, channels = _spatial(x), x.aval.shape[-1]
    filters, window = net.stream.choice((2, 4, 8)), net.stream.choice((2, 3, 4))
    kernel = net.weight("up_kernel", *(window,) * spatial, channels, filters)
    layout = LAYOUTS[spatial][0]
    h = net.let("conv_transpose", x, kernel, strides=(2,) * spatial, padding="SAME",
                dimension_numbers=layout)  # fmt: skip
    return net.act(h)


def causal(net: Net, x: Var) -> Var:
    """A dilated causal convolution over [batch, time, features]."""
    if x.aval.rank != 3:
        raise IllTyped("causal convolution needs rank 3")
    features = x.aval.shape[-1]
    window, dilation = 2, net.stream.choice((1, 2, 4))

    def build(inner: Net, x: Var) -> Var:
        left = (window - 1) * dilation
        padded = inner.let("pad", x, pad_width=((0, 0), (left, 0), (0, 0)))
        h = conv(inner, padded, features, window, dilation=dilation, padding="VALID", bias=True)
        return inner.let("add", x, inner.act(h, inner.stream.choice(("relu", "tanh"))))

    out: Var = net.call("causal_conv", build, x=x)
    return out


def residual(net: Net, x: Var) -> Var:
    """A residual block of two convolutions, with norms, or with a projection on the way around."""
    channels = x.aval.shape[-1]
    filters = channels if net.chance(0.6) else net.stream.choice((4, 8))
    normed = net.chance(0.5)

    def build(inner: Net, x: Var) -> Var:
        h = conv(inner, x, filters, 3, name="conv1")
        h = _normed(inner, h) if normed else h
        h = conv(inner, inner.act(h, "relu"), filters, 3, name="conv2")
        around = x if filters == channels else conv(inner, x, filters, 1, name="shortcut")
        return inner.act(inner.let("add", h, around), "relu")

    out: Var = net.call(net.stream.choice(("residual_block", "res_block")), build, x=x)
    return out


def _normed(net: Net, x: Var) -> Var:
    if x.aval.rank == 4 and x.aval.shape[-1] > 2 and net.chance(0.6):
        return normalization.group_norm(net, x)
    return normalization.layer_norm(net, x)


def bottleneck(net: Net, x: Var) -> Var:
    """An inverted bottleneck: wider, depthwise, squeezed and excited, narrow again."""
    channels = x.aval.shape[-1]
    wide = min(32, channels * 2)
    if wide % 2 or channels < 2:
        raise IllTyped("bottleneck of one channel")

    def build(inner: Net, x: Var) -> Var:
        h = inner.act(conv(inner, x, wide, 1, name="expand"), "silu")
        h = inner.act(conv(inner, h, wide, 3, groups=wide, name="depthwise"), "silu")
        h = squeeze_excite(inner, h) if inner.chance(0.5) else h
        return inner.let("add", x, conv(inner, h, channels, 1, name="project"))

    out: Var = net.call(net.stream.choice(("inverted_bottleneck", "mbconv")), build, x=x)
    return out


def squeeze_excite(net: Net, x: Var) -> Var:
    """Scales each channel by a gate of all positions."""
    channels = x.aval.shape[-1]
    axes = tuple(range(1, x.aval.rank - 1))

    def build(inner: Net, x: Var) -> Var:
        axis = axes if len(axes) > 1 else axes[0]
        pooled = inner.let("mean", x, axis=axis, keepdims=True, role="squeezed")
        h = inner.act(dense.linear(inner, pooled, max(2, channels // 2), "w1"), "relu")
        gate = inner.act(dense.linear(inner, h, channels, "w2"), "sigmoid")
        return inner.let("mul", x, gate)

    out: Var = net.call("squeeze_excite", build, x=x)
    return out


def pool(net: Net, x: Var) -> Var:
    """Max or mean pooling over windows of the inner axes."""
    spatial = _spatial(x)
    if min(x.aval.shape[1:-1]) < 2:
        raise IllTyped("nothing to pool")
    window = (1, *(2,) * spatial, 1)
    params: dict[str, Any] = {
        "window_dimensions": window,
        "window_strides": window,
        "padding": "VALID",
    }
    if net.chance(0.6):
        return net.let("max_pool", x, init=Code("-jnp.inf"), **params)
    return net.let("mean_pool", x, count=math.prod(window), **params)


def pyramid(net: Net, x: Var) -> Var:
    """A U-Net of one or two levels: down, a middle, up again beside what was there before."""
    spatial = _spatial(x)
    levels = [side for side in x.aval.shape[1:-1] if side % 2 == 0]
    if len(levels) < spatial:
        raise IllTyped("sides that do not halve")
    deep = all(side % 4 == 0 for side in levels) and net.chance(0.4)
    width, smooth = net.stream.choice((4, 8)), net.stream.choice(("nearest", "bilinear"))

    def level(inner: Net, x: Var, filters: int) -> Var:
        return inner.act(conv(inner, x, filters, 3, name="conv", bias=True), "relu")

    def build(inner: Net, x: Var) -> Var:
        kept, h = [], x
        for n in range(1 + deep):
            h = inner.call(f"down{n + 1}", lambda i, x, f=width * (n + 1): level(i, x, f), x=h)
            kept.append(h)
            h = pool(inner, h)
        h = inner.act(conv(inner, h, width, 3, name="middle"), "silu")
        for n, before in reversed(list(enumerate(kept))):
            sides = before.aval.shape[1:-1]
            shape = (h.aval.shape[0], *sides, h.aval.shape[-1])
            h = inner.let("image_resize", h, shape=shape, kernel=smooth)
            h = inner.let("concatenate", (h, before), axis=-1)
            h = inner.call(f"up{n + 1}", lambda i, x: level(i, x, width), x=h)
        return h

    out: Var = net.call("unet", build, x=x)
    return out


def flatten(net: Net, x: Var) -> Var:
    """Gives [batch, features]: the mean over positions, the largest, or all side by side."""
    way = net.stream.choice(("mean", "mean", "max", "flat", "last"))
    if way == "flat" and x.aval.size // x.aval.shape[0] <= 256:
        return net.let("reshape", x, shape=(x.aval.shape[0], -1))
    if way == "last" and x.aval.rank == 3:
        return part_of(net.scope, x, slice(None), net.stream.choice((-1, 0)))
    axes = tuple(range(1, x.aval.rank - 1))
    if way == "max" or x.aval.rank == 3:
        return net.let("max" if way == "max" else "mean", x, axis=axes if len(axes) > 1 else 1)
    return net.let("mean", x, axis=axes)


def patches(net: Net, x: Var, units: int) -> Var:
    """Gives [batch, patches, units] of images, as vision transformers embed them."""
    size = 2
    if x.aval.rank != 4 or any(side % size for side in x.aval.shape[1:3]):
        raise IllTyped("images that make no patches")
    batch, height, width, channels = x.aval.shape
    if net.chance(0.5):
        h = conv(net, x, units, size, stride=size, padding="VALID", name="patch_kernel")
        return net.let("reshape", h, shape=(batch, -1, units))
    grid = (batch, height // size, size, width // size, size, channels)
    h = net.let("transpose", net.let("reshape", x, shape=grid), axes=(0, 1, 3, 2, 4, 5))
    h = net.let("reshape", h, shape=(batch, -1, size * size * channels), role="patches")
    return dense.linear(net, h, units, "w_patch")
