from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ir_pairs.scoring.languages import hlo
from jax_ir_pairs.scoring.module import NotParsedError, NotRunnableError, NotValidError
from tests.interpreter.running import interpret

ROW = {"num_devices": 1}


def of_two(a: str, b: str, root: str) -> str:
    body = f" a = {a} parameter(0)\n b = {b} parameter(1)\n ROOT r = {root}\n"
    return f"HloModule m\n\nENTRY e {{\n{body}}}\n"


def test_a_module_as_jax_prints_it_runs() -> None:
    def f(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, places = jax.lax.top_k(jax.lax.erf(x @ y), 2)
        return values, places

    x = np.sin(np.arange(12, dtype=np.float32)).reshape(3, 4)
    module = hlo.read(jax.jit(f).lower(x, x.T).as_text(dialect="hlo"), ROW)
    assert module.inputs == (((3, 4), "float32"), ((4, 3), "float32"))
    assert module.outputs == (((3, 2), "float32"), ((3, 2), "int32"))
    values, places = interpret(str(module.stablehlo), [x, x.T])
    expected = f(jnp.asarray(x), jnp.asarray(x.T))
    np.testing.assert_allclose(values, expected[0], rtol=1e-5)
    np.testing.assert_array_equal(places, expected[1])


def test_negative_zeros_stay() -> None:
    text = of_two("f32[2]", "f32[2]", "f32[2] constant({-0, 1})")
    zeros = np.zeros(2, np.float32)
    module = hlo.read(text, ROW)
    [result] = interpret(str(_text(module.stablehlo)), [zeros, zeros])
    assert np.signbit(result).tolist() == [True, False]


def _text(stablehlo: str | bytes) -> str:
    from jax.interpreters.mlir import make_ir_context
    from jaxlib.mlir import ir

    with make_ir_context():
        return str(ir.Module.parse(stablehlo))


@pytest.mark.parametrize(
    "text", ["", "HloModule m", "HloModule m\n\nENTRY e {\n r = f32[2] foo()\n}"]
)
def test_text_of_no_module(text: str) -> None:
    with pytest.raises(NotParsedError, match=r"^XLA's parser: "):
        hlo.read(text, ROW)


@pytest.mark.parametrize(
    "text",
    [
        of_two("f32[2]", "f32[3]", "f32[2] add(a, b)"),
        of_two("f32[2]", "s32[2]", "f32[2] add(a, b)"),
        of_two("f32[2]", "f32[2]", "f32[3] add(a, b)"),
        of_two("f32[2,3]", "f32[2]", "f32[3,4] transpose(a), dimensions={1,0}"),
        of_two("f32[2,3]", "f32[2]", "f32[3,4] broadcast(a), dimensions={0,1}"),
        of_two("f32[2,3]", "f32[2]", "f32[2] erf(a)"),
    ],
)
def test_wrong_types_which_the_parser_takes(text: str) -> None:
    with pytest.raises(NotValidError, match=r"^MLIR's verifier: "):
        hlo.read(text, ROW)


def test_a_callback_is_not_in_the_text() -> None:
    call = 'f32[2] custom-call(a), custom_call_target="xla_python_cpu_callback"'
    with pytest.raises(NotRunnableError, match="xla_python_cpu_callback"):
        hlo.read(of_two("f32[2]", "f32[2]", call), ROW)
