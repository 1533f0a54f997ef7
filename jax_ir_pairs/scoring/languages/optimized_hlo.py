"""Optimized HLO: for CPU made to run again, for other targets only read. In the child.

Its text is rewritten to what XLA takes from outside (`hlo_text.rewriting`), and then read as HLO.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.scoring.hlo_text.bitcast import BitcastInvalidError
from jax_ir_pairs.scoring.hlo_text.parsing import SyntaxUnknownError, parse
from jax_ir_pairs.scoring.hlo_text.rewriting import NoMeaningError, runnable
from jax_ir_pairs.scoring.hlo_text.syntax import HloModule
from jax_ir_pairs.scoring.languages import hlo
from jax_ir_pairs.scoring.languages.partitioned import whole
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotRunnableError, NotValidError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that an optimized HLO text is, for CPU.

    **Raises:** `NotParsedError`, `NotValidError` for wrong types or shapes, and `NotRunnableError`
    for what calls into the process that it was compiled in.
    """
    hlo.hold_to_syntax(text)
    try:
        rewritten = runnable(_parsed(text))
    except BitcastInvalidError as error:
        raise NotValidError(f"{error}, which takes other memory.") from None
    except (LookupError, ValueError) as error:  # of a name, an attribute or a number
        raise NotValidError(f"The module lacks what it is read by: {error}.") from None
    except NoMeaningError as error:
        raise NotRunnableError(f"{error}.") from None
    module = hlo.module_of(str(rewritten))
    return module if row["num_devices"] == 1 else whole(module, row)


def hold_to_syntax(text: str) -> None:
    """Holds a text for another target than CPU to the grammar of HLO, as XLA's parser has it.

    **Raises:** `NotParsedError`, and `NotRunnableError` for a SparseCore's computations, at which
    XLA's parser ends the process.
    """
    module = _parsed(text)
    if 'execution_thread="sparsecore"' in text:
        raise NotRunnableError("XLA's parser does not read computations of a TPU's SparseCore.")
    if "all-reduce-start" in text:
        text = str(_without_aliases(module))
    hlo.hold_to_syntax(text)


def _without_aliases(module: HloModule) -> HloModule:
    """Gives a module without an attribute that XLA prints of `all-reduce-start` and refuses."""
    aliasing = "output_to_operand_aliasing"
    computations = []
    for computation in module.computations:
        instructions = [
            replace(i, attributes={k: v for k, v in i.attributes.items() if k != aliasing})
            if i.opcode == "all-reduce-start"
            else i
            for i in computation.instructions
        ]
        computations.append(replace(computation, instructions=tuple(instructions)))
    return replace(module, computations=tuple(computations))


def _parsed(text: str) -> HloModule:
    """Gives the instructions of a text that XLA's parser takes; raises `NotParsedError`."""
    try:
        return parse(text)
    except SyntaxUnknownError as error:
        raise NotParsedError(f"The text is no HLO module: {error}.") from None


@dataclass(frozen=True, slots=True)
class Size:
    """How much an optimized module is, by the compiler's own count."""

    instructions: int
    fusions: int
    flops: float
    bytes_accessed: float
    transcendentals: float


def size_of(text: str) -> Size:
    """Gives the size of a text that XLA's parser takes, without compiling or running it."""
    module = hlo_module.parse_hlo(text)
    cost = hlo_module.cost_of(module)

    def figure(name: str) -> float:
        value = cost.get(name, 0.0)  # zeros are left out, and -1 is unknown
        return value if math.isfinite(value) and value > 0 else 0.0

    return Size(
        instructions=hlo_module.num_instructions(module),
        fusions=hlo_module.num_fusions(module),
        flops=figure("flops"),
        bytes_accessed=figure("bytes accessed"),
        transcendentals=figure("transcendentals"),
    )
