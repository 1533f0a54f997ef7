"""HLO before optimization: read by XLA's parser, verified as the StableHLO that it says. In the child.

XLA's parser takes `f32[2] add(f32[2], f32[3])` without a word, and so does the conversion; jaxlib
has no call for the HLO verifier. MLIR's, on what the conversion gives, sees the same types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.extraction.execution import stablehlo_of
from jax_ir_pairs.extraction.hlo_module import parse_hlo
from jax_ir_pairs.scoring.hlo_text.zeros import with_negative_zeros
from jax_ir_pairs.scoring.languages import stablehlo
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotValidError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Gives the module that an unoptimized HLO text is.

    **Raises:** `NotParsedError` where XLA's parser refuses it, and `NotValidError` where its types
    or shapes do not fit.
    """
    return module_of(with_negative_zeros(text), int(row["num_devices"]))


def hold_to_syntax(text: str) -> None:
    """Raises `NotParsedError` where XLA's parser refuses a text of HLO, optimized or not."""
    try:
        parse_hlo(text)
    except (RuntimeError, ValueError) as error:
        raise NotParsedError(f"XLA's parser: {_first_line_of(error)}.") from None


def module_of(text: str, num_devices: int = 1) -> Module:
    """Gives the module of a text whose zeros are written for XLA's parser; else as [`read`][]."""
    hold_to_syntax(text)
    try:
        converted = stablehlo_of(text)
    except (RuntimeError, ValueError) as error:
        raise NotValidError(f"jaxlib cannot convert the module: {_first_line_of(error)}.") from None
    return stablehlo.module_of(converted, num_devices)


def _first_line_of(error: Exception) -> str:
    lines = [line.strip() for line in str(error).split("\n") if "error:" in line]
    return (lines or [str(error)])[0][:300].rstrip(".")
