"""What takes all shards to see: rows that two of them share, and the manifest.

Of the rows with one jaxpr the first stays, in the order of splits, shards and rows; a shard that
loses a row takes a spare for it. The outcome does not depend on the order of the work: whatever is
dropped has its jaxpr in an earlier row, which is only ever dropped for one still earlier, so the
drops of any interrupted run are drops of every whole one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from jax_ir_pairs.blocks import block_of
from jax_ir_pairs.build.fingerprint import BuildFingerprint
from jax_ir_pairs.build.hashes import Hashes, num_distinct, repeated
from jax_ir_pairs.build.layout import Shard
from jax_ir_pairs.build.shard import Sidecar
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.plan import PlanCounts
from jax_ir_pairs.schema import LEVELS

Sidecars = Iterable[tuple[Shard, Sidecar]]


def find_duplicates(sidecars: Sidecars) -> dict[Shard, set[int]]:
    """Gives the seeds whose rows have the jaxpr of a row before them, by shard."""
    shards, ends = [], array("q")
    with Hashes() as jaxprs, Hashes() as seeds:
        for shard, sidecar in sidecars:
            jaxprs.extend(int(row.text_hashes["jaxpr"], 16) for row in sidecar.rows)
            seeds.extend(row.seed for row in sidecar.rows)
            shards.append(shard)
            ends.append(len(seeds))
        places = repeated(jaxprs)
        later = seeds.take(places)
    duplicates: dict[Shard, set[int]] = {}
    for number, seed in zip(np.searchsorted(ends, places, side="right"), later, strict=True):
        duplicates.setdefault(shards[number], set()).add(seed)
    return duplicates


def make_manifest(config: Config, build: BuildFingerprint, sidecars: Sidecars) -> dict[str, Any]:
    """Gives the content of the manifest: what was asked for, what made it, and what came of it.

    **Raises:** [`BuildError`][] where too many candidates were rejected, or where a structure is in
    two splits.
    """
    with ExitStack() as stack:
        hashes = {level: stack.enter_context(Hashes()) for level in LEVELS}
        structures = {split: stack.enter_context(Hashes()) for split in config.splits.names}
        return _manifest(config, build, sidecars, hashes, structures)


def _manifest(
    config: Config,
    build: BuildFingerprint,
    sidecars: Sidecars,
    hashes: Mapping[str, Hashes],
    structures: Mapping[str, Hashes],
) -> dict[str, Any]:
    splits: dict[str, dict[str, Any]] = {
        split: {"rows": 0, "bytes": 0, "num_bytes": 0, "shards": []}
        for split in config.splits.names
    }
    rejections: Counter[str] = Counter()
    incidents, failed_checks = [], []
    refusals: dict[str, Counter[str]] = {}
    plan: dict[int, PlanCounts] = {}
    for shard, sidecar in sidecars:
        split = splits[shard.split]
        split["rows"] += len(sidecar.rows)
        split["bytes"] += sidecar.bytes
        split["num_bytes"] += sidecar.num_bytes
        split["shards"].append(
            {
                "file": sidecar.file,
                "rows": len(sidecar.rows),
                "bytes": sidecar.bytes,
                "sha256": sidecar.sha256,
            }
        )
        rejections += sidecar.rejections
        for target, reasons in sidecar.target_refusals.items():
            refusals.setdefault(target, Counter()).update(reasons)
        incidents += [
            {"split": shard.split, "shard": shard.number, **asdict(r)} for r in sidecar.incidents
        ]
        failed_checks += [
            {"split": shard.split, "shard": shard.number, **asdict(r)}
            for r in sidecar.failed_checks
        ]
        plan[block_of(config, shard.split, shard.number)] = sidecar.plan
        structures[shard.split].extend(int(row.structure_hash, 16) for row in sidecar.rows)
        for level in LEVELS:
            hashes[level].extend(int(row.text_hashes[level], 16) for row in sidecar.rows)
    rows = sum(split["rows"] for split in splits.values())
    check_rejections(config, rows, rejections)
    in_splits, in_all = num_distinct(list(structures.values()))
    in_two_splits = sum(in_splits) - in_all
    if in_two_splits:
        raise BuildError(
            f"{config.name}: {in_two_splits} structures are in more than one split; this is a "
            "fault of jax-ir-pairs, please report it."
        )
    return {
        "config": config.model_dump(mode="json"),
        **build.as_json(),
        "plan": {
            counted.name: sum(getattr(counts, counted.name) for counts in plan.values())
            for counted in fields(PlanCounts)
        },
        "rows": rows,
        "largest_argument": max(
            (row.largest_argument for _, sidecar in sidecars for row in sidecar.rows), default=0
        ),
        "bytes": sum(split["bytes"] for split in splits.values()),
        "splits": splits,
        "rejections": dict(sorted(rejections.items())),
        "incidents": incidents,
        "failed_checks": failed_checks,
        **_target_refusals(config, refusals),
        "levels": {
            level: {"unique": num_distinct([hashes[level]])[1], "total": rows} for level in LEVELS
        },
        "structures": {
            **dict(zip(splits, in_splits, strict=True)),
            "in_more_than_one_split": in_two_splits,
        },
    }


def _target_refusals(config: Config, refusals: dict[str, Counter[str]]) -> dict[str, Any]:
    """Gives how many rows each further target refuses, by reason, where there are such targets."""
    further = config.targets[1:]
    by_target = {name: dict(sorted(refusals.get(name, {}).items())) for name in further}
    return {"target_refusals": by_target} if further else {}


def check_rejections(config: Config, rows: int, rejections: Counter[str]) -> None:
    """Raises [`BuildError`][] for no row at all, or more rejections than the config allows."""
    if not rows:
        raise BuildError(f"{config.name}: none of the candidates gave a row, so there is no data.")
    share = rejections.total() / (rows + rejections.total())
    if share > config.max_rejected_share:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejections.most_common())
        raise BuildError(
            f"{config.name}: {share:.1%} of the candidates were rejected ({reasons}), over the "
            f"config's max_rejected_share of {config.max_rejected_share:.1%}; the shards are kept, "
            "and raising it seals them."
        )
