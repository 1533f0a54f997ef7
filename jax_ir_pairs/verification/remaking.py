"""Rows made again from their provenance, and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jax_ir_pairs.build.records import Rejection, remade_row
from jax_ir_pairs.config import Config
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.verification.finding import Finding


def check_row(
    where: str, row: Mapping[str, Any], config: Config, process: CheckingProcess
) -> Iterator[Finding]:
    """Gives the columns in which a row is not what its seed gives with this code and compiler."""
    other = remade_row(config, row["split"], row["shard"], row["index"], row["seed"], process)
    if isinstance(other, Rejection):
        yield Finding("row", where, f"is rejected when made again: {other.reason} {other.detail}")
        return
    for column, value in other.items():
        if row[column] != value:
            kind = "result" if column in ("checked_by", "max_abs_error", "max_rel_error") else "row"
            yield Finding(kind, where, f"{column}: {_difference(row[column], value)}")


def _difference(found: object, made: object) -> str:
    if not (isinstance(found, str) and isinstance(made, str)):
        return f"{_short(found)}, and made again {_short(made)}"
    lines = list(zip(found.splitlines(), made.splitlines(), strict=False))
    number = next((n for n, (a, b) in enumerate(lines) if a != b), len(lines))
    ours, theirs = (text.splitlines()[number : number + 1] for text in (found, made))
    return f"line {number + 1}: {_short(''.join(ours))}, and made again {_short(''.join(theirs))}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
