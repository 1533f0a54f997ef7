"""What StableHLO's reference interpreter can run of a module, and its cost. In the child.

The interpreter ends the process at an op that it lacks, so that this has to be known before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.quality.outlining import callee, functions_of

SUPPORTED = frozenset(
    f"stablehlo.{name}"
    for name in """
    abs add and atan2 bitcast_convert broadcast_in_dim case cbrt ceil clamp compare complex
    concatenate constant convert convolution cosine count_leading_zeros divide dot_general
    dynamic_slice dynamic_update_slice exponential exponential_minus_one floor gather if imag iota
    is_finite log log_plus_one logistic map maximum minimum multiply negate not
    optimization_barrier or pad popcnt power real reduce reduce_precision reduce_window remainder
    reshape return reverse round_nearest_afz round_nearest_even rsqrt scatter select
    select_and_scatter shift_left shift_right_arithmetic shift_right_logical sign sine slice sort
    sqrt subtract tan tanh transpose while xor
    """.split()  # noqa: SIM905
)
"""The ops that `stablehlo/reference/Ops.cpp` evaluates in one process, of those that JAX has.

Collectives need several; `fft`, `cholesky`, `triangular_solve`, `rng_bit_generator`,
`batch_norm_*` and custom calls it does not have. Those of `chlo` become ops of this table.
"""

ALONE = frozenset(
    f"stablehlo.{name}"
    for name in ("cholesky", "custom_call", "fft", "rng_bit_generator", "triangular_solve")
)
"""The ops that it lacks and that can be handed to XLA one by one: what LAPACK computes, mostly.

Of the custom calls only those of JAX's own libraries for linear algebra.
"""

_ALONE_COST = 10_000.0
"""What handing over an op costs: the compilation of a module with nothing to generate."""

_WHOLE = frozenset({"builtin.module", "func.func", "func.return", "func.call", "sdy.mesh"})

_ASSUMED_TRIPS = 4
"""Times that a loop is taken to run whose count its condition does not show.

