"""Choices become text: what is left of a sketch is what a person would have written."""

from __future__ import annotations

import pytest

from tests.synthesis.sketching.library import flagged, library_of, sources

HEAD = """
import jax
import jax.numpy as jnp


@sketch(takes={"x": "f[n]", "y": "f[n]"}, gives="f[n]")
"""


def bodies(body: str, *, seeds: int = 40) -> set[str]:
    """Gives what the body of a function becomes, without its first line."""
    lines = "\n".join(f"    {line}" if line else "" for line in body.strip("\n").split("\n"))
    text = f'{HEAD}def f(x, y):\n    """Do it."""\n{lines}\n'
    found = set()
    for source in sources(library_of(text), "f", seeds):
        _, _, rest = source.partition("def f(")
        found.add("\n".join(line[4:] for line in rest.rstrip("\n").split("\n")[1:]))
    return found


def test_one_of_several_expressions_is_left() -> None:
    assert bodies("return one_of(x + y, x * y, -x + y)") == {
        "return x + y",
        "return x * y",
        "return -x + y",
    }


def test_an_expression_keeps_its_meaning_inside_of_another() -> None:
    assert bodies("return 2 * one_of(x + y, x)") == {"return 2 * (x + y)", "return 2 * x"}
    assert bodies("return one_of(jnp.sin, jnp.cos)(x)") == {
        "return jnp.sin(x)",
        "return jnp.cos(x)",
    }
    assert bodies("return one_of(x + y, x).sum()") == {"return (x + y).sum()", "return x.sum()"}
    assert bodies("return one_of(one_of(x, y) + 1, y)") == {
        "return x + 1",
        "return y + 1",
        "return y",
    }


SEVERAL_LINES = """
y = one_of(
    jnp.stack(
        [x, y],
        axis=0,
    ),
    x + y,
)
return y
"""


def test_an_expression_on_several_lines_moves_to_the_left() -> None:
    assert bodies(SEVERAL_LINES) == {
        "y = jnp.stack(\n    [x, y],\n    axis=0,\n)\nreturn y",
        "y = x + y\nreturn y",
    }


ORDINARY = """
if maybe("a"):
    x = 2 * x
elif x.ndim > 1:
    x = 3 * x
else:
    x = x + y
return x
"""


def test_an_ordinary_test_after_an_option_begins_where_that_goes() -> None:
    assert bodies(ORDINARY) == {
        "x = 2 * x\nreturn x",
        "if x.ndim > 1:\n    x = 3 * x\nelse:\n    x = x + y\nreturn x",
    }


BRANCHES = """
if maybe("a"):
    # Twice.
    x = 2 * x
elif maybe("b"):
    x = 3 * x
else:
    for _ in range(2):
        x = x + y
return x
"""


def test_one_of_several_branches_is_left() -> None:
    loop = "for _ in range(2):\n    x = x + y\nreturn x"
    assert bodies(BRANCHES) == {"x = 2 * x\nreturn x", "x = 3 * x\nreturn x", loop}


def test_an_early_return_takes_the_rest_away() -> None:
    body = """
    if maybe("short"):
        return x
    z = x + y
    return z * y
    """
    assert bodies("\n".join(line[4:] for line in body.split("\n")).strip("\n")) == {
        "return x",
        "z = x + y\nreturn z * y",
    }


def test_an_option_of_a_file_is_chosen_once() -> None:
    body = """
if maybe("a"):
    x = x + 1
y = jnp.sin(y) if maybe("a") else jnp.cos(y)
if not maybe("a"):
    x = x - 1
return x + y
"""
    assert bodies(body) == {
        "x = x + 1\ny = jnp.sin(y)\nreturn x + y",
        "y = jnp.cos(y)\nx = x - 1\nreturn x + y",
    }


