from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import Folder, build
from jax_ir_pairs.build.records import Rejection, shard_records
from jax_ir_pairs.config import Splits, TextLimits, load_config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.extraction.result import Pass
from jax_ir_pairs.hub.card import write_card
from jax_ir_pairs.schema import columns, features
from tests.build.fakes import CONFIG, FakeProcess, use_fake_programs

PASSES = (Pass("", "", "a" * 60), Pass("simplification", "dce", "b" * 60))
WITH_PASSES = CONFIG.model_copy(update={"passes": True})


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_programs(monkeypatch, tmp_path / "plans")


@pytest.mark.usefixtures("fakes")
def test_a_row_has_its_passes_where_the_config_asks_for_them() -> None:
    row = next(shard_records(WITH_PASSES, "test", 0, process=FakeProcess(passes=PASSES)))
    assert list(row) == [column.name for column in columns(passes=True)]
    assert row["passes"] == [
        {"pipeline": "", "pass": "", "hlo": "a" * 60},
        {"pipeline": "simplification", "pass": "dce", "hlo": "b" * 60},
    ]
    row = next(shard_records(CONFIG, "test", 0, process=FakeProcess()))
    assert list(row) == [column.name for column in columns()]


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(("limit", "rows"), [(119, 0), (120, 6)])
def test_the_texts_of_all_passes_together_have_a_limit(limit: int, rows: int) -> None:
    config = WITH_PASSES.model_copy(update={"text_limits": TextLimits(passes=limit)})
    rejected: list[Rejection] = []
    found = shard_records(
        config,
        "test",
        0,
        process=FakeProcess(passes=PASSES),
        on_rejection=rejected.append,
    )
    if rows:
        assert len(list(found)) == rows
    else:
        with pytest.raises(BuildError, match="too-long"):
            list(found)
        assert {r.reason for r in rejected} == {"too-long"}
        assert rejected[0].detail == "passes has 120 characters, over 119"


def test_a_real_build_with_passes_loads_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_IR_PAIRS_CACHE", str(tmp_path / "plans"))
    config = load_config("passes-1k").model_copy(
        update={"name": "tiny", "splits": Splits(train=4, validation=1, test=1)}
    )
    out = tmp_path / "out"
    assert build(config, out, workers=1).sealed
    write_card(out)
    loaded = datasets.load_dataset(
        str(out), "tiny", split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.features == features(passes=True)
    table = pq.read_table(next(iter(sorted(Folder(out / "tiny").path.glob("train-*")))))
    assert loaded.to_list() == table.to_pylist()
    for row in loaded:
        assert row["passes"][0]["pass"] == ""
        assert row["passes"][-1]["hlo"] == row["optimized_hlo"]
