"""Ops that make arrays: constants, ranges, masks, index grids, one-hot vectors."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.indexing import INDEX_TYPES
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import (
    ALL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    MOVABLE,
    SIGNED,
    Aval,
    Bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None
Params = Mapping[str, Any]


def _infer_zeros(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    return Aval(params.get("dtype", "f32"), params["shape"]), (0, 0)


def _infer_full(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    value = params.get("value", 0)
    default = "f32" if isinstance(value, float) else "bool" if isinstance(value, bool) else "i32"
    return Aval(params.get("dtype", default), params["shape"]), (value, value)


def _infer_array(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    values = ast.literal_eval(params["values"].text)
    shape: list[int] = []
    flat = values
    while isinstance(flat, list):
        shape.append(len(flat))
        flat = flat[0]
    rows = values if len(shape) == 1 else [number for row in values for number in row]
    default = "f32" if isinstance(flat, float) else "bool" if isinstance(flat, bool) else "i32"
    return Aval(params.get("dtype", default), tuple(shape)), (min(rows), max(rows))


def _draw_array(scope: Scope) -> Drawn:
    stream = scope.stream
    if stream.chance(0.5):
        numbers: list[Any] = [stream.integer(0, 7) for _ in range(stream.choice((2, 3, 4, 5)))]
        return (), {"values": Code(str(numbers))}
    rows = [round(stream.uniform(-2.0, 2.0), 1) for _ in range(stream.choice((2, 3, 4)))]
    if stream.chance(0.3):
        return (), {"values": Code(str([rows, rows[::-1]]))}
    return (), {"values": Code(str(rows)), **_dtype(stream)}


def _dtype(stream: Stream, chance: float = 0.2) -> dict[str, Any]:
    return {"dtype": stream.choice(("bf16", "f16", "f32"))} if stream.chance(chance) else {}


def _row(
    name: str,
    template: str,
    shape: Callable[[Params], tuple[int, ...]],
    bounds: Callable[[Params], Bounds],
    draw: Callable[[Scope], dict[str, Any] | None],
    *more: str,
    dtype: str = "f32",
    group: str = "creation",
    weight: float = 1.0,
) -> Op:
    """Gives a row for an op that makes an array of its parameters alone."""

    def infer(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
        return Aval(params.get("dtype", dtype), shape(params)), bounds(params)

    def drawn(scope: Scope) -> Drawn:
        params = draw(scope)
        return None if params is None else ((), params)

    return Op(name, group, spell(template, *more), infer, drawn, weight, widens="all")


def _draw_n(scope: Scope) -> dict[str, Any]:
    return {"n": scope.side()}


def _draw_sides(scope: Scope) -> dict[str, Any]:
    return {"n": scope.side(), "m": scope.side()}


def _draw_range(scope: Scope) -> dict[str, Any]:
    step = scope.stream.choice((1, 2, 3))
    return {"start": scope.stream.choice((0, 1, 2)), "stop": step * scope.side() + 2, "step": step}


def _draw_shape(scope: Scope) -> dict[str, Any]:
    return {
        "shape": tuple(scope.side() for _ in range(scope.stream.weighted((1, 2, 3), (3, 4, 1))))
    }


def _draw_linspace(scope: Scope) -> dict[str, Any]:
    ends = scope.stream.choice(((0.0, 1.0), (-1.0, 1.0), (0.0, 2.0), (-3.0, 3.0)))
    end = {"endpoint": False} if scope.stream.chance(0.15) else {}
    return {"start": ends[0], "stop": ends[1], "n": scope.side(), **end}


def _infer_like(value: float | None) -> Any:
    def infer(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
        (x,), number = operands, params.get("value", value)
        return Aval(params.get("dtype", x.aval.dtype), x.aval.shape), (number, number)

    return infer


def _model(scope: Scope, dtypes: Sequence[str]) -> Var | None:
    """Gives a value to make one like, and no input: to take its shape is not to use it."""
    inputs = {*scope.params, *scope.root().params}
    return scope.pick(dtypes, where=lambda v: v.aval.rank > 0 and v not in inputs)


def _draw_like(scope: Scope) -> Drawn:
    x = _model(scope, MOVABLE)
    return None if x is None else ((x,), {})


def _draw_full_like(scope: Scope) -> Drawn:
    x = _model(scope, (*FLOATS, *SIGNED))
    if x is None:
        return None
    value = scope.stream.choice((0.5, -1.0, 2.0) if x.aval.dtype in FLOATS else (1, -1, 3))
    return (x,), {"value": value}


def _infer_one_hot(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    (labels,) = operands
    if labels.aval.dtype not in INTEGERS:
        raise IllTyped("one_hot")
    axis, shape = params.get("axis", -1), list(labels.aval.shape)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, params["num_classes"])
    return Aval(params.get("dtype", "f32"), tuple(shape)), (0, 1)


def _draw_one_hot(scope: Scope) -> Drawn:
    stream = scope.stream
    labels = scope.pick(INDEX_TYPES, where=lambda v: v.aval.rank < 3 and v.aval.size <= 128)
    if labels is None:
        labels = scope.input(Aval("i32", (scope.side(),)), "labels", (0, 3))
    params: dict[str, Any] = {"num_classes": stream.choice((4, 8, 10, 16, 3, 5))}
    if stream.chance(0.25):
        # A dtype that is the default one would widen with 64 bits.
        params["dtype"] = stream.choice(("bf16", "f16", "i8", "bool", "u8"))
    if stream.chance(0.15):
        params["axis"] = 0
    return (labels,), params


def _infer_length_mask(operands: Sequence[Any], params: Params) -> tuple[Aval, Bounds]:
    (lengths,) = operands
    if lengths.aval.dtype not in SIGNED or lengths.aval.rank != 1:
        raise IllTyped("length mask")
    return Aval("bool", (*lengths.aval.shape, params["n"])), (0, 1)


def _draw_length_mask(scope: Scope) -> Drawn:
    own = scope.int_dtype
    lengths = scope.pick((own,), where=lambda v: v.aval.rank == 1 and v.aval.size <= 64)
    if lengths is None:
        lengths = scope.input(Aval(own, (scope.side(),)), "lengths", (0, 3))
    return (lengths,), {"n": scope.side()}


def _infer_meshgrid(operands: Sequence[Any], params: Params) -> list[Typed]:
    x, y = operands
    if x.aval.rank != 1 or y.aval.rank != 1:
        raise IllTyped("meshgrid")
    sides = (*x.aval.shape, *y.aval.shape)
    shape = sides if params.get("indexing") == "ij" else sides[::-1]
    return [(Aval(v.aval.dtype, shape), v.bounds) for v in (x, y)]


def _draw_meshgrid(scope: Scope) -> Drawn:
    x = scope.pick((*ALL, *COMPLEX), where=lambda v: v.aval.rank == 1)
    y = scope.pick((*ALL, *COMPLEX), where=lambda v: v.aval.rank == 1)
    if x is None or y is None:
        return None
    return (x, y), {"indexing": "ij"} if scope.stream.chance(0.6) else {}


def _infer_triangle_indices(operands: Sequence[Any], params: Params) -> list[Typed]:
    n, k = params["n"], params.get("k", 0)
    lower = params["method"] == "tril"
    count = sum(max(0, min(n, i + k + 1 if lower else n - i - k)) for i in range(n))
    if not count:
        raise IllTyped("no indices")
    return [(Aval("i32", (count,)), (0, n - 1))] * 2


def _infer_diag_indices(operands: Sequence[Any], params: Params) -> list[Typed]:
    return [(Aval("i32", (params["n"],)), (0, params["n"] - 1))] * 2


def _one(params: Params) -> Bounds:
    return (0, 1)


OPS = (
    _row("arange", "jnp.arange({n})", lambda p: (p["n"],), lambda p: (0, p["n"] - 1), _draw_n,
         dtype="i32", weight=2.0),
    _row("arange_step", "jnp.arange({start}, {stop}, {step})",
         lambda p: (len(range(p["start"], p["stop"], p["step"])),),
         lambda p: (p["start"], p["stop"]), _draw_range, dtype="i32", weight=0.5),
    _row("arange_float", "jnp.arange({n}, dtype={dtype})", lambda p: (p["n"],),
         lambda p: (0, p["n"] - 1), lambda s: {**_draw_n(s), **_dtype(s.stream, 1.0)}, weight=0.5),
    _row("linspace", "jnp.linspace({start}, {stop}, {n}{kw})", lambda p: (p["n"],),
         lambda p: (p["start"], p["stop"]), _draw_linspace),
    _row("eye", "jnp.eye({n})", lambda p: (p["n"], p["n"]), _one, _draw_n, "jnp.eye({n}, {n})"),
    _row("eye_part", "jnp.eye({n}, {m}{kw})", lambda p: (p["n"], p["m"]), _one,
         lambda s: {**_draw_sides(s), "k": s.stream.choice((-1, 1))}, weight=0.3),
    _row("identity", "jnp.identity({n})", lambda p: (p["n"], p["n"]), _one, _draw_n, weight=0.3),
    # Without a dtype its result differs between the versions of JAX once 64 bits are enabled.
    _row("tri", "jnp.tri({n}, {m}{kw})", lambda p: (p["n"], p["m"]), _one,
         lambda s: {**_draw_sides(s), **_dtype(s.stream, 1.0)}, weight=0.6),
    _row("ones", "jnp.ones({shape}{kw})", lambda p: p["shape"], lambda p: (1, 1), _draw_shape,
         weight=0.5),
    _row("causal_mask", "jnp.tril(jnp.ones(({n}, {n}), dtype=bool))",
         lambda p: (p["n"], p["n"]), _one, _draw_n, dtype="bool"),
    _row("order_mask", "jnp.arange({n})[:, None] >= jnp.arange({m})",
         lambda p: (p["n"], p["m"]), _one, _draw_sides, dtype="bool", weight=0.7),
    _row("iota_mask",
         "lax.broadcasted_iota({of}, {shape}, 0) < lax.broadcasted_iota({of}, {shape}, 1)",
         lambda p: p["shape"], _one,
         lambda s: {"shape": (s.side(), s.side()), "of": Code("jnp.int32")}, dtype="bool",
         weight=0.4),
    Op("zeros", "creation", spell("jnp.zeros({shape}{kw})"), _infer_zeros, widens="all"),
    Op("full", "creation", spell("jnp.full({shape}, {value}{kw})"), _infer_full, widens="all"),
    Op("array", "creation", spell("jnp.array({values}{kw})"), _infer_array, _draw_array,
       widens="all"),
    Op("array_zeros_like", "creation", spell("jnp.zeros_like({0}{kw})"), _infer_like(0), _draw_like,
       0.4),
    Op("array_ones_like", "creation", spell("jnp.ones_like({0}{kw})"), _infer_like(1), _draw_like,
       0.4),
    Op("full_like", "creation", spell("jnp.full_like({0}, {value}{kw})"), _infer_like(None),
       _draw_full_like, 0.4),
    Op("one_hot", "gather", spell("jax.nn.one_hot({0}, {num_classes}{kw})"), _infer_one_hot,
       _draw_one_hot, 1.5, widens="all"),
    Op("length_mask", "creation", spell("jnp.arange({n}) < {0}[:, None]"), _infer_length_mask,
       _draw_length_mask, 0.7),
    Op("meshgrid", "creation", spell("jnp.meshgrid({0}, {1}{kw})"), _infer_meshgrid,
       _draw_meshgrid, 0.8),
    Op("triangle_indices", "creation", spell("jnp.{method}_indices({n}{kw})"),
       _infer_triangle_indices,
       lambda scope: ((), {"n": scope.stream.choice((3, 4, 5, 6)),
                           "method": scope.stream.choice(("tril", "triu"))}), 0.4, widens="all"),
    Op("diag_indices", "creation", spell("jnp.diag_indices({n})"), _infer_diag_indices,
       lambda scope: ((), _draw_n(scope)), 0.4, widens="all"),
)  # fmt: skip
