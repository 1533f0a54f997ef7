from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from jax_ir_pairs.interpreter.element_types import numpy_name


@pytest.mark.parametrize(
    ("mlir_type", "name"),
    [
        ("i1", "bool"),
        ("ui32", "uint32"),
        ("i4", "int4"),
        ("f32", "float32"),
        ("bf16", "bfloat16"),
        ("f8E4M3B11FNUZ", "float8_e4m3b11fnuz"),
        ("f4E2M1FN", "float4_e2m1fn"),
        ("complex<f64>", "complex128"),
    ],
)
def test_the_dtype_is_one_of_numpy_or_ml_dtypes(mlir_type: str, name: str) -> None:
    assert numpy_name(mlir_type) == name
    assert np.dtype(getattr(ml_dtypes, name, name)).name == name


@pytest.mark.parametrize("mlir_type", ["index", "!stablehlo.token", "tf32", "f"])
def test_no_element_type(mlir_type: str) -> None:
    with pytest.raises(KeyError):
        numpy_name(mlir_type)
