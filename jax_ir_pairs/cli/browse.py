"""The commands' way to the page: served until Ctrl-C, or written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from jax_ir_pairs.cli.inspection import ConfigName, Folder
from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.browse.rows import Rows

PORT = 8642
ROWS = 500

Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the page to this file.")
]
Port = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help=f"Port to serve the page on; 0 for any. [{PORT}]"),
]


def browse(
    folder: Folder,
    config: ConfigName = None,
    port: Port = None,
    html: Html = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help=f"Rows that --html takes, from the first. [{ROWS}]")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open a browser too.")] = False,
) -> None:
    """Show rows at all levels side by side, on a page for a browser.

    The page is served to this machine only, until Ctrl-C, or written to one file that needs no
    server.
    """
    from jax_ir_pairs.browse.rows import FolderRows
    from jax_ir_pairs.inspect.parquet_files import find_config

    if rows is not None and html is None:
        raise UsageError("--rows is for --html FILE; what is served has all rows.")
    show_page(FolderRows(find_config(folder, config)), port, html, rows or ROWS, open_it)


def show_page(
    rows: Rows, port: int | None, html: Path | None, limit: int = ROWS, open_it: bool = False
) -> None:
    """Writes the page to `html` if that is given, or else serves it until Ctrl-C.

    **Raises:** [`UsageError`][] where both are asked for, or where the port cannot be had.
    """
    import webbrowser

    if html is not None and port is not None:
        raise UsageError("--html writes and --port serves; give one of them.")
    if html is not None:
        _write(rows, html, limit)
        if open_it:
            webbrowser.open(html.resolve().as_uri())
        return
    from jax_ir_pairs.browse.server import open_server

    with open_server(rows, PORT if port is None else port) as server:
        number = len(rows.index)
        what = "1 row" if number == 1 else f"{number:,} rows"
        print(f"{rows.title}, {what}: {server.url} (Ctrl-C ends it)", flush=True)
        if open_it:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _write(rows: Rows, html: Path, limit: int) -> None:
    from jax_ir_pairs.browse.page import write_html

    with Console(stderr=True).status("packing rows"):
        number = write_html(rows, html, limit)
    size = html.stat().st_size / 1e6
    every = len(rows.index)
    what = (
        "1 row"
        if every == 1
        else f"{number:,} of {every:,} rows"
        if number < every
        else f"all {every:,} rows"
    )
    print(f"{html}: {what}, {size:.1f} MB.")
    if number < every:
        print(f"--rows {every} takes all of them, about {size / number * every:,.0f} MB.")
