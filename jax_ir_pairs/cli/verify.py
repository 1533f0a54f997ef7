"""The command that holds a dataset against its own claims."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.cli.inspection import ConfigName, Folder
from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.verification import Verification

_SHOWN = 20


def verify(
    folder: Folder,
    config: ConfigName = None,
    rows: Annotated[
        str,
        typer.Option(metavar="N|all", help="Rows that are parsed, made again, compared and run."),
    ] = "0",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the outcome as JSON too.")
    ] = None,
) -> None:
    """Hold a build, or a download of one, against its manifest, its schema and its programs."""
    from jax_ir_pairs.inspect.parquet_files import find_config
    from jax_ir_pairs.verification import verify as run

    wanted = _number(rows)
    files = find_config(folder, config)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("files")

        def step(what: str, done: int, of: int) -> None:
            progress.update(task, description=what, completed=done, total=of)

        found = run(files.folder, wanted, step)
    if json_file is not None:
        text = json.dumps(asdict(found), indent=1) + "\n"
        json_file.write_text(text, encoding="utf-8", newline="\n")
    _print(console, found)
    if found.findings:
        raise typer.Exit(1)


def _number(rows: str) -> int | None:
    if rows == "all":
        return None
    if not rows.isdecimal():
        raise UsageError(f"--rows: {rows!r} must be a number of rows, or all.")
    return int(rows)


def _print(console: Console, found: Verification) -> None:
    done = [f"{found.rows:,} rows of {found.config} held against manifest and schema"]
    if found.remade:
        done.append(f"{found.remade:,} made again and compared")
    if found.run:
        done.append(f"{found.run:,} run")
    console.print(Text("; ".join(done) + "."))
    if found.made_by:
        console.print(
            Text(f"It was made with another {found.made_by}: rows are run, not made again.")
        )
    if not found.findings:
        console.print("Nothing is wrong.")
        return
    table = Table("what", "where", "problem", box=None)
    shown: Counter[str] = Counter()
    for finding in found.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= _SHOWN:
            table.add_row(finding.kind, finding.where, Text(finding.what))
    console.print(table)
    for kind, count in shown.items():
        if count > _SHOWN:
            console.print(Text(f"and {count - _SHOWN:,} more of {kind}"))
    counts = ", ".join(f"{count:,} {kind}" for kind, count in shown.items())
    console.print(Text(f"{len(found.findings):,} findings: {counts}."))
