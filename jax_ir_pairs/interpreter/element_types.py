"""Names of element types: what MLIR and HLO call them, and what NumPy does. Imports no JAX."""

from __future__ import annotations

import re

_KINDS = {"bf": "bfloat", "f": "float", "i": "int", "ui": "uint"}
_NAME = re.compile(r"(bf|f|ui|i)(\d+)([A-Z]\w*)?")
_WORDS = {"i1": "bool", "complex<f32>": "complex64", "complex<f64>": "complex128"}


def numpy_name(mlir_type: str) -> str:
    """Gives NumPy's name, that of `ml_dtypes` for a narrow format; raises KeyError for none."""
    if mlir_type in _WORDS:
        return _WORDS[mlir_type]
    if (match := _NAME.fullmatch(mlir_type)) is None:
        raise KeyError(mlir_type)
    kind, bits, variant = match.groups()
    if variant is None:
        return f"{_KINDS[kind]}{bits}"
    return f"float{bits}_{variant.lower()}"  # f8E4M3FN
