"""Small rows of the sample, with a further target's text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jax_ir_pairs.targets import TARGETS, further

SAMPLE = Path(__file__).parents[2] / "data/sample/train-00000-of-00001.parquet"

ROWS: list[dict[str, Any]] = sorted(
    pq.read_table(SAMPLE).to_pylist(), key=lambda row: len(row["optimized_hlo"])
)[:12]


def for_all_targets(row: dict[str, Any]) -> dict[str, Any]:
    """Gives the row with a text for every target, made up: the CPU's, which parses as any."""
    columns = [target.column("optimized_hlo") for target in further(tuple(TARGETS))]
    return row | dict.fromkeys(columns, row["optimized_hlo"])
