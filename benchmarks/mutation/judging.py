"""The parent's side of the judge: a child that a mutant may crash or hang."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from jax_ir_pairs.extraction.environment import child_command, child_environment
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess
from mutation.judge import Verdict

_START_SECONDS = 300.0
_SECONDS = 30.0
_MEMORY_BYTES = 6 << 30


class Judge:
    """Judges mutants in a child process, with a fresh child after each that ended it.

    A context manager, which kills the child at its end.
    """

    def __init__(self) -> None:
        self._child: LineProcess | None = None

    def __call__(self, level: str, text: str, row: Mapping[str, Any]) -> Verdict:
        """Gives the verdict on a text of a level, against the row's own.

        Beyond tolerance is beyond what rounding may do to the row's StableHLO. What never ends is
        `changed`, and what ends the child `invalid`.
        """
        if self._child is None:
            command = child_command(_MEMORY_BYTES, worker="mutation.judge")
            self._child = LineProcess(command, child_environment())
            self._child.read(_START_SECONDS)
        request = {
            "level": level,
            "text": text,
            "row": row,
        }
        try:
            self._child.write(json.dumps(request).encode() + b"\n")
            reply = json.loads(self._child.read(_SECONDS))
        except TimeoutError:
            self._close()
            return Verdict("changed", "does not end")
        except ChildDiedError as died:
            self._close()
            return Verdict("invalid", str(died)[:300])
        return Verdict(**reply["extraction"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()
