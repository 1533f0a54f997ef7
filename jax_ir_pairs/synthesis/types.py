"""Types of values: avals, trees of avals, and the bounds within which a value lies."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Aval:
    """Shape and dtype of an array; prints as in a jaxpr, `f32[8,16]`."""

    dtype: str
    shape: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def with_shape(self, *shape: int) -> Aval:
        """Gives an aval of the same dtype."""
        return Aval(self.dtype, shape)


@dataclass(frozen=True, slots=True)
class Record:
    """Type of a dict with string keys: `{"w": …, "b": …}`."""

    items: tuple[tuple[str, Tree], ...]

    def __repr__(self) -> str:
        return repr(self.items)

    def __getitem__(self, key: str) -> Tree:
        return dict(self.items)[key]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the order in which they were given."""
        return tuple(key for key, _ in self.items)


@dataclass(frozen=True, slots=True)
class Pullback:
    """Type of a function that is a value, such as the one that `jax.vjp` gives back."""

    args: tuple[Tree, ...]
    result: Tree


Tree: TypeAlias = "Aval | Record | tuple[Tree, ...] | Pullback"

Bounds: TypeAlias = tuple[float, float]
"""Least and greatest value of an array's elements on ordinary inputs, by interval arithmetic."""

FLOATS = ("f32", "bf16", "f16", "f64")
SIGNED = ("i32", "i16", "i8", "i64")
UNSIGNED = ("u8", "u32", "u16", "u64")
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTEGERS
BOOL = ("bool",)
ALL = NUMBERS + BOOL
COMPLEX = ("c64", "c128")
"""Their bounds are those of the real and of the imaginary part."""
TINY = (
    "i2", "i4", "u2", "u4", "f4_e2m1fn", "f8_e3m4", "f8_e4m3", "f8_e4m3b11fnuz", "f8_e4m3fn",
    "f8_e4m3fnuz", "f8_e5m2", "f8_e5m2fnuz", "f8_e8m0fnu",
)  # fmt: skip
"""Formats to store numbers in; they are cast before they are computed with."""
RAW_KEY = "key<raw>"
"""What the synthesis calls a key of the old kind, `u32[2]`, so that only random ops take it."""
KEY = ("key<fry>", "key<rbg>", "key<urbg>", RAW_KEY)
MOVABLE = ALL + COMPLEX
"""What ops take that only move elements."""

LONG_NAMES = {
    "f32": "float32",
    "bf16": "bfloat16",
    "f16": "float16",
    "f64": "float64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "i64": "int64",
    "u32": "uint32",
    "u16": "uint16",
    "u8": "uint8",
    "u64": "uint64",
    "bool": "bool_",
    "c64": "complex64",
    "c128": "complex128",
} | {name: name.replace("f8", "float8").replace("f4", "float4") for name in TINY if "_" in name}
LONG_NAMES |= {"i4": "int4", "u4": "uint4", "i2": "int2", "u2": "uint2"}
"""Name of each dtype in `jax.numpy`, by its short name."""

WIDER = {"f32": "f64", "i32": "i64", "u32": "u64", "c64": "c128"}
"""What JAX's default dtypes become once 64 bits are enabled."""

WIDE = (*WIDER.values(),)
"""The dtypes that only programs with 64 bits enabled have."""

ANYTHING: Bounds = (-math.inf, math.inf)

LIMITS = {"f32": 1e5, "bf16": 1e4, "f16": 2e2, "f64": 1e8, "c64": 1e4, "c128": 1e6}
"""Greatest magnitude that a value of a floating dtype may reach, well inside its range."""

_INPUT_BOUNDS: dict[str, Bounds] = {
    "u8": (0, 255),
    "u16": (0, 1000),
    "u32": (0, 1000),
    "u64": (0, 1000),
    "bool": (0, 1),
    "i4": (-8, 7),
    "u4": (0, 15),
    "i2": (-2, 1),
    "u2": (0, 3),
}


def input_bounds(dtype: str) -> Bounds:
    """Gives the bounds of an input: floats are standard normal, integers small, masks 0 or 1."""
    if dtype in FLOATS or dtype in COMPLEX or dtype.startswith("f"):
        return (-4.0, 4.0)
    return _INPUT_BOUNDS.get(dtype, (-100, 100))


def leaves(tree: Tree) -> list[Aval]:
    """Gives the avals of a tree in JAX's order, which sorts the keys of a dict."""
    if isinstance(tree, Aval):
        return [tree]
    if isinstance(tree, Record):
        return [
            leaf
            for _, item in sorted(tree.items, key=lambda item: item[0])
            for leaf in leaves(item)
        ]
    return [] if isinstance(tree, Pullback) else [leaf for item in tree for leaf in leaves(item)]


def to_json(named: list[tuple[str, Tree]]) -> str:
    """Gives named types as JSON: `[["x", "f32[4,8]"], ["params", {"w": "f32[8]"}]]`."""

    def plain(tree: Tree) -> object:
        if isinstance(tree, Record):
            return {key: plain(item) for key, item in tree.items}
        return [plain(item) for item in tree] if isinstance(tree, tuple) else str(tree)

    return json.dumps([[name, plain(tree)] for name, tree in named])
