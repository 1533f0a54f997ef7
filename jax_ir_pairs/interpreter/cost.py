"""What an operation costs to interpret, by the types that it has: the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.operation import ints, shape_of
from jax_ir_pairs.interpreter.products import PRODUCTS, num_products

_FIXED = 5.0
"""Units of any operation. One is about a microsecond."""
_ELEMENT = 0.01
"""Of an element of an operand or a result."""
_PRODUCT = 0.0015
_SORTED = 0.3
_LAPACK = 100.0
_CUBIC = 0.001
"""Of a matrix's elements, times the root of their number."""
_OF_MATRICES = frozenset(
    f"stablehlo.{name}" for name in ("cholesky", "custom_call", "triangular_solve")
)


def units(op: ir.Operation, sizes: Sequence[int]) -> float:
    """Gives what one run of an operation costs, without what its regions do as a loop's.

    `sizes` are the numbers of elements of its operands and of its results.
    """
    elements = sum(sizes)
    total = _FIXED + _ELEMENT * elements
    name = op.name
    if name in PRODUCTS:
        return total + _PRODUCT * num_products(op)
    if name in {"stablehlo.reduce_window", "stablehlo.select_and_scatter"}:
        window = math.prod(ints(op, "window_dimensions", (1,)))
        return total + _ELEMENT * window * max(sizes)
    if name == "stablehlo.sort":
        along = max(2, max(shape_of(op.operands[0]), default=1))
        return total + _SORTED * elements * math.log2(along)
    if name in _OF_MATRICES:
        largest = float(max(sizes))
        return total + _LAPACK + _CUBIC * largest * math.sqrt(largest)
    if not len(op.regions):
        return total
    inside = sum(len(region.blocks[0].operations) for region in op.regions)
    return total + inside * _ELEMENT * elements
