from __future__ import annotations

import ast

import pytest

from likeness.style import code_alone, has_comment, style

PROGRAM = '''\
import jax.numpy as jnp


def f(x, scale=2.0):
    """Normalize rows."""
    if x.ndim != 2:
        raise ValueError(f"got shape {x.shape}")
    n = len([row for row in x])
    y = jnp.add(x, 1.0)
    mean = jnp.sum(y, axis=0) / n  # of each column
    return mean * scale if scale > 0 else mean
'''
PLAIN = "import jax.numpy as jnp\n\n\ndef f(x):\n    return jnp.sum(x)\n"


def test_shares_are_of_programs() -> None:
    found = style([PROGRAM, PLAIN])
    half = (
        "if",
        "raise or assert",
        ".shape",
        "f-string",
        "conditional expression",
        "comprehension",
    )
    for name in (*half, "jnp.add( and its like", "default arguments", "comment", "docstring"):
        assert found[name] == 0.5, name
    for name in ("for", "and/or", "class", "lambda", "annotations"):
        assert found[name] == 0.0, name


def test_stores_and_assignments_are_counted_by_the_one() -> None:
    found = style([PROGRAM])
    assert found["stores under single letters"] == pytest.approx(2 / 4)  # row, n, y, mean
    assert found["assignments of one op"] == pytest.approx(2 / 3)  # mean has two


def test_docstrings_are_told_apart_by_their_first_lines() -> None:
    texts = [f'def f(x):\n    """{line}"""\n' for line in ("Add a.", "Add b.", "Add b.", "Scale.")]
    found = style(texts)
    assert found["distinct first lines, of all first lines"] == 0.75
    assert found["distinct first lines of docstrings per 3,000 programs"] == 3 * 3000 / 4
    assert found["docstrings under the commonest opening word"] == 0.75


def test_a_program_has_no_prose_left() -> None:
    found = code_alone(PROGRAM)
    assert "Normalize" not in found
    assert "of each column" not in found
    ast.parse(code_alone('def f():\n    """Only this."""\n'))


def test_a_comment_is_none_in_a_string() -> None:
    assert has_comment("x = 1  # one\n")
    assert not has_comment('x = "# one"\n')


def test_nothing_is_no_error() -> None:
    assert style([])["if"] == 0.0
