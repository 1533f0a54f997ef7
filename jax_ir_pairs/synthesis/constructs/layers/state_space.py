"""State spaces: linear recurrences over time, as associative scans or step by step."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.layers import dense
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Transformed, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.types import Aval


def _recurrence(net: Net, decay: Var, drive: Var, *, ahead: bool) -> Var:
    """Gives all `h[t] = decay[t] * h[t - 1] + drive[t]` over the leading axis."""
    bounds = (min(-20.0, drive.bounds[0]), max(20.0, drive.bounds[1]))
    out = Var(drive.type, bounds, "hidden")
    if not ahead:
        row = drive.aval.with_shape(*drive.aval.shape[1:])
        h, pair = Var(row, bounds, "h"), Var((row, row), role="inputs")
        a, b = Var(row, (0, 1), "a_t"), Var(row, drive.bounds, "b_t")
        body = Net(net.scope.nested([h, pair]), net.dtype)
        body.scope.bind("unpack", (pair,), {}, (a, b))
        new = body.sure("add", body.let("mul", a, h), b, bounds=bounds)
        step = body.scope.close("step", (new, new))
        zeros = net.let("zeros", shape=row.shape, **net.typed)
        last = Var(row, bounds)
        net.scope.bind("scan", (step, zeros, (decay, drive)), {}, (last, out))
        net.scope.unused.pop(last, None)
        return out
    # The scan calls it on parts of several lengths; its body types the same for each.
    left, right = (Var((drive.type, drive.type), role=role) for role in ("left", "right"))
    body = Net(net.scope.nested([left, right], sealed=True), net.dtype)
    parts: list[Any] = []
    for var, names in ((left, ("a1", "b1")), (right, ("a2", "b2"))):
        parts.append((Var(drive.type, (0, 1), names[0]), Var(drive.type, bounds, names[1])))
        body.scope.bind("unpack", (var,), {}, parts[-1])
    (a1, b1), (a2, b2) = parts
    product = body.let("mul", a1, a2)
    combined = body.sure("add", body.let("mul", a2, b1), b2, bounds=bounds)
    function = body.scope.close(
        net.stream.choice(("combine", "binary_operator", "compose")), (product, combined)
    )
    unused = Var(decay.type, (0, 1))
    net.scope.bind("associative_scan", (function, (decay, drive)), {}, (unused, out))
    net.scope.unused.pop(unused, None)
    return out


def gated_recurrence(net: Net, x: Var) -> Var:
    """A linear recurrence over [time, …, features] whose decay depends on the input."""
    if x.aval.rank not in (2, 3) or x.aval.shape[0] > 64:
        raise IllTyped("a recurrence needs rank 2 or 3")
    units, ahead = min(32, net.scope.side()), net.chance(0.7)

    def build(inner: Net, x: Var) -> Var:
        gate = inner.sure("sigmoid", dense.linear(inner, x, units, "w_a"), bounds=(0, 1))
        value = dense.linear(inner, x, units, "w_x", bias=False)
        drive = inner.let("mul", inner.let("sub", Literal(1.0), gate), value)
        hidden = _recurrence(inner, gate, drive, ahead=ahead)
        return dense.linear(inner, hidden, x.aval.shape[-1], "w_out", bias=False)

    out: Var = net.call(net.stream.choice(("linear_rnn", "rglru", "minimal_gru")), build, x=x)
    return out


def diagonal(net: Net, x: Var) -> Var:
    """A diagonal state space over [time, features]: discretized, scanned and read out."""
    if x.aval.rank != 2 or x.aval.shape[0] > 64:
        raise IllTyped("a state space needs rank 2")
    time, features = x.aval.shape
    state = net.stream.choice((2, 4, 8))
    if time * features * state > 8192:
        raise IllTyped("state space is too large")
    ahead = net.chance(0.7)

    def build(inner: Net, x: Var) -> Var:
        dt = inner.act(dense.linear(inner, x, features, "w_dt", bias=True), "softplus")
        rate = inner.sure("exp", inner.weight("a_log", features, state), bounds=(0.0, 60.0))
        scaled = inner.let("einsum", dt, rate, pattern="td,dn->tdn")
        decay = inner.sure("exp", inner.let("negative", scaled), bounds=(0, 1), role="decay")
        b = dense.linear(inner, x, state, "w_b", bias=False)
        c = dense.linear(inner, x, state, "w_c", bias=False)
        drive = inner.let("einsum", inner.let("mul", dt, x), b, pattern="td,tn->tdn")
        hidden = _recurrence(inner, decay, drive, ahead=ahead)
        y = inner.let("einsum", hidden, c, pattern="tdn,tn->td")
        return inner.let("add", y, inner.let("mul", inner.weight("d", features), x))

    out: Var = net.call(net.stream.choice(("selective_ssm", "ssm", "state_space")), build, x=x)
    return out


def batched(net: Net, x: Var) -> Var:
    """The diagonal state space over each sequence of [batch, time, features]."""
    if x.aval.rank != 3:
        raise IllTyped("needs rank 3")
    one = Var(Aval(net.dtype, x.aval.shape[1:]), x.bounds, "x")
    block = net.define("ssm", diagonal, x=one)
    if block.weights is None or x.aval.shape[0] * 2 > 8:
        raise IllTyped("too large a batch of state spaces")
    own = net.weights.new("ssm", block.weights)
    out = Var(x.type, (-60.0, 60.0))
    callee = Transformed("vmap", block.function, {"in_axes": (None, 0)})
    net.scope.bind("apply", (callee, own, x), {}, out)
    return out
