"""Models: towers of layers of one kind, with the input that they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from jax_ir_pairs.synthesis.constructs.layers import (
    attention,
    convolution,
    dense,
    mixture,
    normalization,
    positions,
    recurrent,
    state_space,
    transformer,
)
from jax_ir_pairs.synthesis.constructs.layers.net import STREAM, Net
from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.growth import Mix
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

Layer: TypeAlias = Callable[[Net, Var], Var]


def _guest(net: Net, x: Var, mix: Mix) -> Var:
    """A layer that any family may fill, added to the way around it."""
    param = Var(x.type, STREAM, "x")
    body = net.scope.nested([param], sealed=True, reverse=net.scope.reverse)
    mix.fill(body, 4)
    made = [v for v in body.values if v.aval == x.aval and v in body.unused and v is not param]
    if not made:
        raise IllTyped("nothing of the shape of a layer")
    value = body.let("tanh", made[-1])
    function = body.close(net.stream.choice(("features", "transform", "mix_in")), value)
    out = Var(x.type, (-1.0, 1.0))
    net.scope.bind("apply", (function, x), {}, out)
    return net.let("add", x, out)


def _vision_transformer(net: Net, x: Var, depth: int) -> Var:
    tokens = convolution.patches(net, x, net.stream.choice((8, 16)))
    if net.chance(0.6):
        tokens = positions.learned(net, tokens)
    return transformer.tower(net, tokens, depth, causal=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of model: the rank of its input and the layers that it stacks."""

    name: str
    rank: int
    layers: tuple[tuple[Layer, float], ...]
    weight: float


_FORWARD: tuple[tuple[Layer, float], ...] = (
    (dense.mlp, 1.0), (dense.gated, 1.0), (dense.lora, 0.6), (dense.highway, 0.5),
    (dense.maxout, 0.4), (dense.bilinear, 0.4), (transformer.scaled_residual, 0.5),
)  # fmt: skip
_DENSE: tuple[tuple[Layer, float], ...] = (
    (dense.dense, 4.0), (normalization.normalize, 1.5), (mixture.mixture, 0.5), *_FORWARD,
)  # fmt: skip
_SEQUENCE: tuple[tuple[Layer, float], ...] = (
    (attention.attention, 4.0), (normalization.normalize, 1.5), (dense.dense, 1.5),
    (mixture.mixture, 0.7), (positions.positions, 0.5), (transformer.mixer, 0.6),
    (convolution.causal, 0.8), (convolution.convolution, 0.5), (convolution.squeeze_excite, 0.3),
    (state_space.batched, 0.5), (dense.gated, 1.0), (dense.mlp, 0.7),
)  # fmt: skip
_TIME: tuple[tuple[Layer, float], ...] = (
    (recurrent.recurrent, 4.0), (recurrent.stacked, 1.0), (state_space.gated_recurrence, 1.5),
    (dense.dense, 1.0), (normalization.normalize, 0.7),
)  # fmt: skip
_IMAGE: tuple[tuple[Layer, float], ...] = (
    (convolution.convolution, 4.0), (convolution.residual, 2.0), (convolution.separable, 1.0),
    (convolution.bottleneck, 1.0), (convolution.squeeze_excite, 0.7), (convolution.pool, 1.5),
    (convolution.transposed, 0.6), (convolution.pyramid, 1.0), (normalization.group_norm, 1.0),
    (normalization.normalize, 0.5),
)  # fmt: skip
_VOLUME: tuple[tuple[Layer, float], ...] = (
    (convolution.convolution, 3.0), (convolution.pool, 1.0), (convolution.residual, 1.0),
    (convolution.transposed, 0.5),
)  # fmt: skip

KINDS = (
    Kind("dense", 2, _DENSE, 3.0),
    Kind("sequence", 3, _SEQUENCE, 2.5),
    Kind("single", 2, ((attention.simple, 2.0), *_DENSE), 0.7),
    Kind("transformer", 3, (), 2.5),
    Kind("recurrent", 3, _TIME, 1.5),
    Kind("state_space", 2, ((state_space.diagonal, 3.0), *_TIME), 0.8),
    Kind("image", 4, _IMAGE, 2.5),
    Kind("vision_transformer", 4, (), 0.7),
    Kind("signal", 3, ((convolution.pyramid, 0.6), *_VOLUME), 0.6),
    Kind("volume", 5, _VOLUME, 0.4),
)


