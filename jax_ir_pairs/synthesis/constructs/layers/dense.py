"""Dense layers: affine maps, multilayer perceptrons, gates, adapters."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var


def linear(net: Net, x: Var, units: int, name: str = "w", bias: bool | None = None) -> Var:
    """Gives `x @ w + b`, with or without the bias."""
    y = net.let("matmul", x, net.weight(name, x.aval.shape[-1], units))
    if bias if bias is not None else net.chance(0.75):
        own = "bias" if name == "kernel" else "b" + name.removeprefix("w")
        y = net.let("add", y, net.weight(own, units))
    return y


def _named(net: Net) -> str:
    return net.stream.choice(("w", "w", "kernel"))


def dense(net: Net, x: Var) -> Var:
    """A dense layer with an activation, now and then with a residual connection."""
    side = min(net.scope.side(), 64)
    units = x.aval.shape[-1] if net.chance(0.3) else side

    def build(inner: Net, x: Var) -> Var:
        return inner.act(linear(inner, x, units, _named(inner)))

    y: Var = net.inline_or_call("dense", build, x=x)
    return net.let("add", x, y) if y.aval == x.aval and net.chance(0.6) else y


def mlp(net: Net, x: Var, units: int = 0) -> Var:
    """Two dense layers, wide inside: the feed-forward part of a block."""
    units = units or min(64, x.aval.shape[-1] * net.stream.choice((2, 4)))
    name = net.stream.choice(("gelu", "gelu", "relu", "silu"))

    def build(inner: Net, x: Var) -> Var:
        h = inner.act(linear(inner, x, units, "w1"), name)
        return linear(inner, h, x.aval.shape[-1], "w2")

    role = net.stream.choice(("mlp", "feed_forward", "ffn"))
    out: Var = net.call(role, build, x=x)
    return out


def gated(net: Net, x: Var) -> Var:
    """A gated feed-forward layer: SwiGLU, GEGLU, or a gated linear unit."""
    units = min(64, x.aval.shape[-1] * net.stream.choice((1, 2)))
    name, role = net.stream.choice(
        (("silu", "swiglu"), ("gelu", "geglu"), ("sigmoid", "glu"), ("relu", "reglu"))
    )
    fused = net.chance(0.35)

    def build(inner: Net, x: Var) -> Var:
        if fused:
            both = linear(inner, x, 2 * units, "w_in", bias=False)
            gate, up = inner.scope.let_all("split", both, sections=2, axis=-1, roles=("gate", "up"))
        else:
            gate = linear(inner, x, units, "w_gate", bias=False)
            up = linear(inner, x, units, "w_up", bias=False)
        h = inner.let("mul", inner.act(gate, name), up)
        return linear(inner, h, x.aval.shape[-1], "w_down", bias=False)

    out: Var = net.call(role, build, x=x)
    return out


def highway(net: Net, x: Var) -> Var:
    """A highway layer: a gate chooses between the input and its transform."""
    units = x.aval.shape[-1]

    def build(inner: Net, x: Var) -> Var:
        h = inner.act(linear(inner, x, units, "w_h"), inner.stream.choice(("relu", "tanh")))
        gate = inner.act(linear(inner, x, units, "w_t"), "sigmoid")
        kept = inner.let("mul", inner.let("sub", Literal(1.0), gate), x)
        return inner.let("add", inner.let("mul", gate, h), kept)

    out: Var = net.call("highway", build, x=x)
    return out


def lora(net: Net, x: Var) -> Var:
    """A dense layer with a low-rank adapter beside frozen weights."""
    inside, units, rank = x.aval.shape[-1], min(net.scope.side(), 64), net.stream.choice((1, 2, 4))
    scale, stopped = net.stream.choice((0.5, 1.0, 2.0)), net.chance(0.5)

    def build(inner: Net, x: Var) -> Var:
        w = inner.weight("w", inside, units)
        frozen = inner.let("stop_gradient", w) if stopped else w
        low = inner.let("matmul", x, inner.weight("lora_a", inside, rank))
        delta = inner.let("matmul", low, inner.weight("lora_b", rank, units))
        delta = delta if scale == 1.0 else inner.let("mul", Literal(scale), delta)
        return inner.let("add", inner.let("matmul", x, frozen), delta)

    out: Var = net.call("lora_linear", build, x=x)
    return out


def maxout(net: Net, x: Var) -> Var:
    """The largest of several affine maps."""
    units, pieces = min(net.scope.side(), 16), net.stream.choice((2, 3))
    h = linear(net, x, units * pieces, "w_maxout")
    h = net.let("reshape", h, shape=(*x.aval.shape[:-1], units, pieces))
    return net.let("max", h, axis=-1)


def bilinear(net: Net, x: Var) -> Var:
    """A bilinear map of `x` with a projection of itself."""
    inside = x.aval.shape[-1]
    units = min(net.scope.side(), max(1, 4096 // inside**2))
    letters = "bt"[: x.aval.rank - 1]
    other = net.act(linear(net, x, inside, "w_side"), "tanh")
    w = net.weight("w_bilinear", inside, inside, units)
    half = net.let("einsum", x, w, pattern=f"{letters}i,ijk->{letters}jk")
    return net.let("einsum", half, other, pattern=f"{letters}jk,{letters}j->{letters}k")
