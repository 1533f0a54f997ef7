"""The shapes of HLO text: arrays with their layouts, and tuples of shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """An array: `f32[8,16]{1,0}`, or a token, which has no sides."""

    dtype: str
    sides: tuple[int, ...]
    minor_to_major: tuple[int, ...] | None = None
    """The layout: the axes from the one whose neighbours lie side by side; none is row-major."""

    is_tuple: ClassVar[bool] = False

    @property
    def major_to_minor(self) -> tuple[int, ...]:
        """The axes in the order in which memory has them, the outermost first."""
        if self.minor_to_major is None:
            return tuple(range(len(self.sides)))
        return self.minor_to_major[::-1]

    @property
    def in_memory(self) -> tuple[int, ...]:
        """The sides in the order in which memory has them."""
        return tuple(self.sides[axis] for axis in self.major_to_minor)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.sides)

    def without_layout(self) -> ArrayShape:
        """Gives the shape alone."""
        return replace(self, minor_to_major=None)

    def __str__(self) -> str:
        sides = f"{self.dtype}[{','.join(map(str, self.sides))}]"
        if not self.minor_to_major:
            return sides
        return f"{sides}{{{','.join(map(str, self.minor_to_major))}}}"


@dataclass(frozen=True, slots=True)
class TupleShape:
    """A tuple: `(f32[8]{0}, s32[])`."""

    parts: tuple[Shape, ...]

    is_tuple: ClassVar[bool] = True

    def without_layout(self) -> TupleShape:
        """Gives the shape alone."""
        return TupleShape(tuple(part.without_layout() for part in self.parts))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.parts))})"


Shape = ArrayShape | TupleShape

_BITS = {"pred": 8, "bf16": 16, "c64": 64, "c128": 128}


def bits(dtype: str) -> int:
    """Gives the width of an element: the first number in the name of its type, as in `f8e4m3fn`."""
    if dtype in _BITS:
        return _BITS[dtype]
    digits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    count = len(digits) - len(digits.lstrip("0123456789"))
    return int(digits[:count] or 0)
