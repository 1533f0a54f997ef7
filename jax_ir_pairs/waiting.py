"""Waiting for threads, so that a signal is seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

T = TypeVar("T")

_SECONDS = 0.5
"""Python looks for signals before and after it waits for a lock. One that comes in between, or to
another thread, does not end the wait, so Ctrl-C would be lost without a limit."""


def results(futures: Iterable[Future[T]]) -> Iterator[T]:
    """Gives the result of each future as it is done, and raises the error of the first that failed.

    Ctrl-C is raised within half a second.
    """
    left = set(futures)
    while left:
        done, left = wait(left, timeout=_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
