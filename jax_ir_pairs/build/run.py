"""The work of a build in its folder, step by step."""

from __future__ import annotations

import itertools
import json
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jax_ir_pairs.atomic import replace_text
from jax_ir_pairs.blocks import block_of, num_blocks
from jax_ir_pairs.build.engines import Engine, Process
from jax_ir_pairs.build.events import (
    BuildReport,
    Event,
    PlanProgress,
    Sealing,
    ShardBroken,
    ShardDone,
    ShardKept,
)
from jax_ir_pairs.build.fingerprint import BuildFingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.build.records import Rejection
from jax_ir_pairs.build.seal import find_duplicates, make_manifest
from jax_ir_pairs.build.shard import (
    BrokenShardError,
    Sidecar,
    check_rows,
    own_sidecar,
)
from jax_ir_pairs.build.task import ShardTask, make_shard
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.location import Location
from jax_ir_pairs.plan import check_recipe, make_plan

_SHOWN = 5
"""Broken or missing files that an error names."""


@dataclass
class Run:
    """One build at work in its folder."""

    config: Config
    folder: Folder
    fingerprint: BuildFingerprint
    engine: Engine
    workers: int
    emit: Callable[[Event], None]
    open_process: Callable[[], Process]
    repair: bool = False
    whole: set[Shard] = field(default_factory=set)
    kept: int = 0
    built: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    replaced: int = 0
    manifest: Location | None = None

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
        """Raises [`BuildError`][] where the folder is another build's, or has files of one.

        Where it says itself that it is of this build, a sidecar or manifest of another one is
        damage, and not refused here.
        """
        mend = "--force deletes it, another --out keeps it."
        written = self.folder.written()
        ours = self.folder.order.exists() and self.fingerprint.is_of(self.folder.order)
        for path in [] if ours else written:
            if path.suffix == ".json" and (differences := self.fingerprint.differences(path)):
                raise BuildError(
                    f"{self.folder.path}: there is a build that differs in "
                    f"{', '.join(differences)}; {mend}"
                )
        names = {shard.name for shard in all_shards(self.config)}
        names |= {self.folder.manifest.stem, self.folder.order.stem}
        for path in written:
            if path.stem not in names:
                raise BuildError(f"{path}: this is no file of {self.config.name}; {mend}")

    def begin(self) -> None:
        """Says in the folder what is built there, and looks at what is known of the whole.

        **Raises:** [`BuildError`][] where that is damaged and not to be repaired.
        """
        for path in (self.folder.order, self.folder.manifest):
            if path.exists() and not self.fingerprint.is_of(path):
                self._found_broken(path.name, "cannot be read, or is of another build")
        self._refuse_broken()
        if self.folder.manifest.name in self.broken:
            self.folder.manifest.unlink()
        if not self.folder.order.exists() or self.folder.order.name in self.broken:
            content = {"config": self.config.model_dump(mode="json"), **self.fingerprint.as_json()}
            replace_text(self.folder.order, json.dumps(content, indent=1) + "\n")

    def refuse_missing(self, out: Location) -> None:
        """Raises [`BuildError`][] with the command that makes them where shards are missing."""
        every = all_shards(self.config)
        missing = [n for n, s in enumerate(every) if not self.folder.sidecar(s).exists()]
        if missing:
            run = itertools.takewhile(
                lambda pair: pair[1] - pair[0] == missing[0], enumerate(missing)
            )
            end = missing[0] + sum(1 for _ in run)
            raise BuildError(
                f"{self.folder.path}: {len(missing):,} of {len(every):,} shards are missing "
                f"({_some([every[n].name for n in missing])}); `jax-ir-pairs build "
                f"{self.config.name} --out {out} --shards {missing[0]}:{end}` makes the first."
            )

    def make(self, shards: Sequence[Shard]) -> None:
        """Writes those of `shards` that are not whole."""
        missing = [shard for shard in shards if not self._keep(shard)]
        self._refuse_broken()
        self._write(dict.fromkeys(missing, frozenset()))
        self.built += len(missing)

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
            self._write({shard: frozenset(seeds) for shard, seeds in duplicates.items()})
        self.emit(Sealing(0))
        content = make_manifest(self.config, self.fingerprint, self._sidecars(every))
        text = json.dumps(content, indent=1) + "\n"
        if self.folder.manifest.exists() and self.folder.manifest.read_bytes() != text.encode():
            self._found_broken(self.folder.manifest.name, "is not what its shards make it")
            self._refuse_broken()
        for path in self.folder.leftovers():  # of workers that were killed
            path.unlink(missing_ok=True)
        replace_text(self.folder.manifest, text)
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
            if (sidecar := own_sidecar(self.folder, shard, self.fingerprint)) is None:
                return False
            check_rows(self.folder, shard, sidecar)
        except BrokenShardError as error:
            self._found_broken(shard.name, str(error))
            return False
        self.kept += 1
        self.whole.add(shard)
        self.emit(ShardKept(shard, len(sidecar.rows)))
        return True

    def _found_broken(self, name: str, problem: str) -> None:
        self.broken[name] = problem
        if self.repair:
            self.emit(ShardBroken(name, problem))

    def _refuse_broken(self) -> None:
        if self.broken and not self.repair:
            raise BuildError(
                f"{self.folder.path}: {len(self.broken):,} broken: "
                f"{_some([f'{name}: {problem}' for name, problem in self.broken.items()], '; ')}; "
                "--repair makes these again, and only these."
            )

    def _write(self, duplicates: Mapping[Shard, frozenset[int]]) -> None:
        """Writes these shards, each without the duplicates in it."""
        if duplicates:
            self.folder.manifest.unlink(missing_ok=True)
            self.engine(
                (
                    ShardTask(self.config, self.folder, self.fingerprint, shard, seeds)
                    for shard, seeds in duplicates.items()
                ),
                make_shard,
                workers=self.workers,
                open_process=self.open_process,
                emit=self._hear,
            )

    def _hear(self, event: Event) -> None:
        if isinstance(event, ShardDone):
            self.whole.add(event.shard)
        self.emit(event)

    def _sidecars(self, shards: Iterable[Shard]) -> Iterator[tuple[Shard, Sidecar]]:
        """Gives the sidecars one by one, since those of a million rows fill the memory."""
        for shard in shards:
            try:
                sidecar = own_sidecar(self.folder, shard, self.fingerprint)
            except BrokenShardError as error:
                raise BuildError(
                    f"{self.folder.sidecar(shard)}: {error}; --repair makes it again."
                ) from None
            if sidecar is None:
                raise BuildError(f"{self.folder.sidecar(shard)}: has gone; build again.")
            yield shard, sidecar


def _some(names: Sequence[str], separator: str = ", ") -> str:
    more = [f"and {len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return separator.join([*names[:_SHOWN], *more])


def _peak_bytes(who: int) -> int:
    peak = resource.getrusage(who).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
