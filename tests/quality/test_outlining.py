from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.outlining import (
    callee,
    functions_of,
    inline,
    leading,
    nested,
    outlined,
    used,
)

TEXT = """
func.func @main(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %a = stablehlo.sine %x : tensor<2xf32>
  %b = call @outer(%a, %y) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %c = call @plain(%b) : (tensor<2xf32>) -> tensor<2xf32>
  return %c, %b : tensor<2xf32>, tensor<2xf32>
}
func.func private @outer(%p: tensor<2xf32>, %q: tensor<2xf32>) -> tensor<2xf32> {
  %r = stablehlo.add %p, %q : tensor<2xf32>
  %s = call @inner(%r) : (tensor<2xf32>) -> tensor<2xf32>
  return %s : tensor<2xf32>
}
func.func private @inner(%p: tensor<2xf32>) -> tensor<2xf32> {
  %r = stablehlo.tanh %p : tensor<2xf32>
  return %r : tensor<2xf32>
}
func.func private @plain(%p: tensor<2xf32>) -> tensor<2xf32> {
  %r = stablehlo.cosine %p : tensor<2xf32>
  return %r : tensor<2xf32>
}
"""


@pytest.fixture
def module() -> Iterator[ir.Module]:
    with make_ir_context(), ir.Location.unknown():
        yield ir.Module.parse(TEXT)


def names(block: ir.Block) -> list[str]:
    return [op.operation.name for op in block.operations]


def main(module: ir.Module) -> Any:
    return functions_of(module)["main"].regions[0].blocks[0]


def test_functions_and_what_calls_name(module: ir.Module) -> None:
    functions = functions_of(module)
    assert list(functions) == ["main", "outer", "inner", "plain"]
    calls = [op for op in nested([functions["main"]]) if op.name == "func.call"]
    assert {callee(op) for op in calls} == {"outer", "plain"}


def test_only_calls_that_lead_to_a_wanted_op_are_replaced(module: ir.Module) -> None:
    block = main(module)
    functions = functions_of(module)
    inline(block, functions, leading(functions, lambda op: op.name == "stablehlo.tanh"))
    assert names(block) == [
        "stablehlo.sine",
        "stablehlo.add",
        "stablehlo.tanh",
        "func.call",
        "func.return",
    ]
    assert module.operation.verify()
    sine, add, tanh, call, end = (op.operation for op in block.operations)
    assert list(add.operands) == [sine.results[0], block.arguments[1]]
    assert list(call.operands) == [tanh.results[0]]
    assert list(end.operands) == [call.results[0], tanh.results[0]]


def test_a_part_is_a_module_of_its_own_with_what_it_calls(module: ir.Module) -> None:
    block = main(module)
    ops = [op.operation for op in block.operations]
    sine, outer = ops[:2]
    gives = [outer.results[0]]
    for op in reversed(ops[2:]):
        op.erase()
    assert set(used([sine, outer])) == {*block.arguments, sine.results[0]}
    part, takes = outlined([sine, outer], gives, functions_of(module))
    assert part.operation.verify()
    assert set(takes) == set(block.arguments)
    assert set(functions_of(part)) == {"main", "outer", "inner"}
    assert names(main(part)) == ["stablehlo.sine", "func.call", "func.return"]
    assert names(block) == []
