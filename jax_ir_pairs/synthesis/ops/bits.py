"""Bits: tests of them, counts, packing, common divisors; and what a float is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import Drawn, around, array_op
from jax_ir_pairs.synthesis.ops.matrices import largest, require
from jax_ir_pairs.synthesis.ops.rows import binary, unary, within
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    BOOL,
    FLOATS,
    SIGNED,
    UNSIGNED,
    Aval,
    Bounds,
)

_WORDS = ("i32", "u32", "i64", "u64")


def _anything(x: Bounds, y: Bounds) -> Bounds:
    return ANYTHING


def _draw_any(dtypes: Sequence[str]) -> Callable[[Scope], Drawn]:

    def draw(scope: Scope) -> Drawn:
        x = scope.pick(dtypes)
        if x is None:
            x = scope.input(Aval(dtypes[0], (scope.side(),)), scope.stream.choice(("h", "bits")))
        return (x,), {}

    return draw


def _draw_parity(scope: Scope) -> Drawn:
    x = scope.pick((*SIGNED, *UNSIGNED), where=lambda v: v.aval.rank > 0)
    return None if x is None else ((x,), {"axes": (x.aval.rank - 1,)})


def _parity(x: Var, axes: tuple[int, ...]) -> Typed:
    require(axes == (x.aval.rank - 1,), "reduce_xor")
    return Aval(x.aval.dtype, x.aval.shape[:-1]), ANYTHING


def _draw_mask(scope: Scope) -> Drawn:
    x = scope.pick(BOOL, where=lambda v: v.aval.rank > 0)
    if x is None:
        number = scope.pick((*FLOATS, *SIGNED), where=lambda v: v.aval.rank > 0)
        if number is None:
            return None
        zero = Literal(0.0 if number.aval.dtype in FLOATS else 0)
        x = scope.let("greater", number, zero)
    return (x,), {"axis": -1} if scope.stream.chance(0.7) or x.aval.rank > 1 else {}


def _packed(x: Var, axis: int | None = None) -> Typed:
    side = x.aval.size if axis is None else x.aval.shape[-1]
    shape = () if axis is None else x.aval.shape[:-1]
    return Aval("u8", (*shape, -(-side // 8))), (0, 255)


def _draw_bytes(scope: Scope) -> Drawn:
    x = scope.pick(("u8",), where=lambda v: v.aval.rank > 0 and v.aval.size <= 1024)
    x = x or scope.input(Aval("u8", (scope.side(),)), "packed")
    return (x,), {"axis": -1}


def _unpacked(x: Var, axis: int) -> Typed:
    require(x.aval.dtype == "u8", "unpackbits")
    return Aval("u8", (*x.aval.shape[:-1], 8 * x.aval.shape[-1])), (0, 1)


def _draw_bit(scope: Scope) -> Drawn:
    drawn = _draw_any(_WORDS)(scope)
    return drawn and (drawn[0], {"bit": scope.stream.choice((0, 1, 3, 7))})


def _draw_grid(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, where=lambda v: largest(v) <= 100.0)
    return None if x is None else ((x,), {})


def _spacing(x: Var) -> Typed:
    return x.aval, around(max(1.0, largest(x)) * 0.01)


def _test(name: str, weight: float = 0.5) -> Op:
    template = f"jnp.{name}({{0}})"
    return unary(name, FLOATS, within(0, 1), template, result="bool", group="bits", weight=weight)


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0) -> Op:
    return array_op(name, "bits", templates, draw, typed, weight, reverse=False)


OPS = (
    binary("gcd", ("i32", "u32", "i64", "u8", "i16"), lambda x, y: (0, 255), "jnp.gcd({0}, {1})",
           literals=0.4, group="bits"),
    binary("lcm", ("i32", "u32", "i64"), _anything, "jnp.lcm({0}, {1})", literals=0.4,
           group="bits", weight=0.7),
    _row("test_bit", "jnp.bitwise_and(jnp.right_shift({0}, {bit}), 1)", _draw_bit,
         lambda x, bit: (x.aval, (0, 1))),
    _row("bitwise_count", "jnp.bitwise_count({0})", _draw_any(UNSIGNED),
         lambda x: (Aval("u8", x.aval.shape), (0, 64)), 0.7),
    _row("reduce_xor", "lax.reduce_xor({0}, {axes})", _draw_parity, _parity, 0.8),
    _row("packbits", "jnp.packbits({0}{kw})", _draw_mask, _packed),
    _row("unpackbits", "jnp.unpackbits({0}{kw})", _draw_bytes, _unpacked),
    _row("spacing", "jnp.spacing({0})", _draw_grid, _spacing, 0.5),
    _test("isnan", 0.8),
    _test("isinf"),
    _test("isposinf", 0.3),
    _test("isneginf", 0.3),
    _test("signbit", 0.8),
)  # fmt: skip
