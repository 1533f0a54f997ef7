"""Where the time of a row goes, stage by stage."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median_low
from typing import Any

from building.figures import COSTED, Cost
from building.speed import cpu_seconds, turns
from jax_ir_pairs.build import build
from jax_ir_pairs.config import Config, load_config
from jax_ir_pairs.extraction import Extraction
from jax_ir_pairs.plan import make_plan
from jax_ir_pairs.quality import CheckingProcess

_SMALL, _LARGE = "hlo-1k", "hlo-10k"
_ROWS_PER_SHARD = 100


def costs(rows: int, rounds: int, tell: Callable[[str], object]) -> tuple[Cost, Cost]:
    """Gives what a row of a small and of a large config costs, measured by turns.

    Of the rounds it is the one with the median of CPU time, so that its stages add up.
    """
    configs = [
        load_config(name, rows_per_shard=min(rows, _ROWS_PER_SHARD), checks=COSTED)
        for name in (_SMALL, _LARGE)
    ]
    plans = {config.name: _plan_seconds(config) for config in configs}
    tell("the plans are made")
    found: defaultdict[str, list[Cost]] = defaultdict(list)
    for number, config in turns(configs, rounds):
        once = _cost(config, rows, plans[config.name])
        found[config.name].append(once)
        spent = ", ".join(f"{stage} {1e3 * once.of(stage):.1f}" for stage in once.stages)
        tell(f"round {number + 1} of {rounds}: ms of a row of {config.name}: {spent}")
    return _middle(found[_SMALL]), _middle(found[_LARGE])


def _middle(found: list[Cost]) -> Cost:
    cpu = median_low(each.cpu for each in found)
    return next(each for each in found if each.cpu == cpu)


def _plan_seconds(config: Config) -> float:
    """Makes the whole plan, and gives the CPU seconds of each of its rows."""
    before = cpu_seconds()
    make_plan(config)
    return (cpu_seconds() - before) / sum(map(config.splits.rows, config.splits.names))


def _cost(config: Config, rows: int, plan: float) -> Cost:
    """Builds the first shards of a config with one worker, which does one thing at a time."""
    seconds: defaultdict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as out:
        cpu, started = cpu_seconds(), time.perf_counter()
        report = build(
            config,
            Path(out),
            shards=range(-(-rows // config.rows_per_shard)),
            open_process=lambda: _Timed(config, seconds),
        )
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu
        size = sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())
    made = sum(report.rows.values())
    start, transport = seconds.pop("start"), seconds.pop("transport", 0.0)
    driver = wall - start - transport - sum(seconds.values())
    stages = {**seconds, "transport": transport, "driver": driver}
    return Cost(
        config=config.name,
        rows=made,
        cpu=cpu * (1 - start / wall) / made,
        plan=plan,
        stages={stage: spent / made for stage, spent in stages.items()},
        bytes=size / made,
    )


class _Timed(CheckingProcess):
    """Adds up the seconds of each stage, and those in which the child started."""

    def __init__(self, config: Config, seconds: defaultdict[str, float]) -> None:
        super().__init__(config.limits, config.targets, passes=config.passes)
        self._seconds = seconds

    def extract(self, *request: Any, **named: Any) -> Extraction:
        first, before = self._answered == 0, self.stage_seconds
        started = time.perf_counter()
        try:
            return super().extract(*request, **named)
        finally:
            taken = time.perf_counter() - started
            answered = self.stage_seconds is not before
            spent = self.stage_seconds if answered else {}
            self._seconds["start" if first else "transport"] += taken - sum(spent.values())
            for stage, seconds in spent.items():
                self._seconds[stage] += seconds
