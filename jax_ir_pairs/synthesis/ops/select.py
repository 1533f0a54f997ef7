"""Select, clip and casts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.rows import (
    bounds_of,
    broadcast,
    partner,
    spread,
)
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import (
    ALL,
    ANYTHING,
    BOOL,
    FLOATS,
    NUMBERS,
    SIGNED,
    UNSIGNED,
    Aval,
    Bounds,
    input_bounds,
)


def _infer_where(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    mask, *branches = operands
    arrays = [x for x in branches if isinstance(x, Var)]
    if mask.aval.dtype != "bool" or not arrays or len({x.aval.dtype for x in arrays}) > 1:
        raise IllTyped("where")
    shape = broadcast(mask.aval, *(x.aval for x in arrays))
    return Aval(arrays[0].aval.dtype, shape), spread(*map(bounds_of, branches))


def _draw_where(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
    if (x := scope.pick(NUMBERS)) is None:
        return None
    mask = scope.pick(BOOL, where=lambda var: var.aval.shape == x.aval.shape)
    if mask is None:
        sign = scope.stream.choice(("greater", "less", "greater_equal"))
        mask = scope.let(sign, x, literal_for(x, scope.stream))
    other = partner(scope, x, ANYTHING, 0.5)
    if other is None:
        return None
    return ((mask, x, other) if scope.stream.chance(0.7) else (mask, other, x)), {}


def _infer_clip(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    low, high = params["low"], params["high"]
    return x.aval, (min(max(x.bounds[0], low), high), max(min(x.bounds[1], high), low))


def _draw_clip(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
    if (x := scope.pick(FLOATS + SIGNED)) is None:
        return None
    edge = scope.stream.choice((1, 2, 3, 5))
    number: float = float(edge) if x.aval.dtype in FLOATS else edge
    if x.bounds[0] >= -number and x.bounds[1] <= number:
        return None
    return (x,), {"low": -number if scope.stream.chance(0.7) else number * 0, "high": number}


def _infer_astype(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,), dtype = operands, params["dtype"]
    if dtype == x.aval.dtype:
        raise IllTyped("astype to its own dtype")
    aval = Aval(dtype, x.aval.shape)
    if dtype == "bool":
        return aval, (0, 1)
    if dtype in FLOATS:
        return aval, x.bounds
    low, high = input_bounds(dtype)
    return aval, x.bounds if low <= x.bounds[0] and x.bounds[1] <= high else (low, high)


def _draw_astype(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
    if (x := scope.pick(ALL)) is None:
        return None
    common = ("f32", "f32", "bf16", "f16", "i32", "i32", "bool", "u8", "i8", "i16", "u32")
    dtype = scope.stream.choice(common)
    if dtype in UNSIGNED and x.bounds[0] < 0:
        dtype = "i32"
    return (x,), {"dtype": dtype}


OPS = (
    Op("where", "select", spell("jnp.where({0}, {1}, {2})"), _infer_where, _draw_where, 2.0),
    Op("clip", "select", spell("jnp.clip({0}, {low}, {high})"), _infer_clip, _draw_clip),
    Op("astype", "cast", spell("{0}.astype({dtype})"), _infer_astype, _draw_astype),
)
