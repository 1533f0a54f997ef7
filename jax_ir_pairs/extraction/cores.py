"""The cores that XLA sees while it compiles. In the child."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def on_one_core() -> Iterator[None]:
    """Lets XLA see one core, since it partitions large fusions over the cores and writes it down.

    The core is the one that this thread is on, so that processes side by side keep their own; all
    threads are held there, as some versions compile in another one. Elsewhere than on Linux
    nothing is done.
    """
    if sys.platform != "linux":
        yield
        return
    allowed = os.sched_getaffinity(0)
    status = Path("/proc/thread-self/stat").read_text()
    core = int(status.rpartition(")")[2].split()[36])
    _hold_threads({core})
    try:
        yield
    finally:
        _hold_threads(allowed)


def _hold_threads(cores: set[int]) -> None:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), cores)
