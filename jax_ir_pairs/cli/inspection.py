"""The commands that look at what was built: single rows, statistics, coverage, near-duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jax_ir_pairs.cli.errors import fail
from jax_ir_pairs.cli.locations import Location, parse_location

Folder = Annotated[
    Location,
    typer.Argument(metavar="DIR", parser=parse_location, help="Folder that `build` made."),
]
ConfigName = Annotated[
    str | None, typer.Option("--config", help="Config, where DIR holds several.")
]


def show(
    folder: Folder,
    config: ConfigName = None,
    split: Annotated[
        str | None, typer.Option(help="Split to take the row from. [train; all, with --id]")
    ] = None,
    row: Annotated[int, typer.Option(min=0, help="Number of the row in its split.")] = 0,
    id: Annotated[str | None, typer.Option("--id", help="Id of the row, or its start.")] = None,
    level: Annotated[
        list[str] | None,
        typer.Option(
            help="Level to show, or passes, where the config has them; "
            "can be given several times. [all levels]"
        ),
    ] = None,
    line: Annotated[
        int | None,
        typer.Option(min=1, help="Show only this line of Python and what came from it."),
    ] = None,
    lines: Annotated[int, typer.Option(min=1, help="Longest text shown, in lines.")] = 40,
    full: Annotated[bool, typer.Option("--full", help="Show texts whole.")] = False,
) -> None:
    """Show one row at every level."""
    from jax_ir_pairs.inspect.line_view import print_line
    from jax_ir_pairs.inspect.parquet_files import find_config
    from jax_ir_pairs.inspect.row_view import check_levels, print_row
    from jax_ir_pairs.inspect.rows import row_at, row_with_id

    levels = check_levels(level or ())
    files = find_config(folder, config)
    if id is None:
        found = row_at(files, split or "train", row)
    else:
        found = row_with_id(files, id, [split] if split else list(files.shards))
    if line is None:
        print_row(Console(), found, levels=levels, max_lines=None if full else lines)
    else:
        print_line(Console(), found, line, levels=levels)


def stats(
    folder: Folder,
    config: ConfigName = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON too.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write them as Markdown too.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw them as PNG files too.")
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Count tokens too: a repository on the Hub, or a tokenizer.json."
        ),
    ] = None,
    token_rows: Annotated[
        int, typer.Option(min=0, help="Rows whose tokens are counted; 0 for all.")
    ] = 2000,
) -> None:
    """Count what a build holds: texts, sizes, families, transformations, primitives."""
    from jax_ir_pairs.inspect import statistics_view as view
    from jax_ir_pairs.inspect.parquet_files import find_config
    from jax_ir_pairs.inspect.statistics import statistics
    from jax_ir_pairs.inspect.statistics_json import as_json

    files = find_config(folder, config)
    if plots is not None:
        from jax_ir_pairs.inspect.plots import check_installed, draw

        check_installed()
    found = statistics(files, tokenizer, token_rows)
    Console().print(view.tables(found))
    if json_file is not None:
        json_file.write_text(as_json(found), encoding="utf-8", newline="\n")
    if markdown is not None:
        markdown.write_text(view.markdown(found), encoding="utf-8", newline="\n")
    if plots is not None:
        draw(found, plots)


def coverage(
    folder: Folder,
    config: ConfigName = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all counts as JSON too.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it as Markdown too.")
    ] = None,
    least: Annotated[int, typer.Option(min=1, help="Rows that count as enough.")] = 10,
) -> None:
    """Count what of JAX and the compiler a build covers, and name what it does not.

    Fails where something has no row, and no reason why not.
    """
    from jax_ir_pairs.inspect import coverage_view as view
    from jax_ir_pairs.inspect.coverage import coverage as count
    from jax_ir_pairs.inspect.coverage_reasons import installed_registry, reasons
    from jax_ir_pairs.inspect.parquet_files import find_config

    files = find_config(folder, config)
    registry = installed_registry()
    found = count(files, registry, reasons(registry.jax_version))
    Console().print(view.tables(found, least))
    if json_file is not None:
        json_file.write_text(view.as_json(found, least), encoding="utf-8", newline="\n")
    if markdown is not None:
        markdown.write_text(view.markdown(found, least), encoding="utf-8", newline="\n")
    if found.missing:
        names = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in found.missing.items())
        fail(f"error: these are in no row, and coverage_reasons.yaml has no reason: {names}.", 1)


def near_duplicates(
    folder: Folder,
    config: ConfigName = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the counts as JSON too.")
    ] = None,
) -> None:
    """Count the rows that are nearly the same as another, but for names."""
    from jax_ir_pairs.inspect.near_duplicates import as_json, near_duplicates, table
    from jax_ir_pairs.inspect.parquet_files import find_config

    found = near_duplicates(find_config(folder, config))
    Console().print(table(found))
    if json_file is not None:
        json_file.write_text(as_json(found), encoding="utf-8", newline="\n")
