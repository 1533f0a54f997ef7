"""Statistics as tables for the terminal, and as a short page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.inspect.statistics import Statistics
from jax_ir_pairs.schema import LEVELS

_TOP_PRIMITIVES = 12


def tables(statistics: Statistics) -> RenderableType:
    """Gives the statistics for the terminal."""
    title = f"{statistics.config}: {statistics.rows:,} rows"
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    table.add_column("", no_wrap=True)
    for heading in _headings(statistics):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, *cells in _lines(statistics):
        table.add_row(name, *cells)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    for name, text in _facts(statistics).items():
        facts.add_row(name, text)
    return Group(table, Text(), facts)


def markdown(statistics: Statistics) -> str:
    """Gives the statistics as Markdown, of which each build with the same rows has the same."""
    headings = ["", *_headings(statistics)]
    lines = [
        f"# Statistics of {statistics.config}",
        "",
        f"{statistics.rows:,} rows. Written by "
        f"`jax-ir-pairs stats DIR --config {statistics.config} --markdown FILE`.",
        "",
        f"| {' | '.join(headings)} |",
        "|---|" + "---:|" * (len(headings) - 1),
        *(f"| {' | '.join(cells)} |" for cells in _lines(statistics)),
        "",
        *(f"- {name}: {text}" for name, text in _facts(statistics).items()),
    ]
    return "\n".join(lines) + "\n"


def _headings(statistics: Statistics) -> list[str]:
    return [*statistics.splits, "mean row", "unique"]


def _lines(statistics: Statistics) -> list[list[str]]:
    splits = statistics.splits.values()
    rows = statistics.rows
    lines = [["rows", *(f"{split.rows:,}" for split in splits), "", ""]]
    for level in LEVELS:
        sizes = [split.text_bytes[level] for split in splits]
        unique = f"{statistics.unique[level]:,} ({_share(statistics.unique[level], rows)})"
        mean = f"{sum(sizes) / max(rows, 1):,.0f} B"
        lines.append([level, *map(readable_bytes, sizes), mean, unique])
    stored = [split.stored_bytes for split in splits]
    mean = f"{sum(stored) / max(rows, 1):,.0f} B"
    lines.append(["on disk", *map(readable_bytes, stored), mean, ""])
    structures = [split.structures for split in splits]
    distinct = sum(structures) - statistics.shared_structures
    lines.append(["structures", *(f"{count:,}" for count in structures), "", f"{distinct:,}"])
    return lines


def _facts(statistics: Statistics) -> dict[str, str]:
    rows = statistics.rows
    rejections = statistics.rejections
    top = dict(islice(statistics.primitives.items(), _TOP_PRIMITIVES))
    rejected = "not sealed yet" if rejections is None else _counts(rejections) or "none"
    return {
        "Families, of rows": _shares(statistics.families, rows),
        f"Primitives, {len(statistics.primitives)}, of rows": f"{_shares(top, rows)}, …"
        if len(top) < len(statistics.primitives)
        else _shares(top, rows),
        "Structures in more than one split": f"{statistics.shared_structures:,}",
        "Rejected": rejected,
        "Made with JAX": ", ".join(statistics.jax_versions),
    }


def _shares(counts: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {_share(count, total)}" for name, count in counts.items())


def _share(count: int, total: int) -> str:
    return f"{100 * count / max(total, 1):.1f} %"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def readable_bytes(number: int) -> str:
    """Writes a number of bytes with three digits or so, in decimal units."""
    size = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
