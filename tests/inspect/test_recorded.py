from __future__ import annotations

import json
from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.inspect.near_duplicates import NearDuplicates, as_json
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.inspect.recorded import recorded, recorded_near_duplicates
from tests.inspect.shard_files import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One shard, and a manifest of it."""
    write(tmp_path / "mine", "train", [{}, {}])
    (shard,) = (tmp_path / "mine").glob("*.parquet")
    manifest = {
        "splits": {"train": {"shards": [{"file": shard.name, "bytes": shard.stat().st_size}]}},
        "rejections": {"timeout": 2},
        "levels": {"python": {"unique": 1, "total": 2}},
        "structures": {"train": 2, "in_more_than_one_split": 0},
    }
    (shard.parent / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return shard.parent


def test_a_manifest_tells_of_the_shards_that_it_lists(folder: Path) -> None:
    found = recorded(find_config(folder))
    assert found is not None
    assert found.complete
    assert (found.unique, found.structures) == ({"python": 1}, {"train": 2})
    assert (found.rejections, found.shared_structures) == ({"timeout": 2}, 0)
    write(folder, "train", [{}, {}, {}])
    changed = recorded(find_config(folder))
    assert changed is not None
    assert not changed.complete


def test_what_is_not_sealed_has_none(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert recorded(find_config(folder)) is None


@pytest.mark.parametrize("text", ["[]", "{", '{"splits": {"train": 1}}', '{"splits": 1}'])
def test_a_manifest_that_is_none_is_named(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=r"manifest\.json: is not a manifest; delete it"):
        recorded(find_config(folder))


def test_near_duplicates_are_read_back(folder: Path) -> None:
    files = find_config(folder)
    assert recorded_near_duplicates(files, 2) == {}
    counts = {"python": NearDuplicates(2, 1, 1), "jaxpr": NearDuplicates(2, 2, 1)}
    (folder / "near_duplicates.json").write_text(as_json(counts), encoding="utf-8")
    assert recorded_near_duplicates(files, 2) == counts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (as_json({"python": NearDuplicates(7, 1, 1)}), "is of 7 rows, and there are 2; delete it"),
        ("{}", "has no counts of near-duplicates; delete it, or write it again"),
        ("{", "has no counts of near-duplicates"),
    ],
)
def test_near_duplicates_of_other_rows_are_refused(folder: Path, text: str, problem: str) -> None:
    (folder / "near_duplicates.json").write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=problem):
        recorded_near_duplicates(find_config(folder), 2)
