"""Extractions that nothing was compiled for."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.extraction.result import Extraction, MappedLine


def fake_extraction(name: str, **values: Any) -> Extraction:
    """Gives an extraction whose texts have `name`, but for `values`."""
    given: dict[str, Any] = {
        "jaxpr": f"jaxpr {name}",
        "stablehlo": f"stablehlo {name}",
        "hlo": f"hlo {name}",
        "optimized_hlo": f"optimized hlo {name}",
        "line_map": (MappedLine(1, (1,), (1,), (1,), (1,)),),
        "primitives": ("sin", "tanh"),
        "num_eqns": 2,
        "num_stablehlo_ops": 2,
        "num_hlo_instructions": 4,
        "num_optimized_hlo_instructions": 4,
        "num_fusions": 1,
        "num_devices": 1,
        "depth": 1,
        "flops": 12.0,
        "bytes_accessed": 48.0,
        "transcendentals": 12.0,
        "peak_memory_bytes": 96,
    }
    return Extraction(**{**given, **values})
