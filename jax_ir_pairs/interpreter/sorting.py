"""Sorts, by any comparator: merges whose comparisons are made many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.operation import Array, Kernel, Region, Table, integer


def _sort(op: ir.Operation) -> Kernel:
    axis, count = integer(op, "dimension"), len(op.results)

    def sorted_(comparator: Region, *operands: Array) -> tuple[Array, ...] | Array:
        values = [np.moveaxis(np.asarray(value), axis, -1) for value in operands]
        order = _sorted(_comparing(comparator, values), values[0].shape)
        results = tuple(np.moveaxis(value, -1, axis) for value in _at(values, order))
        return results if count > 1 else results[0]

    return sorted_


def approximate_top_k(op: ir.Operation) -> Kernel:
    """Gives the first values by a comparator, and what goes with them: exactly, as on a CPU.

    Of equals XLA takes the first ones, but the last where one is asked for, by a reduction.
    """
    named: Any = op.attributes["mhlo.backend_config"]
    axis, count = (ir.IntegerAttr(named[name]).value for name in ("reduction_dim", "top_k"))

    def chosen(comparator: Region, *operands: Array) -> tuple[Array, ...]:
        values = [np.moveaxis(value, axis, -1) for value in operands[: len(operands) // 2]]
        if count == 1:
            values = [value[..., ::-1] for value in values]
        order = _sorted(_comparing(comparator, values), values[0].shape)[..., :count]
        return tuple(np.moveaxis(value, -1, axis) for value in _at(values, order))

    return chosen


def _comparing(comparator: Region, values: Sequence[Array]) -> Callable[[Array, Array], Array]:
    """Gives what tells whether the values at one place come before those at another."""

    def comes_first(one: Array, other: Array) -> Array:
        pairs = zip(_at(values, one), _at(values, other), strict=True)
        found = comparator(*(value for pair in pairs for value in pair))[0]
        return np.broadcast_to(found, one.shape)

    return comes_first


def _at(values: Sequence[Array], places: Array) -> list[Array]:
    return [np.take_along_axis(value, places, -1) for value in values]


def _sorted(comes_first: Callable[[Array, Array], Array], shape: tuple[int, ...]) -> Array:
    """Gives the stable order along the last axis, of which `comes_first` compares two places."""
    length = shape[-1]
    order = np.broadcast_to(np.arange(length), shape)
    width = 1
    while width < length:
        places = np.arange(length)
        run = places // width
        begin = np.minimum((run ^ 1) * width, length)  # of the run that it is merged with
        end = np.minimum(begin + width, length)
        of_second = run % 2 == 1
        # How many of the other run come before: of the second one those that come first, and of
        # the first one those too that are equal.
        low, high = np.broadcast_to(begin, shape), np.broadcast_to(end, shape)
        while (low < high).any():
            middle = np.minimum((low + high) // 2, length - 1)
            other = np.take_along_axis(order, middle, -1)
            left, right = np.where(of_second, order, other), np.where(of_second, other, order)
            first = comes_first(left, right)
            before = np.where(of_second, ~first, first)
            active = low < high
            low, high = (
                np.where(active & before, middle + 1, low),
                np.where(active & ~before, middle, high),
            )
        target = (run & ~1) * width + places % width + (low - begin)
        merged = np.empty(shape, np.int64)
        np.put_along_axis(merged, target, order, -1)
        order = merged
        width *= 2
    return order


SORTS: Table = {"stablehlo.sort": _sort}
"""Its kernel takes the comparator before the operands."""
