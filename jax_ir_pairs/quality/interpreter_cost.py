"""What StableHLO's reference interpreter can run of a module, and its cost. In the child.

The interpreter ends the process at an op that it lacks, so that this has to be known before.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from jaxlib.mlir import ir

from jax_ir_pairs.quality.apart import CONTRACTION, is_apart, is_handed_over, products
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

_COMPILED = 20_000.0
"""What handing an op to XLA costs: to compile a module with nearly nothing to generate, once."""
_APART = 1_500.0
"""What it costs each time to run an op apart, and the rest in two pieces."""
_BY_NUMPY = 0.01
"""What a product costs that NumPy computes."""

_WHOLE = frozenset({"builtin.module", "func.func", "func.return", "func.call", "sdy.mesh"})

_ASSUMED_TRIPS = 2
"""Times that a loop is taken to run whose count its condition does not show.

Most are the rejection loops of `jax.random`, which nest and end after one or two."""
_MOST_TRIPS = 2**16
"""A loop that may run more often has a bound for form's sake, such as the largest integer."""
_TRIPS_FOR_FORM = 8
"""Times that such a loop is taken to run, as those that draw from a Poisson distribution do."""
_FIXED = 15.0
"""What an op costs beside its elements."""
_OF_CHLO = 60.0
"""What an element of an op of `chlo` costs, which becomes some tens of ops."""
_BY_ELEMENT: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("stablehlo.broadcast_in_dim", "stablehlo.concatenate", "stablehlo.constant"),
                *("stablehlo.dynamic_slice", "stablehlo.dynamic_update_slice", "stablehlo.pad"),
                *("stablehlo.reshape", "stablehlo.slice", "stablehlo.transpose"),
            ),
            0.5,
        ),
        "stablehlo.gather": 4.0,
        "stablehlo.logistic": 3.0,
        **dict.fromkeys(
            ("chlo.conj", "chlo.is_inf", "chlo.is_neg_inf", "chlo.is_pos_inf", "chlo.square"), 2.0
        ),
        **dict.fromkeys(
            (
                *("chlo.acos", "chlo.acosh", "chlo.asin", "chlo.asinh", "chlo.atan", "chlo.atanh"),
                *("chlo.cosh", "chlo.sinh"),
            ),
            6.0,
        ),
        "chlo.erf": 15.0,
        "chlo.erf_inv": 20.0,
        "chlo.polygamma": 200.0,
    }
)
"""What an element of a result costs, where that is neither 1 nor `_OF_CHLO`.

These and the weights below were measured op by op, with 2,000 elements (JAX 0.12, x86-64)."""


class UnsupportedError(Exception):
    """The interpreter cannot run the module, or not for the cost that is allowed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it takes to interpret a module."""

    units: float
    """One is one element of one elementwise op, some 1 µs."""
    apart: int
    """How many of its ops are run apart."""


def cost(module: ir.Module, limit: float, apart: Collection[str] = ()) -> Cost:
    """Gives what a module costs to interpret, with ops of those names run `apart` where they can.

    **Raises:** [`UnsupportedError`][] for what cannot be interpreted, and once `limit` is reached.
    """
    walk = _Walk(module, limit, apart)
    return Cost(walk.total, walk.apart)


def is_identity(op: ir.Operation) -> bool:
    """Tells whether an op only says where or how a value lies, and gives it as it is."""
    if op.name == "stablehlo.custom_call":
        target = op.attributes["call_target_name"]
        return ir.StringAttr(target).value == "LayoutConstraint"
    return bool(op.name == "sdy.sharding_constraint")


