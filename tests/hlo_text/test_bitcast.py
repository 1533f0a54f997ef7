"""Bitcasts against the definition: the bytes stay, and are read in the order of the new layout."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from jax_ir_pairs.hlo_text.bitcast import BitcastInvalidError, as_logical
from jax_ir_pairs.hlo_text.shapes import ArrayShape
from jax_ir_pairs.hlo_text.syntax import Instruction

_DTYPES = {"f32": np.float32, "s32": np.int32, "u8": np.uint8, "s64": np.int64}
Array = np.ndarray[Any, np.dtype[Any]]


def shape(dtype: str, sides: tuple[int, ...], order: tuple[int, ...] | None) -> ArrayShape:
    return ArrayShape(dtype, sides, order)


def bitcast(result: ArrayShape) -> Instruction:
    return Instruction("b", result, "bitcast", ("x",))


def evaluated(instructions: list[Instruction], value: Array) -> Array:
    values = {"x": value}
    last = value
    for each in instructions:
        assert isinstance(each.shape, ArrayShape)
        assert each.shape.minor_to_major is None
        operand = values[each.operands[0]]
        if each.opcode == "transpose":
            axes = each.attributes["dimensions"].strip("{}").split(",")
            last = operand.transpose([int(axis) for axis in axes])
        elif each.opcode == "reshape":
            last = operand.reshape(each.shape.sides)
        else:
            assert each.opcode == "bitcast-convert"
            dtype = np.dtype(_DTYPES[each.shape.dtype])
            widths = operand.itemsize, dtype.itemsize
            last = np.ascontiguousarray(operand)
            last = last[..., None].view(dtype) if widths[0] > widths[1] else last.view(dtype)
            if widths[0] < widths[1]:
                last = last[..., 0]
        assert last.shape == each.shape.sides
        values[each.name] = last
    return last


def in_memory(value: Array, order: tuple[int, ...] | None) -> bytes:
    axes = order[::-1] if order is not None else tuple(range(value.ndim))
    return np.ascontiguousarray(value.transpose(axes)).tobytes()


@pytest.mark.parametrize("sides", [(2, 3, 4), (4, 1, 6), (24, 1, 1)], ids=str)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_bytes_stay(order: tuple[int, ...], sides: tuple[int, ...]) -> None:
    value = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for before in [None, *itertools.permutations(range(3))]:
        steps = as_logical(bitcast(shape("f32", sides, order)), shape("f32", (2, 3, 4), before))
        assert in_memory(evaluated(steps, value), order) == in_memory(value, before)
        if steps:
            assert steps[-1].name == "b"


@pytest.mark.parametrize(
    ("dtype", "sides", "order"),
    [
        ("s32", (3, 2), (0, 1)),
        ("u8", (2, 3, 4), (2, 0, 1)),
        ("u8", (24,), None),
        ("s64", (3,), (0,)),
    ],
)
def test_the_bytes_stay_where_the_type_does_not(
    dtype: str, sides: tuple[int, ...], order: tuple[int, ...] | None
) -> None:
    value = np.arange(6, dtype=np.float32).reshape(3, 2)
    for before in (None, (0, 1)):
        steps = as_logical(bitcast(shape(dtype, sides, order)), shape("f32", (3, 2), before))
        result = evaluated(steps, value)
        assert result.dtype == _DTYPES[dtype]
        assert in_memory(result, order) == in_memory(value, before)


def test_one_of_the_same_shape_and_order_is_nothing() -> None:
    assert as_logical(bitcast(shape("f32", (2, 3), (1, 0))), shape("f32", (2, 3), None)) == []


def test_other_memory_is_refused() -> None:
    with pytest.raises(BitcastInvalidError, match=r"b is a bitcast of f32\[4\] to f32\[5\]"):
        as_logical(bitcast(shape("f32", (5,), None)), shape("f32", (4,), None))
