"""How far rounding the inputs alone moves what a program gives: its conditioning. In the child.

A program is ill-conditioned where near equals are subtracted or a comparison is decided by the last
bit; no two correct compilers need agree there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jax_ir_pairs.quality.comparison import Array, compare
from jax_ir_pairs.quality.inputs import nudged

RUNS = 4
"""Runs that are off by roundings, which show what rounding does to the result."""
SLACK = 8.0
"""How much farther off a result may be than those runs are from each other."""


def nudged_results(
    run: Callable[[list[Array]], list[Array]], inputs: Sequence[Array]
) -> Iterator[list[Array]]:
    """Gives what `run` gives for inputs that are off by a rounding, some times over."""
    bits = np.random.PCG64(0)
    for _ in range(RUNS):
        yield run([nudged(value, bits) for value in inputs])


def slack(value: Array, others: Sequence[Array]) -> float:
    """Gives how far off a result may be, by its greatest magnitude, for the `others` of it.

    Infinite where one of them has an infinity or a NaN that it has not.
    """
    return SLACK * max(compare([other], [value], 0.0).max_rel_error for other in others)


def distance(value: Array, others: Sequence[Array]) -> float:
    """Gives how far the farthest of the `others` is from a result, infinite as in [`slack`][]."""
    return max(compare([other], [value], 0.0).max_abs_error for other in others)


def moved(value: Array, others: Sequence[Array]) -> Array:
    """Gives which elements of a result are something else in any of the `others`."""
    where: Array = np.any([other != value for other in others], axis=0)
    return where
