"""What rounding explains of a module's results: how many in a row, to what. In the child."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.operation import Value
from jax_ir_pairs.interpreter.regions import callee, functions_of
from jax_ir_pairs.quality.formats import formats_of_results
from jax_ir_pairs.quality.tolerance import tolerance


def tolerances(text: str) -> list[float]:
    """Gives the tolerance of each result of a module, by its text; tokens are no results."""
    with make_ir_context():
        module = ir.Module.parse(text)
        roundings = num_roundings(module)
        *_, end = functions_of(module)["main"].regions[0].blocks[0].operations
        return [
            tolerance(formats, roundings)
            for formats, value in zip(formats_of_results(module), end.operands, strict=True)
            if not stablehlo.TokenType.isinstance(value.type)
        ]


def num_roundings(module: ir.Module) -> int:
    """Gives the number of roundings that a result of `main` may have behind it.

    One for each op, as if all stood in one chain, and for an op that adds up, one for each of its
    terms; what is in a loop counts as often as it runs.
    """
    return _Count(functions_of(module)).of_function("main")


_ASSUMED_TRIPS = 2
"""Times that a loop is taken to run whose count its condition does not show.

Most are the rejection loops of `jax.random`, which nest and end after one or two."""
_MOST_TRIPS = 2**16
"""A loop that may run more often has a bound for form's sake, such as the largest integer."""
_TRIPS_FOR_FORM = 8
"""Times that such a loop is taken to run, as those that draw from a Poisson distribution do."""


class _Count:
    def __init__(self, functions: Mapping[str, ir.Operation]) -> None:
        self._functions = functions
        self._known: dict[str, int] = {}

    def of_function(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = self._inside(self._functions[name])
        return self._known[name]

    def _inside(self, op: ir.Operation) -> int:
        return sum(
            self._op(inner.operation)
            for region in op.regions
            for block in region
            for inner in block.operations
        )

    def _op(self, op: ir.Operation) -> int:
        if op.name == "func.call":
            return self.of_function(callee(op))
        if op.name == "stablehlo.while":
            return self._inside(op) * trips(op.regions[0].blocks[0])
        if (terms := _TERMS.get(op.name)) is not None:
            return terms(op)
        return 1 + self._inside(op)


def _shape(value: Value) -> tuple[int, ...]:
    return tuple(ir.RankedTensorType(value.type).shape)


def _reduced(op: ir.Operation) -> int:
    whole, left = math.prod(_shape(op.operands[0])), math.prod(_shape(op.results[0]))
    return max(1, whole // max(1, left))


def _contracted(op: ir.Operation) -> int:
    shape = _shape(op.operands[0])
    numbers = stablehlo.DotDimensionNumbers(op.attributes["dot_dimension_numbers"])
    return max(1, math.prod(shape[axis] for axis in numbers.lhs_contracting_dimensions))


def _of_kernel(op: ir.Operation) -> int:
    return max(1, math.prod(_shape(op.operands[1])))


def _of_window(op: ir.Operation) -> int:
    return max(1, math.prod(ir.DenseI64ArrayAttr(op.attributes["window_dimensions"])))


def _of_updates(op: ir.Operation) -> int:
    return max(1, math.prod(_shape(op.operands[len(op.operands) - 1])))


_TERMS: Mapping[str, Callable[[ir.Operation], int]] = {
    "stablehlo.reduce": _reduced,
    "stablehlo.dot_general": _contracted,
    "stablehlo.convolution": _of_kernel,
    "stablehlo.reduce_window": _of_window,
    "stablehlo.scatter": _of_updates,
    "stablehlo.select_and_scatter": _of_updates,
}
"""Terms that one element of the result is the sum of."""


def trips(condition: ir.Block) -> int:
    """Gives how often a loop runs whose condition compares a counter with a constant."""
    ops = {op.operation.name: op.operation for op in condition.operations}
    compare = ops.get("stablehlo.compare")
    if compare is None or "LT" not in str(compare.attributes["comparison_direction"]):
        return _ASSUMED_TRIPS
    owner = compare.operands[1].owner
    constant = getattr(owner, "operation", owner)
    if getattr(constant, "name", "") != "stablehlo.constant":
        return _ASSUMED_TRIPS
    value = constant.attributes["value"]
    if not isinstance(value, ir.DenseIntElementsAttr) or len(value) != 1:
        return _ASSUMED_TRIPS
    bound = max(1, int(value[0]))
    return bound if bound <= _MOST_TRIPS else _TRIPS_FOR_FORM
