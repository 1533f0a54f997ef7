"""How much two programs of the same sketches share, before either is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jax_ir_pairs.synthesis.sketching.choices import Choice, Segment, is_call_of, left

NEARLY = 0.8
"""From this similarity on, the texts of two programs are often nearly the same."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a program is made of, whatever its names, numbers and sizes are."""

    items: tuple[str, ...]
    """Names, in order."""
    pieces: frozenset[Segment]

    def similarity(self, other: Outline) -> float:
        """Gives the share of source nodes that two programs have in common."""
        union = sum(map(_num_nodes, self.pieces | other.pieces))
        return sum(map(_num_nodes, self.pieces & other.pieces)) / max(union, 1)


def pieces(segment: Segment, outcomes: Mapping[Choice, int | str]) -> Iterator[Segment]:
    """Gives a segment and what is left of its choices."""
    yield segment
    for choice in segment.choices:
        for alternative in left(choice, outcomes[choice]):
            yield from pieces(alternative, outcomes)


@lru_cache(maxsize=1 << 16)
def _num_nodes(segment: Segment) -> int:
    """Gives the number of nodes of a segment outside of its choices."""
    nodes = segment.node if isinstance(segment.node, list) else [segment.node]
    within = [part for choice in segment.choices for part in (choice.node, *choice.rest)]
    return sum(map(_size, nodes)) - sum(map(_size, within))


def _size(node: ast.AST) -> int:
    if is_call_of(node, "sketch"):
        return 0
    return 1 + sum(map(_size, ast.iter_child_nodes(node)))
