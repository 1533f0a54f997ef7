"""Products of matrices and convolutions.

The terms are added in order, in double precision or 64 bits, and rounded once, so that every
machine gives the same bits; a library for linear algebra would not. An `algorithm` that lets the
operands be rounded is passed over: it allows less precision, and asks for none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.formats import rounded, wide
from jax_ir_pairs.interpreter.movement import padded
from jax_ir_pairs.interpreter.operation import (
    Array,
    Kernel,
    Table,
    integer,
    ints,
    shape_of,
    table,
    type_of,
)


def _contraction(op: ir.Operation) -> Kernel:
    numbers = stablehlo.DotDimensionNumbers(op.attributes["dot_dimension_numbers"])
    shape, dtype = type_of(op.results[0].type)
    summed = wide(dtype)
    of_left = numbers.lhs_contracting_dimensions, numbers.lhs_batching_dimensions
    of_right = numbers.rhs_contracting_dimensions, numbers.rhs_batching_dimensions

    def contracted(left: Array, right: Array) -> Array:
        lefts = _terms(left, summed, *of_left)
        rights = _terms(right, summed, *of_right)
        total: Array = np.zeros((*lefts.shape[1:], rights.shape[2]), summed)
        for one, other in zip(lefts, rights, strict=True):
            total += one[:, :, np.newaxis] * other[:, np.newaxis, :]
        return rounded(total.reshape(shape), dtype)

    return contracted


def _terms(
    value: Array, summed: np.dtype[Any], contracting: Sequence[int], batching: Sequence[int]
) -> Array:
    """Gives an operand as contracted, batch and free dimensions, each one axis."""
    free = [axis for axis in range(value.ndim) if axis not in {*contracting, *batching}]
    groups = list(contracting), list(batching), free
    sizes = [math.prod(value.shape[axis] for axis in group) for group in groups]
    return value.astype(summed).transpose(*(a for group in groups for a in group)).reshape(sizes)


def _convolution(op: ir.Operation) -> Kernel:
    numbers = stablehlo.ConvDimensionNumbers(op.attributes["dimension_numbers"])
    axes_in = numbers.input_batch_dimension, numbers.input_feature_dimension
    axes_kernel = (
        numbers.kernel_output_feature_dimension,
        numbers.kernel_input_feature_dimension,
    )
    axes_out = numbers.output_batch_dimension, numbers.output_feature_dimension
    spatial = list(numbers.output_spatial_dimensions)
    rank = len(spatial)
    ones = (1,) * rank
    strides, lhs_dilation, rhs_dilation = (
        ints(op, name, ones) for name in ("window_strides", "lhs_dilation", "rhs_dilation")
    )
    edges = table(op, "padding") if "padding" in op.attributes else np.zeros((rank, 2), int)
    low, high = edges.reshape(rank, 2).T.tolist()
    reversed_axes = [2 + axis for axis, flips in enumerate(_reversal(op, rank)) if flips]
    groups, batches = integer(op, "feature_group_count"), integer(op, "batch_group_count")
    shape, dtype = type_of(op.results[0].type)
    summed = wide(dtype)
    # From batch, feature and space to the axes of the result.
    order = [[*axes_out, *spatial].index(axis) for axis in range(rank + 2)]
    places = [shape[axis] for axis in spatial]

    def convolved(image: Array, kernel: Array) -> Array:
        image = np.transpose(image, (*axes_in, *numbers.input_spatial_dimensions)).astype(summed)
        kernel = np.transpose(kernel, (*axes_kernel, *numbers.kernel_spatial_dimensions))
        kernel = np.flip(kernel.astype(summed), tuple(reversed_axes))
        gaps = [0, 0, *(by - 1 for by in lhs_dilation)]
        image = padded(image, np.zeros((), summed), [0, 0, *low], [0, 0, *high], gaps)
        # Groups come first: of the features, or of the batch.
        count, out = groups * batches, kernel.shape[0]
        kernel = kernel.reshape(count, out // count, *kernel.shape[1:])
        if batches > 1:
            image = image.reshape(batches, image.shape[0] // batches, *image.shape[1:])
        else:
            features = image.shape[1] // groups
            image = image.reshape(image.shape[0], groups, features, *image.shape[2:])
            image = image.swapaxes(0, 1)
        total: Array = np.zeros((count, image.shape[1], out // count, *places), summed)
        for where in np.ndindex(*kernel.shape[3:]):
            cut = tuple(
                slice(at * by, at * by + (side - 1) * stride + 1, stride)
                for at, by, side, stride in zip(where, rhs_dilation, places, strides, strict=True)
            )
            part = image[(slice(None), slice(None), slice(None), *cut)]
            for feature in range(kernel.shape[2]):
                weights = kernel[(slice(None), slice(None), feature, *where)]
                weights = weights.reshape(count, 1, out // count, *ones)
                total += part[:, :, feature][:, :, np.newaxis] * weights
        whole = total.swapaxes(0, 1).reshape(total.shape[1], out, *places)
        return rounded(np.transpose(whole, order), dtype)

    return convolved


def _reversal(op: ir.Operation, rank: int) -> list[bool]:
    if "window_reversal" not in op.attributes:
        return [False] * rank
    return [bool(flips) for flips in ir.DenseBoolArrayAttr(op.attributes["window_reversal"])]


PRODUCTS: Table = {
    "stablehlo.convolution": _convolution,
    "stablehlo.dot_general": _contraction,
}


def num_products(op: ir.Operation) -> int:
    """Gives how many products an operation of this table adds up in all."""
    results = math.prod(shape_of(op.results[0]))
    if op.name == "stablehlo.convolution":
        kernel = shape_of(op.operands[1])
        features = stablehlo.ConvDimensionNumbers(op.attributes["dimension_numbers"])
        return (
            results * math.prod(kernel) // max(1, kernel[features.kernel_output_feature_dimension])
        )
    sides = shape_of(op.operands[0])
    numbers = stablehlo.DotDimensionNumbers(op.attributes["dot_dimension_numbers"])
    return results * math.prod(sides[axis] for axis in numbers.lhs_contracting_dimensions)
