"""The command that checks a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from jax_ir_pairs.cli.locations import Location, parse_location
from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.verification import Report

_LINES = 20
"""Findings of one kind that are shown."""


def verify(
    folder: Annotated[
        Location,
        typer.Argument(
            metavar="DIR",
            parser=parse_location,
            help="Folder that `build` made, or a download of one.",
        ),
    ],
    config: Annotated[str | None, typer.Option("--config", help="Check only this one.")] = None,
    rows: Annotated[
        str,
        typer.Option(metavar="N|all", help="Make so many rows again, and compare and run them."),
    ] = "0",
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, help="Processes that parse and compile.")
    ] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what is wrong as JSON too.")
    ] = None,
) -> None:
    """Check that a dataset is what its manifest says, and that its rows can be made again.

    Fails, with a table of what is wrong, where it is not.
    """
    from jax_ir_pairs.verification import verify as check

    number = _number(rows)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("verifying", total=0)
        report = check(
            folder,
            config=config,
            rows=number,
            workers=workers,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json_file is not None:
        json_file.write_text(report.as_json(), encoding="utf-8", newline="\n")
    out = Console()
    for line in summary(report):
        out.print(line, soft_wrap=True, markup=False, highlight=False)
    if not report.is_sound:
        Console(width=max(out.width, 160)).print(table(report))
        raise typer.Exit(1)


def summary(report: Report) -> list[str]:
    """Says what was looked at, and how much of it is wrong."""
    looked = [f"{report.files:,} files", f"{report.rows:,} rows", f"{report.texts:,} texts parsed"]
    looked += [f"{report.remade:,} rows made again"] * bool(report.remade)
    looked += [f"{report.run:,} rows run"] * bool(report.run)
    lines = [f"{', '.join(report.configs)}: {', '.join(looked)}."]
    lines += [
        f"{count:,} rows are {what}: their bytes are not compared, they are run."
        for what, count in report.not_remade.items()
    ]
    lines += [
        f"{count:,} texts in {column} are of another jaxlib, and not read by this one."
        for column, count in report.not_read.items()
    ]
    lines += [
        f"{n:,} rows could not be run: {why.rstrip('.')}."
        for why, n in report.not_run.most_common()
    ]
    if report.is_sound:
        return [*lines, "Nothing is wrong."]
    counts = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items())
    return [*lines, f"Wrong: {counts}."]


def table(report: Report) -> Table:
    """Gives what is wrong, the first findings of each kind."""
    shown = Table("kind", "where", "what", "expected", "found", box=None)
    for column in shown.columns:
        column.overflow, column.no_wrap = "fold", column.header in {"kind", "where"}
    for kind, findings in report.findings.items():
        for each in findings[:_LINES]:
            shown.add_row(kind, *map(escape, (each.place, each.what, each.expected, each.found)))
        if (more := report.counts[kind] - _LINES) > 0:
            shown.add_row(kind, f"and {more:,} more")
    return shown


def _number(rows: str) -> int | None:
    if rows == "all":
        return None
    if not rows.isdecimal():
        raise UsageError(f"--rows {rows!r}: must be a number, such as 100, or all.")
    return int(rows)
