"""The statements of an IR's text, as far as a mutation needs to know them: a view, no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_OPEN, _CLOSE = "([{", ")]}"


class Value(NamedTuple):
    """A value that was defined, with its type as the language writes it."""

    name: str
    type: str


class Use(NamedTuple):
    """A place where a value is used, or a literal, whose type is empty where it is unknown."""

    start: int
    end: int
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One operation."""

    op: str
    start: int
    """Where the name of the operation starts."""
    operands: tuple[Use, ...]
    results: tuple[Value, ...]
    body: tuple[int, int]
    """From the operation's name, with what comes before it, to the end of its operands and types:
    what another operation would replace."""
    attributes: tuple[int, int]
    """Where the parameters are; operands may be there too."""
    scope: Sequence[Value]
    """The values of this scope, of which the first `seen` are defined before this one."""
    seen: int

    @property
    def visible(self) -> Sequence[Value]:
        """The values that an operand can be."""
        return self.scope[: self.seen]


def shape_of(type_: str) -> tuple[int, ...] | None:
    """Gives the sides in `f32[2,3]{1,0}` or `tensor<2x3xf32>`; None for a tuple."""
    if found := re.match(r"[a-z]\w*(?:<\w+>)?\[([\d,]*)\]", type_):
        return tuple(int(side) for side in found[1].split(",") if side)
    if found := re.fullmatch(r"tensor<((?:\d+x)*)[^x]+(?:<\w+>)?>", type_):
        return tuple(int(side) for side in found[1].split("x") if side)
    return None


def closing(text: str, start: int) -> int:
    """Gives the place after the bracket that closes the one at `start`; those in strings are none.

    Raises ValueError where there is none.
    """
    depth, place = 0, start
    while place < len(text):
        character = text[place]
        if character == '"':
            place = text.index('"', place + 1)
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    raise ValueError(f"nothing closes the {text[start]!r} at {start}")


def parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Gives where the parts lie between commas that no bracket encloses, blank space left out."""
    depth, since = 0, start
    for place in range(start, end + 1):
        character = text[place] if place < end else ","
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif character == "," and (not depth or place == end):
            part = text[since:place]
            if stripped := part.strip():
                first = since + part.index(stripped)
                yield first, first + len(stripped)
            since = place + 1
