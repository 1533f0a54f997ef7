"""Tables in Markdown, and their place in a page: between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jax_ir_pairs.atomic import replace_text

_BEGIN = "<!-- benchmarks/build.py writes this -->"
_END = "<!-- and no more -->"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], first: str = "---") -> str:
    """Gives a table of figures, whose first column has names unless `first` puts it right too."""
    rule = "|".join([first, *["---:"] * (len(head) - 1)])
    lines = ["|".join(f" {cell} " if cell else " " for cell in cells) for cells in (head, *rows)]
    return "\n".join(f"|{line}|" for line in (lines[0], rule, *lines[1:]))


def milliseconds(seconds: float) -> str:
    """Gives a time with three digits or more."""
    value = 1e3 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def with_region(page: str, content: str) -> str:
    """Gives the text of a page with `content` between its two marks.

    **Raises:** ValueError where the marks are not there.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError("the page has no place for it")
    return f"{before}{begin}\n{content}\n{end}{after}"


def write_region(path: Path, content: str) -> None:
    """Replaces what is between the two marks of a page."""
    replace_text(path, with_region(path.read_text(encoding="utf-8"), content))
