"""A byte n-gram model: how many bits a byte of text costs after other text was read.

It is Chen and Goodman's modified Kneser-Ney model of up to seven bytes of context: a shorter
context counts how many longer ones it follows from, and discounts are estimated from the text. It
reads the training text once and does not learn from the text that it is tested on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ORDER = 7
ALONE = 300_000
MORE = 1_000_000
_SEPARATOR = "\n\x00\n"

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Codes = np.ndarray[Any, np.dtype[np.uint64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Help:
    """Bits a byte of real text after some real text, and after more of ours or of real text."""

    alone: float
    with_ours: float
    with_real: float
    more: int
    """Bytes of either that were added."""

    @property
    def share(self) -> float:
        """The share of what more real text gains that ours gains; negative where ours harms."""
        return (self.alone - self.with_ours) / max(self.alone - self.with_real, 1e-9)


def measure_help(real: Sequence[str], ours: Sequence[str], tested: Sequence[str]) -> Help:
    """Measures what `ALONE` bytes of `real` teach of `tested`, and more of ours or of real text.

    Both get as much, `MORE` bytes, or what there is of real text where that is less.
    """
    first, rest = cut(real, ALONE)
    more_real, _ = cut(rest, MORE)
    more = sum(len(text.encode()) for text in more_real)
    more_ours, _ = cut(ours, more)
    return Help(
        bits_a_byte(first, tested),
        bits_a_byte(first + more_ours, tested),
        bits_a_byte(first + more_real, tested),
        more,
    )


def cut(texts: Iterable[str], size: int) -> tuple[list[str], list[str]]:
    """Gives the first texts, of `size` bytes together or a little more, and the others."""
    first: list[str] = []
    rest: list[str] = []
    total = 0
    for text in texts:
        (first if total < size else rest).append(text)
        total += len(text.encode())
    return first, rest


def bits_a_byte(trained: Iterable[str], tested: Iterable[str]) -> float:
    """Gives the bits a byte of `tested` for a model of `trained`; the first bytes are left out."""
    asked = _as_bytes(tested)
    probability = np.full(len(asked), 1 / 256)
    for order, (grams, counts) in enumerate(_by_order(_as_bytes(trained))):
        probability = _refined(probability, grams, counts, _codes(asked, order + 1))
    return float(-np.log2(probability[ORDER:]).mean())


def _by_order(text: Bytes) -> list[tuple[Codes, Codes]]:
    """Gives the distinct runs of 1 to `ORDER` + 1 bytes, and how often each counts."""
    found: list[tuple[Codes, Codes]] = []
    runs = _codes(text, ORDER + 1)[ORDER:]
    for length in range(ORDER + 1, 0, -1):
        mask = np.uint64((1 << 8 * length) - 1)
        runs, counts = np.unique(runs & mask, return_counts=True)
        found.insert(0, (runs, counts.astype(np.uint64)))
    return found


def _refined(shorter: Floats, runs: Codes, counts: Codes, asked: Codes) -> Floats:
    """Gives the probabilities of the last bytes of `asked`, from those with a byte less before."""
    if not len(runs):  # nothing was read
        return shorter
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    heads, first = np.unique(runs >> np.uint64(8), return_index=True)
    total = _looked_up(heads, np.add.reduceat(counts, first), asked >> np.uint64(8))
    spared = _looked_up(heads, np.add.reduceat(discounts, first), asked >> np.uint64(8))
    counted = _looked_up(runs, counts - discounts, asked)
    known = total > 0
    found = shorter.copy()
    found[known] = (counted[known] + spared[known] * shorter[known]) / total[known]
    return found


def _discounts(counts: Codes) -> Floats:
    """Gives what is taken off counts of 0, 1, 2, and 3 or more."""
    once, twice, thrice, more = (max(int((counts == n).sum()), 1) for n in (1, 2, 3, 4))
    share = once / (once + 2 * twice)
    found = [1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice]
    found.append(3 - 4 * share * more / thrice)
    return np.clip([0.0, *found], [0, 0.05, 0.1, 0.1], [0, 0.95, 1.9, 2.9])


def _as_bytes(texts: Iterable[str]) -> Bytes:
    return np.frombuffer(_SEPARATOR.join(texts).encode(), dtype=np.uint8)


def _codes(text: Bytes, length: int) -> Codes:
    """Gives, for each place, the `length` bytes that end there as a number."""
    found = np.zeros(len(text), np.uint64)
    for back in range(min(length, len(text))):
        found[back:] += text[: len(text) - back].astype(np.uint64) << np.uint64(8 * back)
    return found


def _looked_up(keys: Codes, values: np.ndarray[Any, Any], asked: Codes) -> Floats:
    """Gives the value of each key asked for, and zero for one that is not there."""
    place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0).astype(np.float64)
