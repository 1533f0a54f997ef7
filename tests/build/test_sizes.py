from __future__ import annotations

from dataclasses import replace

import pytest

from jax_ir_pairs.build.sizes import difficulty, largest_argument, num_tokens
from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.synthesis.program import Program
from tests.extractions import fake_extraction

PROGRAM = Program("def f(x):\n    return x\n", "f", '[["x", "f32[2]"]]', "models", (), "0")


def test_the_smallest_program_is_the_easiest() -> None:
    assert difficulty(PROGRAM, fake_extraction("a", num_eqns=1, primitives=("sin",))) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"num_eqns": 400},
        {"depth": 6},
        {"primitives": tuple(map(str, range(40)))},
        {"num_devices": 64},
    ],
)
def test_more_of_anything_is_harder(more: dict[str, object]) -> None:
    plain = difficulty(PROGRAM, fake_extraction("a"))
    assert plain < difficulty(PROGRAM, fake_extraction("a", **more)) <= 10


def test_transformations_are_harder() -> None:
    transformed = replace(PROGRAM, transforms=("vmap", "grad", "jit"))
    extraction = fake_extraction("a")
    assert difficulty(PROGRAM, extraction) < difficulty(transformed, extraction)


def test_there_is_a_hardest_program() -> None:
    hard = fake_extraction("a", num_eqns=10**6, depth=9, primitives=tuple(map(str, range(80))))
    assert difficulty(PROGRAM, hard) == 10


def test_tokens_are_a_third_of_the_bytes() -> None:
    texts = dict.fromkeys(LEVELS, "") | {"python": "abcd", "jaxpr": "äöü"}
    counts = num_tokens(texts)
    assert counts == dict.fromkeys(LEVELS, 0) | {"python": 2, "jaxpr": 2}


def test_the_largest_argument_is_found_in_trees() -> None:
    assert (
        largest_argument('[["x", "f32[7,50]"], ["p", {"w": "f32[3]", "n": ["i32[500]"]}]]') == 500
    )
    assert largest_argument('[["key", "key<fry>[]"]]') == 1
    assert largest_argument("[]") == 0
