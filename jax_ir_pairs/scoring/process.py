"""The parent's side of scoring: a process that no answer can take the caller down with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.extraction.environment import child_command, child_environment
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess
from jax_ir_pairs.scoring.score import Score

_START_SECONDS = 300.0
_GRACE_SECONDS = 15.0
"""What the process may take beside an answer's own time: to fork, and to end a child."""


class ScoringProcess:
    """Scores answers in a process that is started by the first, and kept.

    Not for use by several threads at once; each may have one of its own.
    """

    def __init__(self, memory_gib: float, seconds: float) -> None:
        self._memory_bytes = int(memory_gib * 2**30)
        self._seconds = seconds
        self._child: LineProcess | None = None
        self._ready = False
        self._row = ""

    def start(self) -> None:
        """Starts the process, where there is none, without waiting: it imports JAX meanwhile."""
        if self._child is None:
            command = child_command(self._memory_bytes, worker="jax_ir_pairs.scoring.worker")
            # Libraries of linear algebra start their threads at import, and forks have none.
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            self._child = LineProcess(command, {**child_environment(), **threads})
            self._ready, self._row = False, ""

    def score(self, row: str, request: Mapping[str, Any]) -> Score:
        """Gives the score of an answer to a row, which is JSON.

        **Raises:** [`BuildError`][] where no process can be started.
        """
        child = self._ready_child()
        body = json.dumps({**request, "seconds": self._seconds})
        if row != self._row:
            body = f'{body[:-1]}, "row": {row}}}'
        try:
            child.write(body.encode() + b"\n")
            reply = json.loads(child.read(self._seconds + _GRACE_SECONDS))
        except (TimeoutError, ChildDiedError):
            self.close()
            return Score.refused("It ended the process that scores.")
        except BaseException:  # KeyboardInterrupt too: an answer half read is of no use
            self.close()
            raise
        self._row = row
        return Score(**reply)

    def _ready_child(self) -> LineProcess:
        self.start()
        assert self._child is not None
        if not self._ready:
            try:
                self._child.read(_START_SECONDS)
            except (TimeoutError, ChildDiedError) as error:
                self.close()
                last = getattr(error, "errors", "").strip().splitlines()[-1:]
                raise BuildError(
                    f"The process that scores could not start: {' '.join(last) or error!r}."
                ) from None
            self._ready = True
        return self._child

    def close(self) -> None:
        """Kills the process, if there is one. The next answer gets a fresh one."""
        child, self._child, self._ready = self._child, None, False
        if child is not None:
            child.close()
