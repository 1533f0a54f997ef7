"""How far the loops of StableHLO and HLO go: the numbers that their conditions compare with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mutation.edit import Edit
from mutation.numbers import others

_STABLEHLO_CONDITION = re.compile(r"^ *cond \{\n(?:.*\n)*?^ *\} do \{", re.MULTILINE)
_STABLEHLO_NUMBER = re.compile(r"constant dense<(?P<number>-?[\w.+-]+)> : tensor<(?P<type>\w+)>")
_HLO_CONDITION = re.compile(r"\bcondition=(%?[\w.-]+)")
_HLO_NUMBER = re.compile(r" = (?P<type>[a-z]\w*)\[\] constant\((?P<number>[^(){}, ]+)\)")


def of_stablehlo(text: str) -> Iterator[Edit]:
    """Other bounds of the loops of a module."""
    for condition in _STABLEHLO_CONDITION.finditer(text):
        yield from _other_numbers(text, _STABLEHLO_NUMBER, *condition.span())


def of_hlo(text: str) -> Iterator[Edit]:
    """Other bounds of the loops of a module."""
    for name in {found[1] for found in _HLO_CONDITION.finditer(text)}:
        header = re.compile(rf"^{re.escape(name)} .*{{$", re.MULTILINE)
        if (start := header.search(text)) is not None:
            yield from _other_numbers(
                text, _HLO_NUMBER, start.end(), text.index("\n}", start.end())
            )


def _other_numbers(text: str, pattern: re.Pattern[str], start: int, end: int) -> Iterator[Edit]:
    for found in pattern.finditer(text, start, end):
        for number in others(found["number"], found["type"]):
            yield Edit(*found.span("number"), number)
