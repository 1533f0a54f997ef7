from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pytest

from jax_ir_pairs.build import BuildFingerprint
from jax_ir_pairs.config import Config, config_names, load_config
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.hub import builder, processes
from jax_ir_pairs.hub.builder import JaxIrPairs
from jax_ir_pairs.schema import COLUMNS, SPLITS, features
from tests.rows import filler_row

ROOT = Path(__file__).parent.parent.parent
SCRIPT = str(ROOT / "builder_script.py")
Python = Callable[..., str]
NAMES = [*config_names(), *(f"{name}-instruct" for name in config_names())]
TINY = {"splits": {"train": 5, "validation": 2, "test": 1}, "rows_per_shard": 2}


class FakeProcess:
    """Stands for an extraction process; the list says which are open."""

    def __init__(self, limits: Any, targets: Any, *, passes: bool) -> None:
        self.limits, self.targets, self.passes = limits, targets, passes

    def start(self) -> None:
        OPEN.add(self)

    def close(self) -> None:
        OPEN.discard(self)


OPEN: set[FakeProcess] = set()


def fake_records(
    config: Config, split: str, shard: int, *, process: FakeProcess
) -> Iterator[dict[str, Any]]:
    assert process in OPEN
    for index in range(config.shard_rows(split, shard)):
        yield filler_row(split=split, shard=shard, index=index, seed=config.seed << 40)


@pytest.fixture
def make(
    script_class: type[JaxIrPairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., JaxIrPairs]:
    """Gives a builder with a cache of its own that extracts nothing."""
    monkeypatch.setattr(processes, "CheckingProcess", FakeProcess)
    monkeypatch.setattr(builder, "shard_records", fake_records)
    monkeypatch.setattr(builder, "make_plan", lambda config: None)
    OPEN.clear()

    def make(name: str | None = "hlo-100", **overrides: Any) -> JaxIrPairs:
        return script_class(config_name=name, cache_dir=str(tmp_path / "cache"), **overrides)

    return make


Make = Callable[..., JaxIrPairs]


def places(rows: Any) -> list[tuple[int, int]]:
    return [(row["shard"], row["index"]) for row in rows]


FIVE_ROWS = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_there_is_a_config_for_each_file() -> None:
    configs = JaxIrPairs.builder_configs
    assert list(configs) == NAMES
    for name in config_names():
        assert configs[name].description == load_config(name).description
        assert configs[f"{name}-instruct"].resolved() == load_config(name)


def test_overrides_reach_the_config(make: Make) -> None:
    assert make().config.resolved() == load_config("hlo-100")
    assert make(seed=7, targets=["cpu"], **TINY).config.resolved() == load_config(
        "hlo-100", seed=7, **TINY
    )


def test_passes_can_be_asked_for(make: Make) -> None:
    assert make("passes-1k").info.features == make(passes=True).info.features
    assert list(make(passes=True).info.features) != list(make().info.features)
    assert make(passes=True).config.resolved().passes


def test_a_config_file_needs_no_name(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (ROOT / "configs" / "_standard.yaml").read_text()
    path.write_text(
        f"name: mine\ndescription: Mine.\nrows_per_shard: 2\nsplits: {TINY['splits']}\n{text}"
    )
    made = make(None, config_file=str(path), seed=3)
    assert made.config.name == "mine"
    assert made.config.resolved() == load_config(path, seed=3)
    with pytest.raises(UsageError, match=r"'hlo-100' and the file .*mine\.yaml"):
        make("hlo-100", config_file=str(path))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"seed": "7"}, r"hlo-100\.yaml: seed: \"7\""),
        ({"seed": -1}, r"seed: -1: .*greater than or equal to 0"),
        ({"targets": ["abacus"]}, r"targets: .*unknown target 'abacus'; there are cpu, "),
        ({"splits": {"train": 5}}, r"splits\.validation: is missing"),
        ({"rows_per_shard": 0}, r"rows_per_shard: 0"),
    ],
)
def test_bad_override_is_named(make: Make, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**overrides)


def test_unknown_config_and_key_are_named(make: Make) -> None:
    with pytest.raises(ValueError, match=r"'hlo-10' not found\. Available: \['hlo-100'"):
        make("hlo-10")
    with pytest.raises(ValueError, match="doesn't have a 'sed' key"):
        make(sed=7)
    with pytest.raises(UsageError, match="There is no config 'default'"):
        make(None, seed=7)


