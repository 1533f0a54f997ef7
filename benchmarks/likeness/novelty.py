"""How much of a row is new, after the rows before it."""

from __future__ import annotations

from collections.abc import Sequence

LENGTH = 8


def novelty(documents: Sequence[Sequence[str]]) -> float:
    """Gives the share of the runs of eight tokens in the last tenth that are not before it."""
    seen: set[int] = set()
    start = len(documents) * 9 // 10
    new = total = 0
    for place, tokens in enumerate(documents):
        runs = {hash(tuple(tokens[at : at + LENGTH])) for at in range(len(tokens) - LENGTH + 1)}
        if place >= start:
            total += len(runs)
            new += len(runs - seen)
        seen |= runs
    return new / max(total, 1)
