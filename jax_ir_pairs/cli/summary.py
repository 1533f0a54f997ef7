"""What a build did, and what to do with it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.build import BuildReport, all_shards
from jax_ir_pairs.cli.progress import Tally, counts
from jax_ir_pairs.config import Config
from jax_ir_pairs.inspect.statistics_view import readable_bytes
from jax_ir_pairs.location import Location

_SHOWN = 5


def summary(
    report: BuildReport,
    tally: Tally,
    config: Config,
    out: Location,
    workers: int,
    functions: Sequence[str] = (),
) -> RenderableType:
    """Gives what a build did, and what to do next.

    `functions` has lines on those of a user's module that gave no row.
    """
    folder = out / config.name
    sizes = [path.stat().st_size for path in folder.glob("*.parquet")]
    facts = {
        "rows": ", ".join(f"{count:,} {split}" for split, count in report.rows.items()),
        "shards": f"{report.shards_built:,} built, {report.shards_kept:,} kept",
        "on disk": f"{readable_bytes(sum(sizes))} in {folder}",
        "rejected": counts(report.rejections) or "none",
        "time": f"{report.seconds:,.1f} s{_speed(report, tally, workers)}",
    }
    if report.shards_built:
        driver, worker = report.driver_peak_bytes, report.worker_peak_bytes
        facts["peak memory"] = (
            f"driver {readable_bytes(driver)}, largest worker {readable_bytes(worker)}"
        )
    if report.duplicates_replaced:
        facts["replaced"] = f"{report.duplicates_replaced:,} rows whose jaxpr another shard had"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    for number, line in enumerate(functions):
        table.add_row("" if number else "no row", Text(line))
    for name, rejections in (
        ("incident", report.incidents),
        ("failed check", report.failed_checks),
    ):
        for rejection in rejections[:_SHOWN]:
            detail = f": {rejection.detail}" if name == "failed check" else ""
            table.add_row(name, Text(f"seed {rejection.seed}: {rejection.reason}{detail}"))
        if (more := len(rejections) - _SHOWN) > 0:
            table.add_row("", f"and {more:,} more, in {folder / 'shards'}")
    return Group(table, Text(), Text(_next_steps(report, config, out)))


def _speed(report: BuildReport, tally: Tally, workers: int) -> str:
    if not tally.made:
        return ""
    speed = tally.made / report.seconds
    at_work = min(workers, report.shards_built)
    if at_work <= 1:
        return f", {speed:.1f} rows/s with 1 worker"
    return f", {speed:.1f} rows/s, {speed / at_work:.1f} for each of {at_work} workers"


def _next_steps(report: BuildReport, config: Config, out: Location) -> str:
    if not report.sealed:
        every = all_shards(config)
        there = {path.name for path in (out / config.name).glob("*.parquet")}
        missing = sum(f"{shard.name}.parquet" not in there for shard in every)
        seal = f"`jax-ir-pairs seal {shlex.quote(str(out / config.name))}` seals the dataset."
        if not missing:
            return f"All shards are there; {seal}"
        if isinstance(out, Path):
            seal = "the build that ends last seals the dataset."
        return (
            f"{missing:,} of {len(every):,} shards are missing: build them with other --shards, "
            f"or leave --shards out; {seal}"
        )
    if isinstance(out, Path):
        load = f'load_dataset("{out}", "{config.name}", split="train")'
    else:
        files = f"{out}/{config.name}/train-*.parquet"
        load = f'load_dataset("parquet", data_files="{files}", split="train")'
    folder = shlex.quote(str(out))
    return (
        f"The dataset card is {out / 'README.md'}. Look at a row, at the whole, or load it:\n"
        f"  jax-ir-pairs show {folder} --config {config.name}\n"
        f"  jax-ir-pairs stats {folder} --config {config.name}\n"
        f"  {load}"
    )
