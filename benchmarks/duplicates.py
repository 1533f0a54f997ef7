"""Measures how many programs repeat as a config grows: whether its spares last.

    python benchmarks/duplicates.py --candidates 1000000

Draws the candidates of seeds from 0 on, as a plan does, and counts which have the canonical form
of an earlier one. Of each doubling it gives the share, and from the last of them, by the line
through their logarithms, the share at a hundred and a thousand times as many.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from jax_ir_pairs.config import Recipe, load_config
from jax_ir_pairs.synthesis import draw

_AT_ONCE = 2_500
_FIRST = 25_000
_FITTED = 4


def forms(recipe: Recipe, seeds: Sequence[int]) -> list[int]:
    """Gives the canonical form of each candidate, as a number that stands for it."""
    return [int(draw(recipe, seed).canonical_hash, 16) for seed in seeds]


def shares(found: Iterable[int], first: int = _FIRST) -> Iterator[tuple[int, float]]:
    """Gives, at `first` candidates and each doubling, the share of repeats since the last."""
    seen: set[int] = set()
    before = repeated = 0
    at = first
    for number, form in enumerate(found, 1):
        repeated += form in seen
        seen.add(form)
        if number == at:
            yield number, repeated / (number - before)
            before, repeated, at = number, 0, 2 * at


def extrapolated(measured: Sequence[tuple[int, float]], candidates: int) -> float:
    """Gives the share at `candidates`, by a power law through the last of `measured`."""
    numbers, found = np.log(np.array(measured[-_FITTED:])).T
    slope, intercept = np.polyfit(numbers, found, 1)
    return float(np.exp(intercept + slope * np.log(candidates)))


def main() -> None:
    """Prints the share at each doubling, and two that are extrapolated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--config", default="hlo-1m")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    recipe = load_config(asked.config).recipe
    seeds = range(asked.candidates)
    pieces = [seeds[start : start + _AT_ONCE] for start in range(0, len(seeds), _AT_ONCE)]
    measured = []
    with ProcessPoolExecutor(asked.workers) as pool:
        found = (form for part in pool.map(partial(forms, recipe), pieces) for form in part)
        for candidates, share in shares(found):
            measured.append((candidates, share))
            print(f"{candidates:>13,} {share:8.3%}", flush=True)
    if len(measured) < _FITTED:
        return
    for candidates in (100 * measured[-1][0], 1000 * measured[-1][0]):
        print(f"{candidates:>13,} {extrapolated(measured, candidates):8.3%} extrapolated")


if __name__ == "__main__":
    main()
