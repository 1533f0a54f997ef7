"""One shard to make: frozen data that any process can be handed, and the function that makes it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jax_ir_pairs.build.events import Event, RowDone, RowRejected, ShardDone
from jax_ir_pairs.build.fingerprint import BuildFingerprint, build_fingerprint
from jax_ir_pairs.build.layout import Folder, Shard
from jax_ir_pairs.build.records import Extractor, Refusal, Rejection, Row, shard_records
from jax_ir_pairs.build.shard import BrokenShardError, own_sidecar, read_rows, write_shard
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.location import file_system_errors
from jax_ir_pairs.plan import plan_of


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard to write in a folder."""

    config: Config
    folder: Folder
    fingerprint: BuildFingerprint
    shard: Shard
    duplicates: frozenset[int] = frozenset()
    """Seeds of rows that it has and another shard had first."""


def make_shard(task: ShardTask, process: Extractor, emit: Callable[[Event], object]) -> None:
    """Writes the files of the shard, and tells of each row.

    **Raises:** [`BuildError`][] where this machine's code or versions are not the build's.
    """
    config, shard = task.config, task.shard
    if build_fingerprint(config) != task.fingerprint:
        raise BuildError(
            f"{shard.name}: {platform.node()} has another version of jax-ir-pairs, JAX or pyarrow "
            "than the machine that started the build; install the same on all."
        )
    known = _known(task)
    rejected: list[Rejection] = []
    refused = _known_refusals(task)

    def reject(rejection: Rejection) -> None:
        rejected.append(rejection)
        if rejection.seed not in known:
            emit(RowRejected(shard, rejection))

    def rows() -> Iterator[Row]:
        for row in shard_records(
            config,
            shard.split,
            shard.number,
            process=process,
            known=known,
            on_rejection=reject,
            on_refusal=refused.append,
        ):
            yield row
            if not task.duplicates:
                emit(RowDone(shard))

    with file_system_errors(task.folder.path):
        write_shard(
            task.folder,
            shard,
            task.fingerprint,
            rows(),
            rejected,
            plan=plan_of(config, shard.split, shard.number).counts,
            targets=config.targets,
            passes=config.passes,
            refused=refused,
        )
    emit(ShardDone(shard))


def _known(task: ShardTask) -> dict[int, Row | Rejection]:
    """Gives what the files of a shard tell about its candidates.

    The rejections of a shard whose rows are broken count on: what was a duplicate is one.
    """
    try:
        sidecar = own_sidecar(task.folder, task.shard, task.fingerprint)
    except BrokenShardError:
        return {}
    known: dict[int, Row | Rejection] = {}
    if sidecar is not None:
        known |= {rejection.seed: rejection for rejection in sidecar.rejected}
    if task.duplicates:
        known |= {row["seed"]: row for row in read_rows(task.folder, task.shard)}
    for seed in task.duplicates:
        known[seed] = Rejection(seed, "duplicate", "another shard has the same jaxpr")
    return known


def _known_refusals(task: ShardTask) -> list[Refusal]:
    """Gives the refusals of the rows that stay where duplicates go; spares come after them."""
    try:
        sidecar = own_sidecar(task.folder, task.shard, task.fingerprint)
    except BrokenShardError:
        return []
    if sidecar is None or not task.duplicates:
        return []
    return [r for r in sidecar.refused if r.seed not in task.duplicates]
