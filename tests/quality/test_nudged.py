from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from jax_ir_pairs.quality.inputs import nudged


@pytest.mark.parametrize("dtype", ["float32", "complex64", ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_a_nudged_value_has_its_shape_and_is_off_by_a_rounding(
    dtype: str, shape: tuple[int, ...]
) -> None:
    value = np.full(shape, 1.5, dtype)
    other = nudged(value, np.random.PCG64(0))
    assert (other.shape, other.dtype) == (value.shape, value.dtype)
    assert (other.real != value.real).all()
    assert np.abs(other.real.astype(np.float64) - 1.5).max() < 0.01
