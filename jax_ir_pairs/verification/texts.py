"""The texts of rows, parsed and run in a child: what ends it is a finding, and not the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from jax_ir_pairs.config import Limits
from jax_ir_pairs.extraction.environment import child_command, child_environment, memory_bytes
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess
from jax_ir_pairs.verification.finding import Finding

_START_SECONDS = 300.0
_COLUMNS = (
    *("python", "entry_point", "inputs", "jaxpr", "stablehlo", "hlo", "optimized_hlo"),
    *("num_devices", "seed"),
)


class TextChecks:
    """Checks the texts of rows, each with a time limit. A context manager."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: LineProcess | None = None

    def check(self, where: str, row: Mapping[str, Any], *, run: bool) -> Iterator[Finding]:
        """Gives what is wrong with the texts of a row, and with `run` with what they compute."""
        request = {"row": {name: row[name] for name in _COLUMNS}, "run": run}
        try:
            child = self._ready_child()
            child.write(json.dumps(request).encode() + b"\n")
            reply = json.loads(child.read(self._limits.seconds))
        except TimeoutError:
            self.close()
            yield Finding("text", where, f"takes over {self._limits.seconds:g} s to read and run")
            return
        except ChildDiedError as died:
            self.close()
            yield Finding("text", where, f"ends the process that reads it: {died.cause}")
            return
        examined = reply["extraction"]
        for level, problem in examined["problems"].items():
            yield Finding("text", where, f"{level}: {problem}")
        if result := examined["result"]:
            yield Finding("result", where, f"hlo against stablehlo: {result}")

    def _ready_child(self) -> LineProcess:
        if self._child is None:
            limit = memory_bytes(self._limits.memory_gib, ("cpu",))
            command = child_command(limit, worker="jax_ir_pairs.verification.worker")
            self._child = LineProcess(command, child_environment())
            self._child.read(_START_SECONDS)
        return self._child

    def close(self) -> None:
        """Ends the child, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
