"""A module whose roundings are drawn: each result of an inexact op moved by one. In the child.

What such runs differ by is what rounding inside of a program can do, where moving its inputs shows
nothing of it: constants that cancel, or the sign of a gradient that is zero but for rounding. It is
the Monte Carlo arithmetic of D. S. Parker (UCLA CSD-970002, 1997).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.quality.element_types import numpy_name
from jax_ir_pairs.quality.interpreter import dense
from jax_ir_pairs.quality.outlining import Value, functions_of
from jax_ir_pairs.quality.tolerance import UNIT_ROUNDOFF

_FORMATS = ("bf16", "f16", "f32", "f64")
_BRANCHING = ("stablehlo.case", "stablehlo.if", "stablehlo.while")
_EXACT_ON_WHOLE_NUMBERS = frozenset(
    f"stablehlo.{name}"
    for name in ("add", "convolution", "dot_general", "multiply", "reduce", "subtract")
)
"""Ops whose result is taken to be exact where it is a whole number."""
_ROUNDING = _EXACT_ON_WHOLE_NUMBERS | {
    f"stablehlo.{name}"
    for name in (
        *("atan2", "cbrt", "cosine", "divide", "exponential", "exponential_minus_one", "log"),
        *("log_plus_one", "logistic", "power", "reduce_window", "rsqrt", "scatter", "sine", "sqrt"),
        *("tan", "tanh"),
    )
}


def shake(module: ir.Module, seed: int) -> None:
    """Has each element of each inexact result moved to a neighbour or not, as `seed` draws it.

    What runs for each element of another op, as the body of a reduction does, is left alone.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    for op in list(_whole_ops(module)):
        if op.name in _ROUNDING or op.name.startswith("chlo."):
            for value in op.results:
                _shake(op, value, generator)


def _whole_ops(module: ir.Module) -> Iterator[ir.Operation]:
    waiting = list(functions_of(module).values())
    while waiting:
        for region in waiting.pop().regions:
            for block in region:
                for op in block.operations:
                    yield op.operation
                    if op.operation.name in _BRANCHING:
                        waiting.append(op.operation)


def _shake(op: ir.Operation, value: Value, generator: np.random.Generator) -> None:
    kind = ir.RankedTensorType(value.type)
    name = str(kind.element_type)
    if name not in _FORMATS or not kind.has_static_shape:
        return
    # Two units are the distance of 1 and the next number above it.
    steps = generator.integers(-1, 2, tuple(kind.shape))
    factors = np.asarray(1.0 + 2.0 * UNIT_ROUNDOFF[name] * steps, np.dtype(numpy_name(name)))
    uses = list(value.uses)
    with ir.InsertionPoint.after(op), op.location:
        factor = stablehlo.ConstantOp(dense(factors, kind.element_type)).result
        moved = stablehlo.MulOp(value, factor).result
        if op.name in _EXACT_ON_WHOLE_NUMBERS:
            direction = stablehlo.ComparisonDirectionAttr.get("EQ")
            is_whole = stablehlo.CompareOp(stablehlo.FloorOp(value).result, value, direction)
            moved = stablehlo.SelectOp(is_whole.result, value, moved).result
    for use in uses:
        use.owner.operands[use.operand_number] = moved
