"""Concrete inputs of a program, made from a seed: the same bits everywhere. In the child.

A value here is a NumPy array as the texts have it: the dtypes of `ml_dtypes` for narrow formats,
and for a key the words that it consists of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.synthesis.types import LONG_NAMES, input_bounds

_SHORT_NAMES = {long.removesuffix("_"): short for short, long in LONG_NAMES.items()}
_LANE = 2**16 - 1
_LARGEST_INDEX = 3
_KEYS = {
    "key<fry>": ("threefry2x32", 2),
    "key<rbg>": ("rbg", 4),
    "key<urbg>": ("unsafe_rbg", 4),
}
"""Name and number of words of each kind of key."""


def ordinary_inputs(avals: Sequence[Any], seed: int, draw: int = 0) -> list[Array]:
    """Gives a value for each of `avals`, in the ranges that synthesis promises finite results for.

    Floating numbers are nearly normal, of variance 1 and within ±2√3: sums of four uniform lanes
    of 16 bits. Integers are uniform in 0 to 3, as of an index or a label that is in range, and of
    odd draws in all of [`input_bounds`][]. All of it is integer arithmetic and one product, on the
    raw words of PCG64, whose stream NumPy does not change; so no mathematical library decides a
    bit. Another `draw` of the same seed gives other values.
    """
    bits = np.random.PCG64([seed, draw])
    return [_ordinary(aval, bits, in_range=draw % 2 == 0) for aval in avals]


def is_key(dtype: Any) -> bool:
    """Tells whether `dtype` is that of random keys."""
    return bool(jax.numpy.issubdtype(dtype, jax.dtypes.prng_key))


def wrapped(value: Array, dtype: Any) -> Any:
    """Gives `value` as a program takes it: a key for the words of one, else the value itself."""
    if not is_key(dtype):
        return value
    return jax.random.wrap_key_data(jax.numpy.asarray(value), impl=_KEYS[dtype.name][0])


def unwrapped(value: Any) -> Array:
    """Gives a result of a program as NumPy has it, and for a key its words."""
    if isinstance(value, jax.Array) and is_key(value.dtype):
        value = jax.random.key_data(value)
    return np.asarray(value)


def physical(aval: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Gives shape and dtype of a value of `aval` as the texts have it."""
    if is_key(aval.dtype):
        return (*aval.shape, _KEYS[aval.dtype.name][1]), np.dtype(np.uint32)
    return tuple(aval.shape), np.dtype(aval.dtype)


def _ordinary(aval: Any, bits: np.random.PCG64, *, in_range: bool) -> Array:
    shape, dtype = physical(aval)
    if is_key(aval.dtype):
        return _integers(bits, shape, 0, 2**32 - 1).astype(dtype)
    if jax.numpy.issubdtype(dtype, np.complexfloating):
        return (_normal(bits, shape) + 1j * _normal(bits, shape)).astype(dtype)
    if jax.numpy.issubdtype(dtype, np.floating):
        value = _normal(bits, shape)
        # The one format that has no sign.
        return (np.abs(value) if dtype.name == "float8_e8m0fnu" else value).astype(dtype)
    low, high = integer_range(dtype)
    if in_range:
        low, high = max(low, 0), min(high, _LARGEST_INDEX)
    return _integers(bits, shape, low, high).astype(dtype)


def integer_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Gives the least and the greatest value of an input of integers or booleans."""
    low, high = input_bounds(_SHORT_NAMES[dtype.name])
    return int(low), int(high)


def _normal(bits: np.random.PCG64, shape: tuple[int, ...]) -> Array:
    lanes = _raw(bits, (*shape, 1)).view("<u2")
    centred = lanes.sum(axis=-1, dtype=np.int64) - 2 * _LANE
    return centred * (math.sqrt(3) / _LANE)


def _integers(bits: np.random.PCG64, shape: tuple[int, ...], low: int, high: int) -> Array:
    # The high words, of which a remainder is uniform to one part in 2**32 / span.
    return (_raw(bits, shape) >> np.uint64(32)).astype(np.int64) % (high - low + 1) + low


def _raw(bits: np.random.PCG64, shape: tuple[int, ...]) -> Array:
    # Little-endian, for the lanes to be the same on every machine.
    return np.asarray(bits.random_raw(math.prod(shape)), dtype="<u8").reshape(shape)


def nudged(value: Array, bits: np.random.PCG64) -> Array:
    """Gives floating numbers off by a rounding, up or down at random; others as they are."""
    if value.dtype.kind == "c":
        other = value.copy()
        other.real, other.imag = nudged(value.real, bits), nudged(value.imag, bits)
        return other
    if not jax.numpy.issubdtype(value.dtype, np.floating):
        return value
    # Of a scalar, contiguous is an array of one element.
    words = np.ascontiguousarray(value).view(f"u{value.dtype.itemsize}").reshape(value.shape)
    # A neighbour of a number is the one whose bits, as an integer, are one more or one less.
    step = _integers(bits, value.shape, 0, 1) * 2 - 1
    moved = (words + step.astype(words.dtype)).view(value.dtype)
    # A zero has no such neighbour, and that of the greatest or the least may be no number.
    stays = (value == 0) | ~np.isfinite(moved.astype(np.float64))
    return np.where(stays, value, moved)
