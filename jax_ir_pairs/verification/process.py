"""The parent's side: the processes that no text of a dataset can take the command down with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.config import Config, Limits
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest, Extraction
from jax_ir_pairs.extraction.answering import AnsweringProcess
from jax_ir_pairs.extraction.environment import memory_bytes
from jax_ir_pairs.extraction.line_process import ChildDiedError
from jax_ir_pairs.quality import CheckingProcess
from jax_ir_pairs.synthesis.program import Program

ENDED = "ends its parser"
"""How the problem of a text begins that takes its parser down."""

_OF_ROW = ("stablehlo", "num_devices", "inputs", "seed")
"""What the texts of a row are read and run by."""


class Verifier(Extractor, Protocol):
    """What looks into rows; [`VerifyingProcess`][] is the real one."""

    def problems(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
        """Gives what parsers say of the texts that are none of their language, by column."""

    def run(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Gives how the row's `hlo` and `stablehlo` disagree, and why it could not be run.

        Both are empty where they agree. Raises [`Rejected`][].
        """

    def close(self) -> None:
        """Ends the processes, in the thread that uses them."""

    def kill(self) -> None:
        """Makes what is under way fail at once, from any thread."""


class VerifyingProcess:
    """Makes the rows of a config again in one limited child, and reads and runs them in another.

    Each is started by the first that it is asked for.
    """

    def __init__(self, config: Config | None = None) -> None:
        limits = config.limits if config else Limits()
        self._seconds = limits.seconds
        self._maker: CheckingProcess | None = None
        if config is not None:
            self._maker = CheckingProcess(limits, config.targets, passes=config.passes)
        memory = memory_bytes(limits.memory_gib, ("cpu",))
        self._reader = AnsweringProcess("jax_ir_pairs.verification.worker", memory)

    def extract(self, program: Program, check: CheckRequest | None = None) -> Extraction:
        """Gives the levels of `program`, as a build does."""
        assert self._maker is not None
        return self._maker.extract(program, check)

    def problems(self, row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
        """Gives what parsers say of the texts that are none of their language, by column.

        A text that ends or stops the parser is one of them.
        """
        request = {"row": {name: row[name] for name in (*_OF_ROW, *columns)}}
        try:
            return self._problems(request, columns)
        except Rejected:
            found: dict[str, str] = {}
        for column in columns:  # which of them it was
            try:
                found |= self._problems(request, [column])
            except Rejected as rejected:
                found[column] = f"{ENDED}: {rejected}"
        return found

    def _problems(self, request: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
        return dict(self._answer({**request, "columns": list(columns)})["problems"])

    def run(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Gives how the row's `hlo` and `stablehlo` disagree, and why it could not be run.

        Both are empty where they agree.

        **Raises:** [`Rejected`][] where one of them does not run.
        """
        reply = self._answer({"row": {name: row[name] for name in (*_OF_ROW, "hlo")}})
        return reply["disagreement"], reply["not_run"]

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            reply = self._reader.ask(request, self._seconds)
        except TimeoutError:
            raise Rejected("timeout", f"no answer within {self._seconds:g} s") from None
        except ChildDiedError as died:
            raise Rejected("crash", died.cause) from None
        if rejected := reply.get("rejected"):
            raise Rejected(*rejected)
        answer: dict[str, Any] = reply["extraction"]
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends both processes."""
        self._reader.close()
        if self._maker is not None:
            self._maker.close()

    def kill(self) -> None:
        """Makes what is under way fail at once, and whatever comes later. For other threads."""
        self._reader.kill()
        if self._maker is not None:
            self._maker.kill()
