from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from jax_ir_pairs.config import Checks, Config, load_config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.hub.card import CANARY, size_category, write_card
from jax_ir_pairs.location import Location
from jax_ir_pairs.schema import COLUMNS, LEVELS, arrow_schema
from jax_ir_pairs.synthesis.functions import functions_config
from tests.rows import filler_row
from tests.synthesis.functions.modules import LAYERS

Python = Callable[..., str]
ROWS = {"train": 5, "validation": 2, "test": 1}


def write_build(out: Path, config: Config) -> None:
    """Writes what a sealed build of `config` leaves."""
    folder = out / config.name
    (folder / "shards").mkdir(parents=True)
    row = filler_row()
    splits: dict[str, Any] = {}
    for split in config.splits.names:
        shards: list[dict[str, Any]] = []
        for shard in range(of := config.num_shards(split)):
            rows = config.shard_rows(split, shard)
            path = folder / f"{split}-{shard:05d}-of-{of:05d}.parquet"
            pq.write_table(pa.Table.from_pylist([row] * rows, arrow_schema()), path)
            (folder / "shards" / f"{path.stem}.json").write_text('{"rows": [{"seed": 1}]}')
            size = path.stat().st_size
            shards.append({"file": path.name, "rows": rows, "bytes": size, "sha256": "0"})
        splits[split] = {
            "rows": config.splits.rows(split),
            "bytes": sum(shard["bytes"] for shard in shards),
            "num_bytes": 10 * sum(shard["bytes"] for shard in shards),
            "shards": shards,
        }
    total = sum(split["rows"] for split in splits.values())
    manifest = {
        "config": config.model_dump(mode="json"),
        "fingerprint": "0123456789abcdef",
        "build": {
            "jax": "1.2.3",
            "jaxlib": "4.5.6",
            "pyarrow": "7.8.9",
            "code": "c0de",
            "compiler_flags": "{}",
        },
        "rows": total,
        "bytes": sum(split["bytes"] for split in splits.values()),
        "splits": splits,
        "rejections": {"crash": 1, "too-long": 1234},
        "levels": {level: {"unique": 3, "total": total} for level in LEVELS},
        "structures": dict.fromkeys(splits, 1) | {"in_more_than_one_split": 0},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Gives a folder with two builds, the larger one first by name."""
    out = tmp_path / "out"
    write_build(out, load_config("hlo-1k", splits=ROWS, rows_per_shard=2))
    write_build(out, load_config("hlo-10k", splits=ROWS | {"train": 3}, rows_per_shard=2))
    (out / "hlo-100" / "shards").mkdir(parents=True)  # a build that is not sealed
    return out


def parts(card: Location) -> tuple[dict[str, Any], str]:
    _, head, text = card.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


def test_yaml_declares_each_sealed_config(out: Path) -> None:
    assert write_card(out) == out / "README.md"
    head, _ = parts(out / "README.md")
    assert [config["config_name"] for config in head["configs"]] == ["hlo-10k", "hlo-1k"]
    assert [config.get("default") for config in head["configs"]] == [True, None]
    assert head["configs"][0]["data_files"][0] == {
        "split": "train",
        "path": "hlo-10k/train-*.parquet",
    }
    info = head["dataset_info"][1]
    assert info["config_name"] == "hlo-1k"
    assert [feature["name"] for feature in info["features"]] == [c.name for c in COLUMNS]
    assert {split["name"]: split["num_examples"] for split in info["splits"]} == ROWS
    assert info["download_size"] == sum(
        path.stat().st_size for path in (out / "hlo-1k").glob("*.parquet")
    )
    assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"]) > 0
    assert head["license"] == "apache-2.0"
    assert head["size_categories"] == ["n<1K"]


def test_text_tells_what_the_builds_know(out: Path) -> None:
    _, text = parts(write_card(out))
    for known in (
        "0123456789abcdef",
        "JAX 1.2.3, jaxlib 4.5.6, pyarrow 7.8.9",
        "| `hlo-1k` | 5 | 2 | 1 |",
        "1 crash, 1,234 too-long |",
        "| `hlo-1k` | 1,243 | 8 |",
        "3 of 8",
        "one target, `cpu`,",
        "| `hlo-1k` | 1 / 1 / 1 |",
        *(f"| `{column.name}` | {column.kind} |" for column in COLUMNS),
    ):
        assert known in text
    assert "held_out" not in text
    assert "{{" not in text
    assert "{%" not in text


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ("none", "The compiled programs were not run"),
        ("sample", "The programs whose `checked_by` is not null were run for the CPU, once"),
        ("texts", "where `executed` is true, its machine code for the CPU was"),
        ("all", "The programs were run for the CPU, once"),
    ],
)
def test_text_tells_how_rows_were_checked(tmp_path: Path, checks: Checks, said: str) -> None:
    write_build(tmp_path, load_config("hlo-1k", splits=ROWS, checks=checks))
    _, text = parts(write_card(tmp_path))
    assert said in text
    assert ("`executed` is true" in text) == (checks == "texts")
    assert text.count("of further targets were not run.") == (checks != "none")


def test_text_tells_the_largest_argument_where_every_build_counted(tmp_path: Path) -> None:
    write_build(tmp_path, load_config("hlo-1k", splits=ROWS))
    _, text = parts(write_card(tmp_path))
    assert "run quickly. Effects that the compiler" in text
    assert CANARY in text
    path = tmp_path / "hlo-1k" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "largest_argument": 4321}))
    _, text = parts(write_card(tmp_path))
    assert "the largest array among them has\n  4,321 elements." in text


def test_a_split_that_a_build_lacks_is_a_dash_and_has_no_files(tmp_path: Path) -> None:
    rows = ROWS | {"test_ops": 3, "test_compositions": 4}
    write_build(tmp_path, load_config("hlo-1k", splits=rows, rows_per_shard=2))
    write_build(tmp_path, load_config("hlo-10k", splits=ROWS, rows_per_shard=2))
    head, text = parts(write_card(tmp_path))
    files = {
        config["config_name"]: [part["split"] for part in config["data_files"]]
        for config in head["configs"]
    }
    assert files == {"hlo-1k": list(rows), "hlo-10k": list(ROWS)}
    assert [len(info["splits"]) for info in head["dataset_info"]] == [3, 5]
    assert "| `hlo-1k` | 5 | 2 | 1 | 3 | 4 |" in text
    assert "| `hlo-10k` | 5 | 2 | 1 | – | – |" in text
    assert "| `hlo-10k` | 1 / 1 / 1 / – / – |" in text
    assert "held_out.py" in text


def test_card_does_not_depend_on_what_was_there(out: Path) -> None:
    first = write_card(out).read_bytes()
    (out / "README.md").write_text("by hand")
    assert write_card(out).read_bytes() == first


@pytest.mark.parametrize(
    ("config", "command"),
    [
        (load_config("hlo-100"), "jax-ir-pairs build hlo-100 --out out"),
        (load_config("hlo-100", seed=7), "jax-ir-pairs build hlo-100 --out out --seed 7"),
    ],
)
def test_command_makes_a_shipped_config_again(tmp_path: Path, config: Config, command: str) -> None:
    write_build(tmp_path, config)
    assert f"```sh\n{command}\n```" in write_card(tmp_path).read_text()


def test_command_makes_another_config_again(tmp_path: Path) -> None:
    config = load_config("hlo-100", description="It's 'mine'.", splits=ROWS)
    write_build(tmp_path, config)
    text = write_card(tmp_path).read_text()
    line = next(line for line in text.splitlines() if line.startswith("printf "))
    _, _, content, _, name = shlex.split(line)
    (tmp_path / name).write_text(content)
    assert load_config(tmp_path / name) == config
    assert "jax-ir-pairs build hlo-100.yaml --out out" in text


def test_written_functions_are_told_from_drawn_programs(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    config = functions_config(tmp_path / "layers.py")
    write_build(tmp_path / "own", config)
    own = write_card(tmp_path / "own").read_text()
    assert "license: other\n" in own
    assert "synthetic" not in own
    assert "draws typed programs" not in own
    assert "generated: none is taken" not in own
    assert "The programs of `layers` are functions of a module that a person wrote" in own
    assert "its author says it" in own

    write_build(tmp_path / "both", config)
    write_build(tmp_path / "both", load_config("hlo-100", splits=ROWS))
    both = write_card(tmp_path / "both").read_text()
    assert "license: other\n" in both
    assert "- synthetic\n" in both
    assert "The programs of `hlo-100` are synthetic." in both
    assert "draws typed programs" in both
    assert "its author says it" in both
    write_build(tmp_path / "drawn", load_config("hlo-100", splits=ROWS))
    drawn = write_card(tmp_path / "drawn").read_text()
    assert "license: apache-2.0\n" in drawn
    assert "author" not in drawn
    assert "a person wrote" not in drawn


def test_nothing_to_describe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no finished build"):
        write_card(tmp_path)
    (tmp_path / "hlo-100").mkdir()
    (tmp_path / "hlo-100" / "manifest.json").write_text("{")
    with pytest.raises(BuildError, match=r"hlo-100.manifest\.json: is not a manifest"):
        write_card(tmp_path)


@pytest.mark.parametrize(
    ("rows", "category"),
    [(140, "n<1K"), (1000, "1K<n<10K"), (10_800, "10K<n<100K"), (1_080_000, "1M<n<10M")],
)
def test_size_category(rows: int, category: str) -> None:
    assert size_category(rows) == category


WITHOUT_PROJECT = """
import json, sys
sys.modules["jax_ir_pairs"] = None
import datasets
from datasets import load_dataset
out = sys.argv[1]
assert datasets.get_dataset_config_names(out) == ["hlo-10k", "hlo-1k"]
assert datasets.get_dataset_default_config_name(out) == "hlo-10k"
assert len(load_dataset(out, split="train")) == 3
whole = load_dataset(out, "hlo-1k")
stream = load_dataset(out, "hlo-1k", split="train", streaming=True)
assert list(stream) == whole["train"].to_list()
assert stream.features == whole["train"].features
info = datasets.load_dataset_builder(out, "hlo-1k").info
print(json.dumps({
    "rows": {split: len(rows) for split, rows in whole.items()},
    "declared": {split.name: split.num_examples for split in info.splits.values()},
    "row": whole["test"][0],
    "list": repr(whole["train"].features["primitives"]),
}))
"""


def test_datasets_loads_the_folder_without_this_project(out: Path, python: Python) -> None:
    write_card(out)
    said = json.loads(python(WITHOUT_PROJECT, str(out), folder=out).splitlines()[-1])
    assert said["rows"] == said["declared"] == ROWS
    assert list(said["row"]) == [column.name for column in COLUMNS]
    assert said["row"]["primitives"] == ["text", "text"]
    assert said["list"].startswith(("List(Value(", "Sequence(feature=Value("))


def test_a_build_of_before_a_column_loads_with_a_new_card(out: Path, python: Python) -> None:
    for path in out.rglob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["executed"]), path)
    write_card(out)
    said = json.loads(python(WITHOUT_PROJECT, str(out), folder=out).splitlines()[-1])
    assert said["rows"] == ROWS
    assert said["row"]["executed"] is None
