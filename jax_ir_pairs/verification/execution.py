"""A row run from its texts alone: its `hlo` against its `stablehlo`. In the child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.extraction.failures import rejecting
from jax_ir_pairs.quality.roundings import tolerances
from jax_ir_pairs.scoring.draws import among, flat_inputs
from jax_ir_pairs.scoring.languages import reader
from jax_ir_pairs.scoring.module import NotRunnableError
from jax_ir_pairs.scoring.program import Program, new_context
from jax_ir_pairs.scoring.verdict import Reference, difference


@dataclass(frozen=True, slots=True)
class Ran:
    """What two runs of a row came to."""

    disagreement: str = ""
    """How they differ in what they take, or give, beyond what rounding explains."""
    not_run: str = ""
    """Why the row could not be run in two ways."""


def run(row: Mapping[str, Any]) -> Ran:
    """Runs both modules on inputs of the row's seed and at edges, and compares the results.

    XLA runs both, as what it refuses is refused: StableHLO's interpreter ends the process at a
    convolution of jaxlib 0.12 in jaxlib 0.10.2 ("Incompatible index and shape").

    **Raises:** [`Rejected`][]: `run-error` where either does not run, or `out-of-memory`.
    """
    with rejecting("run-error"):
        try:
            modules = [reader(level)(row[level], row) for level in ("stablehlo", "hlo")]
            own, other = (Program(module, new_context(), compiled=True) for module in modules)
            for what in ("inputs", "outputs"):
                if getattr(own.module, what) != getattr(other.module, what):
                    return Ran(f"It has other {what}.")
            inputs = among(flat_inputs(row["inputs"]), own.module.inputs)
            reference = Reference(own, inputs, row["seed"], tolerances(row["stablehlo"]))
            return Ran(difference(reference, other, draws=1))
        except NotRunnableError as error:
            return Ran(not_run=str(error))
