"""Optimized HLO: for CPU made to run again, for other targets only read. In the child.

Its text is rewritten to what XLA takes from outside (`hlo_text.rewriting`), and then read as HLO.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.hlo_text.bitcast import BitcastInvalidError
from jax_ir_pairs.hlo_text.rewriting import NoMeaningError, runnable
from jax_ir_pairs.hlo_text.zeros import with_negative_zeros
from jax_ir_pairs.scoring.languages import hlo
from jax_ir_pairs.scoring.languages.partitioned import whole
from jax_ir_pairs.scoring.module import Module, NotRunnableError, NotValidError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that an optimized HLO text is, for CPU.

    **Raises:** `NotParsedError`, `NotValidError` for wrong types or shapes, and `NotRunnableError`
    for what calls into the process that it was compiled in.
    """
    hlo.hold_to_syntax(text)
    try:
        rewritten = runnable(hlo_module.printed(with_negative_zeros(text)))
    except BitcastInvalidError as error:
        raise NotValidError(f"{error}, which takes other memory.") from None
    except (LookupError, ValueError) as error:  # of a name, an attribute or a number
        raise NotValidError(f"The module lacks what it is read by: {error}.") from None
    except NoMeaningError as error:
        raise NotRunnableError(f"{error}.") from None
    module = hlo.module_of(rewritten)
    return module if row["num_devices"] == 1 else whole(module, row)


def hold_to_syntax(text: str) -> None:
    """Holds a text for another target than CPU to the grammar of HLO, as XLA's parser has it.

    **Raises:** `NotParsedError`, and `NotRunnableError` for a SparseCore's computations, at which
    XLA's parser ends the process.
    """
    if 'execution_thread="sparsecore"' in text:
        raise NotRunnableError("XLA's parser does not read computations of a TPU's SparseCore.")
    if "all-reduce-start" in text:
        # XLA prints an attribute of it that its parser refuses.
        text = "\n".join(
            _ALIASING.sub("", line) if "all-reduce-start" in line else line
            for line in text.split("\n")
        )
    hlo.hold_to_syntax(text)


_ALIASING = re.compile(r", output_to_operand_aliasing=\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}")


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
