from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from jax_ir_pairs.build import BuildReport, Rejection
from jax_ir_pairs.cli.progress import Tally
from jax_ir_pairs.cli.summary import summary
from jax_ir_pairs.config import load_config

CONFIG = load_config("hlo-100")
REPORT = BuildReport(
    rows={"train": 100, "validation": 10, "test": 10, "test_ops": 10, "test_compositions": 10},
    rejections={"timeout": 7, "duplicate": 9},
    incidents=tuple(Rejection(seed, "timeout", "") for seed in range(7)),
    failed_checks=(Rejection(9, "mismatch", "interpreter: result 0 differs"),),
    shards_kept=1,
    shards_built=3,
    shards_broken={},
    duplicates_replaced=2,
    manifest=Path("manifest.json"),
    seconds=20.0,
    driver_peak_bytes=200_000_000,
    worker_peak_bytes=300_000_000,
)


def text_of(report: BuildReport, out: Path, *, made: int = 70) -> str:
    console = Console(file=io.StringIO(), width=150)
    console.print(summary(report, Tally(wanted=140, made=made), CONFIG, out, workers=2))
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_a_sealed_build(tmp_path: Path) -> None:
    (tmp_path / "hlo-100").mkdir()
    (tmp_path / "hlo-100" / "train-00000-of-00002.parquet").write_bytes(bytes(1500))
    text = text_of(REPORT, tmp_path)
    for line in (
        "rows          100 train, 10 validation, 10 test, 10 test_ops, 10 test_compositions",
        "shards        3 built, 1 kept",
        f"on disk       1.5 kB in {tmp_path}/hlo-100",
        "rejected      9 duplicate, 7 timeout",
        "time          20.0 s, 3.5 rows/s, 1.8 for each of 2 workers",
        "peak memory   driver 200.0 MB, largest worker 300.0 MB",
        "replaced      2 rows whose jaxpr another shard had",
        "incident      seed 4: timeout",
        "failed check  seed 9: mismatch: interpreter: result 0 differs",
        f"              and 2 more, in {tmp_path}/hlo-100/shards",
        f"  jax-ir-pairs show {tmp_path} --config hlo-100",
        f'  load_dataset("{tmp_path}", "hlo-100", split="train")',
    ):
        assert line in text.splitlines()
    assert "seed 5" not in text


def test_a_build_that_had_nothing_to_do(tmp_path: Path) -> None:
    text = text_of(replace(REPORT, shards_built=0, rejections={}), tmp_path, made=0)
    assert "rejected      none" in text
    assert "rows/s" not in text
    assert "memory" not in text


def test_a_part_of_a_build_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "hlo-100").mkdir()
    (tmp_path / "hlo-100" / "train-00000-of-00002.parquet").touch()
    text = text_of(replace(REPORT, manifest=None), tmp_path)
    assert "5 of 6 shards are missing" in text
    assert "rows/s with 1 worker" in text_of(replace(REPORT, shards_built=1), tmp_path)
    assert "load_dataset" not in text
