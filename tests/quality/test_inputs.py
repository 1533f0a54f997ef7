from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest

from jax_ir_pairs.extraction.source import abstract_arguments
from jax_ir_pairs.quality.comparison import Array, all_finite, is_inexact
from jax_ir_pairs.quality.inputs import (
    is_key,
    nudged,
    ordinary_inputs,
    physical,
    unwrapped,
    wrapped,
)
from jax_ir_pairs.synthesis.types import ALL, COMPLEX, TINY, input_bounds

NAMES = (*ALL, *COMPLEX, *TINY, "key<fry>")
GOLDEN = "8519013ebd55eb64494513c0f91465ca1aaa15a08561a2fc1195b0d7f849aa70"
"""SHA-256 of the values of seed 7 for a `[3,50]` of each of `NAMES`: of a machine, a version and a
process it is no function. Rows of a published dataset were checked on these; it never changes."""


def avals_of(*texts: str) -> list[Any]:
    with jax.enable_x64(True):
        named = [[f"x{place}", text] for place, text in enumerate(texts)]
        return jax.tree.leaves(abstract_arguments(json.dumps(named)))


def values_of(seed: int, draw: int = 0) -> list[Array]:
    return ordinary_inputs(avals_of(*(f"{name}[3,50]" for name in NAMES)), seed, draw)


def digest() -> str:
    return hashlib.sha256(b"".join(value.tobytes() for value in values_of(7))).hexdigest()


def test_the_bits_are_the_same_everywhere() -> None:
    assert digest() == GOLDEN


def test_the_bits_are_the_same_in_a_fresh_process() -> None:
    code = "from tests.quality.test_inputs import digest; print(digest())"
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "5"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == GOLDEN


def test_seeds_draws_and_places_have_values_of_their_own() -> None:
    first, *others = (values_of(*which)[0].tobytes() for which in ((7,), (8,), (7, 1), (2**62, 1)))
    assert len({first, *others}) == 4
    one, two = ordinary_inputs(avals_of("f32[50]", "f32[50]"), 7)
    assert one.tobytes() != two.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_values_are_of_their_type_and_within_its_bounds(name: str) -> None:
    [aval] = avals_of(f"{name}[40,50]")
    [value] = ordinary_inputs([aval], 0)
    assert (value.shape, value.dtype) == physical(aval)
    assert all_finite(value)
    if name == "key<fry>":
        assert value.max() > 2**31  # all of the words, not a seed's few bits
        return
    low, high = input_bounds(name)
    parts = [value.real, value.imag] if value.dtype.kind == "c" else [value]
    for part in parts:
        wide: Any = part.astype(np.float64)
        assert low <= wide.min() < wide.max() <= high
        if is_inexact(value.dtype) and name != "f8_e8m0fnu":
            assert abs(wide.mean()) < 0.1
            assert abs(wide.var() - 1) < 0.15
            assert abs(wide).max() <= 2 * np.sqrt(3) * 1.16  # as rounded to four bits, 3.46 is 4


def test_scalars_and_nothing_at_all() -> None:
    scalar, empty = ordinary_inputs(avals_of("f32[]", "i32[0,3]"), 1)
    assert (scalar.shape, empty.shape) == ((), (0, 3))


@pytest.mark.parametrize("name", ["f64", "f32", "f16", "bf16", *(n for n in TINY if n[0] == "f")])
def test_a_nudge_is_to_the_next_number(name: str) -> None:
    [value] = ordinary_inputs(avals_of(f"{name}[2000]"), 0)
    other = nudged(value, np.random.PCG64(0))
    assert other.dtype == value.dtype
    words = f"u{value.dtype.itemsize}"
    steps = other.view(words).astype(object) - value.view(words).astype(object)
    zero = value == 0
    assert set(steps[zero]) <= {0}
    assert set(steps[~zero]) == {1, -1}  # up or down, and where it is a format's end, neither


def test_a_nudge_of_a_complex_number_is_one_of_each_part() -> None:
    [value] = ordinary_inputs(avals_of("c64[100]"), 0)
    other = nudged(value, np.random.PCG64(0))
    eps = np.finfo(np.float32).eps
    for ours, theirs in ((value.real, other.real), (value.imag, other.imag)):
        assert (ours != theirs).all()
        assert (abs(ours - theirs) <= eps * abs(ours)).all()


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


@pytest.mark.parametrize("name", ["i32", "u8", "bool", "i4", "key<fry>"])
def test_a_nudge_leaves_what_is_not_rounded(name: str) -> None:
    [value] = ordinary_inputs(avals_of(f"{name}[20]"), 0)
    assert nudged(value, np.random.PCG64(0)) is value


def test_a_nudge_never_leaves_the_numbers() -> None:
    greatest = np.full(50, np.finfo(np.float32).max)
    assert all_finite(nudged(greatest, np.random.PCG64(0)))
    # Beside the least of the negative ones lies the one pattern that is no number.
    least = np.full(50, 0x81, np.uint8).view(ml_dtypes.float8_e4m3fnuz)
    assert all_finite(nudged(least, np.random.PCG64(0)))


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_are_their_words(impl: str) -> None:
    dtype = jax.random.key(0, impl=impl).dtype
    aval = jax.ShapeDtypeStruct((3,), dtype)
    assert is_key(dtype)
    [words] = ordinary_inputs([aval], 0)
    assert words.dtype == np.uint32
    key = wrapped(words, dtype)
    assert (key.shape, key.dtype) == ((3,), dtype)
    assert (unwrapped(key) == words).all()
