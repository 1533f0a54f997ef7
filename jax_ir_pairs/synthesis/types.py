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
    """A dict with string keys, as a type or as a value: `{"w": …, "b": …}`."""

    items: tuple[tuple[str, Tree], ...]

    def __getitem__(self, key: str) -> Tree:
        return dict(self.items)[key]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the order in which they were given."""
        return tuple(key for key, _ in self.items)


@dataclass(frozen=True, slots=True)
class Pullback:
    """Type of the function that `jax.vjp` gives back: cotangent of `result` to those of `args`."""

    args: tuple[Tree, ...]
    result: Aval


Tree: TypeAlias = "Aval | Record | tuple[Tree, ...] | Pullback"

Bounds: TypeAlias = tuple[float, float]
"""Least and greatest value of an array's elements on ordinary inputs, by interval arithmetic."""

FLOATS = ("f32", "bf16", "f16")
SIGNED = ("i32", "i16", "i8")
UNSIGNED = ("u8", "u32", "u16")
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTEGERS
BOOL = ("bool",)
ALL = NUMBERS + BOOL

LONG_NAMES = {
    "f32": "float32",
    "bf16": "bfloat16",
    "f16": "float16",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u32": "uint32",
    "u16": "uint16",
    "u8": "uint8",
    "bool": "bool_",
}
"""Name of each dtype in `jax.numpy`, by its short name."""

ANYTHING: Bounds = (-math.inf, math.inf)

LIMITS = {"f32": 1e5, "bf16": 1e4, "f16": 2e2}
"""Greatest magnitude that a value of a floating dtype may reach, well inside its range."""

_INPUT_BOUNDS: dict[str, Bounds] = {"u8": (0, 255), "u16": (0, 1000), "u32": (0, 1000)}


def input_bounds(dtype: str) -> Bounds:
    """Gives the bounds of an input: floats are standard normal, integers small, masks 0 or 1."""
    if dtype in FLOATS:
        return (-4.0, 4.0)
    return (0, 1) if dtype == "bool" else _INPUT_BOUNDS.get(dtype, (-100, 100))


def leaves(tree: Tree) -> list[Aval]:
    """Gives the avals of a tree in JAX's order, which sorts the keys of a dict."""
    if isinstance(tree, Aval):
        return [tree]
    if isinstance(tree, Record):
        return [leaf for _, item in sorted(tree.items) for leaf in leaves(item)]
    return [] if isinstance(tree, Pullback) else [leaf for item in tree for leaf in leaves(item)]


def to_json(named: list[tuple[str, Tree]]) -> str:
    """Gives named types as JSON: `[["x", "f32[4,8]"], ["params", {"w": "f32[8]"}]]`."""

    def plain(tree: Tree) -> object:
        if isinstance(tree, Record):
            return {key: plain(item) for key, item in tree.items}
        return [plain(item) for item in tree] if isinstance(tree, tuple) else str(tree)

    return json.dumps([[name, plain(tree)] for name, tree in named])
