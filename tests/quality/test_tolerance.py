from __future__ import annotations

import math

import ml_dtypes
import pytest

from jax_ir_pairs.quality.tolerance import CONFIDENCE, LARGEST, UNIT_ROUNDOFF, tolerance

F32 = "func.func @main(%arg0: tensor<4xf32>) -> tensor<i32>"


@pytest.mark.parametrize("name", UNIT_ROUNDOFF)
def test_the_unit_roundoffs_are_those_of_the_formats(name: str) -> None:
    plain = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}
    long = plain.get(name, name.lower().replace("f8e", "float8_e").replace("f4e", "float4_e"))
    # `eps` is the distance from 1 to the next number: twice the greatest error of a rounding.
    dtype = getattr(ml_dtypes, long, long)
    assert UNIT_ROUNDOFF[name] == float(ml_dtypes.finfo(dtype).eps) / 2


def test_it_grows_with_the_root_of_the_roundings() -> None:
    assert tolerance(F32, 1) == CONFIDENCE * 2.0**-24
    assert tolerance(F32, 100) == 10 * tolerance(F32, 1)
    assert tolerance(F32, 0) == tolerance(F32, 1)


def test_the_coarsest_format_decides_wherever_it_is() -> None:
    assert tolerance("tensor<f64> tensor<2x3xbf16> f32", 1) == CONFIDENCE * 2.0**-8
    assert tolerance("(tensor<8xcomplex<f64>>)", 4) == CONFIDENCE * 2 * 2.0**-53
    assert tolerance("tensor<8xf8E5M2>, tensor<4xf16>", 1) == LARGEST
    assert tolerance("tensor<8xf16, #stablehlo.bounds<?>>", 1) == CONFIDENCE * 2.0**-11


def test_it_has_an_end() -> None:
    assert tolerance(F32, 10**16) == LARGEST
    assert math.isclose(tolerance("tensor<f64>", 10**6), 16 * 1e3 * 2.0**-53)


def test_what_is_not_rounded_has_none() -> None:
    assert tolerance("tensor<4xi32> tensor<ui8> tensor<2xi1> tensor<i4>", 1000) == 0.0
    # Names that only look like a format.
    assert tolerance("func.func @f32(%f32: tensor<i32>) %bf16, @f16)", 5) == 0.0
