"""The texts of rows, parsed and run in a child: what ends it is a finding, and not the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jax_ir_pairs.extraction.answering import AnsweringProcess
from jax_ir_pairs.extraction.line_process import ChildDiedError
from jax_ir_pairs.verification.finding import Finding

WORKER = "jax_ir_pairs.verification.worker"
"""What the child runs."""

_COLUMNS = (
    *("python", "entry_point", "inputs", "jaxpr", "stablehlo", "hlo", "optimized_hlo"),
    *("num_devices", "seed"),
)


def check_texts(
    where: str, row: Mapping[str, Any], process: AnsweringProcess, seconds: float, *, run: bool
) -> Iterator[Finding]:
    """Gives what is wrong with the texts of a row, and with `run` with what they compute."""
    request = {"row": {name: row[name] for name in _COLUMNS}, "run": run}
    try:
        examined = process.ask(request, seconds)["extraction"]
    except TimeoutError:
        yield Finding("text", where, f"takes over {seconds:g} s to read and run")
        return
    except ChildDiedError as died:
        yield Finding("text", where, f"ends the process that reads it: {died.cause}")
        return
    for level, problem in examined["problems"].items():
        yield Finding("text", where, f"{level}: {problem}")
    if result := examined["result"]:
        yield Finding("result", where, f"hlo against stablehlo: {result}")
