"""Explicit random streams: the only source of chance in the synthesis."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """A random stream that gives the same draws on every machine and Python version.

    Only `random.Random.random` is used, whose sequence the Python documentation promises to keep,
    and only arithmetic that IEEE 754 fixes.
    """

    __slots__ = ("_key", "_uniform")

    def __init__(self, *key: int | str) -> None:
        self._key = key
        digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
        self._uniform = random.Random(int.from_bytes(digest, "big")).random

    def child(self, name: str) -> Stream:
        """Gives an independent stream, the same one however much was drawn from this one."""
        return Stream(*self._key, name)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Gives a number in [low, high)."""
        return low + (high - low) * self._uniform()

    def normal(self) -> float:
        """Gives an approximately normal number, as the sum of twelve uniform ones less six."""
        return sum(self._uniform() for _ in range(12)) - 6.0

    def integer(self, low: int, high: int) -> int:
        """Gives an integer from low to high, both included."""
        return low + int(self._uniform() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Gives True with the given probability."""
        return self._uniform() < probability

    def choice(self, items: Sequence[T]) -> T:
        """Gives one of the items."""
        return items[int(self._uniform() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """Gives one of the items, each in proportion to its weight."""
        totals = list(accumulate(weights))
        mark = self._uniform() * totals[-1]
        return next(
            (item for item, total in zip(items, totals, strict=True) if mark < total), items[-1]
        )

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Gives the items in random order (Fisher and Yates)."""
        result = list(items)
        for i in range(len(result) - 1, 0, -1):
            j = int(self._uniform() * (i + 1))
            result[i], result[j] = result[j], result[i]
        return result

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Gives `count` distinct items, or all of them where there are fewer."""
        return self.shuffled(items)[:count]
