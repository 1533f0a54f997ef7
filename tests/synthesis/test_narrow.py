"""Narrow formats: every one of them is reached, and what is cast into one fits it."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import pytest
from ml_dtypes import finfo

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.ops.narrow import LARGEST
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import LONG_NAMES, TINY, Aval


@pytest.mark.parametrize("dtype", LARGEST)
def test_greatest_values_are_those_of_the_formats(dtype: str) -> None:
    largest = finfo(getattr(jnp, LONG_NAMES[dtype])).max  # type: ignore[no-untyped-call]
    assert float(largest) == LARGEST[dtype]


def test_every_narrow_format_turns_up() -> None:
    found: set[str] = set()
    for seed in range(400):
        scope = Scope(Stream("narrow", seed), TABLE)
        scope.input(Aval("f32", (4, 8)), "x")
        for name in ("to_float8", "quantize", "scaled_dot"):
            scope.attempt(partial(scope.draw, TABLE[name]))
        found |= {v.type.dtype for v in scope.values if isinstance(v.type, Aval)}
    assert set(TINY) <= found


def test_what_does_not_fit_is_refused() -> None:
    scope = Scope(Stream("narrow"), TABLE)
    large = Var(Aval("f32", (4,)), (-1000.0, 1000.0))
    with pytest.raises(IllTyped):
        scope.let("to_float8", large, dtype="f8_e4m3fn")
    small = scope.let("saturate", large, dtype="f8_e4m3fn")
    assert scope.let("to_float8", small, dtype="f8_e4m3fn").bounds == (-448.0, 448.0)
