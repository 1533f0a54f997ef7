from __future__ import annotations

import pytest

from jax_ir_pairs.synthesis.functions.structure import structure_hash

SOURCE = """
from jax.numpy import sin
import jax.numpy as jnp

N = 3


def f(xs, y):
    '''A docstring.'''
    return sin(xs) * N + jnp.sum(y, axis=1)
"""


@pytest.mark.parametrize(
    "change",
    [
        ("def f", "def g"),
        ("xs", "data"),
        ("N", "COUNT"),
        ("3", "5"),
        ("'''A docstring.'''", "# a comment\n"),
        ("axis=1", "axis=0"),
    ],
)
def test_names_and_numbers_do_not_count(change: tuple[str, str]) -> None:
    assert structure_hash(SOURCE.replace(*change)) == structure_hash(SOURCE)


@pytest.mark.parametrize(
    "change", [("sin", "cos"), ("jnp.sum", "jnp.max"), ("*", "+"), (", axis=1", "")]
)
def test_what_is_computed_counts(change: tuple[str, str]) -> None:
    assert structure_hash(SOURCE.replace(*change)) != structure_hash(SOURCE)


def test_every_python_gives_the_same() -> None:
    assert structure_hash("def f(x):\n    return x + 1\n") == "8674bb5a75bfd960"
