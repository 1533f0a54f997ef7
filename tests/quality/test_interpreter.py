"""The reference interpreter on modules written by hand, whose results are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.interpreter import Interpreter, interpret
from jax_ir_pairs.quality.interpreter_cost import UnsupportedError
from tests.quality.programs import stablehlo

TYPES: dict[str, Any] = {
    "i1": np.bool_, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
    "ui8": np.uint8, "ui16": np.uint16, "ui32": np.uint32, "ui64": np.uint64,
    "i2": ml_dtypes.int2, "i4": ml_dtypes.int4, "ui2": ml_dtypes.uint2, "ui4": ml_dtypes.uint4,
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "bf16": ml_dtypes.bfloat16,
    "f4E2M1FN": ml_dtypes.float4_e2m1fn, "f8E3M4": ml_dtypes.float8_e3m4,
    "f8E4M3": ml_dtypes.float8_e4m3, "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
    "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "f8E5M2": ml_dtypes.float8_e5m2, "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
    "complex<f32>": np.complex64, "complex<f64>": np.complex128,
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("shape", [(4,), (2, 1), ()])
def test_every_type_goes_in_and_comes_out(name: str, shape: tuple[int, ...]) -> None:
    sizes = "".join(f"{size}x" for size in shape)
    text = (
        f"func.func @main(%x: tensor<{sizes}{name}>) -> (tensor<{sizes}{name}>, tensor<i32>) {{\n"
        "  %c = stablehlo.constant dense<7> : tensor<i32>\n"
        f"  return %x, %c : tensor<{sizes}{name}>, tensor<i32>\n}}"
    )
    count = int(np.prod(shape))
    value = np.resize(np.array([1, 0.5, 1, 0.5]), count).reshape(shape).astype(TYPES[name])
    if value.dtype.kind == "c":
        value = value * value.dtype.type(1 - 2j)
    one, seven = interpret(text, [np.asarray(value)])
    assert (one.dtype, one.shape, one.tobytes()) == (value.dtype, shape, value.tobytes())
    assert (seven.dtype, seven.shape, int(seven)) == (np.dtype(np.int32), (), 7)


def of(body: str, *pairs: tuple[str, Array]) -> list[Array]:
    return interpret(stablehlo(body, *(aval for aval, _ in pairs)), [value for _, value in pairs])


def test_a_loop() -> None:
    body = "def f(x):\n    return lax.fori_loop(0, 5, lambda i, y: 2 * y + i, x)"
    [found] = of(body, ("i32[2]", np.array([1, -1], np.int32)))
    assert found.tolist() == [32 + 26, -32 + 26]


def test_a_call_and_a_branch() -> None:
    body = (
        "@jax.jit\ndef g(x):\n    return x * x\n\n\n"
        "def f(x):\n    return lax.cond(x[0] > 0, g, lambda y: -g(y), g(x))"
    )
    assert "call @" in stablehlo(body, "f32[2]")
    [found] = of(body, ("f32[2]", np.array([2, -3], np.float32)))
    assert found.tolist() == [16.0, 81.0]


def test_keys_are_words_in_and_out() -> None:
    words = np.array([0, 42], np.uint32)
    found = of("def f(k):\n    return jax.random.split(k, 3)", ("key<fry>[]", words))
    expected = jax.random.key_data(
        jax.random.split(jax.random.wrap_key_data(jax.numpy.asarray(words)), 3)
    )
    assert (found[0] == np.asarray(expected)).all()


def test_an_op_of_chlo_becomes_others() -> None:
    body = "def f(x):\n    return lax.lgamma(x), lax.erf_inv(x / 9)"
    assert "chlo." in stablehlo(body, "f32[2]")
    gamma, _ = of(body, ("f32[2]", np.array([1, 5], np.float32)))
    assert gamma == pytest.approx([0.0, np.log(24)], abs=1e-6)


LACKED = {
    "cholesky": "%y = stablehlo.cholesky %z, lower = true : tensor<2x2xf32>",
    "triangular_solve": (
        '%y = "stablehlo.triangular_solve"(%z, %z) {left_side = true, lower = true, '
        "unit_diagonal = false, transpose_a = #stablehlo<transpose NO_TRANSPOSE>} : "
        "(tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>"
    ),
    "custom_call": (
        "%y = stablehlo.custom_call @lapack_of_a_test(%z) : (tensor<2x2xf32>) -> tensor<2x2xf32>"
    ),
}


@pytest.mark.parametrize("name", LACKED)
def test_what_it_lacks_is_refused_and_else_handed_over(name: str) -> None:
    text = (
        "func.func private @g(%z: tensor<2x2xf32>) -> tensor<2x2xf32> {\n"
        f"{LACKED[name]}\nreturn %y : tensor<2x2xf32>\n}}\n"
        "func.func @main(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {\n"
        "%a = stablehlo.add %x, %x : tensor<2x2xf32>\n"
        "%b = call @g(%a) : (tensor<2x2xf32>) -> tensor<2x2xf32>\n"
        "%c = stablehlo.subtract %b, %x : tensor<2x2xf32>\n"
        "return %c, %a : tensor<2x2xf32>, tensor<2x2xf32>\n}"
    )
    value = np.array([[1, 2], [3, 4]], np.float32)
    with pytest.raises(UnsupportedError, match=f"has stablehlo.{name}$"):
        interpret(text, [value])
    handed: list[str] = []

    def alone(text: str, values: Sequence[Array]) -> list[Array]:
        handed.append(text)
        return [values[0] * 10]

    found = interpret(text, [value], run_alone=alone)
    assert len(handed) == 1
    assert handed[0].count("stablehlo.") - handed[0].count("#stablehlo.") == 1
    assert [x.tolist() for x in found] == [(19 * value).tolist(), (2 * value).tolist()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%y = stablehlo.custom_call @of_nobody(%x) : (tensor<2xf32>) -> tensor<2xf32>",
         "has stablehlo.custom_call"),
        ("%y = \"stablehlo.all_reduce\"(%x) ({^bb0(%a: tensor<f32>, %b: tensor<f32>): "
         "stablehlo.return %a : tensor<f32>}) {replica_groups = dense<0> : tensor<1x1xi64>} : "
         "(tensor<2xf32>) -> tensor<2xf32>", "has stablehlo.all_reduce"),
        ("%t = stablehlo.create_token : !stablehlo.token\n%y = stablehlo.abs %x : tensor<2xf32>",
         "has stablehlo.create_token"),
    ],
    ids=["custom call", "collective", "token"],
)  # fmt: skip
def test_what_would_end_the_process_is_refused_ahead(text: str, said: str) -> None:
    module = (
        f"func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {{\n{text}\n"
        "return %y : tensor<2xf32>\n}"
    )
    with pytest.raises(UnsupportedError, match=said):
        interpret(module, [np.zeros(2, np.float32)], run_alone=lambda text, values: [])


def test_types_that_nothing_holds_are_refused() -> None:
    module = "func.func @main(%x: tensor<2xf8E8M0FNU>, %y: tensor<2xindex>) -> tensor<2xindex> {\n"
    with pytest.raises(UnsupportedError, match="gives index"):
        interpret(f"{module}return %y : tensor<2xindex>\n}}", [])


def test_inputs_have_to_be_those_of_main() -> None:
    text = stablehlo("def f(x):\n    return x + 1", "f32[2]")
    with pytest.raises(ValueError, match=r"an input of shape \(3,\) for one of tensor<2xf32>"):
        interpret(text, [np.zeros(3, np.float32)])
    with pytest.raises(ValueError, match="zip"):
        interpret(text, [])


def test_what_takes_too_long_is_refused() -> None:
    text = stablehlo("def f(x):\n    return jnp.sin(x)", "f32[100]")
    with pytest.raises(UnsupportedError, match="costs over 50"):
        interpret(text, [np.zeros(100, np.float32)], limit=50)


SCATTER = """
%0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<
  inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    stablehlo.return %y : tensor<f32>
}) : (tensor<2xf32>, tensor<1x1xi32>, tensor<1xf32>) -> tensor<2xf32>
return %a, %0 : tensor<2xf32>, tensor<2xf32>"""


def kept_ready(text: str, inputs: Sequence[Array]) -> list[Array]:
    with make_ir_context(), ir.Location.unknown():
        return Interpreter(ir.Module.parse(text))(inputs)


@pytest.mark.parametrize("run", [interpret, kept_ready])
def test_what_is_scattered_into_stays(
    run: Callable[[str, Sequence[Array]], list[Array]],
) -> None:
    takes = "%a: tensor<2xf32>, %i: tensor<1x1xi32>, %u: tensor<1xf32>"
    gives = "(tensor<2xf32>, tensor<2xf32>)"
    text = f"func.func public @main({takes}) -> {gives} {{ {SCATTER} }}"
    inputs = [np.zeros(2, np.float32), np.ones((1, 1), np.int32), np.ones(1, np.float32)]
    before, after = run(text, inputs)
    assert (before.tolist(), after.tolist()) == ([0, 0], [0, 1])
