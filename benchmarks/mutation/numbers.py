"""Other numbers of a type."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

_TRUTHS = {"true": "false", "false": "true", "True": "False", "False": "True"}
_INTEGER = re.compile(r"(ui|[isu])\d+")
_LARGE = 1e4
_COUNT = 60
"""Integers up to this are rather a count or a place than a bit pattern."""


def others(number: str, element_type: str) -> Iterator[str]:
    """Gives numbers to write in place of one, as it is written in a text.

    One that is near, one of the other sign and one off by 1; none for NaN, infinities and bits.
    """
    if number in _TRUTHS:
        yield _TRUTHS[number]
        return
    try:
        integer = _INTEGER.fullmatch(element_type) is not None
        value = int(number) if integer else float(number)
    except ValueError:
        return
    if integer:
        # Towards 0, where no type ends.
        yield str(value - 1 if value > 0 else value + 1)
        if 0 < value < _COUNT:
            yield str(value + 1)
    elif math.isfinite(value):
        if value:
            yield from (_written(value * 1.0625), _written(-value))
        if abs(value) < _LARGE:
            yield _written(value + 1.0)


def _written(value: float) -> str:
    """Gives a number as all of the languages read it: MLIR needs a point."""
    return f"{value:.9e}"
