"""Gathers and scatters: elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import stablehlo

from jax_ir_pairs.interpreter.folds import LOGICAL, Combination, combination
from jax_ir_pairs.interpreter.formats import bytes_of, is_integer, rounded, wide
from jax_ir_pairs.interpreter.operation import Array, Kernel, Region, Table, ints, shape_of


class _Indexing:
    """How an array of indices and one of windows say which elements of an operand are meant."""

    def __init__(
        self,
        operand: Sequence[int],
        indices: Sequence[int],
        index_axis: int,
        index_map: Sequence[int],
        batching: Sequence[int],
        batching_of_indices: Sequence[int],
        left_out: Sequence[int],
        sizes: Sequence[int],
    ) -> None:
        self.operand, self._map, self._batching = operand, index_map, batching
        self._index_axis = index_axis
        self._has_axis = index_axis < len(indices)
        self.batch = [side for axis, side in enumerate(indices) if axis != index_axis]
        # The axes of the indices less the one that holds their parts.
        self._batch_axes = [axis - (axis > index_axis) for axis in batching_of_indices]
        self.window_axes = [a for a in range(len(operand)) if a not in {*left_out, *batching}]
        self.sizes = sizes
        self.window = [sizes[axis] for axis in self.window_axes]

    def starts(self, indices: Array) -> list[Array]:
        """Gives where each window begins, along each axis of the operand, by place of the batch."""
        parts = np.asarray(indices)
        parts = np.moveaxis(parts, self._index_axis, -1) if self._has_axis else parts[..., None]
        # 64 bits, so that an index beyond an `int32` stays beyond it.
        signed = parts.astype(bytes_of(parts.dtype))
        if signed.dtype == np.uint64:
            signed = np.minimum(signed, np.uint64(2**62))
        signed = signed.astype(np.int64)
        found = [np.zeros(self.batch, np.int64) for _ in self.operand]
        for place, axis in enumerate(self._map):
            found[axis] = signed[..., place]
        for axis, own in zip(self._batching, self._batch_axes, strict=True):
            sides = [1] * len(self.batch)
            sides[own] = self.batch[own]
            found[axis] = np.broadcast_to(np.arange(self.batch[own]).reshape(sides), self.batch)
        return found

    def places(self, starts: Sequence[Array]) -> tuple[Array, ...]:
        """Gives the index of each element along each axis: those of the batch, then the window."""
        rank = len(self.window_axes)
        found = []
        for axis, start in enumerate(starts):
            place = start.reshape((*start.shape, *[1] * rank))
            if axis in self.window_axes:
                sides = [1] * rank
                sides[self.window_axes.index(axis)] = self.sizes[axis]
                place = place + np.arange(self.sizes[axis]).reshape(sides)
            found.append(place)
        return tuple(found)


def _order(batch: int, window_axes: Sequence[int]) -> list[int]:
    """Gives which axis of batch and window comes at each place of a result."""
    rank = batch + len(window_axes)
    windows, others = iter(range(batch, rank)), iter(range(batch))
    return [next(windows) if axis in window_axes else next(others) for axis in range(rank)]


def _gather(op: ir.Operation) -> Kernel:
    numbers = stablehlo.GatherDimensionNumbers(op.attributes["dimension_numbers"])
    sides, sizes = shape_of(op.operands[0]), ints(op, "slice_sizes")
    indexing = _Indexing(
        sides,
        shape_of(op.operands[1]),
        numbers.index_vector_dim,
        numbers.start_index_map,
        numbers.operand_batching_dims,
        numbers.start_indices_batching_dims,
        numbers.collapsed_slice_dims,
        sizes,
    )
    order = _order(len(indexing.batch), numbers.offset_dims)
    shape = (*indexing.batch, *indexing.window)

    def gathered(operand: Array, indices: Array) -> Array:
        starts = [
            np.clip(start, 0, side - size)
            for start, side, size in zip(indexing.starts(indices), sides, sizes, strict=True)
        ]
        found = np.asarray(operand)[indexing.places(starts)]
        return np.transpose(np.broadcast_to(found, shape), order)

    return gathered


def _scatter(op: ir.Operation) -> Kernel:
    numbers = stablehlo.ScatterDimensionNumbers(op.attributes["scatter_dimension_numbers"])
    count = len(op.results)
    sides, of_updates = shape_of(op.operands[0]), shape_of(op.operands[count + 1])
    left_out = [*numbers.inserted_window_dims, *numbers.input_batching_dims]
    windows = iter(of_updates[axis] for axis in numbers.update_window_dims)
    sizes = [1 if axis in left_out else next(windows) for axis in range(len(sides))]
    indexing = _Indexing(
        sides,
        shape_of(op.operands[count]),
        numbers.index_vector_dim,
        numbers.scattered_dims_to_operand_dims,
        numbers.input_batching_dims,
        numbers.scatter_indices_batching_dims,
        numbers.inserted_window_dims,
        sizes,
    )
    order = _order(len(indexing.batch), numbers.update_window_dims)
    # From the axes of the updates to those of batch and window.
    back = [order.index(axis) for axis in range(len(order))]
    how = combination(op.regions[0])

    def scattered(body: Region, *operands: Array) -> tuple[Array, ...] | Array:
        inputs, indices, updates = operands[:count], operands[count], operands[count + 1 :]
        starts = indexing.starts(indices)
        inside = np.ones(indexing.batch, bool)
        for start, side, size in zip(starts, sides, sizes, strict=True):
            inside &= (start >= 0) & (start <= side - size)
        # A window that is not inside as a whole is left out, as XLA does.
        chosen = [start[inside] for start in starts]
        places = indexing.places(chosen)
        shape = (int(inside.sum()), *indexing.window)
        flat = np.zeros(shape, np.int64)
        for place, side in zip(places, sides, strict=True):
            flat = flat * side + place
        values = [np.transpose(update, back)[inside].reshape(-1) for update in updates]
        own = [np.array(value).reshape(-1) for value in inputs]
        results = combined(body, how, own, flat.reshape(-1), values)
        shaped = tuple(value.reshape(sides) for value in results)
        return shaped if count > 1 else shaped[0]

    return scattered


_AT_ONCE: frozenset[Any] = frozenset({np.add, np.maximum, np.minimum, np.multiply})


def combined(
    body: Region,
    how: Combination,
    inputs: list[Array],
    places: Array,
    updates: Sequence[Array],
) -> list[Array]:
    """Gives flat arrays whose elements at `places` a body has combined with `updates`, in order."""
    if len(inputs) == 1:
        [result], [update] = inputs, updates
        dtype = result.dtype
        if how == "update":
            result[places] = update
            return [result]
        if how in LOGICAL and dtype.kind == "b":
            LOGICAL[how].at(result, places, update)
            return [result]
        if how in _AT_ONCE and dtype.kind != "b":
            plain = bytes_of(dtype) if is_integer(dtype) else wide(dtype)
            total = result.astype(plain)
            how.at(total, places, update.astype(plain))
            return [rounded(total, dtype)]
    # By turns: first the first update of each place, then the second, and so on.
    by_place = np.argsort(places, kind="stable")
    ordered = places[by_place]
    first = np.searchsorted(ordered, ordered, side="left")
    turns = np.arange(len(places)) - first
    by_turn = by_place[np.argsort(turns, kind="stable")]
    ends = np.searchsorted(np.sort(turns), np.arange(np.max(turns, initial=-1) + 1), side="right")
    for now in np.split(by_turn, ends[:-1]):
        here = places[now]
        found = body(*(value[here] for value in inputs), *(update[now] for update in updates))
        for value, new in zip(inputs, found, strict=True):
            value[here] = new
    return inputs


GATHERS: Table = {"stablehlo.gather": _gather}
SCATTERS: Table = {"stablehlo.scatter": _scatter}
"""Its kernel takes what runs its region before the operands."""
