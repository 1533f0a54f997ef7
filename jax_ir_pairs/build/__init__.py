"""From a plan to a folder of Parquet shards that is resumed, sealed and ready for the Hub."""

from __future__ import annotations

from jax_ir_pairs.build.driver import build, ordered_config, seal
from jax_ir_pairs.build.events import (
    BuildReport,
    Event,
    PlanProgress,
    RowDone,
    RowRejected,
    Sealing,
    ShardBroken,
    ShardDone,
    ShardKept,
    Waiting,
)
from jax_ir_pairs.build.fingerprint import BuildFingerprint, build_fingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.build.records import Rejection, shard_records
from jax_ir_pairs.build.shard import Sidecar, read_sidecar

__all__ = [
    "BuildFingerprint",
    "BuildReport",
    "Event",
    "Folder",
    "PlanProgress",
    "Rejection",
    "RowDone",
    "RowRejected",
    "Sealing",
    "Shard",
    "ShardBroken",
    "ShardDone",
    "ShardKept",
    "Sidecar",
    "Waiting",
    "all_shards",
    "build",
    "build_fingerprint",
    "ordered_config",
    "read_sidecar",
    "seal",
    "shard_records",
]
