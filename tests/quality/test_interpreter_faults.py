from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax

from jax_ir_pairs.quality.interpreter import interpret


@pytest.mark.parametrize("divided", [lax.div, lax.rem])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32"])
def test_integers_are_divided_as_xla_does_it_where_there_is_no_result(
    divided: Callable[[Any, Any], jax.Array], dtype: str
) -> None:
    info = np.iinfo(dtype)
    minus_one = np.array(-1).astype(dtype)
    dividend = np.array([info.min, info.min, 7, 5, 0, info.max, 3], dtype)
    divisor = np.array([minus_one, 1, 0, 2, 0, 2, minus_one], dtype)
    with jax.enable_x64(True):
        compiled = jax.jit(divided)
        text = compiled.lower(dividend, divisor).as_text()
        wanted = np.asarray(compiled(dividend, divisor))
    [found] = interpret(text, [dividend, divisor])
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == wanted.dtype


def test_a_division_in_the_body_of_a_loop_is_guarded_too() -> None:
    def gcds(x: jax.Array, y: jax.Array) -> jax.Array:
        return jax.numpy.gcd(x, y)

    x, y = np.arange(4, dtype=np.int32), np.zeros(4, np.int32)
    text = jax.jit(gcds).lower(x, y).as_text()
    [found] = interpret(text, [x, y])
    np.testing.assert_array_equal(found, x)
