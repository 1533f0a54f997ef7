"""How types of sketches fit: which symbols and variables stand for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from jax_ir_pairs.synthesis.sketching.roles import fits
from jax_ir_pairs.synthesis.sketching.types import (
    Array,
    Dim,
    Fields,
    Repeated,
    Type,
    Variable,
    symbols,
)
from jax_ir_pairs.synthesis.types import Aval, Record, Tree

Shape: TypeAlias = tuple[Dim, ...]


class Unfit(Exception):
    """Two types do not fit, or nothing fits a hole."""


@dataclass
class Fit:
    """What symbols and variables stand for, as far as types that met have decided it."""

    dims: dict[str, Dim] = field(default_factory=dict)
    several: dict[str, Shape] = field(default_factory=dict)
    """The sizes that a `*s` stands for."""
    types: dict[str, Type] = field(default_factory=dict)

    def __copy__(self) -> Fit:
        """Gives one that can be changed apart from this one."""
        return Fit(dict(self.dims), dict(self.several), dict(self.types))

    def resolved(self, size: Dim) -> Dim:
        """Gives a size in terms of symbols that nothing has decided."""
        while isinstance(size, str) and size in self.dims:
            size = self.dims[size]
        if isinstance(size, tuple):
            return (size[0], self.resolved(size[1]), self.resolved(size[2]))
        return size

    def shape(self, dims: Shape) -> Shape:
        """Gives sizes with each `*s` that is decided written out."""
        rest = tuple(map(self.resolved, dims[1:]))
        if dims and isinstance(dims[0], str) and dims[0].startswith("*"):
            if dims[0] in self.several:
                return (*self.shape(self.several[dims[0]]), *rest)
            return (dims[0], *rest)
        return tuple(map(self.resolved, dims))

    def equate(self, left: Dim, right: Dim) -> None:
        """Makes two sizes equal; raises [`Unfit`][]."""
        left, right = self.resolved(left), self.resolved(right)
        if left == right:
            return
        if isinstance(left, str) and left not in symbols(right):
            self.dims[left] = right
        elif isinstance(right, str) and right not in symbols(left):
            self.dims[right] = left
        else:
            raise Unfit(f"{left} is not {right}")

    def unify(self, wanted: Type, given: Type) -> None:
        """Makes a value of the second type one of the first; raises [`Unfit`][]."""
        wanted, given = self.decided(wanted), self.decided(given)
        if wanted == given:
            return
        match wanted, given:
            case Variable(name), Variable(other):
                # A tree of parameters stays one.
                first, second = (name, given) if not is_tree(name) else (other, wanted)
                self.types[first] = second
            case Variable(name), _:
                self._decide(name, given)
            case _, Variable(name):
                self._decide(name, wanted)
            case Array(), Array():
                if wanted.dtype != given.dtype or not fits(wanted.role, given.role):
                    raise Unfit(f"{wanted} is not {given}")
                self._unify_shapes(self.shape(wanted.dims), self.shape(given.dims))
            case Fields(), Fields() if wanted.items and [k for k, _ in wanted.items] == [
                k for k, _ in given.items
            ]:
                for (_, left), (_, right) in zip(wanted.items, given.items, strict=True):
                    self.unify(left, right)
            case Repeated(), Repeated():
                self.equate(wanted.count, given.count)
                self.unify(wanted.element, given.element)
            case tuple(), tuple() if len(wanted) == len(given):
                for left, right in zip(wanted, given, strict=True):
                    self.unify(left, right)
            case _:
                raise Unfit(f"{wanted} is not {given}")

    def _decide(self, variable: str, type: Type) -> None:
        if isinstance(type, Array) and is_tree(variable):
            raise Unfit(f"{type} is no tree of parameters")
        if variable.endswith(".P") and not self._is_floating(type):
            raise Unfit(f"{type} has what is no parameter")
        if self._is_in(variable, type):
            raise Unfit(f"{variable} would be a part of itself")
        self.types[variable] = type

    def _is_floating(self, type: Type) -> bool:
        match self.decided(type):
            case Array(dtype=dtype):
                return dtype.startswith(("f", "bf"))
            case Fields(items):
                return all(self._is_floating(part) for _, part in items)
            case Repeated(element=element):
                return self._is_floating(element)
            case tuple() as parts:
                return all(map(self._is_floating, parts))
        return True

    def _is_in(self, variable: str, type: Type) -> bool:
        match self.decided(type):
            case Variable(name):
                return name == variable
            case Fields(items):
                return any(self._is_in(variable, part) for _, part in items)
            case Repeated(element=element):
                return self._is_in(variable, element)
            case tuple() as parts:
                return any(self._is_in(variable, part) for part in parts)
        return False

    def decided(self, type: Type) -> Type:
        """Gives a type itself, or what a variable stands for."""
        while isinstance(type, Variable) and type.name in self.types:
            type = self.types[type.name]
        return type

    def _unify_shapes(self, wanted: Shape, given: Shape) -> None:
        for left, right in ((wanted, given), (given, wanted)):
            if left and isinstance(left[0], str) and left[0].startswith("*"):
                rest = len(left) - 1
                if len(right) < rest:
                    raise Unfit(f"{wanted} is not {given}")
                several = right[: len(right) - rest]
                if several != left[:1]:
                    self.several[left[0]] = several
                wanted, given = left[1:], right[len(right) - rest :]
                break
        if len(wanted) != len(given):
            raise Unfit(f"{wanted} is not {given}")
        for one, other in zip(wanted, given, strict=True):
            self.equate(one, other)

    def tree(self, type: Type, sizes: Mapping[str, int], dtypes: Mapping[str, str]) -> Tree:
        """Gives avals for a type, once each symbol has a value; raises [`Unfit`][] without one."""
        match self.decided(type):
            case Array(dtype, dims):
                shape = tuple(value(d, sizes) for d in self.shape(dims))
                return Aval(dtypes.get(dtype, dtype), shape)
            case Fields(items):
                return Record(tuple((k, self.tree(part, sizes, dtypes)) for k, part in items))
            case Repeated(count, element):
                number = value(self.resolved(count), sizes)
                return (self.tree(element, sizes, dtypes),) * number
            case tuple() as parts:
                return tuple(self.tree(part, sizes, dtypes) for part in parts)
        raise Unfit(f"nothing decides {type}")


def is_tree(variable: str) -> bool:
    """Tells whether a variable stands for a tree of arrays: parameters or a state."""
    return variable.endswith((".P", ".S"))


def value(size: Dim, sizes: Mapping[str, int]) -> int:
    """Gives the number that a size is; raises [`Unfit`][] where a symbol has none."""
    match size:
        case int():
            return size
        case str():
            if size not in sizes:
                raise Unfit(f"nothing decides {size}")
            return sizes[size]
    op, left, right = size[0], value(size[1], sizes), value(size[2], sizes)
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if right == 0 or left % right:
        raise Unfit(f"{left} is no multiple of {right}")
    return left // right
