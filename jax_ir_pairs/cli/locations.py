"""Arguments that name a folder or a URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.location import Location
else:
    Location = Path  # typer knows no unions, and asks the parser anyway

__all__ = ["Location", "parse_folder", "parse_location"]


def parse_location(text: str) -> Location:
    """Gives the folder or the URL of this name.

    **Raises:** [`UsageError`][] for a URL that cannot be one here.
    """
    from jax_ir_pairs.location import location

    return location(text)


def parse_folder(text: str) -> Path:
    """Gives the folder of this name.

    **Raises:** [`UsageError`][] for a URL.
    """
    found = parse_location(text)
    if not isinstance(found, Path):
        raise UsageError(f"{text}: this reads a folder of this machine; copy it here first.")
    return found
