"""SIGTERM, as schedulers send it, and SIGHUP of a closed terminal end a command as Ctrl-C does."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import termios
from types import FrameType
from typing import NoReturn

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_STANDARD = (0, 1, 2)


class Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C's asks the command to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


def signal_of(interrupt: KeyboardInterrupt) -> signal.Signals:
    """Gives the signal that an interrupt came of."""
    return interrupt.number if isinstance(interrupt, Ended) else signal.SIGINT


def raise_when_ended() -> None:
    """Has the signals raise [`Ended`][] in the main thread, but for those that `nohup` ignores."""
    for number in _ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def open_standard_files() -> None:
    """Opens those of stdin, stdout and stderr that are closed, on nothing.

    Else the first files that the command opens, such as a shard's, would be taken for them.
    """
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def drop_unwritten() -> None:
    """Sends to nothing what stdout and stderr hold and cannot write.

    Python tries again as it ends, and its exit status for that, 120, would take the place of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 (it is no file)
                os.dup2(nothing.fileno(), stream.fileno())


def _end(number: int, frame: FrameType | None) -> NoReturn:
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_IGN)  # a second one would not let it tidy up
    _drop_closed_terminal()
    raise Ended(signal.Signals(number))


def _drop_closed_terminal() -> None:
    """Sends to nothing what would go to a terminal that is gone, where each write fails."""
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 (it is no file)
        for number in _STANDARD:
            try:
                termios.tcgetattr(number)
            except termios.error as error:
                if error.args[0] == errno.EIO:
                    with contextlib.suppress(OSError):
                        os.dup2(nothing.fileno(), number)
