from __future__ import annotations

from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.schema import LEVELS
from tests.inspect.shard_files import write


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()


def test_shards_are_found_in_order_by_split(tmp_path: Path) -> None:
    names = ["train-00001-of-00002.parquet", "train-00000-of-00002.parquet"]
    touch(tmp_path / "one", *names, "test-00000-of-00001.parquet", "manifest.json", "mine.parquet")
    found = find_config(tmp_path)
    assert found.name == "one"
    assert list(found.shards) == ["train", "test"]
    assert [path.name for path in found.of_split("train")] == sorted(names)
    with pytest.raises(UsageError, match="no split 'validation'; there is train, test"):
        found.of_split("validation")


def test_splits_whose_names_begin_alike_are_told_apart(tmp_path: Path) -> None:
    splits = ["train", "test", "test_ops", "test_compositions"]
    touch(tmp_path / "one", *(f"{split}-00000-of-00001.parquet" for split in splits))
    found = find_config(tmp_path)
    assert list(found.shards) == splits
    for split in splits:
        assert [path.name for path in found.of_split(split)] == [f"{split}-00000-of-00001.parquet"]


def test_the_folder_of_one_config_will_do(tmp_path: Path) -> None:
    touch(tmp_path / "one", "train-00000-of-00001.parquet")
    assert find_config(tmp_path / "one") == find_config(tmp_path, "one")


def test_one_of_several_has_to_be_chosen(tmp_path: Path) -> None:
    for name in ("one", "two"):
        touch(tmp_path / name, "train-00000-of-00001.parquet")
    assert find_config(tmp_path, "two").folder == tmp_path / "two"
    with pytest.raises(UsageError, match="choose one of its configs with --config: one, two"):
        find_config(tmp_path)
    with pytest.raises(UsageError, match="no config 'three'; there is one, two"):
        find_config(tmp_path, "three")


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no shards in it"):
        find_config(tmp_path)
    with pytest.raises(UsageError, match="There is no folder"):
        find_config(tmp_path / "nothing")


def test_tables_are_row_groups_with_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "one", "test", [{"python": text} for text in "xy"])
    write(tmp_path / "one", "train", [{"python": text} for text in "abc"])
    files = find_config(tmp_path)
    assert set(files.columns()) >= {"id", *LEVELS, "seed"}
    assert files.num_rows() == 5
    tables = list(files.tables(["python", "family"]))
    assert [table["python"].to_pylist() for table in tables] == [["a", "b"], ["c"], ["x", "y"]]
    assert {tuple(table.column_names) for table in tables} == {("python", "family")}
    (table,) = files.tables(["python"], ["test"])
    assert table["python"].to_pylist() == ["x", "y"]
    with pytest.raises(UsageError, match="no split 'validation'"):
        list(files.tables(["python"], ["validation"]))


def test_a_shard_without_a_column_is_named(tmp_path: Path) -> None:
    write(tmp_path / "one", "train", [{}])
    files = find_config(tmp_path)
    with pytest.raises(BuildError, match=r"train-0.*parquet: has no column 'passes'; build"):
        list(files.tables(["python", "passes.list.element.pass"]))


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    write(tmp_path / "one", "train", [{}])
    path = tmp_path / "one" / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    files = find_config(tmp_path)
    for read in (files.columns, files.num_rows, lambda: list(files.tables(["python"]))):
        with pytest.raises(BuildError, match=r"parquet: cannot be read \("):
            read()
