"""Which other axes an operation could have had, with operands and results of the same shapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

Shape = tuple[int, ...]
Axes = tuple[int, ...]


def reduced(axes: Axes, operand: Shape, result: Shape) -> Iterator[Axes]:
    """Axes that a reduction takes away."""
    for other in itertools.combinations(range(len(operand)), len(axes)):
        left = tuple(side for axis, side in enumerate(operand) if axis not in other)
        if left == result and set(other) != set(axes):
            yield other


def permuted(axes: Axes, operand: Shape, result: Shape) -> Iterator[Axes]:
    """The permutation of a transposition."""
    if len(operand) <= 5:
        for other in itertools.permutations(range(len(operand))):
            if other != axes and tuple(operand[axis] for axis in other) == result:
                yield other


def broadcast(axes: Axes, operand: Shape, result: Shape) -> Iterator[Axes]:
    """The axes of the result that those of a smaller operand become."""
    for other in itertools.combinations(range(len(result)), len(axes)):
        fits = all(side == result[axis] for side, axis in zip(operand, other, strict=True))
        if fits and other != axes:
            yield other


def along(axes: Axes, operand: Shape, result: Shape) -> Iterator[Axes]:
    """One axis or more that an operation goes along, whose shapes do not change."""
    for other in itertools.combinations(range(len(result)), len(axes)):
        if set(other) != set(axes) and any(result[axis] > 1 for axis in {*other} ^ {*axes}):
            yield other


Rule = Callable[[Axes, Shape, Shape], Iterator[Axes]]
