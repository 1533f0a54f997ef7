from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.rows import row_at, row_with_id


def test_rows_are_numbered_over_the_shards_of_a_split(tiny: Path) -> None:
    files = find_config(tiny)
    rows = [row for path in files.of_split("train") for row in pq.read_table(path).to_pylist()]
    assert len(files.of_split("train")) > 1
    assert [row_at(files, "train", number) for number in range(len(rows))] == rows


@pytest.mark.parametrize("number", [7, 10**9, -1])
def test_a_row_that_is_not_there(tiny: Path, number: int) -> None:
    with pytest.raises(UsageError, match=rf"no row {number} in train of tiny: it has 7 rows"):
        row_at(find_config(tiny), "train", number)


def test_a_row_is_found_by_the_start_of_its_id(tiny: Path) -> None:
    files = find_config(tiny)
    row = row_at(files, "test", 1)
    assert row_with_id(files, row["id"], ["train", "test"]) == row
    assert row_with_id(files, row["id"][:8], ["test"]) == row
    with pytest.raises(UsageError, match="no row whose id starts with 'x' in tiny"):
        row_with_id(files, "x", ["train", "validation", "test"])


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_broken_shard_is_named(tiny: Path, tmp_path: Path, keep: int) -> None:
    shutil.copytree(tiny / "tiny", tmp_path / "tiny")
    files = find_config(tmp_path)
    path = files.of_split("test")[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BuildError, match=r"test-00000-of-00001\.parquet: cannot be read"):
        row_at(files, "test", 0)
