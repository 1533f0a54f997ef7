"""What ends a child with its parent, however that ends and whatever the child is in the midst of.

A thread that waits for the end of a pipe does not do: compiled code may hold the interpreter's lock
for as long as it runs. So on Linux the system watches a pipe, and signals.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys

LIFELINE = "JAX_IR_PAIRS_LIFELINE"
"""The variable with the number of a pipe's end, whose other end only the parent has."""


def end_with_parent() -> None:
    """Has the system end this process and its process group when the parent is gone.

    For a process that leads a group, as early as it can. What the process started and is in its
    group ends too. Elsewhere than on Linux, and without a parent that holds a lifeline, it does
    nothing.
    """
    lifeline = os.environ.pop(LIFELINE, None)
    if lifeline is None or sys.platform != "linux":
        return
    pipe = int(lifeline)
    # The system's handler gets the number of the signal, 1, and takes it for seconds: time for a
    # thread that sees the end too to tidy up, before SIGALRM ends the process.
    library = ctypes.CDLL(None)
    library.signal(signal.SIGHUP, library.alarm)
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGHUP)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_ASYNC)
    poll = select.poll()
    poll.register(pipe, 0)
    if poll.poll(0):  # it was gone before
        os._exit(1)
