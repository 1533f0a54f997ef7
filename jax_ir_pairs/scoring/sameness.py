"""Whether two texts are the same but for names and layout, for what cannot be run. In the child."""

from __future__ import annotations

import jax_ir_pairs.scoring.jaxpr_text as jaxpr_text
from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.scoring.module import Module
from jax_ir_pairs.scoring.program import Program, new_context


def same_up_to_names(language: str, ours: str, theirs: str) -> bool:
    """Tells whether two texts of a language, both valid, differ in names and layout only."""
    if language == "jaxpr":
        return jaxpr_text.same_up_to_names(ours, theirs)
    if language == "stablehlo":
        context = new_context()
        ours, theirs = (Program(Module(t, (), ()), context).canonical for t in (ours, theirs))
        return ours == theirs
    if language in ("hlo", "optimized_hlo"):
        return hlo_module.canonical_text(ours) == hlo_module.canonical_text(theirs)
    return False
