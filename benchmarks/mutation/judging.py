"""The parent's side of the judge: a child that a mutant may crash or hang."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.extraction.answering import AnsweringProcess
from jax_ir_pairs.extraction.line_process import ChildDiedError
from mutation.judge import Verdict

_SECONDS = 8.0
"""Of one text: what a changed bound of a loop made endless takes all of it."""
_MEMORY_BYTES = 6 << 30


class Judge(AnsweringProcess):
    """Judges mutants in a child process, with a fresh child after each that ended it."""

    def __init__(self) -> None:
        super().__init__("mutation.judge", _MEMORY_BYTES)

    def __call__(self, level: str, text: str, row: Mapping[str, Any]) -> Verdict:
        """Gives the verdict on a text of a level, against the row's own.

        Beyond tolerance is beyond what rounding may do to the row's StableHLO. What never ends is
        `changed`, and what ends the child `invalid`.
        """
        try:
            reply = self.ask({"level": level, "text": text, "row": row}, _SECONDS)
        except TimeoutError:
            return Verdict("changed", "does not end")
        except ChildDiedError as died:
            return Verdict("invalid", str(died)[:300])
        return Verdict(**reply["extraction"])
