from __future__ import annotations

from typing import Any

import pytest

from jax_ir_pairs.synthesis.functions.avals import check_avals, is_aval


@pytest.mark.parametrize(
    "aval", ["f32[8,16]", "bf16[]", "bool[3]", "key<fry>[2]", "f8_e4m3fn[1]", "c64[0]", "i4[2]"]
)
def test_avals(aval: str) -> None:
    assert is_aval(aval)
    check_avals({"a": [aval, (aval, None)]})


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        ("f33[8]", "'f33[8]' is no aval: there is no dtype 'f33'; there are f32, "),
        ("f32[8, 16]", "it has no spaces, as in 'f32[8,16]'"),
        ("f32", "a scalar is 'f32[]'"),
        ("f32[8,]", "one looks like 'f32[8,16]'"),
        ("f32[-1]", "one looks like 'f32[8,16]'"),
        ("float32[8]", "there is no dtype 'float32'"),
        ({"w": [3]}, "3 is no aval: each leaf of a tree looks like 'f32[8,16]'"),
        ({1: "f32[]"}, "the key 1 of a dict must be a string"),
        ({"f32[]"}, "is no aval"),
    ],
)
def test_what_is_none(tree: Any, problem: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the message is held below)
        check_avals(tree)
    assert problem in str(error.value)
