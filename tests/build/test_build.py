from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import (
    Event,
    Folder,
    ShardKept,
    all_shards,
)
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.schema import COLUMNS, arrow_schema
from tests.build.fake_builds import StopHereError, fake_build, stopping_after, varied
from tests.build.fakes import (
    CONFIG,
    FakeProcess,
    files_of,
)


def test_a_build_gives_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    report = fake_build(tmp_path)

    assert report.rows == {"train": 60, "validation": 6, "test": 6}
    assert report.sealed
    assert report.manifest == tmp_path / "tiny" / "manifest.json"
    assert (report.shards_built, report.shards_kept, report.rejections) == (5, 0, {})
    folder = Folder(tmp_path / "tiny")
    for shard in all_shards(CONFIG):
        table = pq.read_table(folder.parquet(shard))
        assert table.schema.equals(arrow_schema())
        assert set(table["split"].to_pylist()) == {shard.split}
        assert table["index"].to_pylist() == list(range(table.num_rows))
        assert table.column_names == [column.name for column in COLUMNS]


def test_a_row_without_a_value_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows without flops"):
        fake_build(tmp_path, FakeProcess(values={"flops": None}))
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_sealed_folder_holds_what_the_build_wrote_and_nothing_else(tmp_path: Path) -> None:
    fake_build(tmp_path)

    names = [shard.name for shard in all_shards(CONFIG)]
    assert set(files_of(tmp_path)) == {
        "tiny/build.json",
        "tiny/manifest.json",
        *(f"tiny/{name}.parquet" for name in names),
        *(f"tiny/shards/{name}.json" for name in names),
    }


def test_row_groups_and_page_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jax_ir_pairs.build.shard.ROWS_PER_GROUP", 8)
    fake_build(tmp_path)

    metadata = pq.read_metadata(tmp_path / "tiny" / "train-00000-of-00003.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]
    column = metadata.row_group(0).column(1)
    assert (column.compression, column.has_offset_index, column.has_column_index) == (
        "ZSTD",
        True,
        True,
    )


@pytest.mark.parametrize("workers", [2, 3])
def test_the_bytes_do_not_depend_on_the_workers(
    tmp_path: Path, reference: dict[str, str], workers: int
) -> None:
    fake_build(tmp_path, varied(), workers=workers)

    assert files_of(tmp_path / "tiny") == reference


@pytest.mark.parametrize("extractions", [0, 1, 25, 61, 80, 95])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_build_resumes_to_the_same_bytes(
    tmp_path: Path, reference: dict[str, str], extractions: int, workers: int
) -> None:
    process = stopping_after(extractions)
    with pytest.raises(StopHereError):
        fake_build(tmp_path, process, workers=workers)

    assert process.closed
    assert not Folder(tmp_path / "tiny").leftovers()
    report = fake_build(tmp_path, varied(), workers=workers)
    assert files_of(tmp_path / "tiny") == reference
    assert report.shards_kept + report.shards_built == 5


def test_a_second_run_makes_nothing(tmp_path: Path, reference: dict[str, str]) -> None:
    fake_build(tmp_path, varied())
    process, events = varied(), list[Event]()
    report = fake_build(tmp_path, process, on_event=events.append)

    assert not process.extracted
    assert (report.shards_kept, report.shards_built) == (5, 0)
    assert sum(event.rows for event in events if isinstance(event, ShardKept)) == 72
    assert files_of(tmp_path / "tiny") == reference


def test_parts_of_a_build_meet_in_one_folder(tmp_path: Path, reference: dict[str, str]) -> None:
    first = fake_build(tmp_path, varied(), shards=range(3, 5))
    assert not first.sealed
    assert first.rows == {"train": 0, "validation": 6, "test": 6}
    assert not list((tmp_path / "tiny").glob("train*"))
    second = fake_build(tmp_path, varied(), shards=range(3))
    assert second.sealed
    assert files_of(tmp_path / "tiny") == reference


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": range(6)}, r"--shards 0:6: tiny has the shards 0:5\."),
        ({"shards": range(2, 2)}, r"--shards 2:2: tiny has the shards 0:5\."),
        ({"shards": range(2), "force": True}, "does not go together"),
        ({"workers": 0}, "at least 1 worker, not 0"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fake_build(tmp_path, **options)
    assert not files_of(tmp_path)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("jax_ir_pairs.build.shard.replace_text", full)
    with pytest.raises(BuildError, match=r"json: No space left on device; free some space, and"):
        fake_build(tmp_path)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(BuildError, match=r"out.*: Not a directory; .* choose another --out"):
        fake_build(tmp_path / "out")


def test_leftovers_of_killed_builds_are_removed(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "shards").mkdir(parents=True)
    for name in (".train-00000-of-00003.parquet.0123.tmp", "shards/.x.json.0123.tmp"):
        (tmp_path / "tiny" / name).write_text("half")
    fake_build(tmp_path)
    assert not Folder(tmp_path / "tiny").leftovers()


def test_the_manifest(tmp_path: Path) -> None:
    fake_build(tmp_path, varied())
    manifest = json.loads((tmp_path / "tiny" / "manifest.json").read_text())

    assert Config.model_validate_json(json.dumps(manifest["config"])) == CONFIG
    assert manifest["rows"] == 72
    assert manifest["structures"]["in_more_than_one_split"] == 0
    assert set(manifest["build"]) == {
        "config",
        "code",
        "jax",
        "jaxlib",
        "compiler_flags",
        "pyarrow",
        "project",
    }
    train = manifest["splits"]["train"]
    assert (train["rows"], len(train["shards"])) == (60, 3)
    for shard in train["shards"]:
        path = tmp_path / "tiny" / shard["file"]
        assert path.stat().st_size == shard["bytes"]
        assert files_of(path.parent)[path.name] == shard["sha256"]
    counts = manifest["plan"]
    assert counts["candidates"] > 72
    assert set(counts) == {"candidates", "duplicates", "surplus"}
