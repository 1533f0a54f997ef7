"""What is wrong with a dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it has to be."""

    kind: str
    """What was checked: `file`, `schema`, `id`, `duplicate`, `split`, `text`, `row` or `result`."""
    where: str
    """The file, or the row by its file and its number in it, from 0."""
    what: str