def draw_kind(scope: Scope) -> Kind:
    """Gives one kind of model."""
    return scope.stream.weighted(KINDS, [kind.weight for kind in KINDS])


def draw_dtype(scope: Scope) -> str:
    """Gives the dtype of a model: the default one, or a narrow one."""
    return "bf16" if scope.stream.chance(0.1) else scope.float_dtype


def draw_input(scope: Scope, kind: Kind, dtype: str) -> Aval:
    """Gives the aval of a model's input."""
    choice = scope.stream.choice
    if kind.rank == 4:
        side = choice((8, 8, 4, 6, 10) if kind.name == "image" else (4, 6, 8))
        return Aval(dtype, (choice((1, 2, 4)), side, side, choice((1, 3, 4, 8))))
    if kind.rank == 5:
        return Aval(dtype, (choice((1, 2)), 4, 4, 4, choice((1, 2, 3))))
    if kind.name == "signal":
        return Aval(dtype, (choice((1, 2, 4)), choice((8, 12, 16)), choice((2, 4, 8))))
    if kind.rank == 3:
        features = choice((4, 8, 8, 16, 16, 32, 64))
        time = choice((4, 6, 8, 10, 12, 16))
        batch = choice((1, 2, 2, 4, 8)) if kind.name != "recurrent" else choice((2, 4, 8))
        lead = (time, batch) if kind.name == "recurrent" else (batch, time)
        return Aval(dtype, (*lead, features))
    return Aval(dtype, (min(64, scope.side()), min(64, scope.side())))


def tower(net: Net, x: Var, kind: Kind, budget: int, mix: Mix | None = None) -> Var:
    """Stacks layers on `x`: about one for each four calls of the budget."""
    depth = max(1, min(10, round(budget / 4)))
    if kind.name == "transformer":
        h = positions.positions(net, x) if net.chance(0.4) else x
        return transformer.tower(net, h, min(depth, 6))
    if kind.name == "vision_transformer":
        return _vision_transformer(net, x, min(depth, 4))
    layers, weights = zip(*kind.layers, strict=True)
    h, made, tries = x, 0, 0
    while made < depth and tries < 2 * depth + 4:
        tries += 1
        layer, before = net.stream.weighted(layers, weights), dict(net.weights.items)
        if mix is not None and net.chance(0.05):
            layer = lambda net, h: _guest(net, h, mix)  # noqa: E731
        stacked: list[Var] = []
        if net.scope.attempt(lambda: stacked.append(layer(net, h))):  # noqa: B023
            h, made = stacked[0], made + 1
        else:
            net.weights.items = before
    return net.act(h) if h is x else h


def repeated(net: Net, x: Var, kind: Kind, budget: int) -> Var:
    """A stack of one layer with a residual connection, unrolled or scanned."""
    depth = max(2, min(12, round(budget / 3)))
    layers, weights = zip(*kind.layers, strict=True)
    layer = net.stream.weighted(layers, weights)

    def build(inner: Net, x: Var) -> Var:
        y = layer(inner, normalization.layer_norm(inner, x))
        if y.aval != x.aval:
            raise IllTyped("a layer of another shape")
        return inner.let("add", x, y)

    return net.stack(net.stream.choice(("layer", "block", "residual")), build, depth, x)


def head(net: Net, h: Var, units: int) -> Var:
    """Brings the last activations to [batch, units]."""
    if h.aval.rank > 2:
        pool = attention.latent if h.aval.rank == 3 and net.chance(0.1) else None
        if pool is not None:
            h = pool(net, h, 1)
            h = net.let("squeeze", h, axis=1)
        else:
            h = convolution.flatten(net, h)
    return dense.linear(net, h, units, net.stream.choice(("w_out", "w_head")))
