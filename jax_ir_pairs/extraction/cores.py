"""The cores that XLA sees while it compiles."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def on_one_core() -> Iterator[None]:
    """Lets XLA see one core, since it partitions large fusions over the cores and writes it down.

    The core is the one that this thread is on, so that processes side by side keep their own; all
    threads are held there, as some versions compile in another one, and each has its own cores
    back at the end. Elsewhere than on Linux nothing is done.
    """
    if sys.platform != "linux":
        yield
        return
    status = Path("/proc/thread-self/stat").read_text()
    core = int(status.rpartition(")")[2].split()[36])
    own = threading.get_native_id()
    before = _cores_by_thread()
    _hold_threads({thread: {core} for thread in before})
    try:
        yield
    finally:
        # A thread that has started meanwhile has the one core of the thread that started it.
        _hold_threads({thread: before.get(thread, before[own]) for thread in _cores_by_thread()})


def _cores_by_thread() -> dict[int, set[int]]:
    cores = {}
    with os.scandir("/proc/self/task") as threads:
        for thread in threads:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                cores[int(thread.name)] = os.sched_getaffinity(int(thread.name))
    return cores


def _hold_threads(cores: Mapping[int, set[int]]) -> None:
    for thread, its_cores in cores.items():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, its_cores)
