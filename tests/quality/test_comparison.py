from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jax_ir_pairs.quality.comparison import Array, all_finite, compare, described, is_inexact

WHOLE = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
BROKEN = ["float16", "float32", "float64", "complex64", "complex128"]


def of(dtype: Any) -> st.SearchStrategy[Array]:
    return arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=2, max_side=3))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    """Gives two arrays of one shape and dtype, or now and then of two."""
    first = draw(of(draw(st.sampled_from(WHOLE + BROKEN))))
    if draw(st.integers(0, 9)) == 0:
        return first, draw(of(draw(st.sampled_from(WHOLE + BROKEN))))
    return first, draw(arrays.arrays(first.dtype, first.shape))


@settings(max_examples=100)
@given(pairs(), st.sampled_from([0.0, 1e-6, 0.5]))
def test_the_verdict_is_the_same_both_ways(pair: tuple[Array, Array], tolerance: float) -> None:
    ours, theirs = pair
    there, back = compare([ours], [theirs], tolerance), compare([theirs], [ours], tolerance)
    assert there.agrees == back.agrees
    assert (there.max_abs_error, there.max_rel_error) == (back.max_abs_error, back.max_rel_error)


@settings(max_examples=40)
@given(st.sampled_from(WHOLE + BROKEN).flatmap(of))
def test_what_is_equal_is_no_difference(value: Array) -> None:
    difference = compare([value], [value.copy()], 0.0)
    assert (difference.agrees, difference.max_abs_error, difference.max_rel_error) == (True, 0, 0)


@settings(max_examples=60)
@given(st.data())
def test_no_change_of_an_integer_passes(data: st.DataObject) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=2, max_side=3))
    dtype = data.draw(st.sampled_from(WHOLE))
    value = data.draw(arrays.arrays(dtype, shape))
    other = value.copy()
    place = data.draw(st.integers(0, value.size - 1))
    new = data.draw(arrays.from_dtype(np.dtype(dtype)).filter(lambda x: x != value.flat[place]))
    other.flat[place] = new
    difference = compare([other], [value], 0.5)
    assert not difference.agrees
    assert difference.max_abs_error == float(abs(int(new) - int(value.flat[place])))
    assert "1 of" in difference.beyond
    assert described(value) in difference.beyond


def test_integers_of_64_bits_are_told_apart_where_doubles_cannot() -> None:
    difference = compare([np.array(2**62 + 1)], [np.array(2**62)], 0.5)  # scalars too
    assert not difference.agrees
    assert difference.max_abs_error == 1.0


@pytest.mark.parametrize("dtype", [*BROKEN[:2], ml_dtypes.bfloat16, ml_dtypes.float8_e5m2])
def test_the_greatest_magnitude_is_what_an_error_is_measured_by(dtype: Any) -> None:
    # The second element is off by its own size, which beside 4 is an eighth.
    ours, theirs = np.array([4.0, 1.0], dtype), np.array([4.0, 0.5], dtype)
    difference = compare([ours], [theirs], 0.125)
    assert (difference.agrees, difference.max_abs_error, difference.max_rel_error) == (
        True,
        0.5,
        0.125,
    )
    difference = compare([ours], [theirs], 0.1249)
    assert difference.beyond == (
        f"result 0, {described(ours)}, differs in 1 of 2 elements by up to 0.5, "
        "0.125 of its greatest magnitude, over 0.125"
    )


def test_a_part_of_a_complex_number_counts_alone() -> None:
    difference = compare([np.array([3 + 4j])], [np.array([3 + 2j])], 0.5)
    assert (difference.max_abs_error, difference.max_rel_error) == (2.0, 0.5)


def test_what_is_not_finite_has_to_be_in_the_same_places() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert compare([odd + 0], [odd], 0.0).agrees
    assert compare([np.array([np.nan, np.inf, -np.inf, 1.5])], [odd], 0.5).agrees
    for place, wrong in [(0, 0.0), (1, -np.inf), (2, np.nan), (3, np.inf)]:
        other = odd.copy()
        other[place] = wrong
        difference = compare([other], [odd], 0.5)
        assert not difference.agrees
        assert math.isinf(difference.max_abs_error)
        assert math.isinf(difference.max_rel_error)


def test_the_signs_and_payloads_that_no_program_can_see_are_no_difference() -> None:
    nan = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert compare([nan], [np.array([np.nan], np.float32)], 0.0).agrees
    assert compare([np.array([-0.0])], [np.array([0.0])], 0.0).agrees


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([], "0 results instead of 1"),
        ([np.zeros((2, 3), np.float32)], "result 0 is float32[2,3] instead of float32[3,2]"),
        ([np.zeros((3, 2), np.float64)], "result 0 is float64[3,2] instead of float32[3,2]"),
    ],
)
def test_shapes_dtypes_and_numbers_of_results_are_compared(ours: list[Array], said: str) -> None:
    difference = compare(ours, [np.zeros((3, 2), np.float32)], 0.5)
    assert difference.beyond == said
    assert not difference.agrees


def test_the_first_result_out_of_tolerance_is_named_and_the_greatest_errors_kept() -> None:
    zero = np.zeros(1)
    one, two, ten = (np.full(1, value) for value in (1.0, 2.0, 10.0))
    difference = compare([zero, one, zero], [zero, two, ten], 0.1)
    assert difference.beyond.startswith("result 1, ")
    assert (difference.max_abs_error, difference.max_rel_error) == (10.0, 1.0)


@pytest.mark.parametrize("name", ["int2", "uint2", "int4", "uint4"])
def test_narrow_integers_are_exact_and_always_finite(name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name))
    assert not is_inexact(dtype)
    assert all_finite(np.zeros(2, dtype))
    assert not compare([np.array([0], dtype)], [np.array([1], dtype)], 0.5).agrees


@pytest.mark.parametrize("dtype", [*BROKEN, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_what_is_rounded_may_be_no_number(dtype: Any) -> None:
    assert is_inexact(np.dtype(dtype))
    assert all_finite(np.ones(2, dtype))
    assert not all_finite(np.array([1, np.nan], dtype))
