"""A worker process that answers requests, with a fresh one after each that ended it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.extraction.environment import child_command, child_environment
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess

_START_SECONDS = 300.0


class AnsweringProcess:
    """Runs the module `worker` in a child with at most `memory_bytes` of data of its own.

    It is started by the first request. A context manager, which kills it at its end. Not for use by
    several threads at once, but for `kill`.
    """

    def __init__(self, worker: str, memory_bytes: int) -> None:
        self._worker = worker
        self._command = child_command(memory_bytes, worker=worker)
        self._child: LineProcess | None = None
        self._killed = False

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Gives what the worker makes of a request.

        **Raises:** TimeoutError after `seconds`, and [`ChildDiedError`][]; the next request gets a
        fresh process after either. [`BuildError`][] where none can be started.
        """
        try:
            child = self._child or self._started()
            child.write(json.dumps(request).encode() + b"\n")
            reply: dict[str, Any] = json.loads(child.read(seconds))
        except BaseException:  # KeyboardInterrupt too: an answer half read is of no use
            self.close()
            raise
        return reply

    def _started(self) -> LineProcess:
        child = self._child = LineProcess(self._command, child_environment())
        if self._killed:  # before, or while it started
            child.kill()
        try:
            child.read(_START_SECONDS)
        except (TimeoutError, ChildDiedError) as error:
            raise BuildError(f"{self._worker} could not start: {error!r}.") from None
        return child

    def close(self) -> None:
        """Ends the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def kill(self) -> None:
        """Makes the request under way fail at once, and every later one. For other threads."""
        self._killed = True
        if (child := self._child) is not None:
            child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
