"""Shards written by hand, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jax_ir_pairs.schema import arrow_schema

OPTIONAL = ("checked_by", "max_abs_error", "max_rel_error", "executed", "passes")
"""Columns that a build may lack, and that are written only where a test asks for them."""

_EMPTY = {"string": "", "int32": 0, "int64": 0, "double": 0.0}


def write(
    folder: Path, split: str, rows: list[dict[str, Any]], further: Iterable[pa.Field] = ()
) -> None:
    """Writes a shard of rows that have these values, in row groups of two."""
    always = [field for field in arrow_schema() if field.name not in OPTIONAL]
    default = {field.name: _EMPTY.get(str(field.type), []) for field in always}
    folder.mkdir(exist_ok=True)
    table = pa.Table.from_pylist([default | row for row in rows], pa.schema([*always, *further]))
    pq.write_table(table, folder / f"{split}-00000-of-00001.parquet", row_group_size=2)
