"""A mutation: where a text can be changed, and into what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import NamedTuple


class Edit(NamedTuple):
    """Characters `start` to `end` of a text, and what they become."""

    start: int
    end: int
    becomes: str

    def apply(self, text: str) -> str:
        """Gives the text with this edit made."""
        return text[: self.start] + self.becomes + text[self.end :]


class Mutant(NamedTuple):
    """A text with one thing wrong in it."""

    mutation: str
    """Name of what was done."""
    text: str


Mutations = Mapping[str, Callable[[str], Iterable[Edit]]]
"""By name: what gives every edit of its kind that a text has room for."""


def mutants(text: str, mutations: Mutations, rng: Random) -> Iterator[Mutant]:
    """Gives all mutants of a text, each kind in its turn, without the text itself.

    So the first few are of as many kinds as the text has room for.
    """
    waiting = {}
    for name, sites in mutations.items():
        if edits := sorted(set(sites(text))):
            rng.shuffle(edits)
            waiting[name] = edits
    while waiting:
        for name in rng.sample([*waiting], len(waiting)):
            mutant = waiting[name].pop().apply(text)
            if not waiting[name]:
                del waiting[name]
            if mutant != text:
                yield Mutant(name, mutant)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """Gives the text with edits made that do not overlap."""
    for edit in sorted(edits, reverse=True):
        text = edit.apply(text)
    return text
