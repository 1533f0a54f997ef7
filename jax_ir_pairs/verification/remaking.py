"""A row made again from its provenance, against the row, column by column.

What it runs is drawn from the config; of functions, it is their source in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.build.records import Rejection, remade_row
from jax_ir_pairs.config import Config
from jax_ir_pairs.verification.findings import Finding, difference, shortened
from jax_ir_pairs.verification.process import Verifier

_RESULTS = ("checked_by", "max_abs_error", "max_rel_error", "executed")
"""Columns that say what came of running the row."""


def other_than_made(
    place: str, row: Mapping[str, Any], config: Config, split: str, shard: int, verifier: Verifier
) -> list[Finding]:
    """Gives the columns of the row that are others when it is made and checked again."""
    again = remade_row(config, split, shard, row["index"], row["seed"], verifier)
    if isinstance(again, Rejection):
        found = shortened(f"{again.reason}: {again.detail}")
        return [Finding("result", place, "made again", "a row", found)]
    return [
        Finding(
            "result" if name in _RESULTS else "bytes", place, name, *difference(value, row[name])
        )
        for name, value in again.items()
        if not _same(value, row[name])
    ]


def _same(ours: Any, theirs: Any) -> bool:
    # By their bits: 0.0 and -0.0 are two numbers, NaN and NaN one.
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours.hex() == theirs.hex()
    return bool(ours == theirs)
