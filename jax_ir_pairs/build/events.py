"""What a build tells while it runs, and at its end.

Events come from the threads of the build, one at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.build.layout import Shard
from jax_ir_pairs.build.records import Rejection
from jax_ir_pairs.location import Location


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another process seals the folder or builds all of it, and this one waits for its end."""


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """The plan is being made: seeds found of those wanted."""

    found: int
    wanted: int


@dataclass(frozen=True, slots=True)
class ShardKept:
    """A shard of an earlier run is whole."""

    shard: Shard
    rows: int


@dataclass(frozen=True, slots=True)
class ShardBroken:
    """A shard of an earlier run, or the manifest, is broken and will be made again."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class RowDone:
    """A row has been made."""

    shard: Shard


@dataclass(frozen=True, slots=True)
class RowRejected:
    """A candidate has been rejected."""

    shard: Shard
    rejection: Rejection


@dataclass(frozen=True, slots=True)
class ShardDone:
    """A shard has been written."""

    shard: Shard


@dataclass(frozen=True, slots=True)
class Sealing:
    """All shards are whole; so many rows have a jaxpr that an earlier row has, and go."""

    duplicates: int


Event = (
    Waiting | PlanProgress | ShardKept | ShardBroken | RowDone | RowRejected | ShardDone | Sealing
)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. Rows, rejections and incidents are those of the shards asked for."""

    rows: dict[str, int]
    """By split."""
    rejections: dict[str, int]
    """By reason."""
    incidents: tuple[Rejection, ...]
    failed_checks: tuple[Rejection, ...]
    """Each may be a bug of a compiler."""
    shards_kept: int
    shards_built: int
    """Those that were broken included."""
    shards_broken: dict[str, str]
    """What of an earlier run had to be made again: shards, the manifest; name and problem."""
    duplicates_replaced: int
    """Rows that sealing replaced since another shard had their jaxpr."""
    manifest: Location | None
    """Where the build is sealed."""
    seconds: float
    """Wall time."""
    driver_peak_bytes: int
    worker_peak_bytes: int
    """Peak memory of this process, and of the largest of its children."""

    @property
    def sealed(self) -> bool:
        """Whether all shards are whole, without duplicates, and the manifest is written."""
        return self.manifest is not None
