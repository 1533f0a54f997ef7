"""Normalization, with its scale and shift, and dropout."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped

_UNIT = (-4.0, 4.0)


def _scaled(net: Net, x: Var, bias: bool) -> Var:
    features = x.aval.shape[-1]
    y = net.let("mul", x, net.weight("scale", features))
    return net.let("add", y, net.weight("bias", features)) if bias else y


def whiten(net: Net, x: Var, axis: Any) -> Var:
    """Gives `x` with mean zero and variance one along axes."""
    epsilon = Literal(net.stream.choice((1e-5, 1e-6, 1e-5)))
    mean = net.let("mean", x, axis=axis, keepdims=True)
    if net.chance(0.75):
        variance = net.let("var", x, axis=axis, keepdims=True)
        centered = net.let("sub", x, mean)
    else:
        centered = net.let("sub", x, mean, role="centered")
        variance = net.let("mean", net.let("square", centered), axis=axis, keepdims=True)
    inside = net.let("add", variance, epsilon)
    if net.chance(0.7):
        return net.sure("mul", centered, net.sure("rsqrt", inside, bounds=(0, 4)), bounds=_UNIT)
    return net.sure("div", centered, net.sure("sqrt", inside, bounds=(0.1, 4)), bounds=_UNIT)


def layer_norm(net: Net, x: Var) -> Var:
    """Layer norm over the last axis."""
    bias = net.chance(0.6)

    def build(inner: Net, x: Var) -> Var:
        return _scaled(inner, whiten(inner, x, -1), bias)

    out: Var = net.call("layer_norm", build, net.stream.choice(("norm", "ln")), x=x)
    return out


def rms_norm(net: Net, x: Var) -> Var:
    """RMS norm over the last axis, computed in single precision where that is wider."""
    upcast = net.dtype == "bf16" and net.chance(0.7)

    def build(inner: Net, x: Var) -> Var:
        h = inner.let("astype", x, dtype="f32") if upcast else x
        mean_square = inner.let("mean", inner.let("square", h), axis=-1, keepdims=True)
        root = inner.sure("rsqrt", inner.let("add", mean_square, Literal(1e-6)), bounds=(0, 4))
        h = inner.sure("mul", h, root, bounds=_UNIT)
        h = inner.let("astype", h, dtype=x.aval.dtype) if upcast else h
        return _scaled(inner, h, False)

    out: Var = net.call("rms_norm", build, net.stream.choice(("norm", "rms")), x=x)
    return out


def group_norm(net: Net, x: Var) -> Var:
    """Group norm of images, or of features in groups; with one channel a group, instance norm."""
    *lead, channels = x.aval.shape
    counts = [n for n in (2, 4, 8) if channels % n == 0 and channels > n]
    if x.aval.rank == 4 and net.chance(0.3):
        role, groups = "instance_norm", channels
    elif counts:
        role, groups = "group_norm", net.stream.choice(counts)
    else:
        raise IllTyped("channels that make no groups")

    def build(inner: Net, x: Var) -> Var:
        if role == "instance_norm":
            return _scaled(inner, whiten(inner, x, (1, 2)), True)
        h = inner.let("reshape", x, shape=(*lead, groups, channels // groups))
        axes = (1, 2, 4) if x.aval.rank == 4 else -1
        h = inner.let("reshape", whiten(inner, h, axes), shape=x.aval.shape)
        return _scaled(inner, h, True)

    out: Var = net.call(role, build, x=x)
    return out


def standardize(net: Net, x: Var) -> Var:
    """`jax.nn.standardize` with a scale."""
    return _scaled(net, net.sure("standardize", x, axis=-1, bounds=_UNIT), net.chance(0.5))


def normalize(net: Net, x: Var) -> Var:
    """One of the norms over the features."""
    way = net.stream.weighted((layer_norm, rms_norm, group_norm, standardize), (4, 3, 1.5, 0.7))
    return way(net, x)


def batch_norm(net: Net, x: Var, stats: tuple[Var, Var], train: bool) -> tuple[Var, Var, Var]:
    """Batch norm with running statistics; gives the new ones too."""
    axes = tuple(range(x.aval.rank - 1))
    axis: Any = axes if len(axes) > 1 else axes[0]
    momentum = net.stream.choice((0.9, 0.99))

    def build(inner: Net, x: Var, running_mean: Var, running_var: Var) -> tuple[Var, Var, Var]:
        mean, variance = running_mean, inner.let("maximum", running_var, Literal(0.0))
        new = running_mean, running_var
        if train:
            mean = inner.let("mean", x, axis=axis, role="mean")
            variance = inner.let("var", x, axis=axis, role="var")
            new = (
                moving(inner, running_mean, mean, momentum),
                moving(inner, running_var, variance, momentum),
            )
        inside = inner.let("add", variance, Literal(1e-5))
        root = inner.sure("rsqrt", inside, bounds=(0, 4))
        h = inner.sure("mul", inner.let("sub", x, mean), root, bounds=_UNIT)
        return (_scaled(inner, h, True), *new)

    if train:
        found: tuple[Var, Var, Var] = net.call(
            "batch_norm", build, x=x, running_mean=stats[0], running_var=stats[1]
        )
        return found

    def evaluate(inner: Net, x: Var, running_mean: Var, running_var: Var) -> Var:
        return build(inner, x, running_mean, running_var)[0]

    out: Var = net.call("batch_norm", evaluate, x=x, running_mean=stats[0], running_var=stats[1])
    return (out, *stats)


def moving(net: Net, old: Var, new: Var, momentum: float) -> Var:
    """Gives a running average."""
    kept = net.let("mul", Literal(momentum), old)
    return net.let("add", kept, net.let("mul", Literal(round(1.0 - momentum, 4)), new))


def dropout(net: Net, x: Var, key: Var) -> Var:
    """Dropout with a key, the rest scaled up."""
    keep = net.stream.choice((0.9, 0.9, 0.8, 0.5))

    def build(inner: Net, x: Var, key: Var) -> Var:
        mask = inner.scope.let("random_bernoulli_shaped", key, x, p=keep, role="keep")
        return inner.let("where", mask, inner.let("div", x, Literal(keep)), Literal(0.0))

    out: Var = net.call("dropout", build, x=x, key=key)
    return out
