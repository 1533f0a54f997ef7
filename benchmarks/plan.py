"""Measures planning: how long a config of any size takes to its first shard, and in what memory.

    python benchmarks/plan.py 10000 1000000 100000000 --json plan.json

A size is rows of train, with a fiftieth of it in each other split, as the hlo-* configs have;
shards of 100 rows up to 10,000, of 1,000 above. Each is planned by a process of its own, without
a cache: the first block, and the first with a shard of every split. The time of all blocks is
extrapolated from these two, and said to be.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from jax_ir_pairs.blocks import block_of, num_blocks
from jax_ir_pairs.config import Config, Splits, load_config
from jax_ir_pairs.plan import Plan, enumerate_plan

_PER_SMALL_SPLIT = 50
_SMALL = 10_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one size; times are of CPU, in seconds."""

    rows: int
    shards: int
    blocks: int
    first_shard: float
    every_split: float
    """The first block with a shard of every split."""
    candidates: int
    duplicates: int
    peak_mib: float
    over_start_mib: float
    seed_bytes: int
    """Of the larger of the two plans."""
    all_blocks_extrapolated: float


def config_of(rows: int) -> Config:
    """Gives the config of a size."""
    others = rows // _PER_SMALL_SPLIT
    names = ("validation", "test", "test_ops", "test_compositions")
    return load_config("hlo-10k").model_copy(
        update={
            "splits": Splits(train=rows, **dict.fromkeys(names, others)),
            "rows_per_shard": 100 if rows <= _SMALL else 1000,
        }
    )


def measured(rows: int) -> Figures:
    """Plans the first block of a size, and the first that has everything, in this process."""
    config = config_of(rows)
    start = _peak_mib()
    first, seconds = _timed(config, 0)
    number = max(block_of(config, split, 0) for split in config.splits.names)
    every, of_every = _timed(config, number) if number else (first, seconds)
    blocks = num_blocks(config)
    with_every = min(blocks, config.num_shards("test"))
    plans = [first, every] if number else [first]
    return Figures(
        rows=rows,
        shards=sum(map(config.num_shards, config.splits.names)),
        blocks=blocks,
        first_shard=seconds,
        every_split=of_every,
        candidates=sum(plan.counts.candidates for plan in plans),
        duplicates=sum(plan.counts.duplicates for plan in plans),
        peak_mib=_peak_mib(),
        over_start_mib=_peak_mib() - start,
        seed_bytes=max(8 * sum(map(len, plan.seeds.values())) for plan in plans),
        all_blocks_extrapolated=with_every * of_every + (blocks - with_every) * seconds,
    )


def _timed(config: Config, number: int) -> tuple[Plan, float]:
    started = time.process_time()
    return enumerate_plan(config, number), time.process_time() - started


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints the table, and writes the figures where --json says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="*", default=[10_000, 1_000_000, 100_000_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help="one size, in this process, as JSON")
    asked = parser.parse_args()
    if asked.one is not None:
        print(json.dumps(asdict(measured(asked.one))))
        return
    found = []
    print("| rows of train | shards | blocks | first shard s | block of every split s | "
          "peak MiB (of it planning) | seeds KiB | all blocks, extrapolated CPU h |")  # fmt: skip
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for rows in asked.rows:
        command = [sys.executable, __file__, "--one", str(rows)]
        figures = Figures(**json.loads(subprocess.check_output(command)))
        found.append(asdict(figures))
        print(
            f"| {rows:,} | {figures.shards:,} | {figures.blocks:,} | {figures.first_shard:.1f} | "
            f"{figures.every_split:.1f} | {figures.peak_mib:.0f} ({figures.over_start_mib:.0f}) | "
            f"{figures.seed_bytes / 1024:.0f} | {figures.all_blocks_extrapolated / 3600:,.2f} |",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
