"""Scatters in StableHLO's interpreter, which overwrote their operands with JAX 0.10.2."""

from __future__ import annotations

import numpy as np

from jax_ir_pairs.quality.interpreter import interpret

_SCATTER = """
%0 = "stablehlo.scatter"(%a, %i, %u) <{scatter_dimension_numbers = #stablehlo.scatter<
  inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    stablehlo.return %y : tensor<f32>
}) : (tensor<2xf32>, tensor<1x1xi32>, tensor<1xf32>) -> tensor<2xf32>
return %a, %0 : tensor<2xf32>, tensor<2xf32>"""


def test_what_is_scattered_into_stays() -> None:
    takes = "%a: tensor<2xf32>, %i: tensor<1x1xi32>, %u: tensor<1xf32>"
    gives = "(tensor<2xf32>, tensor<2xf32>)"
    text = f"func.func public @main({takes}) -> {gives} {{ {_SCATTER} }}"
    inputs = [np.zeros(2, np.float32), np.ones((1, 1), np.int32), np.ones(1, np.float32)]
    before, after = interpret(text, inputs)
    assert (before.tolist(), after.tolist()) == ([0, 0], [0, 1])
