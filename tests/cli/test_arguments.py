from __future__ import annotations

from typing import Any

import pytest

from jax_ir_pairs.cli.arguments import check_names, parse_argument
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.extraction.user_function import Argument


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f32[8,16]", "f32[8,16]"),
        ("bool[]", "bool[]"),
        ("key<fry>[]", "key<fry>[]"),
        ('{"w": "f32[16,4]", "b": [null, "f32[4]"]}', {"w": "f32[16,4]", "b": [None, "f32[4]"]}),
        ('["f32[2]", "f32[3]"]', ["f32[2]", "f32[3]"]),
        ("{}", {}),
    ],
)
def test_what_is_traced(text: str, value: Any) -> None:
    assert parse_argument(text) == Argument(value)
    assert parse_argument(f"name={text}") == Argument(value, name="name")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ('"relu"', "relu"),
        ('"f32[8]"', "f32[8]"),
        ('"a=b"', "a=b"),
        ("[8, 16]", [8, 16]),
        ("[]", []),
    ],
)
def test_what_is_static(text: str, value: Any) -> None:
    assert parse_argument(text) == Argument(value, is_static=True)
    assert parse_argument(f"_n1={text}") == Argument(value, is_static=True, name="_n1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("f33[8]", "'f33[8]' is no aval: there is no dtype 'f33'"),
        ("f32[8, 16]", "it has no spaces"),
        ("f32", "a scalar is 'f32[]'"),
        ("relu", "a string is written '\"relu\"', with its quotes"),
        ('{"w": f32[3]}', "is no JSON; write an aval such as f32[8,16]"),
        ('{"w": 3}', "3 is no aval: each leaf of a tree looks like"),
        ('["relu", 3]', "'relu' is no aval"),
        ("", "is no JSON"),
        ("3x", "is no JSON"),
        ("mode=", "is no JSON"),
    ],
)
def test_what_is_neither(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_argument(text)
    assert str(error.value).startswith(f"--input {text!r}: ")
    assert problem in str(error.value)


def test_a_name_given_twice() -> None:
    check_names([Argument(1), Argument(1), Argument(1, name="a"), Argument(1, name="b")])
    with pytest.raises(UsageError, match=r"--input a=… is given twice\."):
        check_names([Argument(1, name="a"), Argument(2, name="a")])
