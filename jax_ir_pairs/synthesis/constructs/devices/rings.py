"""Loops in which blocks travel around a ring of devices."""

from __future__ import annotations

from jax_ir_pairs.synthesis.constructs.devices.algorithms import line, matrix, started
from jax_ir_pairs.synthesis.constructs.devices.exchanges import ring
from jax_ir_pairs.synthesis.constructs.devices.meshes import device_body, shard_map
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Form, Mix, within
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_WEIGHTS = (-4.0, 4.0)


def _ring_product(scope: Scope, budget: int, mix: Mix) -> None:
    """A product, or a sum, over blocks that travel around the ring of devices."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    x = within(scope, matrix(scope, over), _WEIGHTS)
    body = device_body(scope, mesh, [x], [spec], ["x"], checked=stream.chance(0.5))
    (block0,) = body.params
    perm = ring(stream, over.size)
    kernel = stream.choice(("matmul", "matmul", "sum"))
    rows = block0.aval.shape[0]
    like = block0.aval.with_shape(rows, rows) if kernel == "matmul" else block0.aval
    acc0 = started(body, like, over, "acc")
    state_type = (like, block0.aval)
    state = Var(state_type, role=stream.choice(("state", "carry")))
    i = Var(Aval(body.int_dtype), (0, over.size), "i")
    inner = body.nested([i, state], [block0])
    acc, block = Var(like, (-1e3, 1e3), "acc"), Var(block0.type, block0.bounds, "block")
    inner.bind("unpack", (state,), {}, (acc, block))
    if kernel == "matmul":
        part = inner.let("matmul", block0, inner.let("matrix_transpose", block))
    else:
        part = inner.let(stream.choice(("tanh", "square", "sin")), block)
    total = Var(like, (-1e4, 1e4))
    inner.bind("add", (acc, part), {}, total)
    moved = inner.let("ppermute", block, along=over, perm=perm)
    step = inner.close(stream.choice(("ring_step", "body", "step")), (total, moved))
    out, rest = Var(like, (-1e4, 1e4)), Var(block0.type, block0.bounds)
    params = {"lower": 0, "upper": over.size}
    body.bind("fori_loop", (step, (acc0, block0)), params, (out, rest))
    role = stream.choice(("ring_gram", "ring_product") if kernel == "matmul" else ("ring_sum",))
    shard_map(scope, mesh, body, role, out, [x], [spec], [spec])


def _ring_attention(scope: Scope, budget: int, mix: Mix) -> None:
    """Attention over a sequence that the devices share: keys and values go around the ring."""
    stream = scope.stream
    mesh, over, spec = line(scope)
    time, width = over.size * stream.choice((1, 2, 4)), min(scope.side(), 32)
    dtype = scope.float_dtype
    q, k, v = (scope.input(Aval(dtype, (time, width)), role) for role in "qkv")
    body = device_body(
        scope, mesh, [q, k, v], [spec] * 3, ["q", "k", "v"], checked=stream.chance(0.5)
    )
    query, keys0, values0 = body.params
    rows = query.aval.shape[0]
    column = Aval(dtype, (rows, 1))
    top0 = body.let("full", shape=column.shape, value=-1e4, dtype=dtype)
    if body.named_axes.checked:
        top0 = body.let("pcast", top0, along=over, to="varying", role="m0")
    total0, out0 = started(body, column, over, "l0"), started(body, query.aval, over, "o0")
    kinds = (column, column, query.aval, keys0.aval, values0.aval)
    carry = Var(kinds, role="carry")
    bounds = ((-1e4, 50.0), (0.0, 1e3), (-1e3, 1e3), _WEIGHTS, _WEIGHTS)
    i = Var(Aval(body.int_dtype), (0, over.size), "i")
    inner = body.nested([i, carry], [query])
    parts = tuple(
        Var(a, b, r) for a, b, r in zip(kinds, bounds, ("m", "l", "o", "k", "v"), strict=True)
    )
    inner.bind("unpack", (carry,), {}, parts)
    top, total, out, keys, values = parts
    scores = inner.let("matmul", query, inner.let("matrix_transpose", keys))
    scores = inner.let("mul", scores, Literal(round(width**-0.5, 4)), role="scores")
    new_top = inner.let("maximum", top, inner.let("max", scores, axis=-1, keepdims=True),
                        role="m_new")  # fmt: skip
    p, scale = Var(scores.type, (0.0, 1.0), "p"), Var(column, (0.0, 1.0), "scale")
    inner.bind("exp", (inner.let("sub", scores, new_top),), {}, p)
    inner.bind("exp", (inner.let("sub", top, new_top),), {}, scale)
    row_sum = inner.let("sum", p, axis=-1, keepdims=True)
    new_total, new_out = Var(column, bounds[1]), Var(query.type, bounds[2])
    inner.bind("add", (inner.let("mul", total, scale), row_sum), {}, new_total)
    mixed = inner.let("matmul", p, values)
    inner.bind("add", (inner.let("mul", out, scale), mixed), {}, new_out)
    perm = ring(stream, over.size)
    moved = [inner.let("ppermute", kv, along=over, perm=perm) for kv in (keys, values)]
    step = inner.close("attend", (new_top, new_total, new_out, *moved))
    ends = tuple(Var(a, b) for a, b in zip(kinds, bounds, strict=True))
    init = (top0, total0, out0, keys0, values0)
    body.bind("fori_loop", (step, init), {"lower": 0, "upper": over.size}, ends)
    result = Var(query.type, _WEIGHTS)
    body.bind("div", (ends[2], ends[1]), {}, result)
    shard_map(scope, mesh, body, "ring_attention", result, [q, k, v], [spec] * 3, [spec])


FORMS = (
    Form(_ring_product, 0.8),
    Form(_ring_attention, 0.6),
)
