"""An answer in HLO (stand-in)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.extraction.execution import stablehlo_of
from jax_ir_pairs.scoring.languages import stablehlo
from jax_ir_pairs.scoring.module import Module, NotParsedError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Parses and converts."""
    try:
        data = stablehlo_of(text)
    except Exception as error:
        raise NotParsedError(str(error)[:200]) from None
    m = stablehlo.read(data, row)
    return Module(m.stablehlo, m.inputs, m.outputs, row["num_devices"])
