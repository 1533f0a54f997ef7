"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".*.tmp"
"""The glob pattern of the temporary files, which a killed process leaves behind."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the path of a temporary file that becomes `path` when the block ends well.

    It lies in the same folder, under a name that no other process or thread uses, and is gone
    when the block raises.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Makes `path` hold `text`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
