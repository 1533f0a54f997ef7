"""What `build.py` measures, as data: it goes into a file of results and comes out of it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

CHECKS = ("none", "texts", "all")
"""What `checks` of a config is in the builds that are measured."""

COSTED = "texts"
"""What it is where the time of a row is looked at by stage, and in builds by Ray."""

COMPILER_STAGES = ("trace", "lower", "texts", "compile", "analysis")
"""Those of a worker that are calls of JAX and XLA, with little of ours around them."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way from programs to their levels: a script in one process, or a build by an engine."""

    engine: str
    """`naive` and `floor` are the scripts of `routes/plain.py`."""
    workers: int = 1
    checks: str = ""

    @property
    def is_build(self) -> bool:
        """Whether it writes rows; the scripts write nothing."""
        return bool(self.checks)


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of a row on one way, measured once."""

    wall: float
    cpu: float | None
    """Of all processes; nothing where they are another's, as Ray's are."""


@dataclass(frozen=True, slots=True)
class Speed:
    """A way, and all that was measured of it."""

    way: Way
    rounds: tuple[Round, ...]

    @property
    def wall(self) -> float:
        """The median of the rounds, in seconds of a row."""
        return median(each.wall for each in self.rounds)

    @property
    def cpu(self) -> float | None:
        """The median of the rounds, where each of them has the time of the CPU."""
        known = [each.cpu for each in self.rounds if each.cpu is not None]
        return median(known) if len(known) == len(self.rounds) else None

    @property
    def cores(self) -> float | None:
        """How many cores it keeps busy: the median of the rounds' CPU time by that of the clock."""
        busy = [each.cpu / each.wall for each in self.rounds if each.cpu is not None]
        return median(busy) if len(busy) == len(self.rounds) else None

    @property
    def spread(self) -> float:
        """How far the rounds lie apart by the clock, as a share of their median."""
        walls = [each.wall for each in self.rounds]
        return (max(walls) - min(walls)) / self.wall


@dataclass(frozen=True, slots=True)
class Cost:
    """A row of a config, without the start of the child, which is once in a thousand rows."""

    config: str
    rows: int
    cpu: float
    """CPU seconds of all processes."""
    plan: float
    """CPU seconds of the config's whole plan, for each of its rows."""
    stages: Mapping[str, float]
    """Seconds by the clock, in order: those of the worker, `transport`, `driver`.

    The last is synthesis, Parquet and all else that is outside of the worker.
    """
    bytes: float
    """Of Parquet files and sidecars."""

    @property
    def total(self) -> float:
        """CPU seconds, plan included."""
        return self.cpu + self.plan

    def of(self, *stages: str) -> float:
        """Gives the CPU seconds of some stages: their share of all by the clock.

        One worker does one thing at a time, and what else the machine does slows all of them alike.
        """
        spent = sum(self.stages.get(stage, 0.0) for stage in stages)
        return self.cpu * spent / sum(self.stages.values())

    @property
    def compiler(self) -> float:
        """CPU seconds in JAX and XLA."""
        return self.of(*COMPILER_STAGES)

    @property
    def check(self) -> float:
        """CPU seconds of the checks: of interpreters, and of machine code where that is run."""
        return self.of("check")

    @property
    def own(self) -> float:
        """CPU seconds of all else: line map, transport, synthesis, Parquet, driver, plan."""
        return self.total - self.compiler - self.check


@dataclass(frozen=True, slots=True)
class Results:
    """All that is measured."""

    machine: str
    rows: int
    """Of each build."""
    speeds: tuple[Speed, ...]
    costs: tuple[Cost, Cost]
    """Of a small and of a large config."""
    reading: Mapping[str, float]
    """Speeds of `datasets` as shares of pyarrow's."""
    first_row: Mapping[str, float]
    """Seconds until it is there."""

    def of(self, way: Way) -> Speed:
        """Gives what was measured of a way."""
        [found] = (speed for speed in self.speeds if speed.way == way)
        return found

    @property
    def naive(self) -> Speed:
        """What all else is held against."""
        return self.of(Way("naive"))

    @property
    def rounds(self) -> int:
        """How often each way was measured."""
        return len(self.naive.rounds)


def from_json(content: Mapping[str, Any]) -> Results:
    """Gives the results that `dataclasses.asdict` made a dictionary of."""
    speeds = tuple(
        Speed(Way(**item["way"]), tuple(Round(**each) for each in item["rounds"]))
        for item in content["speeds"]
    )
    small, large = (Cost(**item) for item in content["costs"])
    return Results(**{**content, "speeds": speeds, "costs": (small, large)})
