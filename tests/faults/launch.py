"""The command line with faults built in: `python -m tests.faults.launch FAULT,FAULT… ARGUMENTS`."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jax_ir_pairs.cli import main
from jax_ir_pairs.quality import CheckingProcess

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def real() -> None:
    """No fault, and the real compiler."""


def quick() -> None:
    """Compiles nothing."""
    CheckingProcess.worker = "tests.faults.quick_worker"


def endless() -> None:
    """Every program takes for ever."""
    CheckingProcess.worker = "tests.faults.endless_worker"


def jumping_clock() -> None:
    """The clock of the day jumps a year to and fro, and stands still, whenever it is read."""
    jumps = itertools.cycle([3e7, -3e7, 0.0, -1.7e9])
    now = time.time()
    time.time = lambda: now + next(jumps)
    time.time_ns = lambda: int(time.time() * 1e9)


def slow_disk() -> None:
    """Every file takes a while to reach the disk."""
    fsync = os.fsync

    def slow(descriptor: FileDescriptorLike) -> None:
        time.sleep(0.3)
        fsync(descriptor)

    os.fsync = slow  # type: ignore[assignment]  # the same but for a parameter's name


FAULTS: Mapping[str, Callable[[], None]] = {
    fault.__name__: fault for fault in (real, quick, endless, jumping_clock, slow_disk)
}

if __name__ == "__main__":
    faults, sys.argv[1:] = sys.argv[1].split(","), sys.argv[2:]
    for fault in faults:
        FAULTS[fault]()
    main()