Most are the rejection loops of `jax.random`, which nest and end after one or two."""
_FIXED = 10.0
"""What an op costs beside its elements."""
_OF_CHLO = 60.0
"""What an element of an op of `chlo` costs, which becomes some tens of ops."""
_OF_PLAIN_CHLO = 3.0
"""What an element of those in `_PLAIN_CHLO` costs, which become two or three."""
_PLAIN_CHLO = frozenset(
    f"chlo.{name}" for name in ("conj", "is_inf", "is_neg_inf", "is_pos_inf", "square")
)


class UnsupportedError(Exception):
    """The interpreter cannot run the module, or not for the cost that is allowed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it takes to interpret a module."""

    units: float
    """One is one element of one elementwise op, some 0.25 µs."""
    alone: int
    """How many of its ops are handed over."""


def cost(module: ir.Module, limit: float, *, lacking: bool = False) -> Cost:
    """Gives what a module costs to interpret, with what it is `lacking` handed to XLA where it may.

    **Raises:** [`UnsupportedError`][] for what cannot be interpreted, and once `limit` is reached.
    """
    walk = _Walk(module, limit, lacking)
    return Cost(walk.total, walk.alone)


def is_identity(op: ir.Operation) -> bool:
    """Tells whether an op only says where or how a value lies, and gives it as it is."""
    if op.name == "stablehlo.custom_call":
        target = op.attributes["call_target_name"]
        return ir.StringAttr(target).value == "LayoutConstraint"
    return bool(op.name == "sdy.sharding_constraint")


def _can_be_alone(op: ir.Operation) -> bool:
    if op.name not in ALONE:
        return False
    if op.name != "stablehlo.custom_call":
        return True
    # A callback is of this process, and what calls a function of the module is not alone.
    calls = "called_computations" in op.attributes and bool(
        len(ir.ArrayAttr(op.attributes["called_computations"]))
    )
    target = ir.StringAttr(op.attributes["call_target_name"]).value
    return not calls and target.startswith(("lapack_", "cpu_csr_"))


class _Walk:
    def __init__(self, module: ir.Module, limit: float, lacking: bool) -> None:
        self._lacking = lacking
        self._depth = 0  # regions around an op, those of functions not counted
        self.alone = 0
        self._limit = limit
        self._sizes: dict[ir.Type, int] = {}
        self._functions = functions_of(module)
        self._of_functions: dict[tuple[str, bool], float] = {}
        self.total = self._function("main")

    def _function(self, name: str) -> float:
        key = name, self._depth > 0
        if key not in self._of_functions:
            self._depth -= 1  # its body is no region of the caller
            self._of_functions[key] = self._regions(self._functions[name])
            self._depth += 1
        return self._of_functions[key]

    def _regions(self, operation: ir.Operation) -> float:
        total = 0.0
        self._depth += 1
        for region in operation.regions:
            for block in region:
                for op in block.operations:
                    total += self._op(op.operation)
                    if total > self._limit:
                        raise UnsupportedError(f"costs over {self._limit:g}")
        self._depth -= 1
        return total

    def _op(self, op: ir.Operation) -> float:
        name = op.name
        if name == "func.call":
            return _FIXED + self._function(callee(op))
        if name.startswith("chlo."):
            each = _OF_PLAIN_CHLO if name in _PLAIN_CHLO else _OF_CHLO
            return _FIXED + self._results(op) * each
        if name not in SUPPORTED:
            if name in _WHOLE or is_identity(op):
                return 0.0
            if self._lacking and not self._depth and _can_be_alone(op):
                self.alone += 1
                return _ALONE_COST
            raise UnsupportedError(f"has {name}")
        weight = _WEIGHTS.get(name)
        if weight is None:
            return _FIXED + self._results(op)
        cost: float = weight(self, op)
        return _FIXED + cost

    def _results(self, op: ir.Operation) -> int:
        return sum(self._size(result.type) for result in op.results)

    def _operand(self, op: ir.Operation, place: int) -> int:
        return self._size(op.operands[place].type)

    def _size(self, kind: ir.Type) -> int:
        if (size := self._sizes.get(kind)) is None:
            try:
                size = math.prod(ir.RankedTensorType(kind).shape)
            except ValueError:  # a token, or a tuple
                raise UnsupportedError(f"has a {kind}") from None
            self._sizes[kind] = size
        return size

    def while_loop(self, op: ir.Operation) -> float:
        """Cost of a loop: of its regions, as often as its condition says that it runs."""
        return self._regions(op) * trips(op.regions[0].blocks[0])

    def branches(self, op: ir.Operation) -> float:
        """Cost of a conditional: of all branches, though only one is taken."""
        return self._regions(op)

    def dot_general(self, op: ir.Operation) -> float:
        """Cost of a contraction: two for each product."""
        sides = ir.RankedTensorType(op.operands[0].type).shape
        contracting = axes(op, "lhs_contracting_dimensions")
        return 2.0 * self._results(op) * math.prod(sides[axis] for axis in contracting)

    def convolution(self, op: ir.Operation) -> float:
        """Cost of a convolution: each result is of a window over the input features."""
        kernel = ir.RankedTensorType(op.operands[1].type).shape
        numbers = op.attributes["dimension_numbers"]
        features = int(str(numbers).partition("x[")[2].split("]")[0].split(", ").index("o"))
        return 3.0 * self._results(op) * math.prod(kernel) / max(1, kernel[features])

    def reduce(self, op: ir.Operation) -> float:
        """Cost of a reduction: its body for each element."""
        return 3.0 * self._operand(op, 0) * len(op.results) + self._results(op)

    def window(self, op: ir.Operation) -> float:
        """Cost of a windowed reduction: its body for each element of each window."""
        window = math.prod(ir.DenseI64ArrayAttr(op.attributes["window_dimensions"]))
        return 4.0 * window * self._results(op)

    def select_and_scatter(self, op: ir.Operation) -> float:
        """Cost of a windowed scatter: two bodies for each element of each window."""
        window = math.prod(ir.DenseI64ArrayAttr(op.attributes["window_dimensions"]))
        return 8.0 * window * self._operand(op, 1)

    def sort(self, op: ir.Operation) -> float:
        """Cost of a sort: its comparator n log n times."""
        size = self._operand(op, 0)
        length = ir.RankedTensorType(op.operands[0].type).shape
        along = length[ir.IntegerAttr(op.attributes["dimension"]).value] if length else 1
        comparator = sum(1 for _ in op.regions[0].blocks[0].operations)
        return 5.0 * comparator * size * math.log2(max(2, along))

    def scatter(self, op: ir.Operation) -> float:
        """Cost of a scatter: its body for each update, and a copy of its operand."""
        inputs = len(op.results)
        return self._results(op) + 6.0 * self._operand(op, inputs + 1) * inputs


_WEIGHTS: dict[str, Any] = {
    "stablehlo.case": _Walk.branches,
    "stablehlo.convolution": _Walk.convolution,
    "stablehlo.dot_general": _Walk.dot_general,
    "stablehlo.if": _Walk.branches,
    "stablehlo.reduce": _Walk.reduce,
    "stablehlo.reduce_window": _Walk.window,
    "stablehlo.scatter": _Walk.scatter,
    "stablehlo.select_and_scatter": _Walk.select_and_scatter,
    "stablehlo.sort": _Walk.sort,
    "stablehlo.while": _Walk.while_loop,
}


def trips(condition: ir.Block) -> int:
    """Gives how often a loop runs whose condition compares a counter with a constant."""
    ops = {op.operation.name: op.operation for op in condition.operations}
    compare = ops.get("stablehlo.compare")
    if compare is None or "LT" not in str(compare.attributes["comparison_direction"]):
        return _ASSUMED_TRIPS
    bound = compare.operands[1].owner
    constant = getattr(bound, "operation", bound)
    if getattr(constant, "name", "") != "stablehlo.constant":
        return _ASSUMED_TRIPS
    value = constant.attributes["value"]
    if not isinstance(value, ir.DenseIntElementsAttr) or len(value) != 1:
        return _ASSUMED_TRIPS
    return max(1, int(value[0]))


def axes(contraction: ir.Operation, name: str) -> list[int]:
    """Gives the axes of a `dot_general` that its dimension numbers have as `name`."""
    numbers = stablehlo.DotDimensionNumbers(contraction.attributes["dot_dimension_numbers"])
    return list(getattr(numbers, name))
