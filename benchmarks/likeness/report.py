"""The figures of one run: rows of a table, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_Figure = float | int | str
Unit = Literal["share", "number", "text"]


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, of ours and of real code, where there is one, and what it should become."""

    name: str
    ours: _Figure | None
    real: _Figure | None = None
    other: _Figure | None = None
    aim: str = ""
    unit: Unit = "number"


@dataclass(slots=True)
class Report:
    """Sections of lines, in order, and facts about the run."""

    facts: dict[str, object] = field(default_factory=dict)
    sections: dict[str, list[Line]] = field(default_factory=dict)

    def add(self, section: str, lines: Iterable[Line]) -> None:
        """Adds lines to a section."""
        self.sections.setdefault(section, []).extend(lines)

    def show(self, console: Console) -> None:
        """Prints the table."""
        table = Table(box=None)
        table.add_column("", no_wrap=True)
        for column in ("ours", "real programs", "real functions alone", "aim"):
            table.add_column(column, justify="right")
        for section, lines in self.sections.items():
            table.add_row(f"[bold]{section}[/bold]")
            for line in lines:
                values = (line.ours, line.real, line.other)
                shown = (_shown(value, line.unit) for value in values)
                table.add_row(f"  {escape(line.name)}", *shown, line.aim)
        console.print(table)

    def write(self, path: Path) -> None:
        """Writes facts and figures as JSON."""
        figures = {
            section: {line.name: _values(line) for line in lines}
            for section, lines in self.sections.items()
        }
        path.write_text(json.dumps({**self.facts, **figures}, indent=1) + "\n", encoding="utf-8")


def _values(line: Line) -> Mapping[str, _Figure]:
    values = {"ours": line.ours, "real": line.real, "real functions alone": line.other}
    return {name: value for name, value in values.items() if value is not None}


def _shown(value: _Figure | None, unit: Unit) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{0 if value >= 100 else 4}f}"