def test_branches_inside_of_branches_move_to_the_left_twice() -> None:
    body = """
if maybe("a"):
    if maybe("b"):
        x = jnp.where(
            x > y,
            x,
            y,
        )
return x
"""
    assert bodies(body) == {"x = jnp.where(\n    x > y,\n    x,\n    y,\n)\nreturn x", "return x"}


def test_an_option_may_stay_as_a_flag() -> None:
    text = f'''{HEAD}def f(x, y):
    """Do it."""
    if not maybe("centered"):
        x = x - y
    else:
        x = x + y
    return jnp.sin(x) if maybe("centered") else x
'''
    found = {source.partition("def ")[2] for source in flagged(library_of(text), "f")}
    assert {source.replace("with_", "use_").replace("use_", "") for source in found} == {
        f"f(x, y, centered={value}):\n    if not centered:\n        x = x - y\n    else:\n"
        "        x = x + y\n    return jnp.sin(x) if centered else x\n"
        for value in (True, False)
    }


def test_an_option_stays_only_where_no_input_is_idle() -> None:
    text = f'''{HEAD}def f(x, y):
    """Do it."""
    if maybe("both"):
        x = x + y
    return x
'''
    found = flagged(library_of(text), "f", 80)
    assert found
    assert all("both=True" in source for source in found)


def test_a_condition_of_the_program_stays() -> None:
    assert bodies("if x.ndim > 1:\n    x = x[0]\nreturn x") == {
        "if x.ndim > 1:\n    x = x[0]\nreturn x"
    }


def test_numbers_are_as_people_write_them() -> None:
    found = bodies("return x * number(1e-6, 10.0) + integer(2, 9)", seeds=80)
    for line in found:
        factor = line.split(" * ")[1].split(" + ")[0]
        assert 1e-6 <= float(factor) <= 10
        assert len(factor) <= 6, line
    assert len(found) > 60


def test_a_parameter_that_nothing_reads_goes() -> None:
    text = f'''{HEAD}def f(x, y, scale=number(0.1, 0.5), *, shift=1.0):
    """Do it."""
    if maybe("both"):
        return x * scale + y + shift
    return x + shift
'''
    heads = {source.split("def ")[1].split("\n")[0] for source in sources(library_of(text), "f")}
    assert "f(x, *, shift=1.0):" in heads
    assert any(head.startswith("f(x, y, scale=0.") for head in heads)


@pytest.mark.parametrize(
    "body",
    ['return f"{one_of(1, 2)}"', 'if maybe("a") and y:\n    x = y\nreturn x'],
)
def test_what_cannot_be_left_open_is_refused(body: str) -> None:
    with pytest.raises(ValueError, match="line"):
        bodies(body)


RULES = """
import jax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

double_p = Primitive("double")
double_p.multiple_results = False


@double_p.def_impl
def double_impl(x):
    if maybe("sum"):
        return x + x
    return factor * x


factor = 2
ad.deflinear2(double_p, lambda ct, _: (double(ct),))
batching.primitive_batchers[double_p] = double_batch


def double_batch(args, dims):
    return double_p.bind(*args), dims[0]


def double(x):
    return double_p.bind(x)


def unused(x):
    return x


@sketch(takes={"x": "f[n]"})
def f(x):
    '''Do it.'''
    return double(x)
"""


def test_a_primitive_comes_with_what_is_about_it() -> None:
    texts = sources(library_of(RULES), "f")
    assert len(texts) == 2
    for text in texts:
        assert "unused" not in text
        assert ("factor = 2" in text) == ("factor * x" in text)
        parts = [
            "def double_batch(", "double_p = Primitive(", "double_p.multiple_results = False\n\n\n",
            "@double_p.def_impl\ndef double_impl(x):", "ad.deflinear2(double_p",
            "batching.primitive_batchers[double_p] = double_batch\n", "def f(x):",
        ]  # fmt: skip
        places = [text.find(part) for part in parts]
        assert places == sorted(places)
        assert places[0] > 0
