"""Formats of numbers: which are exact, and in which wider one an operation is computed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jax_ir_pairs.interpreter.operation import Array

Dtype = np.dtype[Any]

LESS_THAN_A_BYTE = frozenset({"int2", "int4", "uint2", "uint4", "float4_e2m1fn"})
"""Formats of which NumPy gives each number a byte."""

_SMALL = {"int2": np.int8, "int4": np.int8, "uint2": np.uint8, "uint4": np.uint8}


@functools.cache
def is_float(dtype: Dtype) -> bool:
    """Whether numbers of a dtype are real and rounded."""
    return bool(jax.numpy.issubdtype(dtype, np.floating))


def is_complex(dtype: Dtype) -> bool:
    """Whether they are complex."""
    return dtype.kind == "c"


@functools.cache
def is_integer(dtype: Dtype) -> bool:
    """Whether they are integers, of any width."""
    return dtype.kind in "iu" or dtype.name in _SMALL


@functools.cache
def is_signed(dtype: Dtype) -> bool:
    """Whether integers of a dtype have a sign."""
    return dtype.kind == "i" or dtype.name.startswith("int")


@functools.cache
def num_bits(dtype: Dtype) -> int:
    """Gives the bits of an integer."""
    return int(dtype.name.lstrip("uint"))


@functools.cache
def lowest_and_highest(dtype: Dtype) -> tuple[int, int]:
    """Gives the range of integers of a dtype."""
    bits = num_bits(dtype)
    if is_signed(dtype):
        return -(1 << bits - 1), (1 << bits - 1) - 1
    return 0, (1 << bits) - 1


@functools.cache
def bytes_of(dtype: Dtype) -> Dtype:
    """Gives the dtype in which NumPy computes integers: one of whole bytes."""
    return np.dtype(_SMALL.get(dtype.name, dtype))


@functools.cache
def wide(dtype: Dtype) -> Dtype:
    """Gives the dtype in which sums and functions of others are computed, and rounded from once.

    Double precision, for formats up to `float64`; 64 bits for integers, whose sums wrap around.
    """
    if is_complex(dtype):
        return np.dtype(np.complex128)
    if is_float(dtype):
        return np.dtype(np.float64)
    if dtype.kind == "b":
        return dtype
    return np.dtype(np.int64 if is_signed(dtype) else np.uint64)


def rounded(value: Any, dtype: Dtype) -> Array:
    """Gives numbers of a wider format in that of `dtype`; integers lose their upper bits."""
    return np.asarray(value).astype(dtype)


def in_double(function: Callable[..., Any]) -> Callable[..., Array]:
    """Gives a function that is computed in double precision and rounded once."""

    def computed(*operands: Array) -> Array:
        dtype = operands[0].dtype
        return rounded(function(*(value.astype(wide(dtype)) for value in operands)), dtype)

    return computed
