"""Hashes of all rows of a build, compared a part at a time, so that any number of them will do."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]

_PART = 1 << 23
"""Hashes in memory at a time, nearly."""


class Hashes:
    """Numbers of 64 bits in the order of rows, in a temporary file; a context manager."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._length = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def extend(self, numbers: Iterable[int]) -> None:
        """Adds numbers at the end."""
        added = array("Q", numbers)
        self._file.write(added.tobytes())
        self._length += len(added)

    def part(self, number: int, of: int) -> tuple[npt.NDArray[np.int64], Numbers]:
        """Gives the places of the numbers that are in a part, in order, and the numbers."""
        places, numbers = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        for start, chunk in self._chunks():
            found = np.flatnonzero(chunk % np.uint64(of) == number)
            places.append(found + start)
            numbers.append(chunk[found])
        return np.concatenate(places), np.concatenate(numbers)

    def take(self, places: npt.NDArray[np.int64]) -> list[int]:
        """Gives the numbers in these places, which are in order."""
        taken: list[int] = []
        for start, chunk in self._chunks():
            first, last = np.searchsorted(places, (start, start + len(chunk)))
            taken += chunk[places[first:last] - start].tolist()
        return taken

    def _chunks(self) -> Iterator[tuple[int, Numbers]]:
        self._file.seek(0)
        start = 0
        while content := self._file.read(8 * _PART):
            chunk = np.frombuffer(content, np.uint64)
            yield start, chunk
            start += len(chunk)


def repeated(hashes: Hashes) -> npt.NDArray[np.int64]:
    """Gives the places, in order, of the numbers that are there before."""
    found = [np.empty(0, np.int64)]
    parts = num_parts([hashes])
    for number in range(parts):
        places, numbers = hashes.part(number, parts)
        _, first = np.unique(numbers, return_index=True)
        found.append(np.delete(places, first))
    return np.sort(np.concatenate(found))


def num_distinct(groups: Sequence[Hashes]) -> tuple[list[int], int]:
    """Gives how many numbers there are in each group, and in all together, each counted once."""
    parts = num_parts(groups)
    each, together = [0] * len(groups), 0
    for number in range(parts):
        distinct = [np.unique(group.part(number, parts)[1]) for group in groups]
        each = [count + len(found) for count, found in zip(each, distinct, strict=True)]
        together += len(np.unique(np.concatenate(distinct)))
    return each, together


def num_parts(groups: Sequence[Hashes]) -> int:
    """Gives the parts to look at one by one."""
    return 1 + sum(map(len, groups)) // _PART
