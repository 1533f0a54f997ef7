"""A program that takes the compiler's process down."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from jax_ir_pairs.build import Folder, all_shards, build
from jax_ir_pairs.build.shard import read_rows
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.quality import CheckingProcess
from tests.faults.bad_programs import Rows, build_with
from tests.faults.running import write_config


def test_it_is_an_incident_and_costs_no_other_row(tmp_path: Path, harmless: Rows) -> None:
    rows, [incident] = build_with("ctypes.string_at(0)", tmp_path)

    assert incident == {"seed": 1, "reason": "crash", "detail": "SIGSEGV"}
    assert rows == {name: harmless[name] for name in ("before", "after")}


class Quick(CheckingProcess):
    worker = "tests.faults.quick_worker"


class Steady(CheckingProcess):
    worker = "tests.faults.steady_worker"


def test_a_spare_takes_its_place(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    crashed = _build(config, tmp_path / "crashing", Quick)
    steady = _build(config, tmp_path / "steady", Steady)

    assert len(crashed) == len(steady) == 48
    assert steady.keys() - crashed.keys()
    assert all(row == steady[seed] for seed, row in crashed.items() if seed in steady)


def _build(config: Config, out: Path, kind: type[CheckingProcess]) -> dict[int, object]:
    report = build(config, out, workers=2, open_process=partial(kind, config.limits))
    assert (len(report.incidents) > 0) == (kind is Quick)
    folder = Folder(out / config.name)
    shards = all_shards(config)
    assert all(len(read_rows(folder, s)) == config.shard_rows(s.split, s.number) for s in shards)
    return {row["seed"]: row for shard in shards for row in read_rows(folder, shard)}
