"""What has no place of its own in the source takes that of what calls or uses it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

Lines = frozenset[int]
"""Lines of the source, from 1."""

NOWHERE: Lines = frozenset()

Key = TypeVar("Key", bound=Hashable)


def with_inherited(
    own: Mapping[Key, Lines], heirs: Callable[[Key], Iterable[Key]]
) -> dict[Key, Lines]:
    """Gives the lines of every key: its own, or where it has none those of all its `heirs`.

    Those inherit in turn, so that lines pass through what has none. Where keys inherit from each
    other in a circle, as in recursion, what comes from outside the circle counts.
    """
    found: dict[Key, Lines] = {key: lines for key, lines in own.items() if lines}
    waiting = {key: tuple(heirs(key)) for key in own if key not in found}
    takers: dict[Key, list[Key]] = {}
    for key, sources in waiting.items():
        for source in sources:
            takers.setdefault(source, []).append(key)
    fresh = list(found)
    while fresh:
        taken = {taker for key in fresh for taker in takers.get(key, ()) if taker in waiting}
        fresh = []
        for key in taken:
            lines = NOWHERE.union(*(found.get(source, NOWHERE) for source in waiting[key]))
            if lines != found.get(key, NOWHERE):
                found[key] = lines
                fresh.append(key)
    return {key: found.get(key, NOWHERE) for key in own}
