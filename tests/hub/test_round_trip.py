"""From a build to the Hub and back through `datasets`, against the server of the tests."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from jax_ir_pairs.schema import COLUMNS
from tests.hub.server import WRITER, Client
from tests.hub.small_builds import FINGERPRINT, ROWS, write_build

LOAD = """
import json, sys
from datasets import (
    get_dataset_config_names, get_dataset_default_config_name, load_dataset, load_dataset_builder
)
from datasets.exceptions import DatasetNotFoundError

pytest_plugins = ["tests.hub.server.fixtures"]
def show(value): print(json.dumps(value))
"""


def pushed(client: Client, out: Path, *arguments: str) -> None:
    done = client.push(out, *(arguments or ("user/name",)))
    assert done.code == 0, done.error


def test_a_real_build_comes_back_with_its_features_splits_and_rows(
    client: Client, tiny: Path
) -> None:
    pushed(client, tiny)
    files = client.hub.repository().at().files
    local = {
        split: [
            row
            for path in sorted((tiny / "tiny").glob(f"{split}-*.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]
        for split in ("train", "validation", "test")
    }
    tag = next(iter(client.hub.repository().tags))
    said = client.python(
        LOAD
        + """
local = load_dataset(sys.argv[1], "tiny")
whole = load_dataset("user/name", "tiny")
builder = load_dataset_builder("user/name", "tiny")
stream = load_dataset("user/name", "tiny", split="train", streaming=True)
assert builder.info.features == whole["train"].features == stream.features
assert whole["train"].features == local["train"].features
show({
    "rows": {split: rows.to_list() for split, rows in whole.items()},
    "declared": {name: split.num_examples for name, split in builder.info.splits.items()},
    "stream": list(stream) == whole["train"].to_list(),
    "columns": list(whole["train"].features),
    "tenth": load_dataset("user/name", "tiny", split="train[:30%]").num_rows,
    "tagged": load_dataset("user/name", "tiny", revision=sys.argv[2])["test"].num_rows,
})
""",
        str(tiny),
        tag,
    )
    assert said["rows"] == local
    assert said["declared"] == {split: len(rows) for split, rows in local.items()}
    assert said["stream"]
    assert said["columns"] == [column.name for column in COLUMNS]
    assert (said["tenth"], said["tagged"]) == (2, len(local["test"]))
    assert {f"tiny/{path.name}" for path in (tiny / "tiny").glob("*.parquet")} < set(files)


def test_every_config_and_split_of_a_shared_repository_loads(
    client: Client, tmp_path: Path
) -> None:
    write_build(tmp_path / "one", "hlo-1k")
    write_build(tmp_path / "two", "hlo-10k", rows={"train": 3, "validation": 1, "test": 1})
    pushed(client, tmp_path / "one")
    pushed(client, tmp_path / "two")
    said = client.python(
        LOAD
        + """
names = get_dataset_config_names("user/name")
show({
    "default": get_dataset_default_config_name("user/name"),
    "rows": {
        name: {split: rows.num_rows for split, rows in load_dataset("user/name", name).items()}
        for name in names
    },
    "config": load_dataset("user/name", split="train")["config"][0],
})
"""
    )
    assert said == {
        "default": "hlo-10k",
        "rows": {"hlo-10k": {"train": 3, "validation": 1, "test": 1}, "hlo-1k": ROWS},
        "config": "hlo-10k",
    }


def test_a_build_that_was_replaced_loads_by_its_tag(client: Client, tmp_path: Path) -> None:
    write_build(tmp_path / "one")
    write_build(tmp_path / "two", fingerprint="f" * 16, rows=ROWS | {"train": 9})
    pushed(client, tmp_path / "one")
    pushed(client, tmp_path / "two")
    said = client.python(
        LOAD
        + """
tag = sys.argv[1]
show([
    load_dataset("user/name", "hlo-1k", split="train", **revision).num_rows
    for revision in ({}, {"revision": tag}, {"revision": "hlo-1k-" + "f" * 16})
])
""",
        f"hlo-1k-{FINGERPRINT}",
    )
    assert said == [9, ROWS["train"], 9]


def test_columns_that_are_not_asked_for_stay_on_the_hub(client: Client, tmp_path: Path) -> None:
    """Chunks of a Parquet file are read alone where the client reads no more ahead than that."""
    folder = write_build(tmp_path / "out", rows=ROWS | {"train": 4}, text=800_000)
    size = sum(path.stat().st_size for path in folder.glob("train-*.parquet"))
    pushed(client, tmp_path / "out")
    code = (
        LOAD
        + """
more = json.loads(sys.argv[1])
rows = load_dataset("user/name", "hlo-1k", split="train", streaming=True, **more)
show([len(list(rows)), list(rows.features)])
"""
    )

    def served(arguments: str) -> tuple[list[object], int]:
        client.hub.take()
        said = client.python(code, arguments)
        return said, client.hub.take().of("GET", r"\.parquet").sent

    _, whole = served("{}")
    ahead = '"storage_options": {"hf": {"block_size": 65536}}'
    said, some = served(f'{{"columns": ["python", "stablehlo"], {ahead}}}')
    assert said == [4, ["python", "stablehlo"]]
    assert whole >= size > 1_000_000
    assert some < size / 5 < whole


def test_a_private_repository_is_for_those_who_may_see_it(client: Client, tmp_path: Path) -> None:
    write_build(tmp_path / "out")
    pushed(client, tmp_path / "out", "user/secret", "--private")  # of which no cache has anything
    code = (
        LOAD
        + """
try:
    show(load_dataset("user/secret", "hlo-1k", split="train").num_rows)
except DatasetNotFoundError as error:
    show(str(error))
"""
    )
    refused = client.python(code, token=None)
    assert refused.startswith(
        "Dataset 'user/secret' doesn't exist on the Hub or cannot be accessed"
    )
    assert client.python(code, token=WRITER) == ROWS["train"]


def test_what_datasets_pushes_itself_keeps_features_and_splits(
    client: Client, tmp_path: Path
) -> None:
    write_build(tmp_path / "out")
    pushed(client, tmp_path / "out")
    said = client.python(
        LOAD
        + """
whole = load_dataset("user/name", "hlo-1k")
whole.push_to_hub("user/copy", "hlo-1k")
whole["train"].push_to_hub("user/part", split="train")
copy = load_dataset("user/copy", "hlo-1k")
part = load_dataset("user/part", split="train")
for split, rows in whole.items():
    assert copy[split].features == rows.features
    assert copy[split].to_list() == rows.to_list()
assert part.features == whole["train"].features
info = load_dataset_builder("user/copy", "hlo-1k").info
show({name: split.num_examples for name, split in info.splits.items()} | {"part": len(part)})
"""
    )
    assert said == ROWS | {"part": ROWS["train"]}
