"""A whole build: what is there is kept, what is missing is made, and the whole is sealed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from jax_ir_pairs.build.engines import Engine, Process, local
from jax_ir_pairs.build.events import BuildReport, Event, Waiting
from jax_ir_pairs.build.fingerprint import build_fingerprint
from jax_ir_pairs.build.layout import Folder, Shard, all_shards
from jax_ir_pairs.build.lock import FolderBusyError, folder_lock
from jax_ir_pairs.build.run import Run
from jax_ir_pairs.config import Config
from jax_ir_pairs.errors import BuildError, UsageError
from jax_ir_pairs.location import Location, file_system_errors, location, make_folder
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.targets import require_installed


def build(
    config: Config,
    out: Location | str,
    *,
    engine: Engine = local.run,
    workers: int = 1,
    shards: range | None = None,
    force: bool = False,
    repair: bool = False,
    on_event: Callable[[Event], object] = lambda _: None,
    open_process: Callable[[], Process] | None = None,
) -> BuildReport:
    """Builds `config` into the folder `out/NAME`, or goes on where an earlier build stopped.

    `shards` are global numbers: those of all splits, in the splits' order. With them, several
    processes may work in one folder, and the last one to end seals it. `force` deletes what other
    builds of this name wrote and starts anew. What is broken is named, and made again only to
    `repair` it. Ctrl-C keeps the shards that are whole.

    **Raises:** [`UsageError`][] for shards or workers that cannot be, and for targets for which
    something is not installed; [`BuildError`][] where the
    folder is another build's or cannot be written, where a shard runs out of candidates, or where
    the build cannot be sealed.
    """
    wanted = _selected(config, workers, shards, force)
    require_installed(config.targets)
    folder = Folder(location(out) / config.name)
    run = _run(config, folder, engine, workers, repair, on_event, open_process)
    started = time.monotonic()
    with _explained(folder):
        _refuse_detours(folder)
        make_folder(folder.sidecars)
        if shards is None:
            with folder_lock(folder.path, shared=False):
                if force:
                    _delete(folder.written())
                run.refuse_foreign()
                _delete(folder.leftovers())
                run.begin()
                run.plan(wanted)
                run.make(wanted)
                run.seal()
                return run.report(wanted, time.monotonic() - started)
        part = _make_part(run, wanted, started)
        return _seal_if_last(run, started) or part


def seal(
    path: Location | str,
    *,
    workers: int = 1,
    repair: bool = False,
    on_event: Callable[[Event], object] = lambda _: None,
    open_process: Callable[[], Process] | None = None,
) -> BuildReport:
    """Seals the build in the folder `path` of one config, whose shards are all there.

    The config is that of its `build.json`. Rows that two shards share are replaced, which takes
    `workers`. A sealed folder stays as it is.

    **Raises:** [`UsageError`][] where no build began there; [`BuildError`][] where shards are
    missing or broken, where the folder is another version's, or where it cannot be sealed.
    """
    folder = Folder(location(path))
    config = ordered_config(folder)
    require_installed(config.targets)
    run = _run(config, folder, local.run, workers, repair, on_event, open_process)
    started = time.monotonic()
    with _explained(folder), folder_lock(folder.path, shared=False):
        run.refuse_foreign()
        run.refuse_missing(folder.path.parent)
        run.begin()
        run.plan(all_shards(config))
        run.seal()
        return run.report(all_shards(config), time.monotonic() - started)


def ordered_config(folder: Folder) -> Config:
    """Gives the config that is built in a folder.

    **Raises:** [`UsageError`][] where there is none; [`BuildError`][] where it cannot be read.
    """
    mend = "the same `jax-ir-pairs build` as before writes it again"
    try:
        with file_system_errors(folder.path):
            content = folder.order.read_bytes()
        return Config.model_validate_json(json.dumps(json.loads(content)["config"]))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder.path}: no build has begun there; {mend}.") from None
    except (ValueError, KeyError, TypeError):
        raise BuildError(f"{folder.order}: cannot be read; {mend}, with --repair.") from None


def _run(
    config: Config,
    folder: Folder,
    engine: Engine,
    workers: int,
    repair: bool,
    on_event: Callable[[Event], object],
    open_process: Callable[[], Process] | None,
) -> Run:
    return Run(
        config=config,
        folder=folder,
        fingerprint=build_fingerprint(config),
        engine=engine,
        workers=workers,
        emit=_one_at_a_time(on_event),
        open_process=open_process
        or partial(CheckingProcess, config.limits, config.targets, passes=config.passes),
        repair=repair,
    )


def _selected(config: Config, workers: int, shards: range | None, force: bool) -> Sequence[Shard]:
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


def _refuse_detours(folder: Folder) -> None:
    """Refuses folders that lie elsewhere, and what is no file where a file of the build would be.

    A link in a file's place is harmless: it is replaced, and not written through.
    """
    for path in (folder.path, folder.sidecars):
        if path.is_symlink():
            raise BuildError(f"{path}: is a link, and a build writes nothing elsewhere; remove it.")
    for path in folder.written():
        if not path.is_file():
            raise BuildError(f"{path}: is no file, and a build has one there; remove it.")


def _make_part(run: Run, wanted: Sequence[Shard], started: float) -> BuildReport:
    """Makes some of the shards beside other processes that make some.

    It waits for one that seals already, as where a task was handed in twice by mistake, and reports
    before another can, which may replace rows.
    """
    with folder_lock(run.folder.path, shared=True, on_wait=lambda: run.emit(Waiting())):
        run.refuse_foreign()
        run.begin()
        run.plan(wanted)
        run.make(wanted)
        return run.report(wanted, time.monotonic() - started)


def _seal_if_last(run: Run, started: float) -> BuildReport | None:
    """Seals a folder that several processes build, if this one ends last.

    A URL has no lock, by which one could know.
    """
    every = all_shards(run.config)
    has_lock = isinstance(run.folder.path, Path)
    if has_lock and all(run.folder.sidecar(shard).exists() for shard in every):
        with contextlib.suppress(FolderBusyError), folder_lock(run.folder.path, shared=False):
            run.seal()
            return run.report(every, time.monotonic() - started)
    return None


def _one_at_a_time(on_event: Callable[[Event], object]) -> Callable[[Event], None]:
    lock = threading.Lock()

    def emit(event: Event) -> None:
        with lock:
            on_event(event)

    return emit


def _delete(paths: Iterable[Location]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(folder: Folder) -> Iterator[None]:
    """Raises [`BuildError`][] where the file system fails."""
    try:
        with file_system_errors(folder.path):
            yield
    except OSError as error:
        raise BuildError(_explain(folder.path, error)) from error


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def _explain(folder: Location, error: OSError) -> str:
    of_url = error.errno in {None, errno.EIO}
    problem = (error.strerror or str(error)) if of_url else os.strerror(error.errno or 0)
    mend = "free some space" if error.errno in _NO_SPACE else "mend that, or choose another --out"
    return (
        f"{error.filename or folder}: {problem}; {mend}, and run the same command again: "
        "the shards that are whole are kept."
    )
