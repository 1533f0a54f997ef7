"""Where a token stands: rotations, sinusoids, learned tables, biases by distance."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of

_BASE = 10000.0
_ALL = slice(None)


def frequencies(net: Net, half: int) -> Var:
    """Gives the inverse frequencies, falling geometrically."""
    steps = net.let("arange_float", n=half, dtype=net.scope.float_dtype)
    exponent = net.let("div", steps, Literal(float(half)))
    if net.chance(0.5):
        powers = Var(exponent.type, (1.0, _BASE))
        net.scope.bind("scale_power", (Literal(_BASE), exponent), {}, powers)
        return net.sure("div", Literal(1.0), powers, bounds=(0.0, 1.0), role="inv_freq")
    scaled = net.let("mul", exponent, Literal(-9.2103))
    return net.sure("exp", scaled, bounds=(0.0, 1.0), role="inv_freq")


def angles(net: Net, time: int, half: int) -> Var:
    """Gives the angle of each position and frequency, [time, half]."""
    positions = net.let("arange_float", n=time, dtype=net.scope.float_dtype, role="positions")
    return net.let("outer", positions, frequencies(net, half), role="angles")


def rotary(net: Net, *heads: Var) -> tuple[Var, ...]:
    """Rotary position embedding of queries and keys, [batch, time, heads, width]."""
    time, width = heads[0].aval.shape[1], heads[0].aval.shape[-1]
    if width % 2:
        raise IllTyped("rotary of an odd width")
    halves = net.chance(0.6)

    def build(inner: Net, x: Var) -> Var:
        angle = angles(inner, time, width // 2)
        turned = []
        for name in ("cos", "sin"):
            part = inner.let(name, angle)
            part = part_of(inner.scope, part, _ALL, None, _ALL, role=name)
            if inner.dtype != inner.scope.float_dtype:
                part = inner.let("astype", part, dtype=inner.dtype)
            turned.append(part)
        cos, sin = turned
        if halves:
            x1, x2 = inner.scope.let_all("split", x, sections=2, axis=-1, roles=("x1", "x2"))
        else:
            x1 = part_of(inner.scope, x, Ellipsis, slice(None, None, 2), role="x1")
            x2 = part_of(inner.scope, x, Ellipsis, slice(1, None, 2), role="x2")
        left = inner.let("sub", inner.let("mul", x1, cos), inner.let("mul", x2, sin))
        right = inner.let("add", inner.let("mul", x2, cos), inner.let("mul", x1, sin))
        if halves:
            return inner.let("concatenate", (left, right), axis=-1)
        pair = (part_of(inner.scope, part, Ellipsis, None) for part in (left, right))
        both = inner.let("concatenate", tuple(pair), axis=-1)
        return inner.let("reshape", both, shape=x.aval.shape)

    role = net.stream.choice(("apply_rope", "rotary", "apply_rotary"))
    block = net.define(role, build, x=heads[0])
    found = []
    for x in heads:
        if x.type != heads[0].type:
            found.append(net.call(role, build, x=x))
            continue
        found.append(net.apply(block, None, x, role=x.role))
    return tuple(found)


def sinusoidal(net: Net, x: Var) -> Var:
    """Adds sines and cosines of the position to [batch, time, features]."""
    time, features = x.aval.shape[-2:]
    if features % 2:
        raise IllTyped("sinusoids of an odd width")

    def build(inner: Net) -> Var:
        angle = angles(inner, time, features // 2)
        table = inner.let("concatenate", (inner.let("sin", angle), inner.let("cos", angle)), axis=1)
        return inner.let("astype", table, dtype=inner.dtype) if inner.typed else table

    table = net.call(net.stream.choice(("sinusoidal_encoding", "position_encoding")), build)
    return net.let("add", x, table)


def learned(net: Net, x: Var) -> Var:
    """Adds a table of positions to [batch, time, features]."""
    time, features = x.aval.shape[-2:]
    if net.chance(0.5):
        return net.let("add", x, net.weight("pos_embed", time, features))
    table = net.weight("pos_embed", 2 * time, features)
    return net.let("add", x, part_of(net.scope, table, slice(None, time)))


def positions(net: Net, x: Var) -> Var:
    """Adds positions in one of the ways."""
    return net.stream.choice((sinusoidal, learned, learned))(net, x)


def _distances(net: Net, queries: int, keys: int) -> Var:
    rows = part_of(net.scope, net.let("arange", n=queries), _ALL, None)
    return net.let("sub", net.let("arange", n=keys), rows, role="distance")


def alibi(net: Net, heads: int, time: int) -> Var:
    """A penalty that grows with the distance, by a slope for each head: [heads, time, time]."""
    scale = -8.0 / heads

    def build(inner: Net) -> Var:
        steps = inner.let("arange_float", n=heads, dtype=inner.scope.float_dtype)
        exponent = inner.let("mul", inner.let("add", steps, Literal(1.0)), Literal(scale))
        slopes = inner.sure("exp2", exponent, bounds=(0.0, 1.0), role="slopes")
        distance = inner.let("abs", _distances(inner, time, time))
        far = inner.let("astype", distance, dtype=inner.scope.float_dtype)
        column = part_of(inner.scope, slopes, _ALL, None, None)
        bias = inner.let("mul", inner.let("negative", column), far)
        return inner.let("astype", bias, dtype=inner.dtype) if inner.typed else bias

    bias: Var = net.call("alibi_bias", build)
    return bias


def relative_bias(net: Net, heads: int, time: int) -> Var:
    """A learned bias by clipped distance, as in T5: [heads, time, time]."""
    reach = net.stream.choice((2, 4, 8))

    def build(inner: Net) -> Var:
        distance = inner.let("clip", _distances(inner, time, time), low=-reach, high=reach)
        buckets = inner.let("add", distance, Literal(reach), role="buckets")
        table = inner.weight("rel_embed", 2 * reach + 1, heads)
        return inner.let("transpose", inner.let("gather", table, buckets), axes=(2, 0, 1))

    bias: Var = net.call("relative_bias", build, "rel_bias")
    return bias
