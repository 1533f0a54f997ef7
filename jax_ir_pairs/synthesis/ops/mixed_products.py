"""Matrix products with a say in their precision: accumulators, algorithms, ragged and scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.contractions import product_bounds
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, LONG_NAMES, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

_SHORT = {f"jnp.{long}": short for short, long in LONG_NAMES.items()}
_FLOAT8 = ("f8_e4m3fn", "f8_e5m2", "f8_e4m3", "f8_e3m4", "f8_e4m3fnuz", "f8_e5m2fnuz")
_PRECISIONS = (
    "lax.Precision.HIGHEST", "lax.Precision.HIGHEST", "lax.Precision.HIGH",
    "lax.Precision.DEFAULT", "lax.DotAlgorithmPreset.BF16_BF16_F32",
    "lax.DotAlgorithmPreset.BF16_BF16_F32_X3", "lax.DotAlgorithmPreset.BF16_BF16_F32_X6",
    "lax.DotAlgorithmPreset.F32_F32_F32", "lax.DotAlgorithmPreset.DEFAULT",
)  # fmt: skip


def _accumulated(x: Var, y: Var, params: Mapping[str, Any]) -> str:
    wanted = params.get("preferred_element_type")
    if wanted is not None:
        return _SHORT[wanted.text]
    if x.aval.dtype != y.aval.dtype:
        raise IllTyped("product of two dtypes")
    return x.aval.dtype


def _infer_dot(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    if x.aval.rank != 2 or y.aval.rank != 2 or x.aval.shape[1] != y.aval.shape[0]:
        raise IllTyped("dot")
    dtype = _accumulated(x, y, params)
    shape = (x.aval.shape[0], y.aval.shape[1])
    return Aval(dtype, shape), product_bounds(x, y, x.aval.shape[1])


def _pair(scope: Scope, first: str, second: str, roles: tuple[str, str]) -> tuple[Var, Var]:
    """Gives two matrices that can be multiplied, in these dtypes."""
    x = scope.pick((first,), where=lambda v: v.aval.rank == 2)
    if x is None:
        source = scope.pick(FLOATS, needs=(-15, 15), where=lambda v: v.aval.rank == 2)
        if source is not None and first in _FLOAT8:
            x = scope.let("to_float8", source, dtype=first)
        elif source is not None and first in FLOATS and source.aval.dtype != first:
            x = scope.let("astype", source, dtype=first)
        else:
            x = scope.input(Aval(first, (scope.side(), scope.side())), roles[0])
    inner = x.aval.shape[1]
    y = scope.pick((second,), where=lambda v: v.aval.rank == 2 and v.aval.shape[0] == inner)
    if y is None or y is x:
        y = scope.input(Aval(second, (inner, scope.side())), roles[1])
    return x, y


def _draw_int8(scope: Scope) -> Drawn:
    pair = _pair(scope, "i8", "i8", ("x_q", "w_q"))
    return pair, {"preferred_element_type": Code("jnp.int32")}


def _draw_float8(scope: Scope) -> Drawn:
    first = scope.stream.choice(_FLOAT8[: scope.stream.choice((2, 6))])
    usual = _FLOAT8[:2]  # the kinds that go together, as weights and their gradients do
    mixed = first in usual and scope.stream.chance(0.5)
    second = scope.stream.choice(usual) if mixed else first
    pair = _pair(scope, first, second, ("x", "w"))
    wanted = scope.stream.choice(("jnp.float32", "jnp.float32", "jnp.bfloat16"))
    return pair, {"preferred_element_type": Code(wanted)}


def _draw_half(scope: Scope) -> Drawn:
    half = scope.stream.choice(("bf16", "bf16", "f16"))
    other = "f32" if scope.stream.chance(0.25) else half
    pair = _pair(scope, half, other, ("x", "w"))
    return pair, {"preferred_element_type": Code("jnp.float32")}


def _draw_precision(scope: Scope) -> Drawn:
    dtype = scope.float_dtype
    if scope.stream.chance(0.2):
        dtype = "bf16"
    chosen = scope.stream.choice(_PRECISIONS)
    if scope.x64:
        chosen = scope.stream.choice((*_PRECISIONS[:4], "lax.DotAlgorithmPreset.F64_F64_F64"))
    return _pair(scope, dtype, dtype, ("x", "w")), {"precision": Code(chosen)}


_DIMENSIONS: tuple[tuple[int, int, Any], ...] = (
    (2, 2, (((1,), (0,)), ((), ()))),
    (2, 2, (((1,), (1,)), ((), ()))),
    (2, 2, (((0,), (0,)), ((), ()))),
    (3, 3, (((2,), (1,)), ((0,), (0,)))),
    (3, 3, (((2,), (2,)), ((0,), (0,)))),
    (3, 2, (((2,), (0,)), ((), ()))),
    (2, 1, (((1,), (0,)), ((), ()))),
    (4, 4, (((3,), (3,)), ((0, 1), (0, 1)))),
    (2, 2, (((0, 1), (0, 1)), ((), ()))),
)
"""Ranks of the operands, and axes as people give them: contracted, then batched."""


def _infer_general(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    (mine, yours), (batch, others) = params["dimension_numbers"]
    a, b = x.aval.shape, y.aval.shape
    if max((*mine, *batch)) >= len(a) or max((*yours, *others)) >= len(b):
        raise IllTyped("dot_general")
    pairs = [*zip(mine, yours, strict=True), *zip(batch, others, strict=True)]
    if any(a[i] != b[j] for i, j in pairs) or x.aval.dtype not in (*FLOATS, "i32"):
        raise IllTyped("dot_general")
    shape = [a[i] for i in batch]
    shape += [side for i, side in enumerate(a) if i not in mine and i not in batch]
    shape += [side for j, side in enumerate(b) if j not in yours and j not in others]
    terms = 1
    for i in mine:
        terms *= a[i]
    return Aval(_accumulated(x, y, params), tuple(shape)), product_bounds(x, y, terms)


def _draw_general(scope: Scope) -> Drawn:
    first, second, numbers = scope.stream.choice(_DIMENSIONS)
    dtypes = (*FLOATS, "i32")
    if (x := scope.pick(dtypes, where=lambda v: v.aval.rank == first)) is None:
        return None
    (mine, yours), (batch, others) = numbers
    fixed = dict(zip((*yours, *others), (*mine, *batch), strict=True))

    def fits(var: Var) -> bool:
        own = var.aval.shape
        return len(own) == second and all(own[j] == x.aval.shape[i] for j, i in fixed.items())

    y = scope.pick((x.aval.dtype,), where=fits)
    if y is None:
        sides = tuple(x.aval.shape[fixed[j]] if j in fixed else scope.side() for j in range(second))
        y = scope.input(Aval(x.aval.dtype, sides), "rhs")
    params: dict[str, Any] = {"dimension_numbers": numbers}
    if x.aval.dtype in ("bf16", "f16") and scope.stream.chance(0.6):
        params["preferred_element_type"] = Code("jnp.float32")
    return (x, y), params


def _draw_plain(scope: Scope) -> Drawn:
    if (drawn := _draw_general(scope)) is None or "preferred_element_type" in drawn[1]:
        return None
    x = drawn[0][0]
    return drawn if isinstance(x, Var) and x.aval.dtype == "f32" else None


def _infer_batch(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    a, b = x.aval.shape, y.aval.shape
    if len(a) != 3 or len(b) != 3 or a[0] != b[0] or a[2] != b[1] or x.aval.dtype != y.aval.dtype:
        raise IllTyped("batch_matmul")
    return Aval(x.aval.dtype, (*a[:2], b[2])), product_bounds(x, y, a[2])


def _draw_batch(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS, where=lambda v: v.aval.rank == 3)) is None:
        return None
    batch, _, inner = x.aval.shape
    y = scope.pick((x.aval.dtype,), where=lambda v: v.aval.shape[:2] == (batch, inner)
                   and v.aval.rank == 3)  # fmt: skip
    return (x, y or scope.input(Aval(x.aval.dtype, (batch, inner, scope.side())), "w")), {}


def _infer_ragged(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, w, sizes = operands
    groups = sizes.aval.shape
    if x.aval.rank != 2 or w.aval.shape[:2] != (*groups, x.aval.shape[1]):
        raise IllTyped("ragged_dot")
    if x.aval.dtype != w.aval.dtype or x.aval.dtype not in FLOATS:
        raise IllTyped("ragged_dot")
    aval = Aval(x.aval.dtype, (x.aval.shape[0], w.aval.shape[2]))
    low, high = product_bounds(x, w, x.aval.shape[1])
    return aval, (min(low, 0.0), max(high, 0.0))


def _draw_ragged(scope: Scope) -> Drawn:
    if scope.depth:
        return None  # it has no rule for vmap over other axes than the first
    x = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 2 and v.aval.shape[0] > 2)
    if x is None:
        return None
    rows, inner = x.aval.shape
    first = scope.stream.integer(1, rows - 1)
    if scope.stream.chance(0.5):
        counts = Code(str([first, rows - first]))
        sizes = scope.let("array", values=counts, dtype="i32", role="group_sizes")
    else:
        sizes = scope.input(Aval("i32", (scope.stream.choice((2, 3, 4)),)), "group_sizes", (0, 3))
    shape = (*sizes.aval.shape, inner, scope.side())
    return (x, scope.input(Aval(scope.float_dtype, shape), "experts"), sizes), {}


def _infer_scale(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    return Aval("f8_e8m0fnu", params["shape"]), (params["value"],) * 2


def _infer_scaled(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y, _, _ = operands
    low, high = product_bounds(x, y, x.aval.shape[1])
    return Aval("f32", (x.aval.shape[0], y.aval.shape[1])), (4 * low, 4 * high)


def _draw_scaled(scope: Scope) -> Drawn:
    """A product of float8 matrices with a power of two for each block of 32 elements."""
    stream = scope.stream
    inner, rows, columns = stream.choice((32, 64)), scope.side(), scope.side()
    x = scope.input(Aval("f8_e4m3fn", (rows, inner)), "x_q")
    y = scope.input(Aval("f8_e4m3fn", (inner, columns)), "w_q")
    blocks = inner // 32
    left, right = (
        scope.let("block_scale", shape=shape, value=stream.choice((0.5, 1.0, 2.0)), role=role)
        for shape, role in (((rows, blocks), "x_scale"), ((blocks, columns), "w_scale"))
    )
    return (x, y, left, right), {"preferred_element_type": Code("jnp.float32")}


OPS = (
    Op("int8_matmul", "narrow", spell("jnp.matmul({0}, {1}{kw})", "lax.dot({0}, {1}{kw})"),
       _infer_dot, _draw_int8, 1.2),
    Op("float8_matmul", "narrow", spell("lax.dot({0}, {1}{kw})", "jnp.matmul({0}, {1}{kw})"),
       _infer_dot, _draw_float8, 1.5, reverse=False),
    Op("half_matmul", "narrow", spell("lax.dot({0}, {1}{kw})"), _infer_dot, _draw_half, 1.2,
       reverse=False),
    Op("precise_matmul", "narrow", spell("jnp.matmul({0}, {1}{kw})"), _infer_dot,
       _draw_precision, 1.0),
    Op("precise_dot", "narrow", spell("lax.dot({0}, {1}{kw})"), _infer_dot, _draw_precision, 1.0),
    Op("dot_general", "contraction", spell("lax.dot_general({0}, {1}, {dimension_numbers}{kw})"),
       _infer_general, _draw_general, 0.8),
    Op("batch_matmul", "contraction", spell("lax.batch_matmul({0}, {1})"), _infer_batch,
       _draw_batch, 0.5),
    Op("ragged_dot", "contraction", spell("lax.ragged_dot({0}, {1}, {2})"), _infer_ragged,
       _draw_ragged, 0.4),
    Op("block_scale", "narrow", spell("jnp.full({shape}, {value}, jnp.float8_e8m0fnu)"),
       _infer_scale),
    Op("scaled_dot_general", "narrow",
       spell("jax.nn.scaled_dot_general({0}, {1}, {dimension_numbers})"), _infer_general,
       _draw_plain, 0.4),
    Op("scaled_dot", "narrow",
       spell("lax.scaled_dot({0}, {1}, lhs_scale={2}, rhs_scale={3}{kw})"),
       _infer_scaled, _draw_scaled, 1.5, reverse=False),
)  # fmt: skip
