"""Transformer blocks, encoders and decoders, and stacks of them."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers import attention, dense, mixture, normalization
from jax_ir_pairs.synthesis.constructs.layers.attention import Heads
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var


def block(
    net: Net, x: Var, *, heads: Heads, pre: bool, forward: str, norm: str,
    memory: Var | None = None, mask: Var | None = None,
) -> Var:  # fmt: skip
    """Attention and a feed-forward part, each with a norm and a residual connection."""

    def normed(x: Var) -> Var:
        return getattr(normalization, norm)(net, x)  # type: ignore[no-any-return]

    def joined(x: Var, way: object) -> Var:
        if pre:
            return net.let("add", x, way(normed(x)))  # type: ignore[operator]
        return normed(net.let("add", x, way(x)))  # type: ignore[operator]

    def feed(h: Var) -> Var:
        if forward == "moe":
            return mixture.experts(net, h)[0]
        return dense.gated(net, h) if forward == "gated" else dense.mlp(net, h)

    x = joined(x, lambda h: attention.multi_head(net, h, heads, mask=mask))
    if memory is not None:
        across = Heads(heads.count, 1, heads.width, False, "", "split")
        x = joined(x, lambda h: attention.multi_head(net, h, across, memory))
    return joined(x, feed)


def parallel(net: Net, x: Var, heads: Heads) -> Var:
    """Attention and feed-forward side by side, after one norm."""
    h = normalization.layer_norm(net, x)
    y = net.let("add", attention.multi_head(net, h, heads), dense.mlp(net, h))
    return net.let("add", x, y)


def tower(
    net: Net, x: Var, depth: int, *, causal: bool | None = None, memory: Var | None = None,
    mask: Var | None = None, role: str = "",
) -> Var:  # fmt: skip
    """A stack of blocks of one shape over [batch, time, features]."""
    stream = net.stream
    heads = Heads.draw(net, x.aval.shape[-1], causal=causal)
    pre, forward = stream.chance(0.7), stream.choice(("mlp", "mlp", "gated", "gated", "moe"))
    norm = stream.choice(("layer_norm", "layer_norm", "rms_norm"))
    beside = memory is None and mask is None and stream.chance(0.12)

    def build(inner: Net, x: Var, memory: Var | None = None, mask: Var | None = None) -> Var:
        if beside:
            return parallel(inner, x, heads)
        return block(inner, x, heads=heads, pre=pre, forward=forward, norm=norm, memory=memory,
                     mask=mask)  # fmt: skip

    others = {k: v for k, v in (("memory", memory), ("mask", mask)) if v is not None}
    role = role or stream.choice(("block", "transformer_block", "encoder_layer", "layer"))
    x = net.stack(role, build, depth, x, stream.choice(("blocks", "layers")), **others)
    if pre and net.chance(0.7):
        x = normalization.layer_norm(net, x)
    return x


def mixer(net: Net, x: Var) -> Var:
    """An MLP-mixer block: a dense layer over the time, then one over the features."""

    def build(inner: Net, x: Var) -> Var:
        h = normalization.layer_norm(inner, x)
        h = inner.let("swapaxes", h, axis1=1, axis2=2)
        h = inner.let("swapaxes", dense.mlp(inner, h), axis1=1, axis2=2)
        x = inner.let("add", x, h)
        return inner.let("add", x, dense.mlp(inner, normalization.layer_norm(inner, x)))

    out: Var = net.call("mixer_block", build, x=x)
    return out


def scaled_residual(net: Net, x: Var) -> Var:
    """A feed-forward part whose branch is scaled by a learned or a small factor."""
    y = dense.mlp(net, normalization.layer_norm(net, x))
    if net.chance(0.5):
        y = net.let("mul", y, net.weight("gamma", x.aval.shape[-1]))
    else:
        y = net.let("mul", y, Literal(net.stream.choice((0.1, 0.5, 0.7071))))
    return net.let("add", x, y)
