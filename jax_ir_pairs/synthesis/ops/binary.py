"""Elementwise ops of two arguments, and comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable

from jax_ir_pairs.synthesis.ops.rows import (
    binary,
    odd,
    spread,
    widest,
    within,
)
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    BOOL,
    COMPLEX,
    FLOATS,
    INTEGERS,
    NUMBERS,
    Bounds,
)


def _corners(function: Callable[[float, float], float]) -> Callable[[Bounds, Bounds], Bounds]:
    """Gives the bounds of a function that is monotone in each argument."""

    def bounds(x: Bounds, y: Bounds) -> Bounds:
        values = [function(a, b) for a in x for b in y]
        return (min(values), max(values))

    return bounds


_TRUTH = within(0, 1)
_NONZERO = (ANYTHING, (0.05, math.inf))


def _truth(_x: Bounds, _y: Bounds) -> Bounds:
    return (0, 1)


BINARY = (
    binary("add", NUMBERS + COMPLEX, lambda x, y: (x[0] + y[0], x[1] + y[1]), "{0} + {1}",
           "jnp.add({0}, {1})", weight=4.0),
    binary("sub", NUMBERS + COMPLEX, lambda x, y: (x[0] - y[1], x[1] - y[0]), "{0} - {1}",
           "jnp.subtract({0}, {1})", weight=3.0),
    binary("mul", NUMBERS + COMPLEX, _corners(lambda a, b: a * b), "{0} * {1}",
           "jnp.multiply({0}, {1})", weight=4.0),
    binary("div", FLOATS, _corners(lambda a, b: a / b), "{0} / {1}", "jnp.divide({0}, {1})",
           needs=_NONZERO, weight=2.0),
    binary("maximum", NUMBERS, spread, "jnp.maximum({0}, {1})", literals=0.4, weight=1.5),
    binary("minimum", NUMBERS, spread, "jnp.minimum({0}, {1})", literals=0.4, weight=1.5),
    binary("power", FLOATS, _corners(lambda a, b: a**b), "{0} ** {1}", "jnp.power({0}, {1})",
           needs=((0.05, 50.0), (-3.0, 3.0)), literals=0.5, weight=0.7),
    binary("arctan2", FLOATS, lambda x, y: (-3.2, 3.2), "jnp.arctan2({0}, {1})",
           needs=(ANYTHING, (0.05, math.inf)), weight=0.4),
    binary("hypot", FLOATS, lambda x, y: (0.0, math.hypot(widest(*x), widest(*y))),
           "jnp.hypot({0}, {1})", literals=0.0, weight=0.4),
    binary("logaddexp", FLOATS, lambda x, y: (max(x[0], y[0]), max(x[1], y[1]) + 0.7),
           "jnp.logaddexp({0}, {1})", literals=0.0, weight=0.6),
    binary("floor_divide", FLOATS + INTEGERS, _corners(lambda a, b: math.floor(a / b)),
           "{0} // {1}", "jnp.floor_divide({0}, {1})", needs=(ANYTHING, (0.5, math.inf)),
           literals=0.8, weight=0.5),
    binary("remainder", FLOATS + INTEGERS, lambda x, y: (0.0, y[1]), "{0} % {1}",
           "jnp.remainder({0}, {1})", "jnp.mod({0}, {1})", needs=(ANYTHING, (0.5, math.inf)),
           literals=0.8, weight=0.7),
    binary("copysign", FLOATS, lambda x, y: odd(*x), "jnp.copysign({0}, {1})", literals=0.0,
           weight=0.3),
    binary("bitwise_and", INTEGERS, lambda x, y: ANYTHING, "{0} & {1}",
           "jnp.bitwise_and({0}, {1})", literals=0.5),
    binary("bitwise_or", INTEGERS, lambda x, y: ANYTHING, "{0} | {1}",
           "jnp.bitwise_or({0}, {1})"),
    binary("bitwise_xor", INTEGERS, lambda x, y: ANYTHING, "{0} ^ {1}",
           "jnp.bitwise_xor({0}, {1})"),
    binary("left_shift", INTEGERS, lambda x, y: ANYTHING, "{0} << {1}",
           "jnp.left_shift({0}, {1})", needs=(ANYTHING, (0, 7)), literals=1.0, weight=0.6),
    binary("right_shift", INTEGERS, lambda x, y: ANYTHING, "{0} >> {1}",
           "jnp.right_shift({0}, {1})", needs=(ANYTHING, (0, 7)), literals=1.0, weight=0.6),
    binary("logical_and", BOOL, _truth, "{0} & {1}", "jnp.logical_and({0}, {1})", literals=0.0),
    binary("logical_or", BOOL, _truth, "{0} | {1}", "jnp.logical_or({0}, {1})", literals=0.0),
    binary("logical_xor", BOOL, _truth, "{0} ^ {1}", "jnp.logical_xor({0}, {1})", literals=0.0,
           weight=0.4),
)  # fmt: skip

COMPARISONS = tuple(
    binary(name, NUMBERS, _truth, f"{{0}} {sign} {{1}}", f"jnp.{name}({{0}}, {{1}})",
           result="bool", literals=0.5, group="comparison")
    for name, sign in (
        ("greater", ">"), ("less", "<"), ("greater_equal", ">="), ("less_equal", "<="),
        ("equal", "=="), ("not_equal", "!="),
    )
)  # fmt: skip


OPS = (*BINARY, *COMPARISONS)
