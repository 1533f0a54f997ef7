"""Operations on each element. Those of floats are exact or computed in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.conversion import bits_of, converted, with_precision
from jax_ir_pairs.interpreter.formats import (
    LESS_THAN_A_BYTE,
    Dtype,
    bytes_of,
    in_double,
    is_complex,
    is_float,
    is_integer,
    is_signed,
    lowest_and_highest,
    num_bits,
    rounded,
)
from jax_ir_pairs.interpreter.integers import (
    divided,
    leading_zeros,
    power,
    remainder,
    shifted,
    to_words,
)
from jax_ir_pairs.interpreter.operation import (
    Array,
    Builder,
    Kernel,
    Table,
    UnsupportedError,
    dtype_of,
    integer,
    type_of,
    word,
)


def _same(function: Kernel) -> Builder:
    return lambda op: function


def _double(function: Kernel) -> Builder:
    return lambda op: in_double(function)


def _whole(function: Callable[..., Any], dtype: Dtype) -> Kernel:
    """Gives a function of integers, computed in whole bytes, as NumPy has no others."""
    wider = bytes_of(dtype)
    if wider == dtype:
        return function
    return lambda *operands: rounded(function(*(v.astype(wider) for v in operands)), dtype)


def _by_kind(floats: Kernel, integers: Callable[..., Any]) -> Builder:
    """Gives a builder that chooses by the type of the first operand."""

    def build(op: ir.Operation) -> Kernel:
        dtype = dtype_of(op.operands[0])
        is_exact = is_integer(dtype) or dtype.kind == "b"
        return _whole(integers, dtype) if is_exact else floats

    return build


def _absolute(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.operands[0])
    if not is_complex(dtype):
        return _whole(np.abs, dtype) if is_integer(dtype) else np.abs
    result = dtype_of(op.results[0])
    return lambda value: rounded(np.abs(value.astype(np.complex128)), result)


def _sign(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.operands[0])
    if is_integer(dtype):
        return _whole(np.sign, dtype)
    # Zeros keep their signs.
    return lambda value: np.where(value == 0, value, in_double(np.sign)(value))


def _logistic(value: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-value)))


def _half_away_from_zero(value: Array) -> Array:
    whole = np.trunc(value)
    farther = whole + np.where(np.abs(value - whole) >= 0.5, np.sign(value), 0.0)
    return np.asarray(np.copysign(farther, value))


def _complex(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.results[0])

    def built(real: Array, imaginary: Array) -> Array:
        value = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imaginary)), dtype)
        value.real, value.imag = real, imaginary
        return value

    return built


def _part(name: str) -> Builder:
    def build(op: ir.Operation) -> Kernel:
        if is_complex(dtype_of(op.operands[0])):
            return lambda value: np.asarray(getattr(value, name))
        return (lambda value: value) if name == "real" else np.zeros_like

    return build


def _extreme(function: Kernel, of_zeros: Kernel) -> Builder:
    """Gives the greater or the less; of zeros with both signs, as IEEE 754 of 2019 orders them."""

    def of_floats(a: Array, b: Array) -> Array:
        return np.asarray(np.where((a == 0) & (b == 0), of_zeros(a, b), function(a, b)), a.dtype)

    def build(op: ir.Operation) -> Kernel:
        dtype = dtype_of(op.operands[0])
        if is_integer(dtype):
            return _whole(function, dtype)
        return of_floats if is_float(dtype) else function

    return build


def _clamp(op: ir.Operation) -> Kernel:
    def clamped(low: Array, value: Array, high: Array) -> Array:
        return np.asarray(np.minimum(np.maximum(value, low), high))

    dtype = dtype_of(op.operands[1])
    return _whole(clamped, dtype) if is_integer(dtype) else clamped


_COMPARISONS: dict[str, Kernel] = {
    "EQ": np.equal,
    "NE": np.not_equal,
    "GE": np.greater_equal,
    "GT": np.greater,
    "LE": np.less_equal,
    "LT": np.less,
}


def _compare(op: ir.Operation) -> Kernel:
    function = _COMPARISONS[word(op, "comparison_direction")]
    dtype = dtype_of(op.operands[0])
    if "compare_type" in op.attributes and word(op, "compare_type") == "TOTALORDER":
        return lambda a, b: function(_in_total_order(a), _in_total_order(b))
    if is_integer(dtype):
        wider = bytes_of(dtype)
        if wider != dtype:
            return lambda a, b: function(a.astype(wider), b.astype(wider))
    return function


def _in_total_order(value: Array) -> Array:
    """Gives integers in the order of IEEE 754: -NaN, -inf, …, -0, 0, …, inf, NaN."""
    if value.dtype.isbuiltin != 1:  # of which not all have their sign in the first bit of a byte
        value = value.astype(np.float64)
    words = bits_of(value)
    signed = words.view(f"i{words.dtype.itemsize}")
    return np.where(signed < 0, np.iinfo(signed.dtype).max ^ signed, signed)


def _select(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.results[0])
    return lambda which, a, b: np.asarray(np.where(which, a, b), dtype)


def _bitwise(function: Callable[..., Any]) -> Builder:
    def build(op: ir.Operation) -> Kernel:
        return _whole(function, dtype_of(op.operands[0]))

    return build


def _count(function: Callable[[Array, int], Array]) -> Builder:
    def build(op: ir.Operation) -> Kernel:
        dtype = dtype_of(op.operands[0])
        return lambda value: rounded(function(to_words(value), num_bits(dtype)), dtype)

    return build


def _divide(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.operands[0])
    if is_integer(dtype):
        low, high = lowest_and_highest(dtype)
        by_zero = -1 if is_signed(dtype) else high
        return _whole(lambda a, b: divided(a, b, by_zero, low), dtype)
    return np.divide


def _remainder(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.operands[0])
    return _whole(remainder, dtype) if is_integer(dtype) else in_double(np.fmod)


def _convert(op: ir.Operation) -> Kernel:
    dtype = dtype_of(op.results[0])
    return lambda value: converted(value, dtype)


def _bitcast(op: ir.Operation) -> Kernel:
    shape, dtype = type_of(op.results[0].type)
    own_shape, own = type_of(op.operands[0].type)
    if own != dtype and {own.name, dtype.name} & LESS_THAN_A_BYTE:
        raise UnsupportedError("takes parts of bytes for others")
    same = shape == own_shape

    def cast(value: Array) -> Array:
        if same:  # also of the bodies that work on many elements at once
            return np.ascontiguousarray(value).view(dtype).reshape(np.shape(value))
        return np.ascontiguousarray(value).reshape(-1).view(dtype).reshape(shape)

    return cast


def _reduce_precision(op: ir.Operation) -> Kernel:
    exponent, mantissa = integer(op, "exponent_bits"), integer(op, "mantissa_bits")
    return lambda value: with_precision(value, exponent, mantissa)


def _finite(op: ir.Operation) -> Kernel:
    if is_float(dtype_of(op.operands[0])):
        return lambda value: np.isfinite(value.astype(np.float64))
    return np.isfinite


ELEMENTWISE: Table = {
    f"stablehlo.{name}": builder
    for name, builder in {
        "abs": _absolute,
        "add": _by_kind(np.add, np.add),
        "and": _bitwise(np.bitwise_and),
        "atan2": _double(np.arctan2),
        "bitcast_convert": _bitcast,
        "cbrt": _double(np.cbrt),
        "ceil": _double(np.ceil),
        "clamp": _clamp,
        "compare": _compare,
        "complex": _complex,
        "convert": _convert,
        "cosine": _double(np.cos),
        "count_leading_zeros": _count(leading_zeros),
        "divide": _divide,
        "exponential": _double(np.exp),
        "exponential_minus_one": _double(np.expm1),
        "floor": _double(np.floor),
        "imag": _part("imag"),
        "is_finite": _finite,
        "log": _double(np.log),
        "log_plus_one": _double(np.log1p),
        "logistic": _double(_logistic),
        "maximum": _extreme(np.maximum, np.add),
        "minimum": _extreme(np.minimum, lambda a, b: -(-a - b)),
        "multiply": _by_kind(np.multiply, np.multiply),
        "negate": _by_kind(np.negative, np.negative),
        "not": _bitwise(np.invert),
        "or": _bitwise(np.bitwise_or),
        "popcnt": _count(lambda value, bits: np.bitwise_count(value)),
        "power": _by_kind(in_double(np.power), power),
        "real": _part("real"),
        "reduce_precision": _reduce_precision,
        "remainder": _remainder,
        "round_nearest_afz": _double(_half_away_from_zero),
        "round_nearest_even": _double(np.rint),
        "rsqrt": _double(lambda value: 1.0 / np.sqrt(value)),
        "select": _select,
        "shift_left": _same(shifted(np.left_shift, signed=False)),
        "shift_right_arithmetic": _same(shifted(np.right_shift, signed=True)),
        "shift_right_logical": _same(shifted(np.right_shift, signed=False)),
        "sign": _sign,
        "sine": _double(np.sin),
        "sqrt": _double(np.sqrt),
        "subtract": _by_kind(np.subtract, np.subtract),
        "tan": _double(np.tan),
        "tanh": _double(np.tanh),
        "xor": _bitwise(np.bitwise_xor),
    }.items()
}
