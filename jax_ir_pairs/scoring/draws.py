"""The inputs that an answer is tried on: ordinary draws, and edges. In the child."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jax_ir_pairs.extraction.source import dtype_and_shape
from jax_ir_pairs.quality.comparison import Array, is_inexact
from jax_ir_pairs.quality.inputs import integer_range, ordinary_inputs
from jax_ir_pairs.scoring.module import Aval

EDGES = ("zeros", "ones", "low", "high")
"""What stands for an edge: all zeros; all ones; the least integers, and negative numbers; the
greatest integers, and large numbers. Integers keep to the range that synthesis promises finite
results for, of which 0 and 1 may be outside. Keys are drawn, as on ordinary inputs."""

INTEGERS = ("integers -1", "integers 0", "integers 1")
"""Edges of integers, beside ordinary numbers: where a comparison or an index turns."""

_LARGE = 64.0


@dataclass(frozen=True, slots=True)
class Input:
    """One flat input of a row: as the texts have it, and whether it is a random key."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_key: bool = False

    @property
    def aval(self) -> Aval:
        """Shape and name of the dtype."""
        return self.shape, self.dtype.name


def flat_inputs(inputs: str) -> list[Input]:
    """Gives the inputs of a row, flat, from its column `inputs`, those without effect included."""
    leaves = jax.tree.leaves([tree for _, tree in json.loads(inputs)])
    return [_input(leaf) for leaf in leaves]


def _input(aval: str) -> Input:
    dtype, shape = dtype_and_shape(aval)
    if dtype == "key<fry>":
        return Input((*shape, 2), np.dtype(np.uint32), is_key=True)
    return Input(shape, jax.numpy.dtype(dtype))


def among(inputs: Sequence[Input], avals: Sequence[Aval]) -> list[Input]:
    """Gives an input for each of `avals`, which are those of `inputs` but for some left out."""
    rest = iter(inputs)
    found = []
    for shape, dtype in avals:
        own = next((i for i in rest if i.aval == (shape, dtype)), None)
        found.append(own or Input(shape, jax.numpy.dtype(dtype)))
    return found


def values(inputs: Sequence[Input], seed: int, draw: int | str) -> list[Array]:
    """Gives values for `inputs`: of an ordinary draw by its number, or of one of `EDGES`."""
    number = draw if isinstance(draw, int) else 0
    ordinary = ordinary_inputs([_drawn_as(i) for i in inputs], seed, number)
    if isinstance(draw, int):
        return ordinary
    return [_edge(i, x, draw) for i, x in zip(inputs, ordinary, strict=True)]


def edges(inputs: Sequence[Input]) -> tuple[str, ...]:
    """Gives the edges that these inputs have."""
    if not inputs:
        return ()
    some = any(not (i.is_key or is_inexact(i.dtype)) for i in inputs)
    return EDGES + INTEGERS if some else EDGES


def _edge(kind: Input, value: Array, edge: str) -> Array:
    dtype = kind.dtype
    if kind.is_key:
        return value
    if not is_inexact(dtype):
        low, high = integer_range(dtype)
        numbers = {"zeros": 0, "ones": 1, "low": low, "high": high}
        number = numbers[edge] if edge in numbers else int(edge.split()[1])
        return np.full(value.shape, min(max(number, low), high)).astype(dtype)
    if edge in INTEGERS:
        return value
    if edge in ("zeros", "ones"):
        # The one format that has no zero.
        one = edge == "ones" or dtype.name == "float8_e8m0fnu"
        return np.full(value.shape, 1.0 if one else 0.0).astype(dtype)
    wide = value.astype(np.complex128 if dtype.kind == "c" else np.float64)
    if edge == "high":
        # Formats of four bits end at 6.
        return (wide * (1.0 if dtype.itemsize == 1 else _LARGE)).astype(dtype)
    unsigned = dtype.name == "float8_e8m0fnu"
    return (np.abs(wide) if unsigned else -np.abs(wide)).astype(dtype)


def _drawn_as(kind: Input) -> jax.ShapeDtypeStruct:
    if kind.is_key:
        return jax.ShapeDtypeStruct(kind.shape[:-1], jax.random.key(0).dtype)
    return jax.ShapeDtypeStruct(kind.shape, kind.dtype)
