"""Integer arithmetic as XLA defines it where processors differ: divisions, shifts, powers.

XLA's "Operation Semantics": the quotient by 0 has all bits set and the remainder by 0 is the
dividend; the lowest number by -1 is itself, and its remainder 0; a shift by the width or more gives
0, or the sign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jax_ir_pairs.interpreter.formats import bytes_of, is_signed, num_bits, rounded
from jax_ir_pairs.interpreter.operation import Array, Kernel


def divided(a: Array, b: Array, by_zero: int, lowest: int) -> Array:
    """Gives the quotient, rounded towards zero; `by_zero` where there is none."""
    usable = (b != 0) & ~((a == lowest) & (b == -1)) if lowest else b != 0
    divisor = np.where(usable, b, b.dtype.type(1))
    down = a // divisor
    inexact = (down * divisor != a) & ((a < 0) != (divisor < 0))
    towards_zero = down + inexact.astype(down.dtype)
    return np.where(b == 0, np.array(by_zero, a.dtype), towards_zero)


def remainder(a: Array, b: Array) -> Array:
    """Gives the remainder, of the sign of the dividend."""
    usable = (b != 0) & (b != -1) if np.issubdtype(b.dtype, np.signedinteger) else b != 0
    found = np.fmod(a, np.where(usable, b, b.dtype.type(1)))
    return np.where(b == 0, a, found)


def power(base: Array, exponent: Array) -> Array:
    """Gives the power; of a negative exponent what is left of the fraction: 0, 1 or -1."""
    negative = exponent < 0
    raised = np.power(base, np.where(negative, exponent.dtype.type(0), exponent))
    alternating = np.where(exponent % 2 == 0, 1, base).astype(base.dtype)
    fraction = np.where(np.abs(base) == 1, alternating, base.dtype.type(0))
    return np.where(negative, fraction, raised)


def to_words(value: Array) -> Array:
    """Gives the bits of integers as unsigned ones of 64 bits, without those of the sign."""
    dtype = value.dtype
    wide = value.astype(bytes_of(dtype)).astype(np.int64 if is_signed(dtype) else np.uint64)
    return wide.astype(np.uint64) & np.uint64((1 << num_bits(dtype)) - 1)


def leading_zeros(words: Array, bits: int) -> Array:
    """Gives the number of zeros before the first bit that is set."""
    filled: Any = words
    for step in (1, 2, 4, 8, 16, 32):
        filled = filled | filled >> np.uint64(step)
    return np.asarray(bits - np.bitwise_count(filled).astype(np.int64))


def shifted(function: Callable[[Array, Array], Array], *, signed: bool) -> Kernel:
    """Gives a shift, with zeros from the side, or to the right with the sign of `signed` ones.

    By the width or more, NumPy's give what XLA says: 0, or the sign.
    """

    def shift(value: Array, by: Array) -> Array:
        dtype, plain = value.dtype, bytes_of(value.dtype)
        kind = f"{'i' if signed else 'u'}{plain.itemsize}"
        if plain == dtype:
            return np.asarray(function(value.view(kind), by.view(kind)).view(dtype))
        bits, words, steps = num_bits(dtype), to_words(value), to_words(by)
        if signed:
            sign = words >> np.uint64(bits - 1) << np.uint64(bits)
            extended = words.astype(np.int64) - sign.astype(np.int64)
            return rounded(extended >> np.minimum(steps, np.uint64(bits)).astype(np.int64), dtype)
        return rounded(np.where(steps < bits, function(words, steps), 0), dtype)

    return shift
