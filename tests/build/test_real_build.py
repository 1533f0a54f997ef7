"""The whole way with the real extraction, small."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.build import Folder, all_shards, build
from jax_ir_pairs.config import Splits, load_config
from jax_ir_pairs.extraction import versions
from jax_ir_pairs.quality import CheckingProcess
from tests.build.fakes import files_of

ROWS = {"train": 12, "validation": 2, "test": 2, "test_ops": 2, "test_compositions": 2}
CONFIG = load_config("hlo-100").model_copy(
    update={"name": "tiny", "splits": Splits(**ROWS), "rows_per_shard": 6}
)


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_IR_PAIRS_CACHE", str(tmp_path / "plans"))


def test_a_real_build_has_rows_of_all_levels_and_the_same_bytes_again(tmp_path: Path) -> None:
    report = build(CONFIG, tmp_path / "one", workers=2)

    assert report.sealed
    assert report.rows == ROWS
    assert report.incidents == ()
    assert report.worker_peak_bytes > 100e6
    assert report.driver_peak_bytes > 10e6
    folder = Folder(tmp_path / "one" / "tiny")
    for shard in all_shards(CONFIG):
        for row in pq.read_table(folder.parquet(shard)).to_pylist():
            assert f"def {row['entry_point']}(" in row["python"]
            assert "lambda" in row["jaxpr"]
            assert "stablehlo." in row["stablehlo"]
            assert row["hlo"].startswith("HloModule")
            assert row["optimized_hlo"].startswith("HloModule")
            assert (row["jax_version"], row["jaxlib_version"]) == versions()

    # A fresh process every five programs: nothing in a row is of its history.
    limits = CONFIG.limits.model_copy(update={"programs_per_process": 5})
    build(CONFIG, tmp_path / "other", open_process=partial(CheckingProcess, limits))
    assert files_of(tmp_path / "other") == files_of(tmp_path / "one")
