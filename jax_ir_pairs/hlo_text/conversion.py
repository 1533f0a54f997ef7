"""HLO text as a StableHLO module, in the current context of MLIR. In the child."""

from __future__ import annotations

from jaxlib.mlir import ir

from jax_ir_pairs.extraction.execution import stablehlo_of
from jax_ir_pairs.hlo_text.converted import use_stablehlo
from jax_ir_pairs.hlo_text.rewriting import runnable
from jax_ir_pairs.hlo_text.zeros import with_negative_zeros


def stablehlo_module(hlo_text: str, *, one_device: bool) -> ir.Module:
    """Gives the module that an unoptimized HLO text is; raises what jaxlib does for none."""
    module = ir.Module.parse(stablehlo_of(with_negative_zeros(hlo_text)))
    use_stablehlo(module, one_device=one_device)
    return module


def optimized_module(text: str) -> ir.Module:
    """Gives the module that an optimized HLO text is, which one of its devices runs.

    **Raises:** as [`runnable`][], and what jaxlib does.
    """
    return stablehlo_module(runnable(text), one_device=True)
