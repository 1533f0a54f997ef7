"""What each pass of the compiler did to a row's module, for a person to read in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from jax_ir_pairs.inspect.highlighting import highlighted

_FIRST = "before any pass"


def print_passes(console: Console, passes: Sequence[Mapping[str, str]], *, full: bool) -> None:
    """Prints a line for each step: the pass, and how many lines it added and removed.

    With `full` the modules follow, each as it is after its pass.
    """
    changes = max(0, len(passes) - 1)
    title = f"passes ({changes:,} change{'' if changes == 1 else 's'})"
    console.print(Rule(title, align="left", style="dim"))
    table = Table("", "pipeline", "pass", "lines", "added", "removed", box=None)
    for column in (table.columns[0], *table.columns[3:]):
        column.justify = "right"
    before: Counter[str] = Counter()
    for number, step in enumerate(passes):
        lines = Counter(step["hlo"].rstrip("\n").split("\n"))
        added, removed = (lines - before).total(), (before - lines).total()
        change = (f"+{added:,}", f"-{removed:,}") if number else ("", "")
        name = step["pass"] or _FIRST
        table.add_row(f"{number}", step["pipeline"], name, f"{lines.total():,}", *change)
        before = lines
    console.print(table)
    if not full:
        console.print("--full shows the modules", style="dim")
        return
    for number, step in enumerate(passes):
        names = " · ".join(filter(None, (step["pipeline"], step["pass"]))) or _FIRST
        console.print(Rule(f"{number}: {names}", align="left", style="dim"))
        console.print(highlighted("hlo", step["hlo"].rstrip("\n")), soft_wrap=True)
