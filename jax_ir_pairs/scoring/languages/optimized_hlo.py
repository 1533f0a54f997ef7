"""An answer in optimized HLO (stand-in)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.scoring.module import Module, NotParsedError, NotRunnableError


def read(text: str, row: Mapping[str, Any]) -> Module:
    """Parses only."""
    try:
        hlo_module.canonical_text(text)
    except Exception as error:
        raise NotParsedError(str(error)[:200]) from None
    raise NotRunnableError("Optimized HLO is not run yet.")
