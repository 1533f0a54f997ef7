"""What an extraction gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extraction:
    """The levels of a program under the source, their sizes, and the compiler's own analysis.

    The texts are canonical (see [`jax_ir_pairs.extraction.text`][]); the columns of a row that
    have the names of these fields say what they mean.
    """

    jaxpr: str
    stablehlo: str
    hlo: str
    optimized_hlo: str
    primitives: tuple[str, ...]
    num_eqns: int
    num_stablehlo_ops: int
    num_hlo_instructions: int
    num_fusions: int
    num_devices: int
    flops: float
    bytes_accessed: float
    transcendentals: float
    peak_memory_bytes: int
