"""The child that parses a row's texts, and runs two of them against each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.extraction.worker import main


@dataclass(frozen=True, slots=True)
class Examined:
    """What is wrong with the texts of a row, by level; empty where nothing is."""

    problems: Mapping[str, str]
    result: str = ""
    """What is wrong with what they compute."""


def examine(
    row: Mapping[str, Any], run: bool, lap: Callable[[str], None] = lambda stage: None
) -> Examined:
    """Parses the texts of a row, and with `run` holds what its HLO gives against its StableHLO."""
    from jax_ir_pairs.scoring.languages import reader
    from jax_ir_pairs.scoring.module import NotParsedError, NotRunnableError, NotValidError

    problems = {}
    for level in ("stablehlo", "hlo", "optimized_hlo"):
        try:
            reader(level)(row[level], row)
        except (NotParsedError, NotValidError) as error:
            problems[level] = str(error)
        except NotRunnableError:
            pass  # read, and of another process
    return Examined(problems, "" if problems or not run else _result(row))


def _result(row: Mapping[str, Any]) -> str:
    from jax_ir_pairs.quality.roundings import tolerances
    from jax_ir_pairs.scoring.draws import among, flat_inputs
    from jax_ir_pairs.scoring.languages import reader
    from jax_ir_pairs.scoring.module import NotRunnableError
    from jax_ir_pairs.scoring.program import Program, new_context
    from jax_ir_pairs.scoring.verdict import Reference, difference

    try:
        modules = [reader(level)(row[level], row) for level in ("stablehlo", "hlo")]
        if (modules[0].inputs, modules[0].outputs) != (modules[1].inputs, modules[1].outputs):
            return "it takes or gives something else"
        own, other = (Program(module, new_context()) for module in modules)
        inputs = among(flat_inputs(row["inputs"]), own.module.inputs)
        reference = Reference(own, inputs, row["seed"], tolerances(row["stablehlo"]))
        return difference(reference, other, draws=1)
    except NotRunnableError:
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]), extract=examine)
