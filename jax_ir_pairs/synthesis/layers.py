"""Layers of neural networks as people write them: small functions of weights and activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from jax_ir_pairs.synthesis.graph import Call, Function, Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Record, Tree

ACTIVATIONS = ("relu", "relu", "gelu", "silu", "tanh", "sigmoid", "elu", "leaky_relu", "softplus")


@dataclass(slots=True)
class Weights:
    """The weights that a model asks for while it is built; they become one dict."""

    items: dict[str, Var] = field(default_factory=dict)

    def new(self, name: str, aval: Aval) -> Var:
        """Gives a weight under a name like `name`, numbered where it is taken."""
        key, number = name, 2
        while key in self.items:
            key, number = f"{name}{number}", number + 1
        var = Var(aval, (-4.0, 4.0) if not name.startswith("scale") else (0.1, 4.0))
        self.items[key] = var
        return var

    def type(self) -> Tree:
        """Gives the type of the dict."""
        return Record(tuple((key, var.type) for key, var in self.items.items()))

    def unpack(self, scope: Scope, params: Var) -> None:
        """Reads every weight out of `params`, at the top of the scope's body."""
        reads = [
            Call(scope.ops["item"], (params,), {"key": key}, var) for key, var in self.items.items()
        ]
        scope.body[:0] = reads


Layer: TypeAlias = Callable[[Scope, Weights, Var], Var]


def calm(scope: Scope, x: Var) -> Var:
    """Gives `x` small enough for another product."""
    return x if max(map(abs, x.bounds)) <= 100.0 else scope.let("tanh", x)


def activation(scope: Scope, x: Var) -> Var:
    """Gives an activation of `x`."""
    name = scope.stream.choice(ACTIVATIONS)
    try:
        return scope.let(name, x)
    except IllTyped:
        return scope.let("tanh", x)


def linear(scope: Scope, weights: Weights, x: Var, units: int, name: str = "w") -> Var:
    """Gives `x @ w + b`, with or without the bias."""
    inside = x.aval.shape[-1]
    y = scope.let(
        "matmul", calm(scope, x), weights.new(name, Aval(scope.float_dtype, (inside, units)))
    )
    if scope.stream.chance(0.75):
        bias = "b" + name.removeprefix("w")
        y = scope.let("add", y, weights.new(bias, Aval(scope.float_dtype, (units,))))
    return y


def dense(scope: Scope, weights: Weights, x: Var) -> Var:
    """A dense layer with an activation, now and then with a residual connection."""
    units = x.aval.shape[-1] if scope.stream.chance(0.3) else scope.side()
    y = activation(scope, linear(scope, weights, x, units))
    if y.aval == x.aval and scope.stream.chance(0.6):
        y = scope.let("add", x, y)
    return y


def normalize(scope: Scope, weights: Weights, x: Var) -> Var:
    """Layer norm or RMS norm over the last axis, as a helper function."""
    rms = scope.stream.chance(0.4)
    scale = weights.new("scale", Aval(scope.float_dtype, x.aval.shape[-1:]))
    params = [Var(x.type, x.bounds, "x"), Var(scale.type, scale.bounds, "scale")]
    arguments = [x, scale]
    if not rms and scope.stream.chance(0.6):
        bias = weights.new("bias", Aval(scope.float_dtype, x.aval.shape[-1:]))
        params.append(Var(bias.type, bias.bounds, "bias"))
        arguments.append(bias)
    body = scope.nested(params)
    h = calm(body, params[0])
    epsilon = Literal(scope.stream.choice((1e-5, 1e-6)))
    if rms:
        mean_square = body.let("mean", body.let("square", h), axis=-1, keepdims=True)
        h = body.let("mul", h, _raw(body, "rsqrt", body.let("add", mean_square, epsilon)))
    else:
        mean = body.let("mean", h, axis=-1, keepdims=True)
        variance = body.let("var", h, axis=-1, keepdims=True)
        centered = body.let("sub", h, mean)
        h = body.let("mul", centered, _raw(body, "rsqrt", body.let("add", variance, epsilon)))
    h = body.let("mul", h, params[1])
    if len(params) > 2:
        h = body.let("add", h, params[2])
    function = body.close("rms_norm" if rms else "layer_norm", h)
    out = Var(x.type, (-20.0, 20.0), "h" if scope.stream.chance(0.3) else "")
    scope.bind("apply", (function, *arguments), {}, out)
    return out


def _raw(scope: Scope, name: str, x: Var) -> Var:
    """Applies a unary op whose bounds are known to be harmless here."""
    out = Var(x.type, (0.0, 4.0))
    scope.bind(name, (x,), {}, out)
    return out


