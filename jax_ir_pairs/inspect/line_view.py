"""What became of one line of Python, for a person to read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.highlighting import highlighted
from jax_ir_pairs.inspect.row_view import TITLES
from jax_ir_pairs.schema import LEVELS


def print_line(
    console: Console, row: dict[str, Any], number: int, *, levels: Sequence[str] = LEVELS
) -> None:
    """Prints line `number`, from 1, of the row's source and what came from it at each level.

    **Raises:** [`UsageError`][] where nothing did, with the lines that something came from.
    """
    if "line_map" not in row:
        raise UsageError("The rows have no line map: they were built before there was one.")
    entries = {entry["python"]: entry for entry in row["line_map"]}
    if number not in entries:
        known = ", ".join(map(str, entries)) or "none"
        raise UsageError(f"Nothing came from line {number}; something did from {known}.")
    places = {**entries[number], "python": [number]}
    for level in LEVELS:
        if level in levels:
            text = row[level].split("\n")
            console.print(Rule(TITLES[level], align="left", style="dim"))
            for place in places[level]:
                margin = Text(f"{place:>5}  ", style="dim")
                console.print(margin + highlighted(level, text[place - 1]), soft_wrap=True)
