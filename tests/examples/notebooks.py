"""Notebooks run from top to bottom in a kernel of their own."""

from __future__ import annotations

import os
import re
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
    environment = {name: os.environ[name] for name in os.environ if name not in _OF_THE_TESTS}
    client.execute(cwd=str(folder), env=environment | dict(variables))
    return notebook


def outputs(notebook: Any) -> Iterator[Any]:
    """Gives the outputs of all cells, in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def text(notebook: Any) -> str:
    """Gives what the cells print and show, as plain text without colors."""
    shown = (
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for output in outputs(notebook)
    )
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(shown))
