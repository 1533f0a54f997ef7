from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import trace_a_function as example


@pytest.mark.parametrize(
    ("arguments", "traces"),
    [
        ([jnp.ones(3), jnp.zeros(3), np.full(3, 7, np.float32)], ["float32[3]"]),
        ([jnp.ones(3), jnp.ones(4), jnp.ones(3)], ["float32[3]", "float32[4]"]),
        ([jnp.ones(3), jnp.ones(3, jnp.int32)], ["float32[3]", "int32[3]"]),
        ([2.0, 3.0, jnp.float32(2)], ["~float32[]", "float32[]"]),
    ],
    ids=["same type", "new shape", "new dtype", "weak type"],
)
def test_python_runs_once_for_each_abstract_value(
    arguments: Iterable[Any], traces: list[str]
) -> None:
    assert example.traces_of(arguments) == traces


def test_a_tracer_has_a_shape_and_a_dtype() -> None:
    assert example.what_a_tracer_knows() == {"tracer": True, "shape": (2, 3), "dtype": "float32"}


def test_code_that_needs_the_value_is_refused() -> None:
    assert example.refusals() == {
        "if x > 0": "TracerBoolConversionError",
        "float(x)": "ConcretizationTypeError",
        "numpy.sin(x)": "TracerArrayConversionError",
    }


@pytest.mark.parametrize("exponent", [0, 1, 5])
def test_a_loop_over_a_static_argument_unrolls(exponent: int) -> None:
    assert example.multiplications(exponent) == exponent
    np.testing.assert_allclose(
        example.power(jnp.array([1.5, -2.0]), exponent), [1.5**exponent, (-2.0) ** exponent]
    )


def test_captured_state_is_frozen() -> None:
    assert example.captured_state() == (10.0, 10.0)
