from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.inspect import distribution
from jax_ir_pairs.inspect.distribution import Distribution
from jax_ir_pairs.inspect.near_duplicates import NearDuplicates, as_json
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.statistics import statistics
from jax_ir_pairs.inspect.statistics_json import as_json as written
from jax_ir_pairs.schema import LEVELS
from tests.inspect.shard_files import write as write

TRAIN: list[dict[str, Any]] = [
    {"python": "é", "jaxpr": "j", "family": "a", "primitives": ["add"]}
    | {"structure_hash": "one", "hlo": "x" * 4, "optimized_hlo": "x" * 8, "num_devices": 1},
    {"python": "ab", "jaxpr": "j", "family": "b", "primitives": ["add", "mul"]}
    | {"structure_hash": "one", "transforms": ["vmap", "grad", "vmap"], "num_eqns": 7}
    | {"num_devices": 2, "flops": 1.5},
    {"python": "abc", "jaxpr": "k", "family": "b", "primitives": ["mul", "sin", "add"]}
    | {"structure_hash": "two", "transforms": ["grad"], "num_eqns": 2, "num_devices": 1},
]
TEST: list[dict[str, Any]] = [
    {"python": "x", "jaxpr": "k", "family": "b", "structure_hash": "two", "num_devices": 1},
    {"structure_hash": "three", "family": "c", "num_devices": 1},
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Two splits that no manifest tells of."""
    write(tmp_path / "mine", "train", TRAIN)
    write(tmp_path / "mine", "test", TEST)
    return tmp_path / "mine"


def test_counts_over_row_groups_and_splits(mine: Path) -> None:
    found = statistics(find_config(mine))
    assert found.rows == 5
    train = found.splits["train"]
    assert (train.rows, train.shards, train.structures) == (3, 1, 2)
    assert train.text_bytes["python"] == 7
    assert train.stored_bytes == (mine / "train-00000-of-00001.parquet").stat().st_size
    python = found.texts["python"]
    assert python.bytes == Distribution(5, 8, 0, 3, (0, 1, 2, 3), (1, 1, 2, 1))
    assert (python.unique, python.exact, python.tokens, python.near_duplicates) == (
        (5, True, None, None)
    )
    assert found.texts["jaxpr"].unique == 3
    assert found.texts["stablehlo"].unique == 1
    assert found.shared_structures == 1
    assert found.rejections is None


def test_names_are_counted_once_a_row_and_the_most_frequent_come_first(mine: Path) -> None:
    found = statistics(find_config(mine))
    assert list(found.families.items()) == [("b", 3), ("a", 1), ("c", 1)]
    assert list(found.primitives.items()) == [("add", 3), ("mul", 2), ("sin", 1)]
    assert list(found.transforms.items()) == [("none", 3), ("grad", 2), ("vmap", 1)]
    assert found.family_transforms == {
        "b": {"grad": 2, "none": 1, "vmap": 1},
        "a": {"none": 1},
        "c": {"none": 1},
    }
    assert found.devices == {1: 4, 2: 1}


def test_numbers_are_spread_by_column(mine: Path) -> None:
    found = statistics(find_config(mine))
    eqns = found.numbers["num_eqns"]
    assert (eqns.total, eqns.percentile(50), eqns.percentile(90), eqns.greatest) == (9, 0, 7, 7)
    assert found.numbers["flops"].total == 1.5
    assert set(found.numbers) == {
        *("num_eqns", "num_stablehlo_ops", "num_hlo_instructions", "num_fusions"),
        *("flops", "bytes_accessed", "transcendentals", "peak_memory_bytes"),
    }
    # One row has both modules: 4 and 8 bytes, two and three doublings of one.
    assert found.optimization.ratio.total == 2
    assert found.optimization.cells == ((16, 24, 1),)


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
    for level in LEVELS:
        sizes = [len(row[level].encode()) for row in rows]
        lengths = found.texts[level].bytes
        assert (lengths.count, lengths.total) == (11, sum(sizes))
        assert (lengths.least, lengths.greatest) == (min(sizes), max(sizes))
    assert found.primitives == Counter(name for row in rows for name in row["primitives"])
    assert found.shared_structures == 0
    assert found.rejections is not None


def test_the_manifest_tells_what_is_distinct_and_counting_says_the_same(
    tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny / "tiny", folder)
    told = statistics(find_config(folder))
    (folder / "manifest.json").unlink()
    assert statistics(find_config(folder)) == replace(told, rejections=None)

    manifest = json.loads((tiny / "tiny" / "manifest.json").read_bytes())
    manifest["levels"]["hlo"]["unique"] = 3
    manifest["structures"] |= {"train": 2, "in_more_than_one_split": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    told = statistics(find_config(folder))
    assert (told.texts["hlo"].unique, told.splits["train"].structures) == (3, 2)
    assert told.shared_structures == 1

    (folder / "test-00000-of-00001.parquet").unlink()
    part = statistics(find_config(folder))
    paths = [path for paths in find_config(folder).shards.values() for path in paths]
    texts = {text for path in paths for text in pq.read_table(path)["hlo"].to_pylist()}
    assert part.texts["hlo"].unique == len(texts) > 3, "it tells of a shard that is not there"
    assert part.rejections == told.rejections


def test_where_too_many_are_distinct_they_are_estimated(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "SKETCH", 2)
    found = statistics(find_config(mine))
    assert not found.texts["python"].exact
    assert found.texts["stablehlo"].exact
    assert found.shared_structures is None


def test_near_duplicates_that_were_counted_are_shown(mine: Path) -> None:
    (mine / "near_duplicates.json").write_text(
        as_json({"jaxpr": NearDuplicates(5, 4, 3)}), encoding="utf-8"
    )
    found = statistics(find_config(mine))
    assert found.texts["jaxpr"].near_duplicates == NearDuplicates(5, 4, 3)
    assert found.texts["python"].near_duplicates is None


def test_columns_of_checks_targets_and_passes_are_counted(tmp_path: Path) -> None:
    passes = pa.list_(pa.struct({"pipeline": pa.string(), "pass": pa.string(), "hlo": pa.string()}))
    further = [
        pa.field("checked_by", pa.string()),
        pa.field("max_abs_error", pa.float64()),
        pa.field("max_rel_error", pa.float64()),
        pa.field("executed", pa.bool_()),
        pa.field("stablehlo_tpu_v5e", pa.string()),
        pa.field("optimized_hlo_tpu_v5e", pa.string()),
        pa.field("passes", passes),
    ]
    dce, fusion = (
        {"pipeline": "p", "pass": name, "hlo": f"after {name}"} for name in ("dce", "fusion")
    )
    rows: list[dict[str, Any]] = [
        {"checked_by": "interpreter", "max_abs_error": 0.25, "max_rel_error": 0.0}
        | {"executed": True, "peak_memory_bytes": 96}
        | {"optimized_hlo_tpu_v5e": "four", "passes": [dce, fusion, dce]},
        {"checked_by": "interpreter", "max_abs_error": 0.75, "passes": [dce]}
        | {"executed": False, "peak_memory_bytes": None},
        {"max_abs_error": float("nan"), "stablehlo_tpu_v5e": "m", "optimized_hlo_tpu_v5e": "mm"}
        | {"executed": False, "peak_memory_bytes": None},
    ]
    write(tmp_path / "mine", "train", rows, further)
    found = statistics(find_config(tmp_path))
    assert found.oracles == {"interpreter": 2, "none": 1}
    assert found.executed == 1
    assert (found.numbers["peak_memory_bytes"].count, found.rows) == (1, 3)
    errors = found.numbers["max_abs_error"]
    assert (errors.count, errors.greatest, errors.percentile(50)) == (2, 0.75, 0.25)
    assert found.numbers["max_rel_error"].count == 1
    assert found.targets == {"tpu-v5e": 2}
    assert found.texts["optimized_hlo_tpu_v5e"].bytes.total == 6
    assert found.texts["stablehlo_tpu_v5e"].unique == 1
    assert found.splits["train"].text_bytes["optimized_hlo_tpu_v5e"] == 6
    assert found.passes == {"dce": 2, "fusion": 1}


def test_columns_that_are_not_there_leave_no_trace(mine: Path) -> None:
    text = written(statistics(find_config(mine)))
    for name in (
        "oracles",
        "executed",
        "error",
        "targets",
        "passes",
        "token",
        "near",
        "rejections",
    ):
        assert name not in text
