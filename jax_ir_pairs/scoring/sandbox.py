"""The limits of a child that an answer runs in. Imports no JAX."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jax_ir_pairs.scoring import seccomp

_PR_SET_PDEATHSIG = 1


def limit(memory_bytes: int, cpu_seconds: int | None = None) -> None:
    """Limits this process, and what it may become, for good.

    Everywhere: no core dumps, no growing of files, and at most `cpu_seconds` of CPU time. On Linux
    also at most `memory_bytes` of data, and the system calls of [`seccomp`][] are refused:
    files are not written, made or removed, nothing is sent, no process is started or signalled. On
    other systems these last are left to the screen of the text alone.

    For after everything is imported and warm. Raises OSError where Linux does not let a filter be
    installed.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The message of the parent, not a death: Python ignores the signal, and writing fails.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if cpu_seconds is not None:
        used = sum(os.times()[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + cpu_seconds + 1,) * 2)
    # The limit on data, and not on address space, of which JAX reserves much more than it uses.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        seccomp.install()


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Has this process ended by SIGPROF where what is inside takes more CPU time.

    What runs a module cannot be interrupted otherwise. Its handler has to be the system's own.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def end_with_parent() -> None:
    """Has this process killed when the thread that forked it ends (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
