"""Recurrent layers as scans over time: simple, LSTM, GRU; stacked, and in both directions."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.types import Aval

_UNIT = (-1.0, 1.0)
_CELL = (-8.0, 8.0)


def _drive(net: Net, x: Var, h: Var, units: int, gate: str) -> Var:
    drive = net.let("matmul", x, net.weight(f"w_{gate}", x.aval.shape[-1], units))
    drive = net.let("add", drive, net.let("matmul", h, net.weight(f"u_{gate}", units, units)))
    return net.let("add", drive, net.weight(f"b_{gate}", units))


def _simple(net: Net, h: Var, x: Var) -> Any:
    return net.act(_drive(net, x, h, h.aval.shape[-1], "h"), net.stream.choice(("tanh", "tanh")))


def _gru(net: Net, h: Var, x: Var) -> Any:
    units = h.aval.shape[-1]
    z = net.sure("sigmoid", _drive(net, x, h, units, "z"), bounds=(0, 1), role="z")
    r = net.sure("sigmoid", _drive(net, x, h, units, "r"), bounds=(0, 1), role="r")
    reset = net.let("mul", r, h)
    new = net.sure("tanh", _drive(net, x, reset, units, "n"), bounds=_UNIT, role="n")
    kept = net.let("mul", z, h)
    mixed = net.let("mul", net.let("sub", Literal(1.0), z), new)
    return net.sure("add", mixed, kept, bounds=_UNIT)


def _lstm(net: Net, h: Var, c: Var, x: Var) -> Any:
    units = h.aval.shape[-1]
    if net.chance(0.7):
        gates = net.let("matmul", x, net.weight("w", x.aval.shape[-1], 4 * units))
        gates = net.let("add", gates, net.let("matmul", h, net.weight("u", units, 4 * units)))
        gates = net.let("add", gates, net.weight("b", 4 * units), role="gates")
        parts: Any = net.scope.let_all("split", gates, sections=4, axis=-1, roles="ifgo")
    else:
        parts = [_drive(net, x, h, units, gate) for gate in "ifgo"]
    i, f, o = (net.sure("sigmoid", parts[n], bounds=(0, 1)) for n in (0, 1, 3))
    new = net.let("mul", i, net.sure("tanh", parts[2], bounds=_UNIT))
    c = net.sure("add", net.let("mul", f, c), new, bounds=_CELL, role="c")
    return net.let("mul", o, net.sure("tanh", c, bounds=_UNIT), role="h"), c


def recurrent(net: Net, x: Var, *, both: bool | None = None) -> Var:
    """A recurrent layer over [time, batch, features] or [time, features]."""
    if x.aval.rank not in (2, 3) or x.aval.shape[0] > 64:
        raise IllTyped("recurrent needs rank 2 or 3")
    kind = net.stream.choice(("simple", "gru", "gru", "lstm", "lstm"))
    units, whole = min(32, net.scope.side()), net.chance(0.65)
    both = net.chance(0.25) if both is None else both
    role = {"simple": "rnn", "gru": "gru", "lstm": "lstm"}[kind]

    def layer(inner: Net, x: Var) -> Var:
        return _unrolled(inner, x, kind, units, whole or both, reverse=False)

    if not both:
        out: Var = net.call(role, layer, x=x) if net.chance(0.5) else layer(net, x)
        return out
    way = net.chance(0.5)

    def backward(inner: Net, x: Var) -> Var:
        if way:
            return _unrolled(inner, x, kind, units, True, reverse=True)
        turned = part_of(inner.scope, x, slice(None, None, -1))
        return part_of(inner.scope, layer(inner, turned), slice(None, None, -1))

    ahead = net.call(role, layer, "forward", x=x)
    back = net.call(f"{role}_backward", backward, "backward", x=x)
    return net.let("concatenate", (ahead, back), axis=-1)


def _unrolled(net: Net, x: Var, kind: str, units: int, whole: bool, *, reverse: bool) -> Var:
    aval = Aval(net.dtype, (*x.aval.shape[1:-1], units))
    zeros = net.let("zeros", shape=aval.shape, role="h0", **net.typed)
    h = Var(aval, _UNIT, "h")
    inp = Var(Aval(net.dtype, x.aval.shape[1:]), x.bounds, net.stream.choice(("x_t", "x", "inp")))
    carry: Any = h
    init: Any = zeros
    body = net.scope.nested([h, inp])
    inner = Net(body, net.dtype)
    # A cell reads its weights from the layer around it.
    inner.weights = net.weights
    if kind == "lstm":
        c = Var(aval, _CELL, "c")
        carry, init = Var((aval, aval), role="carry"), (zeros, zeros)
        body.params[0] = carry
        body.bind("unpack", (carry,), {}, (h, c))
        new = _lstm(inner, h, c, inp)
        y = new[0]
    else:
        new = y = (_gru if kind == "gru" else _simple)(inner, h, inp)
    result: Any = (new, y) if whole else (new, None)
    step = body.close(net.stream.choice(("cell", "step", f"{kind}_cell")), result)
    last: Any = Var(aval, _UNIT, "" if kind != "lstm" else "h")
    outputs = Var(Aval(net.dtype, (x.aval.shape[0], *aval.shape)) if whole else (), _UNIT)
    outs = ((last, Var(aval, _CELL)) if kind == "lstm" else last, outputs)
    params = {"reverse": True} if reverse else {}
    net.scope.bind("scan", (step, init, x), params, outs)
    for var in (outputs if not whole else None, outs[0] if whole else None):
        for part in var if isinstance(var, tuple) else (var,):
            if part is not None:
                net.scope.unused.pop(part, None)
    if kind == "lstm" and not whole:
        net.scope.unused.pop(outs[0][1], None)
    return outputs if whole else last


def stacked(net: Net, x: Var) -> Var:
    """Several recurrent layers, one over what the other gives."""
    depth = net.stream.choice((2, 2, 3))
    for _ in range(depth - 1):
        x = recurrent(net, _features(net, x))
    return x


def _features(net: Net, x: Var) -> Var:
    if x.aval.shape[-1] <= 64:
        return x
    return net.let("matmul", x, net.weight("w_in", x.aval.shape[-1], 32))
