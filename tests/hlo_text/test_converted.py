from __future__ import annotations

import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.hlo_text.converted import use_stablehlo

PAIR = "tuple<tensor<f32>, tensor<i32>>"


def rewritten(body: str, kinds: str, *, one_device: bool = True) -> str | None:
    """Gives the body of a `main` after the rewriting, or nothing where there was none to do."""
    with make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(f"func.func @main(%arg0: tensor<2x3xf32>) -> {kinds} {{ {body} }}")
        changed = use_stablehlo(module, one_device=one_device)
        assert module.operation.verify()
        return str(module) if changed else None


@pytest.mark.parametrize(
    ("body", "kinds", "op"),
    [
        (
            "%0 = mhlo.erf %arg0 : tensor<2x3xf32> return %0 : tensor<2x3xf32>",
            "tensor<2x3xf32>",
            "chlo.erf %arg0",
        ),
        (
            "%0 = mhlo.copy %arg0 : tensor<2x3xf32> return %0 : tensor<2x3xf32>",
            "tensor<2x3xf32>",
            "return %arg0",
        ),
        (
            "%0 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<2x3xf32>) -> tensor<3x2xf32> "
            "%1 = stablehlo.dot %arg0, %0 : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32> "
            "return %1 : tensor<2x2xf32>",
            "tensor<2x2xf32>",
            "stablehlo.dot_general %arg0, %0, contracting_dims = [1] x [0]",
        ),
        (
            f"%0 = stablehlo.custom_call @f(%arg0) : (tensor<2x3xf32>) -> {PAIR} "
            f"%1 = stablehlo.get_tuple_element %0[1] : ({PAIR}) -> tensor<i32> "
            "return %1 : tensor<i32>",
            "tensor<i32>",
            "return %0#1",
        ),
    ],
)
def test_what_becomes_of_an_op(body: str, kinds: str, op: str) -> None:
    assert op in (rewritten(body, kinds) or "")


def test_a_sharding_means_nothing_on_one_device() -> None:
    call = "%0 = stablehlo.custom_call @Sharding(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>"
    body = f"{call} return %0 : tensor<2x3xf32>"
    assert "return %arg0" in (rewritten(body, "tensor<2x3xf32>") or "")
    assert rewritten(body, "tensor<2x3xf32>", one_device=False) is None


def test_where_results_lie_is_dropped() -> None:
    body = "return %arg0 : tensor<2x3xf32>"
    kinds = '(tensor<2x3xf32> {mhlo.sharding = "{replicated}"})'
    assert "mhlo" not in (rewritten(body, kinds, one_device=False) or "mhlo")
