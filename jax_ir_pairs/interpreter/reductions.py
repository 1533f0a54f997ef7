"""Reductions: of axes, of windows, and of windows back to where what they chose came from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.folds import combination, folded, folded_by, is_neutral, ufunc_of
from jax_ir_pairs.interpreter.movement import padded
from jax_ir_pairs.interpreter.operation import (
    Array,
    Kernel,
    Region,
    Table,
    ints,
    shape_of,
    table,
)
from jax_ir_pairs.interpreter.scatters import combined


def _folding(op: ir.Operation) -> Kernel:
    """Gives what folds the last axes of arrays, one for each result."""
    count = len(op.results)
    ufunc = ufunc_of(op.regions[0]) if count == 1 else None

    def fold(values: Sequence[Array], inits: Sequence[Array], body: Region) -> list[Array]:
        if ufunc is not None:
            return [folded(ufunc, values[0], inits[0])]
        return folded_by(body, values, inits)

    return fold


def _reduce(op: ir.Operation) -> Kernel:
    fold, count = _folding(op), len(op.results)
    axes = ints(op, "dimensions")
    shape = shape_of(op.operands[0])
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order, sides = (*kept, *axes), [shape[axis] for axis in kept]
    length = math.prod(shape[axis] for axis in axes)

    def reduced(body: Region, *operands: Array) -> tuple[Array, ...] | Array:
        values = [np.transpose(value, order).reshape(*sides, length) for value in operands[:count]]
        results = fold(values, operands[count:], body)
        return tuple(results) if count > 1 else results[0]

    return reduced


def _windows(
    value: Array,
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Array:
    """Gives a view with an axis for each of the window's, after those of its places."""
    spans = [(side - 1) * dilation + 1 for side, dilation in zip(window, dilations, strict=True)]
    if any(span > side for span, side in zip(spans, value.shape, strict=True)):
        fitting = zip(value.shape, spans, strides, strict=True)
        places = [max(0, (side - span) // by + 1) for side, span, by in fitting]
        return np.empty((*places, *window), value.dtype)
    # NumPy makes no views of some formats of ml_dtypes; their bits are as good.
    plain = value if value.dtype.isbuiltin == 1 else value.view(f"u{value.dtype.itemsize}")
    view = np.lib.stride_tricks.sliding_window_view(plain, spans)
    steps = tuple(slice(None, None, by) for by in strides)
    return view[steps + tuple(slice(None, None, by) for by in dilations)]


class _Window:
    """How the windows of an operation lie on its operand."""

    def __init__(self, op: ir.Operation) -> None:
        rank = len(shape_of(op.operands[0]))
        ones = (1,) * rank
        self.sides = ints(op, "window_dimensions", ones)
        self.strides = ints(op, "window_strides", ones)
        self.dilations = ints(op, "window_dilations", ones)
        self.gaps = [by - 1 for by in ints(op, "base_dilations", ones)]
        edges = table(op, "padding") if "padding" in op.attributes else np.zeros((rank, 2), int)
        self.low, self.high = edges.reshape(rank, 2).T.tolist()

    @property
    def is_padded(self) -> bool:
        """Whether a window may have elements that are not the operand's."""
        return any((*self.low, *self.high, *self.gaps))

    def of(self, value: Array, filling: Array) -> Array:
        """Gives the elements of each window in one axis, the last, in their order."""
        whole = padded(value, filling, self.low, self.high, self.gaps)
        view = _windows(whole, self.sides, self.strides, self.dilations)
        flat = view.reshape(*view.shape[: value.ndim], math.prod(self.sides))
        return flat if flat.dtype == value.dtype else flat.view(value.dtype)


def _reduce_window(op: ir.Operation) -> Kernel:
    fold, count, window = _folding(op), len(op.results), _Window(op)
    ufunc = ufunc_of(op.regions[0]) if count == 1 else None

    def reduced(body: Region, *operands: Array) -> tuple[Array, ...] | Array:
        inits = operands[count:]
        values = [
            window.of(np.asarray(value), init)
            for value, init in zip(operands[:count], inits, strict=True)
        ]
        if window.is_padded and not (ufunc and is_neutral(ufunc, inits[0])):
            # What is outside does not count, whatever the fold starts from.
            inside = window.of(np.ones(np.shape(operands[0]), bool), np.array(False))
            results = _folded_inside(body, values, inits, inside)
        else:
            results = fold(values, inits, body)
        return tuple(results) if count > 1 else results[0]

    return reduced


def _folded_inside(
    body: Region, values: Sequence[Array], inits: Sequence[Array], inside: Array
) -> list[Array]:
    """Gives what a body makes of `inits` and those elements along the last axis that are `inside`.

    In the order of the window, as an associative body allows any.
    """
    shape = inside.shape[:-1]
    found = [
        np.broadcast_to(init, shape).astype(v.dtype) for init, v in zip(inits, values, strict=True)
    ]
    for place in range(inside.shape[-1]):
        new = body(*found, *(value[..., place] for value in values))
        found = [
            np.asarray(np.where(inside[..., place], one, own), own.dtype)
            for one, own in zip(new, found, strict=True)
        ]
    return found


def _select_and_scatter(op: ir.Operation) -> Kernel:
    window = _Window(op)
    how = combination(op.regions[1])

    def scattered(
        select: Region, scatter: Region, operand: Array, source: Array, init: Array
    ) -> Array:
        numbers = np.arange(operand.size).reshape(operand.shape)
        places = window.of(numbers, np.array(-1))
        values = window.of(operand, np.zeros((), operand.dtype))
        chosen, where = values[..., 0], places[..., 0]
        for step in range(1, values.shape[-1]):
            value, place = values[..., step], places[..., step]
            stays = np.broadcast_to(select(chosen, value)[0], chosen.shape)
            # What is outside the operand is never chosen.
            takes = (place >= 0) & (~stays | (where < 0))
            chosen, where = np.where(takes, value, chosen), np.where(takes, place, where)
        inside = where.reshape(-1) >= 0
        result = np.full(operand.size, init, operand.dtype)
        updates = np.asarray(source).reshape(-1)[inside]
        [result] = combined(scatter, how, [result], where.reshape(-1)[inside], [updates])
        return result.reshape(operand.shape)

    return scattered


def _map(op: ir.Operation) -> Kernel:
    shape = shape_of(op.results[0])
    return lambda body, *operands: np.broadcast_to(body(*operands)[0], shape)


REDUCTIONS: Table = {
    "stablehlo.map": _map,
    "stablehlo.reduce": _reduce,
    "stablehlo.reduce_window": _reduce_window,
    "stablehlo.select_and_scatter": _select_and_scatter,
}
"""Their kernels take what runs each of their regions before the operands."""
