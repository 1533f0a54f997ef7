"""The work of a build in its folder, step by step."""

from __future__ import annotations

import json
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.blocks import block_of, num_blocks
from jax_ir_pairs.build.engines import local
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
)
from jax_ir_pairs.build.fingerprint import BuildFingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.build.records import Extractor, Refusal, Rejection, Row, shard_records
from jax_ir_pairs.build.seal import find_duplicates, make_manifest
from jax_ir_pairs.build.shard import (
    BrokenShardError,
    Sidecar,
    check_rows,
    read_rows,
    read_sidecar,
    write_shard,
)
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.plan import check_recipe, make_plan, plan_of


@dataclass(frozen=True, slots=True)
class _Task:
    """A shard to write; its `duplicates` are rows it has and another shard had first."""

    shard: Shard
    duplicates: frozenset[int] = frozenset()


@dataclass
class Run:
    """One build at work in its folder."""

    config: Config
    folder: Folder
    fingerprint: BuildFingerprint
    workers: int
    emit: Callable[[Event], None]
    open_process: Callable[[], local.Process]
    whole: set[Shard] = field(default_factory=set)
    kept: int = 0
    built: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    replaced: int = 0
    manifest: Path | None = None

    def plan(self, shards: Sequence[Shard]) -> None:
        """Makes the plan of the first shard, or has it read, and tells how far it is.

        A large config has more blocks, which are planned when it is their turn; whether its recipe
        has programs for all of them is looked at before a build of the whole.
        """
        if num_blocks(self.config) > 1 and len(shards) == len(all_shards(self.config)):
            check_recipe(self.config)
        number = block_of(self.config, shards[0].split, shards[0].number)
        make_plan(self.config, number, lambda n, of: self.emit(PlanProgress(n, of)))

    def refuse_foreign(self) -> None:
        """Raises [`BuildError`][] where the folder holds what is not of this build."""
        mend = "--force deletes it, another --out keeps it."
        written = self.folder.written()
        for path in written:
            if path.suffix == ".json" and (differences := self.fingerprint.differences(path)):
                raise BuildError(
                    f"{self.folder.path}: there is a build that differs in "
                    f"{', '.join(differences)}; {mend}"
                )
        names = {shard.name for shard in all_shards(self.config)} | {self.folder.manifest.stem}
        for path in written:
            if path.stem not in names:
                raise BuildError(f"{path}: this is no file of {self.config.name}; {mend}")

    def make(self, shards: Sequence[Shard]) -> None:
        """Writes those of `shards` that are not whole."""
        tasks = [_Task(shard) for shard in shards if not self._keep(shard)]
        self._write(tasks)
        self.built += len(tasks)

    def seal(self) -> None:
        """Replaces rows that two shards share until there are none, and writes the manifest.

        **Raises:** [`BuildError`][] where that cannot be; what is built stays.
        """
        every = all_shards(self.config)
        self.make([shard for shard in every if shard not in self.whole])
        while duplicates := find_duplicates(self._sidecars(every)):
            number = sum(map(len, duplicates.values()))
            self.emit(Sealing(number))
            self.replaced += number
            self._write([_Task(shard, frozenset(seeds)) for shard, seeds in duplicates.items()])
        self.emit(Sealing(0))
        content = make_manifest(self.config, self.fingerprint, self._sidecars(every))
        replace_text(self.folder.manifest, json.dumps(content, indent=1) + "\n")
        self.manifest = self.folder.manifest

    def report(self, shards: Sequence[Shard], seconds: float) -> BuildReport:
        """Gives the report; it covers all shards where the build is sealed."""
        rows = dict.fromkeys(self.config.splits.names, 0)
        rejections: Counter[str] = Counter()
        incidents: list[Rejection] = []
        failed_checks: list[Rejection] = []
        for shard, sidecar in self._sidecars(all_shards(self.config) if self.manifest else shards):
            rows[shard.split] += len(sidecar.rows)
            rejections += sidecar.rejections
            incidents += sidecar.incidents
            failed_checks += sidecar.failed_checks
        return BuildReport(
            rows=rows,
            rejections=dict(rejections.most_common()),
            incidents=tuple(incidents),
            failed_checks=tuple(failed_checks),
            shards_kept=self.kept,
            shards_built=self.built,
            shards_broken=self.broken,
            duplicates_replaced=self.replaced,
            manifest=self.manifest,
            seconds=seconds,
            driver_peak_bytes=_peak_bytes(resource.RUSAGE_SELF),
            worker_peak_bytes=_peak_bytes(resource.RUSAGE_CHILDREN),
        )

    def _keep(self, shard: Shard) -> bool:
        try:
            if (sidecar := read_sidecar(self.folder, shard)) is None:
                return False
            check_rows(self.folder, shard, sidecar)
        except BrokenShardError as error:
            self.broken[shard.name] = str(error)
            self.emit(ShardBroken(shard, str(error)))
            return False
        self.kept += 1
        self.whole.add(shard)
        self.emit(ShardKept(shard, len(sidecar.rows)))
        return True

    def _write(self, tasks: Sequence[_Task]) -> None:
        if tasks:
            self.folder.manifest.unlink(missing_ok=True)
            local.run(
                tasks, self._write_shard, workers=self.workers, open_process=self.open_process
            )

    def _write_shard(self, task: _Task, process: Extractor) -> None:
        shard = task.shard
        known = self._known(task)
        rejected: list[Rejection] = []
        refused = self._known_refusals(task)

        def reject(rejection: Rejection) -> None:
            rejected.append(rejection)
            if rejection.seed not in known:
                self.emit(RowRejected(shard, rejection))

        def rows() -> Iterator[Row]:
            for row in shard_records(
                self.config,
                shard.split,
                shard.number,
                process=process,
                known=known,
                on_rejection=reject,
                on_refusal=refused.append,
            ):
                yield row
                if not task.duplicates:
                    self.emit(RowDone(shard))

        write_shard(
            self.folder,
            shard,
            self.fingerprint,
            rows(),
            rejected,
            plan=plan_of(self.config, shard.split, shard.number).counts,
            targets=self.config.targets,
            passes=self.config.passes,
            refused=refused,
        )
        self.whole.add(shard)
        self.emit(ShardDone(shard))

    def _known(self, task: _Task) -> dict[int, Row | Rejection]:
        """Gives what the files of a shard tell about its candidates.

        The rejections of a shard whose rows are broken count on: what was a duplicate is one.
        """
        try:
            sidecar = read_sidecar(self.folder, task.shard)
        except BrokenShardError:
            return {}
        known: dict[int, Row | Rejection] = {}
        if sidecar is not None:
            known |= {rejection.seed: rejection for rejection in sidecar.rejected}
        if task.duplicates:
            known |= {row["seed"]: row for row in read_rows(self.folder, task.shard)}
        for seed in task.duplicates:
            known[seed] = Rejection(seed, "duplicate", "another shard has the same jaxpr")
        return known

    def _known_refusals(self, task: _Task) -> list[Refusal]:
        """Gives the refusals of the rows that stay where duplicates go; spares come after them."""
        try:
            sidecar = read_sidecar(self.folder, task.shard) if task.duplicates else None
        except BrokenShardError:
            return []
        return [r for r in sidecar.refused if r.seed not in task.duplicates] if sidecar else []

    def _sidecars(self, shards: Iterable[Shard]) -> Iterator[tuple[Shard, Sidecar]]:
        """Gives the sidecars one by one, since those of a million rows fill the memory."""
        for shard in shards:
            try:
                sidecar = read_sidecar(self.folder, shard)
            except BrokenShardError as error:
                raise BuildError(f"{self.folder.sidecar(shard)}: {error}; build again.") from None
            if sidecar is None:
                raise BuildError(f"{self.folder.sidecar(shard)}: has gone; build again.")
            yield shard, sidecar


def _peak_bytes(who: int) -> int:
    peak = resource.getrusage(who).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
