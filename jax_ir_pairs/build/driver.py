"""A whole build: what is there is kept, what is missing is made, and the whole is sealed."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from jax_ir_pairs.build.engines import local
from jax_ir_pairs.build.events import BuildReport, Event
from jax_ir_pairs.build.fingerprint import build_fingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.build.lock import FolderBusyError, folder_lock
from jax_ir_pairs.build.run import Run
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.targets import require_installed


def build(
    config: Config,
    out: Path,
    *,
    workers: int = 1,
    shards: range | None = None,
    force: bool = False,
    on_event: Callable[[Event], object] = lambda _: None,
    open_process: Callable[[], local.Process] | None = None,
) -> BuildReport:
    """Builds `config` into the folder `out/NAME`, or goes on where an earlier build stopped.

    `shards` are global numbers: those of all splits, in the splits' order. With them, several
    processes may work in one folder, and the last one to end seals it. `force` deletes what other
    builds of this name wrote and starts anew. Ctrl-C keeps the shards that are whole.

    **Raises:** [`UsageError`][] for shards or workers that cannot be, and for targets for which
    something is not installed; [`BuildError`][] where the
    folder is another build's or cannot be written, where a shard runs out of candidates, or where
    the build cannot be sealed.
    """
    wanted = _selected(config, workers, shards, force)
    require_installed(config.targets)
    folder = Folder(Path(out) / config.name)
    run = Run(
        config=config,
        folder=folder,
        fingerprint=build_fingerprint(config),
        workers=workers,
        emit=_one_at_a_time(on_event),
        open_process=open_process
        or partial(CheckingProcess, config.limits, config.targets, passes=config.passes),
    )
    started = time.monotonic()
    try:
        folder.sidecars.mkdir(parents=True, exist_ok=True)
        with folder_lock(folder.path, shared=shards is not None):
            if force:
                _delete(folder.written())
            run.refuse_foreign()
            if shards is None:
                _delete(folder.leftovers())
            run.plan(wanted)
            run.make(wanted)
            if shards is None:
                run.seal()
        if shards is not None:
            _seal_if_last(run)
        return run.report(wanted, time.monotonic() - started)
    except OSError as error:
        raise BuildError(_explain(folder.path, error)) from error


def _selected(config: Config, workers: int, shards: range | None, force: bool) -> tuple[Shard, ...]:
    every = all_shards(config)
    if workers < 1:
        raise UsageError(f"There must be at least 1 worker, not {workers}.")
    if shards is None:
        return every
    if force:
        raise UsageError("--force deletes all shards, so it does not go together with --shards.")
    if not shards or min(shards) < 0 or max(shards) >= len(every):
        raise UsageError(
            f"--shards {shards.start}:{shards.stop}: {config.name} has the shards 0:{len(every)}."
        )
    return tuple(every[number] for number in shards)


def _seal_if_last(run: Run) -> None:
    """Seals a folder that several processes build, if this one ends last."""
    if not all(run.folder.sidecar(shard).exists() for shard in all_shards(run.config)):
        return
    with contextlib.suppress(FolderBusyError), folder_lock(run.folder.path, shared=False):
        _delete(run.folder.leftovers())
        run.seal()


def _one_at_a_time(on_event: Callable[[Event], object]) -> Callable[[Event], None]:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        with lock:
            on_event(event)

    return emit


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def _explain(folder: Path, error: OSError) -> str:
    problem = os.strerror(error.errno) if error.errno else str(error)
    mend = "free some space" if error.errno in _NO_SPACE else "mend that, or choose another --out"
    return (
        f"{error.filename or folder}: {problem}; {mend}, and run the same command again: "
        "the shards that are whole are kept."
    )
