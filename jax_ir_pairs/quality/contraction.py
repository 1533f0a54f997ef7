"""A `dot_general` by NumPy, which shares no code with XLA either. In the child.

StableHLO's interpreter takes some 2 µs for each product, most of what it takes for a training step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.element_types import numpy_name


def contraction(op: ir.Operation) -> Callable[[Array, Array], Array]:
    """Gives what computes a `dot_general`: in double precision or 64 bits, and rounded once.

    The terms are added in order, each sum as IEEE 754 says, so that every machine gives the same
    bits; a library for linear algebra would not.
    """
    numbers = stablehlo.DotDimensionNumbers(op.attributes["dot_dimension_numbers"])
    kind = ir.RankedTensorType(op.results[0].type)
    shape, dtype = tuple(kind.shape), jax.numpy.dtype(numpy_name(str(kind.element_type)))
    wide = _wide(dtype)
    of_left = numbers.lhs_contracting_dimensions, numbers.lhs_batching_dimensions
    of_right = numbers.rhs_contracting_dimensions, numbers.rhs_batching_dimensions

    def contracted(left: Array, right: Array) -> Array:
        lefts, rights = _terms(left, wide, *of_left), _terms(right, wide, *of_right)
        total: Array = np.zeros((*lefts.shape[1:], rights.shape[2]), wide)
        with np.errstate(all="ignore"):  # infinities and NaN are numbers as any other
            for one, other in zip(lefts, rights, strict=True):
                total += one[:, :, np.newaxis] * other[:, np.newaxis, :]
            return total.reshape(shape).astype(dtype)

    return contracted


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if jax.numpy.issubdtype(dtype, np.complexfloating):
        return np.dtype(np.complex128)
    return np.dtype(np.float64 if jax.numpy.issubdtype(dtype, np.floating) else np.int64)


def _terms(
    value: Array, wide: np.dtype[Any], contracting: Sequence[int], batching: Sequence[int]
) -> Array:
    """Gives an operand as contracted, batch and free dimensions, each one axis."""
    free = [axis for axis in range(value.ndim) if axis not in {*contracting, *batching}]
    groups = list(contracting), list(batching), free
    sizes = [math.prod(value.shape[axis] for axis in group) for group in groups]
    return value.astype(wide).transpose(*(a for group in groups for a in group)).reshape(sizes)
