"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from upath import UPath

from jax_ir_pairs.location import Location

_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "hf", "memory"}
"""File systems where a file appears as its upload ends, and not before."""
TEMPORARY = ".*.tmp"
"""The glob pattern of the temporary files, which a killed process leaves behind."""


@contextmanager
def replacing(path: Location) -> Iterator[Path]:
    """Gives the path of a temporary file that becomes `path` when the block ends well.

    It lies in the same folder, under a name that no other process or thread uses, and is gone
    when the block raises. For a URL it lies on this machine, and is uploaded.
    """
    if not isinstance(path, Path):
        with tempfile.TemporaryDirectory(prefix="jax-ir-pairs-") as folder:
            temporary = Path(folder, path.name)
            yield temporary
            _upload(temporary, path)
        return
    temporary = path.with_name(_temporary_name(path))
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _upload(file: Path, to: UPath) -> None:
    if to.protocol in _WHOLE:
        to.fs.put_file(str(file), to.path)
        return
    temporary = to.with_name(_temporary_name(to))
    try:
        to.fs.put_file(str(file), temporary.path)
        to.fs.mv(temporary.path, to.path)
    except BaseException:
        with suppress(FileNotFoundError):
            to.fs.rm_file(temporary.path)
        raise


def _temporary_name(place: Location) -> str:
    return f".{place.name}.{uuid.uuid4().hex[:12]}.tmp"


def replace_text(path: Location, text: str) -> None:
    """Makes `path` hold `text`."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
