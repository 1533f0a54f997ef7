"""A build's progress while it runs, and its summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from jax_ir_pairs.build import (
    BuildReport,
    Event,
    PlanProgress,
    RowDone,
    RowRejected,
    Sealing,
    ShardBroken,
    ShardKept,
)
from jax_ir_pairs.config import Config
from jax_ir_pairs.schema import SPLITS

_SECONDS_BETWEEN_LINES = 30.0


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {task.fields['unit']}/s")


class BuildProgress:
    """Shows events as a bar in a terminal, and as a line now and then elsewhere."""

    def __init__(self, config: Config, console: Console) -> None:
        self._console = console
        self._total = sum(config.splits.rows(split) for split in SPLITS)
        self._done = self._kept = 0
        self._rejections: Counter[str] = Counter()
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
            _Speed(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(f"{config.name}: planning", total=1, unit="seeds", note="")
        self._name = config.name
        self._planning = True

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Shows one event of the build."""
        if isinstance(event, PlanProgress):
            self._bar.update(self._task, completed=event.found, total=event.wanted)
            return
        if isinstance(event, ShardKept):
            self._kept += event.rows
        elif isinstance(event, ShardBroken):
            self._console.print(f"{event.shard.name}: {event.problem}; it is built again.")
        elif isinstance(event, RowDone):
            self._done += 1
        elif isinstance(event, RowRejected):
            self._rejections[event.rejection.reason] += 1
        elif isinstance(event, Sealing) and event.duplicates:
            self._console.print(f"sealing: {event.duplicates} rows of equal jaxprs are replaced.")
        self._update()

    def _update(self) -> None:
        if self._planning:
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(self._name, total=self._total, unit="rows", note="")
            self._planning = False
        note = _counts(self._rejections)
        total = self._total - self._kept
        self._bar.update(self._task, completed=self._done, total=total, note=note)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            speed = self._done / (now - self._started)
            self._console.print(
                f"{self._name}: {self._kept + self._done:,} of {self._total:,} rows, "
                f"{speed:.1f} rows/s{', ' + note if note else ''}"
            )


def _counts(rejections: Counter[str] | dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejections.items()))


def summary(report: BuildReport, config: Config, out: Path) -> RenderableType:
    """Gives what a build did, and what to do with it."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows = ", ".join(f"{count:,} {split}" for split, count in report.rows.items())
    files = list((out / config.name).glob("*.parquet"))
    size = sum(path.stat().st_size for path in files)
    table.add_row("rows", rows)
    table.add_row("shards", f"{report.shards_built:,} built, {report.shards_kept:,} kept")
    table.add_row("rejected", _counts(report.rejections) or "none")
    table.add_row("replaced", f"{report.duplicates_replaced:,} rows that shared a jaxpr")
    table.add_row("on disk", f"{size / 1e6:,.1f} MB in {len(files):,} files")
    table.add_row("time", f"{report.seconds:,.1f} s")
    driver, worker = report.driver_peak_bytes / 2**20, report.worker_peak_bytes / 2**20
    table.add_row("memory", f"{driver:,.0f} MiB driver, {worker:,.0f} MiB worker at most")
    for incident in report.incidents:
        table.add_row("incident", f"seed {incident.seed}: {incident.reason}: {incident.detail}")
    if not report.sealed:
        advice = "The other shards are missing: the build that ends last seals the dataset."
    else:
        advice = (
            f"{out / 'README.md'} is the dataset card. Next:\n"
            f"  jax-ir-pairs show {out} --config {config.name} --row 1\n"
            f"  jax-ir-pairs stats {out} --config {config.name}\n"
            f'  python -c "from datasets import load_dataset; '
            f"print(load_dataset('{out}', '{config.name}'))\""
        )
    return Group(table, Text(), Text(advice))