class _Walk:
    def __init__(self, module: ir.Module, limit: float, apart: Collection[str]) -> None:
        self._apart = apart
        self._branches = 0  # around an op
        self._once = 0.0
        self.apart = 0
        self._limit = limit
        self._sizes: dict[ir.Type, int] = {}
        self._functions = functions_of(module)
        self._of_functions: dict[tuple[str, bool], float] = {}
        self.total = self._function("main") + self._once
        self._hold_to_limit(self.total)

    def _function(self, name: str) -> float:
        key = name, self._branches > 0
        if key not in self._of_functions:
            self._of_functions[key] = self._regions(self._functions[name])
        return self._of_functions[key]

    def _regions(self, operation: ir.Operation) -> float:
        total = 0.0
        for region in operation.regions:
            for block in region:
                for op in block.operations:
                    total += self._op(op.operation)
                    self._hold_to_limit(total)
        return total

    def _hold_to_limit(self, units: float) -> None:
        if units > self._limit:
            raise UnsupportedError(f"costs over {self._limit:g}")

    def _op(self, op: ir.Operation) -> float:
        name = op.name
        if is_apart(op, self._apart) and not self._branches:
            return self._by_itself(op)
        if name == "func.call":
            return _FIXED + self._function(callee(op))
        if name == "stablehlo.composite":
            decomposition = ir.FlatSymbolRefAttr(op.attributes["decomposition"])
            return _FIXED + self._function(decomposition.value)
        if name.startswith("chlo."):
            return _FIXED + self._results(op) * _BY_ELEMENT.get(name, _OF_CHLO)
        if name not in SUPPORTED:
            if name in _WHOLE or is_identity(op):
                return 0.0
            raise UnsupportedError(f"has {name}")
        weight = _WEIGHTS.get(name)
        if weight is None:
            return _FIXED + self._results(op) * _BY_ELEMENT.get(name, 1.0)
        cost: float = weight(self, op)
        return _FIXED + cost

    def _by_itself(self, op: ir.Operation) -> float:
        if is_identity(op):
            return 0.0
        self.apart += 1
        if op.name in CONTRACTION:
            return _APART + products(op) * _BY_NUMPY
        if not is_handed_over(op):
            raise UnsupportedError(f"has {op.name}")
        self._once += _COMPILED
        return _APART

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
        self._branches += 1
        total = self._regions(op)
        self._branches -= 1
        return total

    def dot_general(self, op: ir.Operation) -> float:
        """Cost of a contraction: two for each product."""
        if not (terms := products(op)):
            raise UnsupportedError("has an empty contraction")
        return 2.0 * terms

    def convolution(self, op: ir.Operation) -> float:
        """Cost of a convolution: each result is of a window over the input features."""
        kernel = ir.RankedTensorType(op.operands[1].type).shape
        numbers = op.attributes["dimension_numbers"]
        features = int(str(numbers).partition("x[")[2].split("]")[0].split(", ").index("o"))
        return 2.0 * self._results(op) * math.prod(kernel) / max(1, kernel[features])

    def reduce(self, op: ir.Operation) -> float:
        """Cost of a reduction: its body for each element."""
        return 4.0 * self._operand(op, 0) * len(op.results) + self._results(op)

    def window(self, op: ir.Operation) -> float:
        """Cost of a windowed reduction: its body for each element of each window."""
        window = math.prod(ir.DenseI64ArrayAttr(op.attributes["window_dimensions"]))
        return 5.0 * window * self._results(op)

    def select_and_scatter(self, op: ir.Operation) -> float:
        """Cost of a windowed scatter: two bodies for each element of each window."""
        window = math.prod(ir.DenseI64ArrayAttr(op.attributes["window_dimensions"]))
        return 10.0 * window * self._operand(op, 1)

    def sort(self, op: ir.Operation) -> float:
        """Cost of a sort: its comparator n log n times."""
        size = self._operand(op, 0)
        length = ir.RankedTensorType(op.operands[0].type).shape
        along = length[ir.IntegerAttr(op.attributes["dimension"]).value] if length else 1
        comparator = sum(1 for _ in op.regions[0].blocks[0].operations)
        return 1.5 * comparator * size * math.log2(max(2, along))

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
    owner = compare.operands[1].owner
    constant = getattr(owner, "operation", owner)
    if getattr(constant, "name", "") != "stablehlo.constant":
        return _ASSUMED_TRIPS
    value = constant.attributes["value"]
    if not isinstance(value, ir.DenseIntElementsAttr) or len(value) != 1:
        return _ASSUMED_TRIPS
    bound = max(1, int(value[0]))
    return bound if bound <= _MOST_TRIPS else _TRIPS_FOR_FORM