def attention(scope: Scope, weights: Weights, x: Var) -> Var:
    """Self-attention over [batch, time, features] or [time, features], with or without a mask."""
    if x.aval.rank not in (2, 3):
        raise IllTyped("attention needs rank 2 or 3")
    x = calm(scope, x)
    features = x.aval.shape[-1]
    units = features if scope.stream.chance(0.5) else scope.side()
    q, k, v = (
        scope.let(
            "matmul",
            x,
            weights.new(name, Aval(scope.float_dtype, (features, units))),
            role=name[-1],
        )
        for name in ("wq", "wk", "wv")
    )
    pattern = "bqd,bkd->bqk" if x.aval.rank == 3 else "qd,kd->qk"
    scores = scope.let("einsum", calm(scope, q), calm(scope, k), pattern=pattern, role="scores")
    divisor = Literal(round(units**0.5, 4))
    scores = scope.let("div", scores, divisor)
    if scope.stream.chance(0.4):
        ones = scope.let("ones", shape=(x.aval.shape[-2],) * 2)
        mask = scope.let("equal", scope.let("tril", ones), Literal(1.0), role="mask")
        scores = scope.let("where", mask, scores, Literal(scope.stream.choice((-1e4, -1e5))))
    attended = scope.let("softmax", scores, axis=-1)
    pattern = "bqk,bkd->bqd" if x.aval.rank == 3 else "qk,kd->qd"
    out = scope.let("einsum", attended, calm(scope, v), pattern=pattern)
    if scope.stream.chance(0.6):
        out = linear(scope, weights, out, features, "wo")
    if out.aval == x.aval and scope.stream.chance(0.6):
        out = scope.let("add", x, out)
    return out


def convolution(scope: Scope, weights: Weights, x: Var) -> Var:
    """A 2-D convolution over [batch, height, width, channels] with an activation."""
    if x.aval.rank != 4:
        raise IllTyped("convolution needs rank 4")
    batch, height, width, channels = x.aval.shape
    filters, window = scope.stream.choice((4, 8, 16)), scope.stream.choice((1, 3, 3, 5))
    stride = scope.stream.choice((1, 1, 2))
    same = scope.stream.chance(0.7) or min(height, width) < window
    kernel = weights.new("kernel", Aval(scope.float_dtype, (window, window, channels, filters)))
    sides = [-(-s // stride) if same else -(-(s - window + 1) // stride) for s in (height, width)]
    x = calm(scope, x)
    out = Var(Aval(scope.float_dtype, (batch, *sides, filters)), (-100.0, 100.0))
    if out.aval.size > 16384:
        raise IllTyped("convolution is too large")
    params = {
        "window_strides": (stride, stride),
        "padding": "SAME" if same else "VALID",
        "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
    }
    scope.bind("conv", (x, kernel), params, out)
    if scope.stream.chance(0.6):
        out = scope.let("add", out, weights.new("bias", Aval(scope.float_dtype, (filters,))))
    return activation(scope, out)


def gated(scope: Scope, weights: Weights, x: Var) -> Var:
    """A gated linear unit."""
    units = scope.side()
    gate = activation(scope, linear(scope, weights, x, units, "w_gate"))
    return scope.let("mul", gate, calm(scope, linear(scope, weights, x, units, "w_up")))


def recurrent(scope: Scope, weights: Weights, x: Var) -> Var:
    """A recurrent layer over [time, batch, features] or [time, features], as a scan."""
    if x.aval.rank not in (2, 3):
        raise IllTyped("recurrent needs rank 2 or 3")
    x = calm(scope, x)
    units = scope.side()
    w_in = weights.new("w_in", Aval(scope.float_dtype, (x.aval.shape[-1], units)))
    w_rec = weights.new("w_rec", Aval(scope.float_dtype, (units, units)))
    h0 = scope.let("zeros", shape=(*x.aval.shape[1:-1], units))
    h, inp = (
        Var(h0.aval, (-1.0, 1.0), "h"),
        Var(Aval(scope.float_dtype, x.aval.shape[1:]), x.bounds, "x"),
    )
    cell = scope.nested([h, inp])
    drive = cell.let("add", cell.let("matmul", inp, w_in), cell.let("matmul", h, w_rec))
    if scope.stream.chance(0.5):
        drive = cell.let("add", drive, weights.new("b", Aval(scope.float_dtype, (units,))))
    new = cell.let("tanh", drive)
    if scope.stream.chance(0.45):
        w_z = weights.new("w_z", Aval(scope.float_dtype, (x.aval.shape[-1], units)))
        gate = cell.let("sigmoid", cell.let("matmul", inp, w_z), role="z")
        kept = cell.let("mul", gate, h)
        mixed = cell.let("mul", cell.let("sub", Literal(1.0), gate), new)
        new = Var(h.type, (-1.0, 1.0))
        cell.bind("add", (kept, mixed), {}, new)
    function: Function = cell.close(scope.stream.choice(("cell", "step", "rnn_step")), (new, new))
    last, outputs = (
        Var(h0.aval, (-1, 1)),
        Var(Aval(scope.float_dtype, (*x.aval.shape[:-1], units)), (-1, 1)),
    )
    scope.bind("scan", (function, h0, x), {}, (last, outputs))
    return last if scope.stream.chance(0.4) else outputs
