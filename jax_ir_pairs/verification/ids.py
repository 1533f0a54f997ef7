"""The id of a row against what it is the hash of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.build.records import text_hash
from jax_ir_pairs.verification.findings import Finding


def wrong_id(place: str, row: Mapping[str, Any]) -> Finding | None:
    """Gives the finding where the id is not that of `python` and `inputs`."""
    expected = text_hash(row["python"] + row["inputs"])
    return None if row["id"] == expected else Finding("id", place, "id", expected, row["id"])
