from __future__ import annotations

import io
import itertools
from collections.abc import Iterable

import pytest
from rich.console import Console

from jax_ir_pairs.build import (
    Event,
    PlanProgress,
    Rejection,
    RowDone,
    RowRejected,
    Sealing,
    ShardBroken,
    ShardDone,
    ShardKept,
    Waiting,
    all_shards,
)
from jax_ir_pairs.cli.progress import BuildProgress, Tally, counts, duration
from jax_ir_pairs.config import load_config

CONFIG = load_config("hlo-100", splits={"train": 100, "validation": 10, "test": 10})
SHARDS = all_shards(CONFIG)
FIRST, SECOND = SHARDS[:2]


def shown(events: Iterable[Event], seconds: float, *, terminal: bool = False) -> str:
    """Gives what is printed for these events, with so many seconds before each."""
    console = Console(file=io.StringIO(), width=100, force_terminal=terminal)
    ticks = itertools.count(0, seconds)
    with BuildProgress(CONFIG, SHARDS, console, clock=lambda: float(next(ticks))) as progress:
        for event in events:
            progress(event)
        if terminal:
            progress._bar.refresh()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_tally_counts_the_speed_of_this_run_only() -> None:
    tally = Tally(wanted=100)
    tally.add(PlanProgress(1, 2), now=0)
    tally.add(ShardKept(FIRST, 50), now=40)
    assert tally.describe(now=41) == ""
    for now in range(100, 111):
        tally.add(RowDone(SECOND), now)
    tally.add(RowRejected(SECOND, Rejection(7, "timeout", "")), now=110)
    tally.add(ShardDone(SECOND), now=110)
    tally.add(ShardDone(SECOND), now=110)
    assert tally.done == 61
    assert tally.whole_shards == {FIRST, SECOND}
    assert tally.describe(now=110) == "1.1 rows/s, 0:35 left, rejected: 1 timeout"


def test_a_file_gets_a_line_at_each_tenth() -> None:
    lines = shown([RowDone(FIRST)] * 120, seconds=1).splitlines()
    assert len(lines) == 10
    assert lines[0] == "hlo-100: 12 of 120 rows, 1.1 rows/s, 1:39 left"
    assert lines[-1] == "hlo-100: 120 of 120 rows, 1.0 rows/s"


def test_a_slow_build_says_that_it_lives() -> None:
    lines = shown([RowDone(FIRST)] * 5, seconds=301).splitlines()
    assert len(lines) == 5


def test_only_the_rows_of_the_shards_asked_for_are_wanted() -> None:
    progress = BuildProgress(CONFIG, SHARDS[2:], Console(file=io.StringIO()))
    assert progress.tally.wanted == 20


def test_what_is_out_of_the_ordinary_is_said() -> None:
    broken = ShardBroken(FIRST.name, "its [b] is gone")
    text = shown([Waiting(), broken, Sealing(3), Sealing(0)], seconds=1)
    assert text.splitlines() == [
        "hlo-100: another build is at work there, and is waited for.",
        "train-00000-of-00002: its [b] is gone; it is made again.",
        "hlo-100: sealing replaces 3 rows of equal jaxprs.",
    ]


def test_a_terminal_gets_a_bar() -> None:
    assert "hlo-100: planning" in shown([PlanProgress(60, 200)], seconds=1, terminal=True)
    text = shown([RowDone(FIRST)] * 30, seconds=2, terminal=True)
    assert "30 of 120 rows, 0.5 rows/s" in text


def test_counts_come_largest_first() -> None:
    assert counts({"crash": 1, "timeout": 1200, "duplicate": 1}) == (
        "1,200 timeout, 1 crash, 1 duplicate"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("terminal", [False, True])
def test_a_console_that_is_gone_ends_nothing(terminal: bool) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    console = Console(file=Gone(), force_terminal=terminal)
    progress = BuildProgress(CONFIG, SHARDS, console)
    for _ in range(30):
        progress(RowDone(FIRST))
    progress(ShardBroken(SECOND.name, "its Parquet file is missing"))
    assert progress.tally.made == 30
