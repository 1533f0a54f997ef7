"""A build's progress while it runs: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jax_ir_pairs.build import (
    Event,
    PlanProgress,
    RowDone,
    RowRejected,
    Sealing,
    Shard,
    ShardBroken,
    ShardDone,
    ShardKept,
    Waiting,
)
from jax_ir_pairs.config import Config

_TENTHS = 10
_SECONDS_WITHOUT_A_LINE = 300.0


@dataclass
class Tally:
    """What the events of a build add up to. Rows are made from the first shard on."""

    wanted: int
    kept: int = 0
    made: int = 0
    whole_shards: set[Shard] = field(default_factory=set)
    rejections: Counter[str] = field(default_factory=Counter)
    started: float | None = None

    def add(self, event: Event, now: float) -> None:
        """Counts an event that came at `now`, in seconds on any clock that does not jump."""
        match event:
            case ShardKept():
                self.kept += event.rows
                self.whole_shards.add(event.shard)
            case ShardDone():
                self.whole_shards.add(event.shard)
            case RowDone():
                self.made += 1
            case RowRejected():
                self.rejections[event.rejection.reason] += 1
        if self.started is None and isinstance(event, RowDone | RowRejected):
            self.started = now

    @property
    def done(self) -> int:
        """Rows that are there, of those wanted."""
        return self.kept + self.made

    def rows_per_second(self, now: float) -> float | None:
        """Gives the speed of this run, once there is one to tell."""
        if self.started is None or not self.made or now <= self.started:
            return None
        return self.made / (now - self.started)

    def describe(self, now: float) -> str:
        """Gives speed, rejections by reason and time left, as far as they are known."""
        parts = []
        if (speed := self.rows_per_second(now)) is not None:
            parts.append(f"{speed:.1f} rows/s")
            if left := max(self.wanted - self.done, 0):
                parts.append(f"{duration(left / speed)} left")
        if self.rejections:
            parts.append(f"rejected: {counts(self.rejections)}")
        return ", ".join(parts)


class BuildProgress:
    """Shows the events of a build of these shards; a context manager, and called with each."""

    def __init__(
        self,
        config: Config,
        shards: Sequence[Shard],
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally(sum(config.shard_rows(shard.split, shard.number) for shard in shards))
        self._name = config.name
        self._console = console
        self._clock = clock
        self._last_line = (0, clock())
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(
            f"{config.name}: planning", total=self.tally.wanted, note=""
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Counts one event, and shows it where there is still something to show it on."""
        now = self._clock()
        self.tally.add(event, now)
        with suppress(OSError):
            self._show(event, now)

    def _show(self, event: Event, now: float) -> None:
        match event:
            case PlanProgress():
                self._bar.update(self._task, completed=event.found, total=event.wanted)
                return
            case Waiting():
                self._say(f"{self._name}: another build is at work there, and is waited for.")
                return
            case ShardBroken():
                self._say(f"{event.name}: {event.problem}; it is made again.")
            case Sealing() if event.duplicates:
                self._say(
                    f"{self._name}: sealing replaces {event.duplicates:,} rows of equal jaxprs."
                )
        self._bar.update(
            self._task,
            description=self._name,
            completed=self.tally.done,
            total=self.tally.wanted,
            note=f"rows, {self.tally.describe(now)}".removesuffix(", "),
        )
        if not self._console.is_terminal and isinstance(event, RowDone):
            self._line_now_and_then(now)

    def _line_now_and_then(self, now: float) -> None:
        """Writes a line at each tenth of the rows, and in a slow build every few minutes."""
        tenth = self.tally.done * _TENTHS // max(self.tally.wanted, 1)
        last_tenth, last_time = self._last_line
        if tenth > last_tenth or now - last_time >= _SECONDS_WITHOUT_A_LINE:
            self._last_line = (tenth, now)
            rows = f"{self.tally.done:,} of {self.tally.wanted:,} rows"
            self._say(f"{self._name}: {rows}, {self.tally.describe(now)}".removesuffix(", "))

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


def counts(by_name: Mapping[str, int]) -> str:
    """Writes counts by name, the largest first."""
    ordered = sorted(by_name.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def duration(seconds: float) -> str:
    """Writes a time as `1:02:03` or `2:03`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
