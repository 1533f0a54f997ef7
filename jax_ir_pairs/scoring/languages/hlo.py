"""HLO before optimization: read by XLA's parser, verified as the StableHLO that it becomes.

In the child. XLA's parser takes `f32[2] add(f32[2], f32[3])` without a word, and so does the
conversion; jaxlib has no call for the HLO verifier. MLIR's sees the same types after both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.extraction.execution import stablehlo_of
from jax_ir_pairs.extraction.hlo_module import parse_hlo
from jax_ir_pairs.hlo_text.converted import use_stablehlo
from jax_ir_pairs.hlo_text.zeros import with_negative_zeros
from jax_ir_pairs.scoring.languages import stablehlo
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotValidError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that an unoptimized HLO text is.

    **Raises:** `NotParsedError` where XLA's parser refuses it, `NotValidError` where its types or
    shapes do not fit, and `NotRunnableError` for callbacks, which are not in the text.
    """
    hold_to_syntax(text)
    return module_of(text, int(row["num_devices"]))


def hold_to_syntax(text: str) -> None:
    """Raises `NotParsedError` where XLA's parser refuses a text of HLO, optimized or not."""
    try:
        parse_hlo(text)
    except (RuntimeError, ValueError) as error:
        raise NotParsedError(f"XLA's parser: {_complaint(error)}.") from None


def module_of(text: str, num_devices: int = 1) -> Module:
    """Gives the module of a text that XLA's parser takes; else as [`read`][]."""
    try:
        bytecode = stablehlo_of(with_negative_zeros(text))
    except (RuntimeError, ValueError) as error:
        raise NotValidError(f"jaxlib cannot convert the module: {_complaint(error)}.") from None
    with make_ir_context(), ir.Location.unknown():
        module = stablehlo.parsed(bytecode)
        changed = use_stablehlo(module, one_device=num_devices == 1)
        runs = str(module) if changed else bytecode
        return Module(runs, *stablehlo.signature(module), num_devices)


def _complaint(error: Exception) -> str:
    lines = [line.strip() for line in str(error).split("\n") if "error:" in line]
    return (lines or str(error).split("\n"))[0][:300].rstrip(".")
