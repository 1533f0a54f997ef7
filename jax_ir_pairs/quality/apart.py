"""Which ops are run by themselves: by XLA or by NumPy, and not by the interpreter. In the child."""

from __future__ import annotations

import math
from collections.abc import Collection

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

ALONE = frozenset(
    f"stablehlo.{name}"
    for name in ("cholesky", "custom_call", "fft", "rng_bit_generator", "triangular_solve")
)
"""The ops that it lacks and that can be handed to XLA one by one: what LAPACK computes, mostly.

Of the custom calls only those of JAX's own libraries for linear algebra.
"""

CONTRACTION = frozenset({"stablehlo.dot_general"})
"""The op that NumPy can be handed."""

_LEAST_PRODUCTS = 2_000
"""From how many products on NumPy is handed a contraction."""


def is_apart(op: ir.Operation, apart: Collection[str]) -> bool:
    """Tells whether an op is run by itself, of which names those are, unless it is in a branch."""
    if op.name not in apart:
        return False
    if op.name not in CONTRACTION:
        return True
    # An algorithm rounds on the way; of no terms, the interpreter ends the process.
    terms = products(op)
    return not terms or (terms >= _LEAST_PRODUCTS and "algorithm" not in op.attributes)


def products(contraction: ir.Operation) -> int:
    """Gives how many products a `dot_general` adds up in all."""
    sides = ir.RankedTensorType(contraction.operands[0].type).shape
    contracting = axes(contraction, "lhs_contracting_dimensions")
    results = math.prod(ir.RankedTensorType(contraction.results[0].type).shape)
    return results * math.prod(sides[axis] for axis in contracting)


def is_handed_over(op: ir.Operation) -> bool:
    """Tells whether XLA can be handed an op of `ALONE`."""
    if op.name != "stablehlo.custom_call":
        return op.name in ALONE
    # A callback is of this process, and what calls a function of the module is not alone.
    calls = "called_computations" in op.attributes and bool(
        len(ir.ArrayAttr(op.attributes["called_computations"]))
    )
    target = ir.StringAttr(op.attributes["call_target_name"]).value
    return not calls and target.startswith(("lapack_", "cpu_csr_"))


def axes(contraction: ir.Operation, name: str) -> list[int]:
    """Gives the axes of a `dot_general` that its dimension numbers have as `name`."""
    numbers = stablehlo.DotDimensionNumbers(contraction.attributes["dot_dimension_numbers"])
    return list(getattr(numbers, name))
