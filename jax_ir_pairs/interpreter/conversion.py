"""Numbers of one format as those of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from jax_ir_pairs.interpreter.formats import (
    bytes_of,
    is_complex,
    is_float,
    is_integer,
    lowest_and_highest,
)
from jax_ir_pairs.interpreter.operation import Array, UnsupportedError


def converted(value: Array, dtype: np.dtype[Any]) -> Array:
    """Gives numbers in the format `dtype`, as XLA converts them.

    A float becomes an integer by truncation, the nearest one where it is out of range, and 0 where
    it is no number; of a complex number the real part counts; what is not 0 is true.
    """
    source = value.dtype
    if source == dtype:
        return value
    if is_complex(source) and not is_complex(dtype):
        return converted(np.asarray(value.real), dtype)
    if dtype.kind == "b":
        plain = value.astype(bytes_of(source)) if is_integer(source) else value
        return np.asarray(plain != 0)
    if is_float(source) and is_integer(dtype):
        return _truncated(value.astype(np.float64), dtype)
    if is_integer(source) and is_integer(dtype):
        return value.astype(bytes_of(source)).astype(bytes_of(dtype)).astype(dtype)
    if is_integer(source):
        value = value.astype(bytes_of(source))
    if dtype.isbuiltin != 1:  # those of ml_dtypes do not all know each other
        return value.astype(np.float64).astype(dtype)
    return value.astype(dtype)


def _truncated(value: Array, dtype: np.dtype[Any]) -> Array:
    low, high = lowest_and_highest(dtype)
    whole = np.trunc(np.nan_to_num(value, nan=0.0, posinf=np.inf, neginf=-np.inf))
    inside = (whole > float(low)) & (whole < float(high))
    plain = np.where(inside, whole, 0.0).astype(np.uint64 if low == 0 else np.int64)
    outer = np.where(whole >= float(high), np.array(high, plain.dtype), np.array(low, plain.dtype))
    return np.where(inside, plain, outer).astype(bytes_of(dtype)).astype(dtype)


def bits_of(value: Array) -> Array:
    """Gives the bits of floats as unsigned integers, of the same shape."""
    words = np.ascontiguousarray(value).view(f"u{value.dtype.itemsize}")
    return np.asarray(words.reshape(np.shape(value)))


_LAYOUT = {"float64": (11, 52), "float32": (8, 23), "bfloat16": (8, 7), "float16": (5, 10)}
"""Bits of exponent and mantissa."""


def with_precision(value: Array, exponent_bits: int, mantissa_bits: int) -> Array:
    """Gives floats rounded to fewer bits, as `reduce_precision` of XLA does.

    To the nearest, ties to even; what is too large becomes an infinity and too small a zero.
    """
    dtype = value.dtype
    if dtype.name not in _LAYOUT:
        raise UnsupportedError(f"reduces the precision of {dtype.name}")
    exponent, mantissa = _LAYOUT[dtype.name]
    words = bits_of(value).astype(np.uint64)
    total = np.uint64(exponent + mantissa)
    sign, number = words >> total << total, words & np.uint64((1 << int(total)) - 1)
    if (dropped := mantissa - mantissa_bits) > 0:
        odd = number >> np.uint64(dropped) & np.uint64(1)
        number = number + np.uint64((1 << dropped - 1) - 1) + odd
        number = number >> np.uint64(dropped) << np.uint64(dropped)
    infinity = np.uint64(((1 << exponent) - 1) << mantissa)
    if exponent_bits < exponent:
        bias, ours = (1 << exponent - 1) - 1, (1 << exponent_bits - 1) - 1
        power = number >> np.uint64(mantissa)
        number = np.where(power > np.uint64(bias + ours), infinity, number)
        number = np.where(power <= np.uint64(bias - ours), np.uint64(0), number)
    words = (sign | number).astype(f"u{dtype.itemsize}")
    return np.where(np.isnan(value), value, words.view(dtype).reshape(np.shape(value)))
