from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.errors import UsageError
from likeness.reading import build_rows, source_rows


def _write(folder: Path, shards: int) -> None:
    folder.mkdir()
    for shard in range(shards):
        rows = [f"{shard}.{row}" for row in range(10)]
        table = pa.table({"python": rows, "jaxpr": rows, "inputs": rows, "seed": rows})
        pq.write_table(table, folder / f"train-{shard:05d}-of-00100.parquet")


def test_rows_are_drawn_from_the_shards_that_are_there(tmp_path: Path) -> None:
    _write(tmp_path / "made", 3)
    found = build_rows(tmp_path, "made", 20, 0)
    assert len({row.python for row in found}) == 20
    assert all(row.python == row.jaxpr == row.inputs for row in found)
    assert found == build_rows(tmp_path / "made", None, 20, 0)
    assert found != build_rows(tmp_path, "made", 20, 1)
    assert len(build_rows(tmp_path, "made", 100, 0)) == 30


def test_no_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no shard"):
        build_rows(tmp_path, "made", 20, 0)
    with pytest.raises(UsageError, match="no program"):
        source_rows(tmp_path, 20, 0)


def test_sources_are_files_or_lines(tmp_path: Path) -> None:
    texts = [f"x = {number}\n" for number in range(5)]
    folder = tmp_path / "sources"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.py").write_text(text)
    lines = tmp_path / "sources.jsonl"
    lines.write_text("".join(json.dumps({"python": text}) + "\n" for text in texts))
    found = source_rows(folder, 3, 0)
    assert len(found) == 3
    assert found == source_rows(lines, 3, 0)
