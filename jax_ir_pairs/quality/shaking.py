"""A module whose operations round at random: what rounding does to its results. In the child.

It shows what moving the inputs does not, such as a sum of constants that is zero but for rounding.
It is the Monte Carlo arithmetic of D. S. Parker (UCLA CSD-970002, 1997).
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.blocks import Change
from jax_ir_pairs.interpreter.operation import Kernel
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.tolerance import UNIT_ROUNDOFF

_UNITS = {
    np.dtype(jax.numpy.dtype(name)): UNIT_ROUNDOFF[short]
    for name, short in {
        "bfloat16": "bf16",
        "float16": "f16",
        "float32": "f32",
        "float64": "f64",
    }.items()
}
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


def shaking(seed: int) -> Change:
    """Gives what moves each element of each inexact result to a neighbour or not, by `seed`.

    What runs for each element of another op, as the body of a reduction does, is left alone.
    """
    generator = np.random.Generator(np.random.PCG64(seed))

    def change(op: ir.Operation, kernel: Kernel) -> Kernel:
        if op.name not in _ROUNDING:
            return kernel
        keeps_whole = op.name in _EXACT_ON_WHOLE_NUMBERS

        def shaken(*operands: Any) -> Any:
            found = kernel(*operands)
            if isinstance(found, tuple):
                return tuple(_moved(value, generator, keeps_whole) for value in found)
            return _moved(found, generator, keeps_whole)

        return shaken

    return change


def _moved(value: Array, generator: np.random.Generator, keeps_whole: bool) -> Array:
    unit = _UNITS.get(value.dtype)
    if unit is None:
        return value
    # Two units are the distance of 1 and the next number above it.
    steps = generator.integers(-1, 2, np.shape(value))
    moved = value * np.asarray(1.0 + 2.0 * unit * steps).astype(value.dtype)
    if keeps_whole:
        moved = np.where(np.floor(value) == value, value, moved)
    return np.asarray(moved, value.dtype)
