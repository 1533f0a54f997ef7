"""Threads of this process, each with an extraction process of its own, which does the work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from jax_ir_pairs.build.engines import Emit, Process, Task
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.extraction import CheckRequest, Extraction
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.waiting import results


class StoppedError(Exception):
    """Ends the work of a worker thread when another one failed or the user pressed Ctrl-C."""


def run(
    tasks: Iterable[Task],
    work: Callable[[Task, Extractor, Emit], None],
    *,
    workers: int,
    open_process: Callable[[], Process],
    emit: Emit,
) -> None:
    """Does each task in one of `workers` threads; an [`Engine`][].

    An error in a thread, or Ctrl-C in this one, kills all processes, waits for the threads to
    unwind, and is raised.
    """
    pending = iter(tasks)
    one_by_one = threading.Lock()
    stop = threading.Event()
    processes = [open_process() for _ in range(workers)]

    def drain(process: Process) -> None:
        extractor = _Stoppable(process, stop)
        with contextlib.closing(process):
            while not stop.is_set():
                with one_by_one:
                    task = next(pending, None)
                if task is None:
                    return
                work(task, extractor, emit)

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="shard") as pool:
        try:
            for _ in results([pool.submit(drain, process) for process in processes]):
                pass
        except BaseException:
            stop.set()
            for process in processes:
                process.kill()
            raise


class _Stoppable:
    """Lets no rejection out that comes of the process having been killed."""

    def __init__(self, process: Extractor, stop: threading.Event) -> None:
        self._process = process
        self._stop = stop

    def extract(self, program: Program, check: CheckRequest | None = None) -> Extraction:
        if self._stop.is_set():
            raise StoppedError
        try:
            return self._process.extract(program, check)
        except Exception as error:
            if self._stop.is_set():
                raise StoppedError from error
            raise
