"""One row out of the shards, without reading the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.inspect.parquet_files import ConfigFiles, open_shard

Row = dict[str, Any]


def row_at(files: ConfigFiles, split: str, number: int) -> Row:
    """Gives row `number` of `split`, counted from 0 over its shards in order.

    **Raises:** [`UsageError`][] where the split has fewer rows; [`BuildError`][] where a shard
    cannot be read.
    """
    before = 0
    for path in files.of_split(split):
        with open_shard(path) as shard:
            for group in range(shard.num_row_groups):
                rows = shard.metadata.row_group(group).num_rows
                if 0 <= number - before < rows:
                    row: Row = shard.read_row_group(group).slice(number - before, 1).to_pylist()[0]
                    return row
                before += rows
    raise UsageError(
        f"There is no row {number} in {split} of {files.name}: it has {before:,} rows."
    )


def row_with_id(files: ConfigFiles, start: str, splits: Sequence[str]) -> Row:
    """Gives the first row of these splits whose id starts with `start`.

    **Raises:** [`UsageError`][] where no row has such an id; [`BuildError`][] where a shard cannot
    be read.
    """
    for path in (path for split in splits for path in files.of_split(split)):
        with open_shard(path) as shard:
            for group in range(shard.num_row_groups):
                ids = shard.read_row_group(group, columns=["id"])["id"].to_pylist()
                for place, id_ in enumerate(ids):
                    if id_.startswith(start):
                        row: Row = shard.read_row_group(group).slice(place, 1).to_pylist()[0]
                        return row
    raise UsageError(f"There is no row whose id starts with {start!r} in {files.name}.")
