"""Notebooks run from top to bottom in a kernel of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))

_OF_THE_TESTS = ("JAX_PLATFORMS", "NPROC", "XLA_FLAGS")
"""What pins a compilation; a reader's kernel has none of it."""


def executed(path: Path, folder: Path, variables: Mapping[str, str]) -> Any:
    """Gives the notebook with its outputs, run in `folder`; raises what a cell raises."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=3600, record_timing=False, kernel_name="python3")
    environment = {n: value for n, value in os.environ.items() if n not in _OF_THE_TESTS}
    with client.setup_kernel(cwd=str(folder), env=environment | dict(variables)):
        number = 0
        for place, cell in enumerate(notebook.cells):
            number += cell.cell_type == "code"
            client.execute_cell(cell, place, execution_count=number)
    return notebook


def outputs(notebook: Any) -> Iterator[Any]:
    """Gives the outputs of all cells, in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def text(notebook: Any) -> str:
    """Gives what the cells print and show, as plain text."""
    shown = (
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for output in outputs(notebook)
    )
    return "\n".join(shown)
