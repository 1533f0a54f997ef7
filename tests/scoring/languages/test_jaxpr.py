from __future__ import annotations

import re
from typing import Any

import jax
import numpy as np
import pytest

from jax_ir_pairs.extraction.execution import Executable
from jax_ir_pairs.quality.comparison import compare
from jax_ir_pairs.scoring.jaxpr_text import parse, printed
from jax_ir_pairs.scoring.languages.jaxpr import read
from jax_ir_pairs.scoring.module import NotParsedError, NotRunnableError, NotValidError
from tests.scoring.jaxprs import BODIES, Expected, row

X = np.linspace(-1.2, 1.7, 8, dtype=np.float32)
NO_ROW: dict[str, Any] = {"python": "", "entry_point": "f", "inputs": "[]", "jaxpr": ""}


def results(text: str, columns: dict[str, Any], *inputs: Any) -> list[np.ndarray[Any, Any]]:
    module = read(text, columns)
    outputs = Executable(module.stablehlo, module.num_devices)(
        inputs, [shape for shape, _ in module.outputs]
    )
    assert [(value.shape, value.dtype.name) for value in outputs] == list(module.outputs)
    return outputs


@pytest.mark.parametrize("name", BODIES)
def test_a_jaxpr_computes_what_its_function_does(name: str) -> None:
    columns = row(BODIES[name])
    expected = [np.asarray(value) for value in Expected.of(columns)(X)]
    for text in (columns["jaxpr"], printed(parse(columns["jaxpr"]))):
        difference = compare(results(text, columns, X), expected, 1e-5)
        assert difference.agrees, difference.beyond


def test_inputs_without_effect_stay() -> None:
    module = read("{ lambda ; a:f32[3] b:key<fry>[]. let in (a,) }", NO_ROW)
    assert module.inputs == (((3,), "float32"), ((2,), "uint32"))
    assert module.outputs == (((3,), "float32"),)


def test_a_change_changes_the_result() -> None:
    columns = row(BODIES["scan"])
    text = columns["jaxpr"]
    [last, _] = results(text, columns, X)
    for old, new in [("0.5:f32[]", "0.25:f32[]"), ("reverse=True", "reverse=False"),
                     ("add", "sub")]:  # fmt: skip
        assert old in text
        assert not np.allclose(results(text.replace(old, new, 1), columns, X)[0], last), new


def test_constants_are_those_of_the_row_in_order() -> None:
    columns = row("return x * np.arange(8, dtype=np.float32) + np.ones(8, np.float32)")
    [value] = results(columns["jaxpr"], columns, X)
    np.testing.assert_allclose(value, X * np.arange(8) + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("equation", "reason"),
    [
        ("b:f32[4] = sin a", "line 1, sin: b is f32[3] and not f32[4]"),
        ("b:f16[3] = sin a", "b is f32[3] and not f16[3]"),
        ("b:f32[3] = add a 1.0:f16[]", "line 1, add"),
        ("b:f32[3] = reshape[dimensions=None new_sizes=(4,) sharding=None] a", "line 1, reshape"),
        ("b:f32[3] = sin a a", "line 1, sin"),
        ("b:f32[3] c:f32[3] = sin a", "gives 1 results for 2 variables"),
        ("b:f32[3] = jit[name=f jaxpr={ lambda ; c:f32[4]. let in (c,) }] a", "c is f32[3]"),
        ("b:f32[3] = add a 1.0:f32[9999999999]", "is no number"),
        ("b:f32[3] = scan[jaxpr=1] a", "has no jaxpr"),
    ],
)
def test_types_that_do_not_fit_are_said(equation: str, reason: str) -> None:
    with pytest.raises(NotValidError) as error:
        read(f"{{ lambda ; a:f32[3]. let {equation} in (b,) }}", NO_ROW)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ lambda ; a:f32[3]. let b:f32[3] = my_op a in (b,) }", "my_op is no primitive"),
        ("{ lambda a:f32[3]; . let in (a,) }", "the value of a:f32[3] is not in the text"),
        ("{ lambda ; a:My(8). let in (a,) }", "no value of type My(8)"),
        ("{ lambda ; a:f32[3]. let b:f32[3] = pure_callback[callback=f] a in (b,) }", "callback"),
    ],
)
def test_what_a_text_does_not_say_is_no_fault_of_its_types(text: str, reason: str) -> None:
    with pytest.raises(NotRunnableError, match=re.escape(reason)):
        read(text, NO_ROW)


def test_unfolding_ends() -> None:
    call = (
        "let f{} = {{ lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f{}] a;"
        " c:f32[] = jit[jaxpr=f{}] b in (c,) }} in\n"
    )
    text = "".join(call.format(n, n + 1, n + 1) for n in range(40))
    text += "let f40 = { lambda ; a:f32[]. let in (a,) } in\n"
    with pytest.raises(NotRunnableError, match="equations, calls unfolded"):
        read(text + "{ lambda ; a:f32[]. let b:f32[] = jit[jaxpr=f0] a in (b,) }", NO_ROW)


def test_what_is_no_jaxpr() -> None:
    with pytest.raises(NotParsedError):
        read("module @jit_f {}", NO_ROW)


def test_64_bits_do_not_stay_on() -> None:
    wide = "{ lambda ; a:f64[2]. let b:f64[2] = add a 1.0:f64[] in (b,) }"
    assert read(wide, NO_ROW).outputs == (((2,), "float64"),)
    assert read(wide.replace("f64", "f32"), NO_ROW).outputs == (((2,), "float32"),)
    assert not jax.config.jax_enable_x64
