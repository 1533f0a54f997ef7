from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.statistics import statistics
from jax_ir_pairs.schema import LEVELS, arrow_schema


def write(folder: Path, split: str, rows: list[dict[str, Any]]) -> None:
    """Writes a shard of rows that have these values, in row groups of two."""
    empty = {"string": "", "int32": 0, "int64": 0, "double": 0.0}
    default = {field.name: empty.get(str(field.type), []) for field in arrow_schema()}
    folder.mkdir(exist_ok=True)
    table = pa.Table.from_pylist([default | row for row in rows], arrow_schema())
    pq.write_table(table, folder / f"{split}-00000-of-00001.parquet", row_group_size=2)


def test_counts_over_row_groups_and_splits(tmp_path: Path) -> None:
    one, two, three = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in "abc")
    write(
        tmp_path / "mine",
        "train",
        [
            {"python": "é", "jaxpr": "j", "family": "a", "primitives": ["add"]}
            | {"structure_hash": one},
            {"python": "ab", "jaxpr": "j", "family": "b", "primitives": ["add", "mul"]}
            | {"structure_hash": one},
            {"python": "abc", "jaxpr": "k", "family": "b", "primitives": ["mul", "sin", "add"]}
            | {"structure_hash": two},
        ],
    )
    test = {"python": "x", "jaxpr": "k", "family": "b", "structure_hash": two}
    write(tmp_path / "mine", "test", [test, {"structure_hash": three}])

    found = statistics(find_config(tmp_path))
    assert found.rows == 5
    train = found.splits["train"]
    assert (train.rows, train.shards, train.structures) == (3, 1, 2)
    assert train.text_bytes["python"] == 7
    assert train.stored_bytes == (tmp_path / "mine/train-00000-of-00001.parquet").stat().st_size
    assert found.unique["python"] == 5
    assert found.unique["jaxpr"] == 3
    assert found.unique["hlo"] == 1
    assert list(found.families.items()) == [("b", 3), ("", 1), ("a", 1)]
    assert list(found.primitives.items()) == [("add", 3), ("mul", 2), ("sin", 1)]
    assert found.shared_structures == 1
    assert found.rejections is None


def test_counts_of_a_build_are_those_of_its_rows(tiny: Path) -> None:
    files = find_config(tiny)
    rows = [
        row
        for split in files.shards
        for path in files.of_split(split)
        for row in pq.read_table(path).to_pylist()
    ]
    found = statistics(files)
    assert found.rows == len(rows) == 11
    assert found.unique == {level: len({row[level] for row in rows}) for level in LEVELS}
    assert found.primitives == Counter(name for row in rows for name in row["primitives"])
    assert found.shared_structures == 0
    assert found.rejections is not None


def test_a_manifest_that_is_none_is_named(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / "manifest.json").write_text("[]", encoding="utf-8")
    with pytest.raises(BuildError, match=r"manifest\.json: is not a manifest"):
        statistics(find_config(tmp_path))
