"""Where shards are made: one engine is one file, with one function `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from jax_ir_pairs.build.events import Event
from jax_ir_pairs.build.records import Extractor

Task = TypeVar("Task")
Emit = Callable[[Event], object]
"""Is told what happens, from any thread."""


class Process(Extractor, Protocol):
    """An extractor that has to be closed, and that another thread can interrupt."""

    def close(self) -> None:
        """Ends the process, in the thread that extracts."""

    def kill(self) -> None:
        """Makes an extraction under way fail at once, from any thread."""


class Engine(Protocol):
    """Places tasks, and decides nothing else."""

    def __call__(
        self,
        tasks: Iterable[Task],
        work: Callable[[Task, Extractor, Emit], None],
        *,
        workers: int,
        open_process: Callable[[], Process],
        emit: Emit,
    ) -> None:
        """Calls `work(task, process, emit)` once for each task, `workers` of them at a time.

        Tasks are taken one by one, as they are wanted. Each worker has a process of its own. What
        `work` emits comes out of `emit`. The first error, or Ctrl-C, is raised after all workers
        have stopped, or were told to die.
        """
