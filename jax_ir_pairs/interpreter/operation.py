"""What an operation of MLIR says: its types and attributes, as NumPy and Python have them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import jax
import numpy as np
from jaxlib.mlir import ir

from jax_ir_pairs.interpreter.element_types import numpy_name

Array = np.ndarray[Any, np.dtype[Any]]
Value: TypeAlias = "ir.Value[Any]"
Found = TypeVar("Found")

Kernel = Callable[..., Any]
"""Computes the result of an operation from its operands: an array, or a tuple of several."""

Region = Callable[..., list[Array]]
"""Gives what a region does for its arguments. Of the body of a reduction and its like, which is of
scalars, it is called with arrays, and works on each element."""

Builder = Callable[[ir.Operation], Kernel]
Table = Mapping[str, Builder]
"""By the names of operations."""


class UnsupportedError(Exception):
    """The module has what the interpreter lacks, or takes too long."""


@functools.lru_cache(256)
def numpy_dtype(mlir_name: str) -> np.dtype[Any]:
    """Gives the dtype of an element type by its name; raises [`UnsupportedError`][]."""
    try:
        return np.dtype(jax.numpy.dtype(numpy_name(mlir_name)))
    except (KeyError, TypeError):
        raise UnsupportedError(f"has a {mlir_name}") from None


_OF_MODULE: list[Any] = []


def of_module(function: Callable[[Any], Found]) -> Callable[[Any], Found]:
    """Remembers what a function gives for a type or an attribute, until `forget_module`."""
    remembering = functools.lru_cache(1024)(function)
    _OF_MODULE.append(remembering)
    return remembering


def forget_module() -> None:
    """Forgets the types and attributes of a module: each keeps its whole context."""
    for remembering in _OF_MODULE:
        remembering.cache_clear()


@of_module
def type_of(kind: ir.Type) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Gives shape and dtype of a tensor type; raises [`UnsupportedError`][] for another one."""
    try:
        tensor = ir.RankedTensorType(kind)
    except ValueError:
        raise UnsupportedError(f"has a {kind}") from None
    if not tensor.has_static_shape:
        raise UnsupportedError(f"has a {kind}")
    return tuple(tensor.shape), numpy_dtype(str(tensor.element_type))


def shape_of(value: Value) -> tuple[int, ...]:
    """Gives the shape of a value; else as [`type_of`][]."""
    return type_of(value.type)[0]


def dtype_of(value: Value) -> np.dtype[Any]:
    """Gives the dtype of a value; else as [`type_of`][]."""
    return type_of(value.type)[1]


def size_of(value: Value) -> int:
    """Gives the number of elements of a value; 0 of a token or tuple."""
    try:
        return math.prod(ir.RankedTensorType(value.type).shape)
    except ValueError:
        return 0


def ints(op: ir.Operation, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Gives an attribute that is an array of integers; `default` where it is not there."""
    if name not in op.attributes:
        return default
    return tuple(ir.DenseI64ArrayAttr(op.attributes[name]))


def integer(op: ir.Operation, name: str) -> int:
    """Gives an attribute that is an integer."""
    return int(ir.IntegerAttr(op.attributes[name]).value)


def table(op: ir.Operation, name: str) -> Array:
    """Gives an attribute that is a tensor of integers."""
    return np.array(ir.DenseIntElementsAttr(op.attributes[name]))


def word(op: ir.Operation, name: str) -> str:
    """Gives the value of an enumeration, such as `GE` of `#stablehlo<comparison_direction GE>`."""
    return str(op.attributes[name]).rpartition(" ")[2].rstrip(">")


def text(op: ir.Operation, name: str) -> str:
    """Gives an attribute that is a string."""
    return str(ir.StringAttr(op.attributes[name]).value)
