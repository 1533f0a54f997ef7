"""Narrow formats and precisions: casts into float8 and int4, quantizing, bits, mixed products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.rows import broadcast, guarded
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    COMPLEX,
    FLOATS,
    INTEGERS,
    NUMBERS,
    TINY,
    Aval,
    Bounds,
    input_bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

LARGEST: Mapping[str, float] = {
    "f8_e4m3fn": 448.0, "f8_e5m2": 57344.0, "f8_e4m3": 240.0, "f8_e3m4": 15.5,
    "f8_e4m3fnuz": 240.0, "f8_e5m2fnuz": 57344.0, "f8_e4m3b11fnuz": 30.0, "f4_e2m1fn": 6.0,
}  # fmt: skip
"""Greatest finite value of each narrow floating format; past it some of them give NaN."""

_USUAL = ("f8_e4m3fn", "f8_e5m2", *LARGEST)
_INTEGERS = ("i4", "u4", "i2", "u2")
_WIDTHS = {"f32": 32, "bf16": 16, "f16": 16, "f64": 64} | {t: int(t[1:]) for t in INTEGERS}


def _infer_narrow(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), dtype = operands, params["dtype"]
    if x.aval.dtype == dtype or x.aval.dtype not in NUMBERS:
        raise IllTyped("no cast into a narrow format")
    low, high = (-LARGEST[dtype], LARGEST[dtype]) if dtype in LARGEST else input_bounds(dtype)
    if not low <= x.bounds[0] <= x.bounds[1] <= high:
        raise IllTyped("past the range of a narrow format")
    return Aval(dtype, x.aval.shape), x.bounds


def _draw_float8(scope: Scope) -> Drawn:
    dtype = scope.stream.choice(_USUAL)
    edge = LARGEST[dtype]
    x = scope.pick(FLOATS, needs=(-edge, edge))
    if x is not None and scope.stream.chance(0.7):
        return (x,), {"dtype": dtype}
    if (x := scope.pick(("f32", "bf16", "f64"))) is None:
        return None
    return (scope.let("saturate", x, dtype=dtype),), {"dtype": dtype}


def _infer_saturate(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), edge = operands, LARGEST[params["dtype"]]
    if x.aval.dtype not in ("f32", "bf16", "f64"):
        raise IllTyped("saturate")
    return x.aval, (max(x.bounds[0], -edge), min(x.bounds[1], edge))


def _quantized(scope: Scope, edges: Bounds) -> tuple[Var, Var | Literal] | None:
    """Gives rounded values that an integer of few bits can hold, and the scale that was used."""
    x = scope.pick(("f32", "bf16", "f64"), where=lambda v: v.aval.rank > 0)
    if x is None:
        return None
    low, high = edges
    ratio = Var(x.aval, (-high - 1.0, high + 1.0))
    scale: Var | Literal
    if low < 0 and scope.stream.chance(0.6):
        peak = scope.let("max", scope.let("abs", x), axis=-1, keepdims=True)
        made = Var(peak.aval, (1e-8, 1.0 + peak.bounds[1] / high), "scale")
        part = scope.let("div", peak, Literal(float(high)))
        scope.bind("add", (part, Literal(1e-8)), {}, made)
        scale = made
    else:
        scale = Literal(scope.stream.choice((0.05, 0.1, 0.25, 0.5)))
        ratio = Var(x.aval, (x.bounds[0] / scale.value, x.bounds[1] / scale.value))
    scope.bind("div", (x, scale), {}, ratio)
    rounded = scope.let("round", ratio)
    return scope.let("clip", rounded, low=float(low), high=float(high)), scale


def _draw_quantize(scope: Scope) -> Drawn:
    dtype = scope.stream.choice((*_INTEGERS, "i8", "i8", "u8"))
    edges = (-128, 127) if dtype == "i8" else input_bounds(dtype)
    if (found := _quantized(scope, edges)) is None:
        return None
    return (found[0],), {"dtype": dtype}


def _infer_quantize(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), dtype = operands, params["dtype"]
    if x.aval.dtype not in FLOATS:
        raise IllTyped("quantize")
    edges = (-128, 127) if dtype == "i8" else input_bounds(dtype)
    return Aval(dtype, x.aval.shape), (max(edges[0], x.bounds[0]), min(edges[1], x.bounds[1]))


def _infer_widen(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), dtype = operands, params["dtype"]
    if x.aval.dtype not in TINY or (dtype in INTEGERS and x.aval.dtype[0] == "f"):
        raise IllTyped("no narrow value")
    return Aval(dtype, x.aval.shape), x.bounds


def _narrow_value(scope: Scope) -> Var | None:
    x = scope.pick(TINY, where=lambda v: v.aval.dtype != "f8_e8m0fnu")
    if x is not None and scope.stream.chance(0.8):
        return x
    dtype = scope.stream.choice(("i4", "u4", "f8_e4m3fn", "f8_e5m2", "i2", "f4_e2m1fn"))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(1, 2)))
    return scope.input(Aval(dtype, shape), scope.stream.choice(("q", "packed", "w_q", "x_q")))


def _draw_widen(scope: Scope) -> Drawn:
    if (x := _narrow_value(scope)) is None:
        return None
    integer = x.aval.dtype[0] in "iu" and scope.stream.chance(0.4)
    dtype = scope.stream.choice(("i32", "i8") if integer else ("f32", "f32", "bf16", "f16"))
    if x.aval.dtype == "f8_e5m2" and dtype == "f16":
        dtype = "bf16"
    return (x,), {"dtype": dtype}


def _infer_scaled(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, scale = operands
    if x.aval.dtype not in ("f32", "f64"):
        raise IllTyped("dequantize")
    if isinstance(scale, Var) and scale.aval.dtype != x.aval.dtype:
        raise IllTyped("dequantize")
    shape = broadcast(x.aval, *([scale.aval] if isinstance(scale, Var) else []))
    edge = 4 * max(map(abs, x.bounds))
    return Aval(x.aval.dtype, shape), (-edge, edge)


def _draw_dequantize(scope: Scope) -> Drawn:
    """Quantizes and takes back, as fake quantization and tests of it do."""
    dtype = scope.stream.choice(("i8", "i8", "i4"))
    edges = (-128, 127) if dtype == "i8" else input_bounds(dtype)
    if (found := _quantized(scope, edges)) is None or found[0].aval.dtype == "bf16":
        return None
    q = scope.let("quantize", found[0], dtype=dtype, role="q")
    back = scope.let("astype", q, dtype=found[0].aval.dtype)
    return (back, found[1]), {}


def _infer_bitcast(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), dtype = operands, params["dtype"]
    own, new = _WIDTHS.get(x.aval.dtype, 0), _WIDTHS.get(dtype, 0)
    if not own or new > own or dtype in FLOATS or x.aval.dtype == dtype:
        raise IllTyped("bitcast")
    shape = x.aval.shape if own == new else (*x.aval.shape, own // new)
    return Aval(dtype, shape), ANYTHING


def _infer_view(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    aval, bounds = _infer_bitcast(operands, params)
    if aval.shape != operands[0].aval.shape:
        raise IllTyped("view of another width")
    return aval, bounds


def _draw_bitcast(split: bool) -> Any:
    def draw(scope: Scope) -> Drawn:
        if (x := scope.pick(tuple(_WIDTHS), where=lambda v: v.aval.rank < 4)) is None:
            return None
        own = _WIDTHS[x.aval.dtype]
        fits = [t for t in INTEGERS if (_WIDTHS[t] < own) == split and _WIDTHS[t] <= own]
        fits = [t for t in fits if t != x.aval.dtype]
        return ((x,), {"dtype": scope.stream.choice(fits)}) if fits else None

    return draw


_BITS = ((8, 7), (5, 10), (8, 10), (8, 3), (8, 16))


def _infer_reduced(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in ("f32", "f64", "bf16") or max(map(abs, x.bounds)) > 1e4:
        raise IllTyped("reduce_precision")
    return x.aval, x.bounds


def _draw_reduced(scope: Scope) -> Drawn:
    if (x := scope.pick(("f32", "f64", "bf16"), needs=(-1e4, 1e4))) is None:
        return None
    exponent, mantissa = scope.stream.choice(_BITS)
    return (x,), {"exponent_bits": exponent, "mantissa_bits": mantissa}


def _infer_convert(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), dtype = operands, params["dtype"]
    if dtype == x.aval.dtype or (x.aval.dtype in COMPLEX and dtype not in COMPLEX):
        raise IllTyped("convert")
    if dtype in INTEGERS:
        low, high = input_bounds(dtype)
        if not low <= x.bounds[0] <= x.bounds[1] <= high:
            raise IllTyped("convert")
    return Aval(dtype, x.aval.shape), x.bounds


def _draw_convert(scope: Scope) -> Drawn:
    """Casts into the dtypes that people use least."""
    if (x := scope.pick((*NUMBERS, *COMPLEX))) is None:
        return None
    wide = ("i64", "u64", "f64", "c128") if scope.x64 else ()
    usual = ("c128", "c64") if x.aval.dtype in COMPLEX else ("u16", "i16", "i8", "u8", "c64", "f16")
    return (x,), {"dtype": scope.stream.choice((*usual, *wide))}


def _infer_nextafter(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in FLOATS:
        raise IllTyped("nextafter")
    edge = max(map(abs, x.bounds)) * 1.01 + 0.01
    return x.aval, (-edge, edge)


def _draw_nextafter(scope: Scope) -> Drawn:
    if (x := guarded(scope, FLOATS, ANYTHING)) is None:
        return None
    return (x,), {"towards": Code(scope.stream.choice(("jnp.inf", "-jnp.inf", "0.0")))}


def _infer_mulhi(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    if x.aval != y.aval or x.aval.dtype not in INTEGERS:
        raise IllTyped("mulhi")
    return x.aval, ANYTHING


def _draw_mulhi(scope: Scope) -> Drawn:
    if (x := scope.pick(INTEGERS)) is None:
        return None
    y = scope.pick(INTEGERS, where=lambda v: v.aval == x.aval)
    return None if y is None else ((x, y), {})


_CAST = ("{0}.astype({dtype})", "lax.convert_element_type({0}, {dtype})")

OPS = (
    Op("to_float8", "narrow", spell(*_CAST), _infer_narrow, _draw_float8, 2.0),
    Op("saturate", "narrow",
       spell("jnp.clip({0}, -float(jnp.finfo({dtype}).max), float(jnp.finfo({dtype}).max))"),
       _infer_saturate),
    Op("quantize", "narrow", spell("{0}.astype({dtype})"), _infer_quantize, _draw_quantize, 2.0,
       reverse=False),
    Op("from_narrow", "narrow", spell(*_CAST), _infer_widen, _draw_widen, 1.5),
    Op("dequantize", "narrow", spell("{0} * {1}"), _infer_scaled, _draw_dequantize, 1.5,
       reverse=False),
    Op("bitcast", "narrow", spell("lax.bitcast_convert_type({0}, {dtype})"),
       _infer_bitcast, _draw_bitcast(False), 1.0, reverse=False),
    Op("view", "narrow", spell("{0}.view({dtype})"), _infer_view, _draw_bitcast(False), 0.6,
       reverse=False),
    Op("bitcast_parts", "narrow", spell("lax.bitcast_convert_type({0}, {dtype})"), _infer_bitcast,
       _draw_bitcast(True), 0.7, reverse=False),
    Op("reduce_precision", "narrow",
       spell("lax.reduce_precision({0}, {exponent_bits}, {mantissa_bits})",
             "lax.reduce_precision({0}{kw})"), _infer_reduced, _draw_reduced, 1.2),
    Op("convert", "narrow", spell("lax.convert_element_type({0}, {dtype})"), _infer_convert,
       _draw_convert, 1.5),
    Op("nextafter", "narrow", spell("jnp.nextafter({0}, {towards})"), _infer_nextafter,
       _draw_nextafter, 0.7, reverse=False),
    Op("mulhi", "narrow", spell("lax.mulhi({0}, {1})"), _infer_mulhi, _draw_mulhi, 0.6),
)  # fmt: skip
