"""Mutable state: references that a program reads and writes, and kernels over references."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Function, Literal, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, grow_ops, one_of
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds, Pullback

_WHOLE = {"subscript": "..."}
_ELEMENTWISE = ("tanh", "sin", "cos", "square", "abs", "sigmoid", "relu", "negative", "soft_sign")


def _reference(aval: Aval, role: str) -> Var:
    return Var(Pullback((), aval), role=role)


def _array(scope: Scope, rank: int) -> Var:
    x = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == rank)
    if x is None or scope.stream.chance(0.3):
        sides = tuple(scope.side() for _ in range(rank))
        x = scope.input(Aval(scope.float_dtype, sides), scope.stream.choice(("x", "data")))
    return x


def _outermost(scope: Scope) -> None:
    if scope.depth or scope.reverse:
        raise IllTyped("references stay in the entry point")


def _read(scope: Scope, ref: Var, aval: Aval, bounds: Bounds) -> Var:
    out = Var(aval, bounds)
    name, params = ("freeze", {}) if scope.stream.chance(0.3) else ("ref_get", _WHOLE)
    scope.bind(name, (ref,), params, out)
    return out


def _new(scope: Scope, value: Var, role: str) -> Var:
    ref = _reference(value.aval, role)
    scope.bind("new_ref", (value,), {}, ref)
    scope.unused.pop(ref, None)
    return ref


def _accumulate(scope: Scope, budget: int, mix: Mix) -> None:
    """A loop that adds to a reference, as an accumulator in place."""
    _outermost(scope)
    xs = _array(scope, 2)
    steps, width = xs.aval.shape
    start = scope.let("zeros", shape=(width,), dtype=scope.float_dtype)
    ref = _new(scope, start, scope.stream.choice(("acc_ref", "total_ref", "ref")))
    i = Var(Aval(scope.int_dtype), (0, steps - 1), "i")
    body = scope.nested([i, Var(Aval(scope.float_dtype), role="_")])
    row = Var(Aval(xs.aval.dtype, (width,)), xs.bounds, "row")
    body.bind("gather", (xs, i), {}, row)
    value = row
    for _ in range(scope.stream.integer(1, max(1, min(3, budget // 4)))):
        value = body.let(scope.stream.choice(_ELEMENTWISE[:6]), value)
    name = scope.stream.choice(("ref_add", "ref_add", "ref_addupdate"))
    body.bind(name, (ref, value), _WHOLE if name == "ref_add" else {}, ())
    function = body.close(scope.stream.choice(("body", "accumulate", "step")), None)
    scope.bind("ref_loop", (function,), {"upper": steps}, ())
    edge = max(map(abs, value.bounds)) * steps
    _read(scope, ref, start.aval, (-edge, edge))


def _edit(scope: Scope, budget: int, mix: Mix) -> None:
    """Straight-line code that writes parts of a reference."""
    _outermost(scope)
    stream = scope.stream
    x = _array(scope, stream.integer(1, 2))
    ref = _new(scope, x, stream.choice(("ref", "buf_ref", "state_ref")))
    low, high = x.bounds
    for _ in range(stream.integer(1, 3)):
        number = Literal(stream.choice((0.5, 1.0, 2.0)))
        if stream.chance(0.5):
            part = stream.choice(("0", "-1", ":1", "...", "1:"))
            scope.bind("ref_add", (ref, number), {"subscript": part}, ())
        elif x.aval.rank == 1:
            scope.bind("ref_set", (ref, number), {"subscript": stream.choice(("0", "-1"))}, ())
        else:
            row = scope.let("getitem", x, parts=(-1,), subscript="-1")
            scope.bind("ref_set", (ref, row), {"subscript": "0"}, ())
        high += 2.0
    if stream.chance(0.4):
        new = scope.let("tanh", x)
        old = Var(x.type, (low, high), "old")
        scope.bind("ref_swap", (ref, new), {}, old)
        low, high = min(low, -1.0), max(high, 1.0)
    _read(scope, ref, x.aval, (low, high))
    grow_ops(scope, budget // 2, mix)


def _kernel(scope: Scope, inputs: list[Aval], out: Aval, *, by_block: bool) -> Function:
    """Gives a kernel: reads its references, computes, writes the last one."""
    refs = [_reference(aval, f"{'xyz'[n]}_ref") for n, aval in enumerate([*inputs])]
    target = _reference(out, "o_ref")
    body = scope.nested([*refs, target], sealed=True)
    value: Var | None = None
    for ref, aval in zip(refs, inputs, strict=True):
        read = Var(aval, (-4.0, 4.0))
        body.bind("ref_get", (ref,), _WHOLE, read)
        if scope.stream.chance(0.6):
            read = body.let(scope.stream.choice(_ELEMENTWISE), read)
        op = scope.stream.choice(("add", "mul"))
        value = read if value is None else body.let(op, value, read)
    assert value is not None
    if by_block and scope.stream.chance(0.5):
        place = Var(Aval("i32"), (0, 64), "i")
        body.bind("program_id", (), {"axis": 0}, place)
        value = body.let("mul", value, body.let("astype", place, dtype=out.dtype))
    if scope.stream.chance(0.5):
        value = body.let("mul", value, Literal(scope.stream.choice((0.5, 2.0))))
    body.bind("ref_set", (target, value), _WHOLE, ())
    return body.close(scope.stream.choice(("kernel", "fused_kernel", "scale_kernel")), None)


def _pallas(scope: Scope, budget: int, mix: Mix) -> None:
    """A Pallas kernel, interpreted: whole arrays, or a grid over blocks of rows."""
    _outermost(scope)
    stream = scope.stream
    x = _array(scope, 2)
    arguments = [x]
    if stream.chance(0.4):
        other = scope.pick(where=lambda v: v.aval == x.aval and v is not x)
        arguments.append(other or scope.input(x.aval, "y"))
    params: dict[str, Any] = {"shape": x.aval.shape, "dtype": x.aval.dtype}
    rows, width = x.aval.shape
    blocks = [b for b in (2, 4, 8) if rows % b == 0 and rows > b]
    block = x.aval
    if blocks and stream.chance(0.6):
        size = stream.choice(blocks)
        block = Aval(x.aval.dtype, (size, width))
        spec = f"pl.BlockSpec(({size}, {width}), lambda i: (i, 0))"
        params["grid"] = (rows // size,)
        params["in_specs"] = Code(f"[{', '.join([spec] * len(arguments))}]")
        params["out_specs"] = Code(spec)
    params["interpret"] = True
    kernel = _kernel(scope, [block] * len(arguments), block, by_block=block is not x.aval)
    scope.bind("pallas_call", (kernel, *arguments), params, Var(x.type, (-2e3, 2e3)))
    grow_ops(scope, budget // 2, mix)


def _by_slices(scope: Scope, budget: int, mix: Mix) -> None:
    """A Pallas kernel whose programs each find their rows of the whole arrays themselves."""
    _outermost(scope)
    stream, width = scope.stream, scope.side()
    size, programs = stream.choice((2, 4, 8)), stream.choice((2, 3, 4))
    x = scope.input(Aval(scope.float_dtype, (size * programs, width)), "x")
    ref, target = _reference(x.aval, "x_ref"), _reference(x.aval, "o_ref")
    body = scope.nested([ref, target], sealed=True)
    place, start = Var(Aval("i32"), (0, 8), "i"), Var(Aval("i32"), (0, 64), "start")
    body.bind("program_id", (), {"axis": 0}, place)
    body.bind("multiple_of", (place,), {"size": size}, start)
    block = Var(Aval(scope.float_dtype, (size, width)), (-4.0, 4.0), "block")
    body.bind("ref_get_block", (ref, start), {"size": size}, block)
    value = body.let(stream.choice(_ELEMENTWISE), block)
    if stream.chance(0.6):
        value = body.let("mul", value, block)
    if stream.chance(0.5):
        first = body.let("getitem", block, parts=(slice(None, 1),), subscript=":1")
        row = Var(block.type, first.bounds)
        body.bind("pl_broadcast_to", (first,), {"shape": block.aval.shape}, row)
        value = body.let("sub", value, row)
    body.bind("ref_set_block", (target, start, value), {"size": size}, ())
    kernel = body.close(stream.choice(("kernel", "row_kernel", "slice_kernel")), None)
    params = {"shape": x.aval.shape, "dtype": x.aval.dtype, "grid": (programs,), "interpret": True}
    scope.bind("pallas_call", (kernel, x), params, Var(x.type, (-100.0, 100.0)))
    grow_ops(scope, budget // 3, mix)


def _run_state(scope: Scope, budget: int, mix: Mix) -> None:
    """A function of a reference, run on a value that becomes one."""
    _outermost(scope)
    x = _array(scope, scope.stream.integer(1, 2))
    ref = _reference(x.aval, "ref")
    body = scope.nested([ref], sealed=True)
    read = Var(x.type, x.bounds)
    body.bind("ref_get", (ref,), _WHOLE, read)
    value = body.let(scope.stream.choice(_ELEMENTWISE), read)
    body.bind("ref_set", (ref, value), _WHOLE, ())
    function = body.close(scope.stream.choice(("update", "body")), None)
    scope.bind("run_state", (function, x), {}, Var(x.type, value.bounds))


FAMILY = Family(
    "state",
    one_of(
        Form(_accumulate, 2.0, reverse=False),
        Form(_edit, 3.0, reverse=False),
        Form(_pallas, 2.5, reverse=False),
        Form(_by_slices, 1.5, reverse=False),
        Form(_run_state, 0.7, reverse=False),
    ),
)
