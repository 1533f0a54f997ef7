"""The line map of a row: for each line of the source, the lines of each level that come from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jax_ir_pairs.extraction.line_map.hlo import is_instruction
from jax_ir_pairs.extraction.line_map.inheritance import Lines
from jax_ir_pairs.extraction.result import MappedLine


def of_instructions(text: str, lines: Sequence[Lines]) -> list[Lines]:
    """Gives the lines of each line of an HLO text, from those of its instructions in order."""
    remaining = iter(lines)
    found = [
        next(remaining) if is_instruction(line) else frozenset[int]() for line in text.split("\n")
    ]
    assert next(remaining, None) is None, "the texts have different instructions"
    return found


def line_map(levels: Mapping[str, Sequence[Lines]]) -> tuple[MappedLine, ...]:
    """Gives an entry for each line of the source that something comes from, in order.

    `levels` has for each level and each line of its text the lines of the source.
    """
    found: dict[int, dict[str, list[int]]] = {}
    for level, lines in levels.items():
        for number, sources in enumerate(lines, start=1):
            for source in sources:
                entry = found.setdefault(source, {name: [] for name in levels})
                entry[level].append(number)
    return tuple(
        MappedLine(python, **{level: tuple(numbers) for level, numbers in entry.items()})
        for python, entry in sorted(found.items())
    )
