from __future__ import annotations

import numpy as np
import pytest

from jax_ir_pairs.scoring.languages import stablehlo
from jax_ir_pairs.scoring.module import (
    Module,
    NotParsedError,
    NotRunnableError,
    NotValidError,
)

ROW = {"num_devices": 1, "stablehlo": ""}


def of_main(body: str, result: str = "tensor<2xf32>") -> str:
    takes = "%a: tensor<2xf32>, %n: tensor<1xi32>"
    return f"module {{ func.func public @main({takes}) -> {result} {{ {body} }} }}"


def test_a_module_and_its_signature() -> None:
    text = of_main("return %n : tensor<1xi32>", "tensor<1xi32>")
    inputs = ((2,), "float32"), ((1,), "int32")
    assert stablehlo.read(text, ROW) == Module(text, inputs, (inputs[1],))


def test_shapes_that_follow_from_those_of_the_inputs_are_static() -> None:
    iota = "%0 = stablehlo.constant dense<2> : tensor<1xi32> "
    iota += "%1 = stablehlo.dynamic_iota %0, dim = 0 : (tensor<1xi32>) -> tensor<?xf32> "
    iota += "%2 = stablehlo.convert %1 : (tensor<?xf32>) -> tensor<2xf32> return %2 : tensor<2xf32>"
    module = stablehlo.read(of_main(iota), ROW)
    assert "?" not in str(module.stablehlo)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no operation"),
        ("\0", "has no operation"),
        ("module @ @ {}", "identifier expected"),
        ("module {", "expected operation name"),
        (of_main("return %b : tensor<2xf32>"), "undeclared SSA value"),
        (of_main("%0 = stablehlo.foo %a return %0 : tensor<2xf32>"), "custom op"),
        (of_main('%0 = "foo.bar"(%a) : (tensor<2xf32>) -> tensor<2xf32>'), "unregistered"),
    ],
)
def test_text_of_no_module(text: str, why: str) -> None:
    with pytest.raises(NotParsedError, match=why):
        stablehlo.read(text, ROW)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("module { func.func @f() { return } }", "no function main"),
        (of_main("return %n : tensor<1xi32>"), "doesn't match function result type"),
        (of_main("%0 = stablehlo.add %a, %n : tensor<2xf32> return %0 : tensor<2xf32>"), "type"),
        (of_main("%0 = arith.negf %a : tensor<2xf32> return %0 : tensor<2xf32>"), "no op of"),
        (
            of_main(
                "%0 = call @main(%a, %n) : (tensor<2xf32>, tensor<1xi32>) -> tensor<2xf32>"
                " return %0 : tensor<2xf32>"
            ),
            "main is called by itself",
        ),
        (
            "module { func.func private @f() func.func @main() { call @f() : () -> () return } }",
            "f has no body",
        ),
        (
            "module { func.func @main(%a: tensor<?xf32>) -> tensor<?xf32>"
            " { return %a : tensor<?xf32> } }",
            "not static",
        ),
        ("module { func.func @main(%a: i32) -> i32 { return %a : i32 } }", "no array"),
        (
            of_main(
                "%1 = stablehlo.dynamic_iota %n, dim = 0 : (tensor<1xi32>) -> tensor<?xf32> "
                "%2 = stablehlo.convert %1 : (tensor<?xf32>) -> tensor<2xf32> "
                "return %2 : tensor<2xf32>"
            ),
            "do not follow",
        ),
    ],
)
def test_wrong_types(text: str, why: str) -> None:
    with pytest.raises(NotValidError, match=why):
        stablehlo.read(text, ROW)


def test_a_callback_is_not_in_the_text() -> None:
    call = "stablehlo.custom_call @xla_ffi_python_cpu_callback(%a) : (tensor<2xf32>) -> ()"
    with pytest.raises(NotRunnableError, match="xla_ffi_python_cpu_callback"):
        stablehlo.read(of_main(f"{call} return %a : tensor<2xf32>"), ROW)


def test_the_names_of_dtypes_are_those_of_numpy() -> None:
    text = (
        "module { func.func @main(%a: tensor<3xi1>) -> tensor<3xi1> { return %a : tensor<3xi1> } }"
    )
    [(sides, name)] = stablehlo.read(text, ROW).inputs
    assert sides == (3,)
    assert np.dtype(name) == np.bool_
