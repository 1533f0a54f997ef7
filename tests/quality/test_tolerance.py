from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import pytest

from jax_ir_pairs.quality.tolerance import CONFIDENCE, LARGEST, UNIT_ROUNDOFF, tolerance

F32 = frozenset({"f32"})


@pytest.mark.parametrize("name", UNIT_ROUNDOFF)
def test_the_unit_roundoffs_are_those_of_the_formats(name: str) -> None:
    plain = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}
    long = plain.get(name, name.lower().replace("f8e", "float8_e").replace("f4e", "float4_e"))
    # `eps` is the distance from 1 to the next number: twice the greatest error of a rounding.
    finfo: Any = ml_dtypes.finfo
    dtype = getattr(ml_dtypes, long, long)
    assert UNIT_ROUNDOFF[name] == float(finfo(dtype).eps) / 2


def test_it_grows_with_the_root_of_the_roundings() -> None:
    assert tolerance(F32, 1) == CONFIDENCE * 2.0**-24
    assert tolerance(F32, 100) == 10 * tolerance(F32, 1)
    assert tolerance(F32, 0) == tolerance(F32, 1)


def test_the_coarsest_format_decides() -> None:
    assert tolerance(["f64", "bf16", "f32"], 1) == CONFIDENCE * 2.0**-8
    assert tolerance(["f64"], 4) == CONFIDENCE * 2 * 2.0**-53
    assert tolerance(["f8E5M2", "f16"], 1) == LARGEST


def test_it_has_an_end() -> None:
    assert tolerance(F32, 10**16) == LARGEST
    assert math.isclose(tolerance(["f64"], 10**6), 16 * 1e3 * 2.0**-53)


def test_what_is_not_rounded_has_none() -> None:
    assert tolerance([], 1000) == 0.0
