from __future__ import annotations

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.synthesis.functions import read_module
from tests.synthesis.functions.modules import LAYERS


def test_functions_and_their_examples() -> None:
    functions = read_module(LAYERS).functions
    assert list(functions) == ["layer", "model", "bad", "add"]
    params = {"w": "f32[16,4]", "b": "f32[4]"}
    assert functions["layer"].examples == (("f32[8,16]", params), ("f32[2,16]", params))
    assert functions["layer"].parameters == ["x", "params"]
    assert read_module("def f(x):\n    return x\n").functions["f"].examples == ()


@pytest.mark.parametrize(
    ("imported", "spelling"),
    [
        ("import jax_ir_pairs", "jax_ir_pairs.example_inputs"),
        ("import jax_ir_pairs as pairs", "pairs.example_inputs"),
        ("from jax_ir_pairs import example_inputs", "example_inputs"),
        ("from jax_ir_pairs import example_inputs as shapes", "shapes"),
    ],
)
def test_every_spelling_of_the_decorator(imported: str, spelling: str) -> None:
    module = read_module(f"{imported}\n\n\n@{spelling}('f32[2]')\ndef f(x):\n    return x\n")
    assert module.functions["f"].examples == (("f32[2]",),)


def test_a_decorator_of_another_package_is_none() -> None:
    source = "from mine import example_inputs\n\n\n@example_inputs(3)\ndef f(x):\n    return x\n"
    assert read_module(source).functions["f"].examples == ()


HEAD = "from jax_ir_pairs import example_inputs\nN = 3\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("@example_inputs('f33[2]')\ndef f(x): pass", "m.py:3: 'f33[2]' is no aval: there is no"),
        ("@example_inputs(f'f32[{N}]')\ndef f(x): pass", "m.py:3: example_inputs is read and not"),
        ("@example_inputs(x='f32[]')\ndef f(x): pass", "m.py:3: example_inputs takes one input"),
        ("@example_inputs()\ndef f(x): pass", "m.py:3: f(x) needs x too"),
        ("@example_inputs('f32[]')\ndef f(*, k): pass", "f(*, k) takes 0 arguments, and 1 are giv"),
        ("@example_inputs('f32[]')\ndef _f(x): pass", "m.py:3: example_inputs is for public funct"),
        (
            "class A:\n    @example_inputs('f32[]')\n    def f(x): pass",
            "m.py:4: example_inputs is ",
        ),
        ("def f(x", "m.py:3: '(' was never closed: def f(x"),
        ("x = '\0'", "m.py: "),
    ],
)
def test_what_cannot_be_read(body: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        _ = read_module(HEAD + body, "m.py").functions
    assert problem in str(error.value).replace("m.py:None", "m.py")


@pytest.mark.parametrize(
    ("signature", "count", "keywords", "problem"),
    [
        ("x, y=1, *, k, l=2", 1, ["k"], None),
        ("x, y=1, *, k, l=2", 2, ["k", "l"], None),
        ("x, y", 1, ["y"], None),
        ("x, /, *rest, **more", 5, ["z"], None),
        ("x, y=1, *, k, l=2", 1, [], "f(x, y=1, *, k, l=2) needs k too"),
        ("x", 2, [], "f(x) takes 1 argument, and 2 are given"),
        ("x, /", 0, ["x"], "f(x, /) has no argument 'x'"),
        ("x, y", 0, ["y"], "f(x, y) needs x too"),
    ],
)
def test_arguments_that_fit_and_that_do_not(
    signature: str, count: int, keywords: list[str], problem: str | None
) -> None:
    function = read_module(f"def f({signature}): pass").functions["f"]
    assert function.misfit(count, keywords) == problem
