from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.browse.index import SIZES, index_of
from jax_ir_pairs.browse.rows import FolderRows, for_page
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.schema import LEVELS
from tests.browse.conftest import SAMPLE


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(SAMPLE / "train-00000-of-00001.parquet").to_pylist()
    return found


def test_the_index_says_what_the_rows_do(sample: FolderRows, rows: list[dict[str, Any]]) -> None:
    index = sample.index
    assert index.id == [row["id"] for row in rows]
    for name in SIZES:
        assert index.sizes[name] == [row[name] for row in rows]
    for name, named in index.named.items():
        told = [
            [named.names[code] for code in codes] if isinstance(codes, list) else named.names[codes]
            for codes in named.codes
        ]
        assert told == [row[name] for row in rows]


def test_the_index_of_a_slice(rows: list[dict[str, Any]]) -> None:
    part = index_of(pa.Table.from_pylist(rows).slice(40, 20)).named["primitives"]
    told = [[part.names[code] for code in codes] for codes in part.codes]
    assert told == [row["primitives"] for row in rows[40:60]]


def test_rows_of_several_shards_and_row_groups(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    table = pq.read_table(SAMPLE / "train-00000-of-00001.parquet")
    for shard, start in enumerate((0, 7)):
        path = tmp_path / f"train-{shard:05d}-of-00002.parquet"
        pq.write_table(table.slice(start, 7 - 2 * shard), path, row_group_size=3)
    found = FolderRows(find_config(tmp_path))
    assert len(found.index) == 12
    for number in (0, 2, 3, 6, 7, 11, 10, 5):
        assert found.row(number)["id"] == found.index.id[number] == rows[number]["id"]


def test_a_row_as_the_page_reads_it(sample: FolderRows, rows: list[dict[str, Any]]) -> None:
    row = sample.row(3)
    (name, aval), *_ = json.loads(rows[3]["inputs"])
    assert row["call"].startswith(f"{rows[3]['entry_point']}({name}: {aval}")
    assert row["texts"] == {level: rows[3][level] for level in LEVELS}
    assert row["lines"] == [
        [e["python"], *(e[name] for name in LEVELS[1:])] for e in rows[3]["line_map"]
    ]
    assert row["targets"] == row["passes"] == []


def test_rows_of_an_older_schema(rows: list[dict[str, Any]]) -> None:
    newer = ("line_map", "checked_by", "max_abs_error", "max_rel_error", "executed")
    row = for_page({name: value for name, value in rows[3].items() if name not in newer})
    assert row["lines"] is None
    assert (row["checked_by"], row["executed"]) == (None, None)


def test_what_no_machine_code_was_made_of(rows: list[dict[str, Any]]) -> None:
    row = for_page(rows[3] | {"peak_memory_bytes": None, "executed": False})
    assert row["figures"]["peak_memory_bytes"] is None
    assert row["executed"] is False


def test_what_json_has_no_number_for(rows: list[dict[str, Any]]) -> None:
    figures = for_page(rows[3] | {"flops": float("inf"), "transcendentals": float("nan")})[
        "figures"
    ]
    assert (figures["flops"], figures["transcendentals"]) == ("inf", "nan")


def test_targets_and_passes(special: FolderRows, rows: list[dict[str, Any]]) -> None:
    tpu, cuda = special.row(0)["targets"]
    assert (tpu["name"], tpu["stablehlo"]) == ("tpu-v5e", None)
    assert "tpu_fusion" in tpu["optimized_hlo"]
    assert (cuda["name"], cuda["optimized_hlo"]) == ("cuda-h100", None)
    steps = [{"pipeline": "", "pass": "", "hlo": "a"}, {"pipeline": "p", "pass": "dce", "hlo": "b"}]
    assert for_page(rows[3] | {"passes": steps})["passes"] == [
        {"title": "", "text": "a"},
        {"title": "p · dce", "text": "b"},
    ]
