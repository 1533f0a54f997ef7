from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs import targets
from jax_ir_pairs.build import Folder, all_shards, read_sidecar
from jax_ir_pairs.build.records import Refusal, shard_records
from jax_ir_pairs.config import TextLimits
from jax_ir_pairs.extraction import TargetLevels
from jax_ir_pairs.schema import columns
from jax_ir_pairs.synthesis.program import Program
from tests.build.fake_builds import StopHereError, fake_build
from tests.build.fakes import CONFIG, FakeProcess, colliding, digest_of, files_of

TARGETS = ("cpu", "tpu-v5e", "cuda-h100")
FURTHER = CONFIG.model_copy(update={"targets": TARGETS})


@pytest.fixture(autouse=True)
def _all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_version", lambda name: "1.0")


def levels(program: Program) -> tuple[TargetLevels, ...]:
    """A third of the programs are refused by the TPU; only every second is lowered alike."""
    digest = digest_of(program)
    tpu = TargetLevels("tpu-v5e", None, f"tpu {digest}")
    if digest % 3 == 0:
        tpu = TargetLevels.refused("tpu-v5e", "crash" if digest % 2 else "compiler-error", "why")
    return tpu, TargetLevels("cuda-h100", "other" if digest % 2 else None, f"cuda {digest}")


def test_a_refused_row_stays_with_null_and_its_reason_is_told() -> None:
    refused: list[Refusal] = []
    process = FakeProcess(further=levels)
    rows = list(shard_records(FURTHER, "train", 0, process=process, on_refusal=refused.append))

    assert len(rows) == 20
    assert all(list(row) == [column.name for column in columns(TARGETS)] for row in rows)
    nulls = [row["seed"] for row in rows if row["optimized_hlo_tpu_v5e"] is None]
    assert nulls == [refusal.seed for refusal in refused]
    assert 0 < len(nulls) < 20
    assert {refusal.target for refusal in refused} == {"tpu-v5e"}
    assert all(row["optimized_hlo_cuda_h100"] for row in rows)
    assert {row["stablehlo_cuda_h100"] for row in rows} == {"other", None}


def test_a_text_that_is_too_long_refuses_its_target_alone() -> None:
    def long(program: Program) -> tuple[TargetLevels, ...]:
        return TargetLevels("tpu-v5e", None, "x" * 101), TargetLevels("cuda-h100", None, "x")

    config = FURTHER.model_copy(update={"text_limits": TextLimits(optimized_hlo=100)})
    refused: list[Refusal] = []
    process = FakeProcess(further=long)
    row = next(shard_records(config, "test", 0, process=process, on_refusal=refused.append))
    assert (row["optimized_hlo_tpu_v5e"], row["optimized_hlo_cuda_h100"]) == (None, "x")
    assert [(r.target, r.reason) for r in refused] == [("tpu-v5e", "too-long")]


def test_refusals_are_counted_by_target_in_sidecars_and_manifest(tmp_path: Path) -> None:
    fake_build(tmp_path, FakeProcess(jaxpr=colliding, further=levels), config=FURTHER)
    folder = Folder(tmp_path / "tiny")
    total: Counter[str] = Counter()
    for shard in all_shards(FURTHER):
        sidecar = read_sidecar(folder, shard)
        assert sidecar is not None
        table = pq.read_table(folder.parquet(shard))
        nulls = [
            seed
            for seed, text in zip(
                table["seed"].to_pylist(), table["optimized_hlo_tpu_v5e"].to_pylist(), strict=True
            )
            if text is None
        ]
        assert [refusal.seed for refusal in sidecar.refused] == nulls
        assert all(r.detail == "why" for r in sidecar.refused)
        written = json.loads(folder.sidecar(shard).read_text())
        assert written.get("target_refusals", {}) == sidecar.target_refusals
        total += sidecar.target_refusals.get("tpu-v5e", Counter())
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["target_refusals"] == {"cuda-h100": {}, "tpu-v5e": dict(total)}
    assert set(total) == {"crash", "compiler-error"}


def test_an_interrupted_build_has_the_same_refusals(tmp_path: Path) -> None:
    def process() -> FakeProcess:
        return FakeProcess(jaxpr=colliding, further=levels)

    fake_build(tmp_path / "whole", process(), config=FURTHER)
    stopped = process()

    def stop(program: Program) -> None:
        if stopped.extracted.total() > 50:
            raise StopHereError

    stopped.check = stop
    with pytest.raises(StopHereError):
        fake_build(tmp_path / "again", stopped, config=FURTHER)
    fake_build(tmp_path / "again", process(), config=FURTHER, workers=2)
    assert files_of(tmp_path / "again") == files_of(tmp_path / "whole")


def test_without_further_targets_nothing_of_them_is_written(tmp_path: Path) -> None:
    fake_build(tmp_path)
    folder = Folder(tmp_path / "tiny")
    for path in (folder.manifest, folder.sidecar(all_shards(CONFIG)[0])):
        assert "refus" not in path.read_text()
