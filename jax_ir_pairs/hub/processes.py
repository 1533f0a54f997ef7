"""Extraction processes that live on from one shard of a stream to the next."""

from __future__ import annotations

import os
import weakref
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jax_ir_pairs.config import Limits
from jax_ir_pairs.quality import CheckingProcess


class ExtractionProcesses:
    """Lends extraction processes, and keeps those that came back for the next borrower.

    A stream generates each shard by a call of its own, and starting a process takes longer than
    several programs. Idle processes end with [`close`][], with the last reference to this object,
    or with Python. They belong to the process that started them: a fork or a pickled copy
    starts its own.
    """

    def __init__(self) -> None:
        self._idle: defaultdict[int, list[CheckingProcess]] = defaultdict(list)
        weakref.finalize(self, _close, self._idle)

    def __reduce__(self) -> tuple[type[ExtractionProcesses], tuple[()]]:
        return ExtractionProcesses, ()

    @contextmanager
    def lend(
        self, limits: Limits, targets: Sequence[str] = ("cpu",), *, passes: bool = False
    ) -> Iterator[CheckingProcess]:
        """Gives a process to one user at a time; it ends here where that user stops early.

        All users of this object ask for the same.
        """
        idle = self._idle[os.getpid()]
        process = idle.pop() if idle else CheckingProcess(limits, targets, passes=passes)
        process.start()  # imports JAX while the borrower gets its plan
        try:
            yield process
        except BaseException:  # GeneratorExit is how the consumer of a stream stops early
            process.close()
            raise
        idle.append(process)

    def close(self) -> None:
        """Ends the idle processes."""
        _close(self._idle)


def _close(idle: defaultdict[int, list[CheckingProcess]]) -> None:
    processes = idle[os.getpid()]
    while processes:
        processes.pop().close()
