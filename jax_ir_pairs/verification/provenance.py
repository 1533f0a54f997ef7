"""What a row says of where it is and what made it, against its file and the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.build import Shard
from jax_ir_pairs.verification.dataset import BuiltConfig
from jax_ir_pairs.verification.findings import Finding, difference

_MADE_BY = {"jax_version": "jax", "jaxlib_version": "jaxlib", "compiler_flags": "compiler_flags"}
"""Columns, and what the manifest calls the same."""


def expected_columns(built: BuiltConfig, file: str) -> dict[str, Any]:
    """Gives the columns that are the same in all rows of a file, as they have to be."""
    expected: dict[str, Any] = {"config": built.name}
    if shard := Shard.of_file(file):
        expected |= {"split": shard.split, "shard": shard.number}
    made_by = built.manifest["build"] if built.manifest else {}
    return expected | {c: made_by[part] for c, part in _MADE_BY.items() if part in made_by}


def wrong_columns(place: str, row: Mapping[str, Any], expected: Mapping[str, Any]) -> list[Finding]:
    """Gives where the row says otherwise."""
    return [
        Finding("provenance", place, name, *difference(value, row[name]))
        for name, value in expected.items()
        if row[name] != value
    ]


def wrong_place(
    place: str, row: Mapping[str, Any], before: int, candidates: Sequence[int] | None
) -> Finding | None:
    """Gives the finding where the row is out of order, or the plan has another seed there.

    `before` is the `index` of the row before it, or -1, and `candidates` what the plan has for the
    shard, where this code can make that plan.
    """
    index, seed = row["index"], row["seed"]
    if index <= before:
        after = f"over {before}, that of the row before"
        return Finding("provenance", place, "index", after, str(index))
    if candidates is None or (index < len(candidates) and candidates[index] == seed):
        return None
    planned = str(candidates[index]) if index < len(candidates) else "no candidate"
    return Finding("provenance", place, f"seed of index {index}", planned, str(seed))
