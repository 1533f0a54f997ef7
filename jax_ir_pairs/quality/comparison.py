"""How far two results are apart, and whether that is within the tolerance. Imports no JAX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a list of results is from what was expected of it."""

    max_abs_error: float
    """Greatest difference of two elements; of complex ones, of their parts."""
    max_rel_error: float
    """Greatest over the results of their `max_abs_error` by the greatest magnitude in either."""
    beyond: str = ""
    """Which result is out of its tolerance, and by how much; empty where all are within."""

    @property
    def agrees(self) -> bool:
        """Whether every result is within its tolerance."""
        return not self.beyond


def compare(
    results: Sequence[Array], expected: Sequence[Array], tolerance: float | Sequence[float]
) -> Difference:
    """Compares results with what is expected, one by one; each has the same tolerance or its own.

    Floating and complex results agree where their difference is at most `tolerance` times the
    greatest magnitude in the result: an error of one element is that of the numbers that it is
    computed from, so a difference of near equals is not judged by its own size. Infinities and
    NaNs have to be in the same places. Integers, booleans and the words of keys agree bit for bit.
    """
    if len(results) != len(expected):
        return Difference(math.inf, math.inf, f"{len(results)} results instead of {len(expected)}")
    largest_abs = largest_rel = 0.0
    beyond = ""
    tolerances = [tolerance] * len(results) if isinstance(tolerance, float) else tolerance
    pairs = zip(results, expected, tolerances, strict=True)
    for place, (ours, theirs, own_tolerance) in enumerate(pairs):
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            what = f"{described(ours)} instead of {described(theirs)}"
            return Difference(math.inf, math.inf, f"result {place} is {what}")
        if ours.tobytes() == theirs.tobytes():
            continue
        absolute, magnitude = _distance(ours, theirs)
        relative = absolute / magnitude if magnitude else 0.0
        if math.isinf(absolute):
            relative = math.inf
        largest_abs, largest_rel = max(largest_abs, absolute), max(largest_rel, relative)
        allowed = own_tolerance if is_inexact(ours.dtype) else 0.0
        if relative > allowed and not beyond:
            count = f"{np.count_nonzero(ours != theirs)} of {ours.size} elements"
            beyond = (
                f"result {place}, {described(ours)}, differs in {count} by up to {absolute:.3g}, "
                f"{relative:.3g} of its greatest magnitude, over {allowed:.3g}"
            )
    return Difference(largest_abs, largest_rel, beyond)


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Tells whether numbers of `dtype` are rounded: floating or complex."""
    if dtype.kind == "V":  # those of ml_dtypes, as NumPy does not know their kind
        return not dtype.name.startswith(("int", "uint"))
    return dtype.kind in "fc"


def all_finite(value: Array) -> bool:
    """Tells whether an array has no infinity and no NaN."""
    if not is_inexact(value.dtype):
        return True
    # Wider first: of some narrow formats NumPy has no `isfinite`.
    return bool(np.isfinite(_wide(value)).all())


def described(value: Array) -> str:
    """Gives dtype and shape: `float32[8,16]`."""
    return described_as(value.dtype.name, value.shape)


def described_as(dtype: str, shape: Sequence[int]) -> str:
    """Gives the same of an array that is not there."""
    return f"{dtype}[{','.join(map(str, shape))}]"


def _wide(value: Array) -> Array:
    """Gives numbers as doubles, which hold those of all inexact dtypes."""
    if value.dtype.kind == "c":
        return value.astype(np.complex128)
    return value.astype(np.float64)


def _distance(ours: Array, theirs: Array) -> tuple[float, float]:
    """Gives the greatest difference of elements, and the greatest magnitude in either.

    Infinite where one has an infinity or a NaN that the other has not.
    """
    a, b = _parts(ours), _parts(theirs)
    if a.dtype.kind == "O":
        return float(np.abs(a - b).max()), float(max(np.abs(a).max(), np.abs(b).max()))
    odd = ~(np.isfinite(a) & np.isfinite(b))
    if odd.any():
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        if not same[odd].all():
            return math.inf, math.inf
        a, b = np.where(odd, 0.0, a), np.where(odd, 0.0, b)
    with np.errstate(over="ignore"):
        absolute = float(np.abs(a - b).max())
    return absolute, float(max(np.abs(a).max(), np.abs(b).max()))


def _parts(value: Array) -> Array:
    """Gives the numbers of an array, exactly: doubles, or Python's integers for 64 bits."""
    if value.dtype.kind in "iu" and value.dtype.itemsize == 8:
        # In a row, since of a scalar `astype` and `-` give plain integers, which are no arrays.
        return value.reshape(-1).astype(object)
    wide = _wide(np.ascontiguousarray(value))
    return wide.reshape(-1).view(np.float64) if wide.dtype.kind == "c" else wide.reshape(-1)
