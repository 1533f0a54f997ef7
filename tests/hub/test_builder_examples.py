"""Configs that give examples in place of rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.hub import builder, processes
from jax_ir_pairs.hub.builder import JaxIrPairs
from jax_ir_pairs.training import load_mixture
from tests.training.rows import ROWS

TINY = {"splits": {"train": 5, "validation": 2, "test": 1}, "rows_per_shard": 2}
MADE: list[tuple[str, int]] = []


class FakeProcess:
    def __init__(self, limits: Any, targets: Any, *, passes: bool) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


def rows_of_the_sample(
    config: Config, split: str, shard: int, *, process: FakeProcess
) -> Iterator[dict[str, Any]]:
    MADE.append((split, shard))
    first = sum(config.shard_rows(split, before) for before in range(shard))
    for index in range(config.shard_rows(split, shard)):
        place = config.splits.names.index(split) * 5 + first + index
        yield ROWS[place] | {"split": split, "shard": shard, "index": index}


@pytest.fixture
def make(
    script_class: type[JaxIrPairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., JaxIrPairs]:
    """Gives a builder with a cache of its own, whose rows are those of the sample."""
    monkeypatch.setattr(processes, "CheckingProcess", FakeProcess)
    monkeypatch.setattr(builder, "shard_records", rows_of_the_sample)
    monkeypatch.setattr(builder, "make_plan", lambda config: None)
    MADE.clear()

    def make(name: str | None = "hlo-100-instruct", **asked: Any) -> JaxIrPairs:
        cache = str(tmp_path / "cache")
        return script_class(config_name=name, cache_dir=cache, **{**TINY, **asked})

    return make


Make = Callable[..., JaxIrPairs]


def test_rows_are_made_once_and_examples_of_them(make: Make) -> None:
    rows = make("hlo-100")
    rows.download_and_prepare()
    assert len(MADE) == len(set(MADE)) == 5
    made = make()
    made.download_and_prepare()
    assert len(MADE) == 5
    loaded = made.as_dataset()
    expected = load_mixture("instruct").examples(rows.as_dataset())
    assert loaded["train"].features == expected["train"].features
    assert {split: part.to_list() for split, part in loaded.items()} == {
        split: part.to_list() for split, part in expected.items()
    }
    assert {row["id"] for row in loaded["validation"]} == {row["id"] for row in ROWS[5:7]}


def test_rows_that_are_not_there_are_made_and_stay(make: Make) -> None:
    made = make()
    made.download_and_prepare()
    assert len(MADE) == 5
    assert {row["id"] for row in made.as_dataset("train")} == {row["id"] for row in ROWS[:5]}
    make("hlo-100").download_and_prepare()
    make(form="messages").download_and_prepare()
    assert len(MADE) == 5


def test_examples_that_are_there_need_no_rows(make: Make) -> None:
    made = make()
    made.download_and_prepare()
    shutil.rmtree(make("hlo-100").cache_dir)
    again = make()
    again.download_and_prepare()
    assert again.as_dataset("train").to_list() == made.as_dataset("train").to_list()
    assert len(MADE) == 5


def test_a_stream_has_the_same_whether_the_rows_are_there_or_not(make: Make) -> None:
    stream = make().as_streaming_dataset("train")
    assert stream.num_shards == 3
    fresh = list(stream)
    assert MADE == [("train", 0), ("train", 1), ("train", 2)]
    assert fresh
    made = make()
    made.download_and_prepare()
    MADE.clear()
    assert list(make().as_streaming_dataset("train")) == fresh
    assert made.as_dataset("train").to_list() == fresh
    assert MADE == []


def test_a_mixture_of_ones_own_over_any_config(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ndescription: Mine.\nform: text\ntasks: {cost: 1}\n")
    made = make("hlo-1k", mixture=str(path))
    made.download_and_prepare()
    assert set(made.as_dataset("train").column_names) == {"text", "task", "id"}
    assert set(made.as_dataset("train")["task"]) == {"cost"}
    config = tmp_path / "small.yaml"
    config.write_text(
        "extends: _standard\nname: small\ndescription: Small.\n"
        f"rows_per_shard: 2\nsplits: {TINY['splits']}\n"
    )
    small = make(None, config_file=str(config), mixture="instruct")
    small.download_and_prepare()
    assert len(small.as_dataset("train")) >= 5


def test_the_cache_is_of_one_mixture(make: Make) -> None:
    asked: list[dict[str, Any]] = [{}, {"form": "text"}, {"max_tokens": 99}, {"seed": 3}]
    folders = [make(**each).cache_dir for each in asked] + [make("hlo-100").cache_dir]
    assert len(set(folders)) == 5
    assert make().cache_dir == folders[0]
    assert make("hlo-100", mixture="instruct").config.resolved() == make().config.resolved()


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("hlo-100", {"form": "text"}, "form is for examples: name a mixture too"),
        ("hlo-100", {"mixture": "instrukt"}, "There is no mixture 'instrukt': did you mean"),
        (
            "hlo-100",
            {"mixture": "retarget"},
            "cpu_to_tpu-v5e needs the column 'optimized_hlo_tpu_v5e",
        ),
        ("hlo-100-instruct", {"form": "chat"}, 'form: "chat"'),
        ("hlo-100-instruct", {"seed": -1}, r"hlo-100\.yaml: seed: -1"),
    ],
)
def test_what_is_wrong_is_named(make: Make, name: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(name, **asked)


def test_the_description_says_what_they_are(make: Make) -> None:
    said = load_config("hlo-100").description
    assert make().info.description == f"{said} As prompts and completions."
    assert list(make().info.features) == ["prompt", "completion", "task", "id", "line"]