def test_the_cache_is_of_one_config_code_and_compiler(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_jax(version: str) -> Callable[[Config], BuildFingerprint]:
        return lambda config: BuildFingerprint(
            config.fingerprint(), "code", version, version, "{}", "1"
        )

    def folder(**overrides: Any) -> str:
        return str(make(**overrides).cache_dir)

    monkeypatch.setattr(builder, "build_fingerprint", with_jax("1"))
    first = folder()
    assert folder() == folder(seed=0) == folder(targets=["cpu"]) == first
    folders = {first, folder(seed=7), folder(**TINY)}
    monkeypatch.setattr(builder, "build_fingerprint", with_jax("2"))
    folders.add(folder())
    assert len(folders) == 4


def test_shards_are_what_is_dealt_out(make: Make) -> None:
    made = make(**TINY)
    generators = made._split_generators(datasets.StreamingDownloadManager())
    assert [generator.name for generator in generators] == ["train", "validation", "test"]
    assert generators[0].gen_kwargs == {"split": "train", "shards": [0, 1, 2], "there": None}


def test_all_five_splits_load_by_their_names(make: Make) -> None:
    rows = dict(zip(SPLITS, (5, 2, 1, 3, 4), strict=True))
    made = make(splits=rows, rows_per_shard=2)
    made.download_and_prepare()
    assert {split: len(part) for split, part in made.as_dataset().items()} == rows
    assert places(made.as_streaming_dataset("test_ops")) == FIVE_ROWS[:3]


def test_the_plan_is_made_before_workers_start(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Config] = []
    monkeypatch.setattr(builder, "make_plan", planned.append)
    made = make(**TINY)
    made._split_generators(datasets.StreamingDownloadManager())
    assert planned == []
    made._split_generators(datasets.DownloadManager())
    assert planned == [made.config.resolved()]


def test_rows_come_in_order_with_the_schemas_features(make: Make) -> None:
    made = make(seed=7, **TINY)
    made.download_and_prepare()
    assert not OPEN
    loaded = made.as_dataset()
    assert {split: len(rows) for split, rows in loaded.items()} == TINY["splits"]
    assert loaded["train"].features == features()
    assert places(loaded["train"]) == FIVE_ROWS
    assert set(loaded["test"]["seed"]) == {7 << 40}


def test_a_stream_has_the_same_rows_and_one_process(make: Make) -> None:
    made = make(**TINY)
    stream = made.as_streaming_dataset("train")
    del made
    assert stream.num_shards == 3
    seen, used = [], set()
    for row in stream:
        seen.append((row["shard"], row["index"]))
        used |= OPEN
    assert len(used) == 1
    assert seen == FIVE_ROWS
    del stream, row, used
    gc.collect()
    assert not OPEN


def test_a_stream_that_is_left_ends_its_process(make: Make) -> None:
    stream = make(**TINY).as_streaming_dataset("train")
    rows = iter(stream)
    next(rows)
    assert len(OPEN) == 1
    del rows
    assert not OPEN


def test_a_stream_goes_on_where_it_stopped(make: Make) -> None:
    stream = make(**TINY).as_streaming_dataset("train")
    rows = iter(stream)
    assert [next(rows)["shard"] for _ in range(3)] == [0, 0, 1]
    state = stream.state_dict()
    rows.close()
    again = make(**TINY).as_streaming_dataset("train")
    again.load_state_dict(state)
    assert places(again) == FIVE_ROWS[3:]


def test_nodes_share_a_streams_shards(make: Make) -> None:
    from datasets.distributed import split_dataset_by_node

    stream = make(**TINY).as_streaming_dataset("train")
    parts = [split_dataset_by_node(stream, rank=rank, world_size=3) for rank in range(3)]
    assert sorted(place for part in parts for place in places(part)) == FIVE_ROWS


REAL = """
import json, os, sys, time
{imports}
import datasets
script, folder = sys.argv[1:]
options = dict(
    splits=dict(train=4, validation=1, test=1),
    rows_per_shard=2,
    trust_remote_code=True if datasets.__version__ < "4" else None,
)
def load(name="hlo-100", **more):
    return datasets.load_dataset(script, name, **options, **more)
assert datasets.get_dataset_config_names(script{trust}) == {names}
whole = load()
rows = whole["train"].to_list()
assert {{split: len(part) for split, part in whole.items()}} == options["splits"]
assert rows == load(num_proc=2, cache_dir=folder + "/two")["train"].to_list()
assert rows == list(load(split="train", streaming=True))
assert next(iter(load(streaming=True)["train"])) == rows[0]
files = {{file["filename"]: os.stat(file["filename"]).st_mtime_ns
          for part in whole.values() for file in part.cache_files}}
one = load(split="train")
assert one.to_list() == rows
assert all(os.stat(name).st_mtime_ns == when for name, when in files.items())
assert {{file["filename"] for file in one.cache_files}} <= set(files)
assert load(split="train", seed=7)["seed"][0] >> 40 == 7
taught = load("hlo-100-instruct")
shared = load("hlo-100-instruct", num_proc=2, cache_dir=folder + "/two")
assert taught["train"].to_list() == shared["train"].to_list()
assert list(taught["train"].features)[:2] == ["prompt", "completion"]
assert [example["id"] for example in taught["test"]][0] == whole["test"][0]["id"]
assert list(load("hlo-100-instruct", split="train", streaming=True)) == taught["train"].to_list()
assert not {{"jax", "jaxlib"}} & set(sys.modules)
print(json.dumps(rows[0]))
"""


OPTIONS = "trust_remote_code=True" if datasets.__version__ < "4" else ""
IMPORTS = "" if datasets.__version__ < "4" else "import jax_ir_pairs"


def test_the_script_loads_in_every_way(python: Python, tmp_path: Path) -> None:
    code = REAL.format(imports=IMPORTS, trust=f", {OPTIONS}", names=NAMES)
    row = json.loads(python(code, SCRIPT, str(tmp_path), folder=tmp_path).splitlines()[-1])
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["config"], row["split"], row["shard"]) == ("hlo-100", "train", 0)
    assert not list(ROOT.glob("*.lock"))  # the package may be where nobody may write


def test_the_script_loads_from_the_checkout(python: Python) -> None:
    code = f"""
{IMPORTS}
from datasets import load_dataset
rows = load_dataset("./builder_script.py", "hlo-100", split="test", streaming=True, {OPTIONS})
print(next(iter(rows))["split"])
"""
    assert python(code, folder=ROOT) == "test"
