"""What operations can be taken for one another: the table that the IRs' mutations read.

Names are StableHLO's. HLO's have hyphens, those of jaxprs are in `JAXPR`.
"""

from __future__ import annotations

from collections.abc import Mapping

SWAPPED: Mapping[str, tuple[str, ...]] = {
    "add": ("subtract", "multiply", "maximum"),
    "subtract": ("add", "multiply"),
    "multiply": ("add", "divide"),
    "divide": ("multiply", "subtract"),
    "maximum": ("minimum", "add"),
    "minimum": ("maximum",),
    "power": ("multiply", "atan2"),
    "remainder": ("divide",),
    "atan2": ("divide",),
    "and": ("or", "xor"),
    "or": ("and", "xor"),
    "xor": ("or", "and"),
    "shift_left": ("shift_right_logical",),
    "shift_right_logical": ("shift_left", "shift_right_arithmetic"),
    "shift_right_arithmetic": ("shift_right_logical",),
    "sine": ("cosine",),
    "cosine": ("sine",),
    "tan": ("tanh",),
    "tanh": ("logistic", "sine"),
    "logistic": ("tanh",),
    "exponential": ("exponential_minus_one", "tanh"),
    "exponential_minus_one": ("exponential",),
    "log": ("log_plus_one",),
    "log_plus_one": ("log",),
    "sqrt": ("rsqrt", "cbrt"),
    "rsqrt": ("sqrt",),
    "cbrt": ("sqrt",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "round_nearest_even": ("floor",),
    "abs": ("negate", "sign"),
    "negate": ("abs",),
    "sign": ("abs",),
    "not": ("negate",),
    "count_leading_zeros": ("popcnt",),
    "popcnt": ("count_leading_zeros",),
    "real": ("imag",),
    "imag": ("real",),
    "chlo.erf": ("stablehlo.tanh",),
    "chlo.erfc": ("chlo.erf",),
    "chlo.erf_inv": ("chlo.erf",),
    "chlo.square": ("chlo.cosh",),
    "chlo.sinh": ("chlo.cosh",),
    "chlo.cosh": ("chlo.sinh",),
    "chlo.asin": ("chlo.acos",),
    "chlo.acos": ("chlo.asin",),
    "chlo.atan": ("chlo.asinh",),
    "chlo.atanh": ("chlo.atan",),
    "chlo.bessel_i1e": ("chlo.erf",),
    "chlo.digamma": ("chlo.lgamma",),
    "chlo.lgamma": ("chlo.digamma",),
}
"""An operation, and others that take and give the same types."""

ORDERED = (
    *("subtract", "divide", "power", "remainder", "atan2", "complex"),
    *("shift_left", "shift_right_logical", "shift_right_arithmetic"),
    *("compare", "concatenate", "dot_general", "dot", "chlo.next_after", "chlo.polygamma"),
)
"""Those of which the first two operands, where their types are the same, have an order."""

TERMS = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "and", "or", "xor")
"""Those of which an operand may be forgotten."""

UNARY = (
    *("sine", "cosine", "tan", "tanh", "logistic", "exponential", "exponential_minus_one"),
    *("log", "log_plus_one", "sqrt", "rsqrt", "cbrt", "abs", "negate", "sign", "floor", "ceil"),
    *("round_nearest_even", "not", "reverse", "chlo.square", "chlo.erf", "chlo.erf_inv"),
    *("chlo.atan", "chlo.atanh", "reduce_precision", "clamp"),
)
"""Those that may be forgotten as a whole, where operand and result are of the same type."""

DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "LT": ("LE", "GT", "GE"),
    "LE": ("LT", "GE"),
    "GT": ("GE", "LT", "LE"),
    "GE": ("GT", "LE"),
    "EQ": ("NE",),
    "NE": ("EQ",),
}

JAXPR: Mapping[str, str] = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "maximum": "max",
    "minimum": "min",
    "power": "pow",
    "remainder": "rem",
    "sine": "sin",
    "cosine": "cos",
    "exponential": "exp",
    "exponential_minus_one": "expm1",
    "log_plus_one": "log1p",
    "negate": "neg",
    "round_nearest_even": "round",
    "count_leading_zeros": "clz",
    "popcnt": "population_count",
    "reverse": "rev",
    "chlo.atan": "atan",
    "chlo.next_after": "nextafter",
}


def hlo(name: str) -> str:
    """Gives HLO's name of an operation."""
    return name.removeprefix("chlo.").removeprefix("stablehlo.").replace("_", "-")


def jaxpr(name: str) -> str:
    """Gives a jaxpr's name of an operation."""
    return JAXPR.get(name, name.removeprefix("chlo.").removeprefix("stablehlo."))
