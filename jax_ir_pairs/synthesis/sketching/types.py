"""Types that sketches state, such as `logits f[b, c]`, and how two of them fit.

A type is written as:

- `signal f[n]`: an array. First its role, which may be left out; then its dtype (`f` is the
  program's floating dtype, `i` and `c` the integers and complex numbers that go with it; others are
  named, `f32`, `bool`); then sizes: symbols, numbers, and sums, products and quotients of them. `*s`
  stands for any number of axes. A description may follow after a colon.
- `key`, `key[n]`: random keys.
- `P`: one capital, a type that another one decides; parameters `P` and states `S` are trees.
- a dict, a tuple or a list of types: a tree; `("l", type)`: a list of `l` of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jax_ir_pairs.synthesis.sketching.roles import fits
from jax_ir_pairs.synthesis.types import Aval, Record, Tree

Dim: TypeAlias = "int | str | tuple[str, Dim, Dim]"
"""A size: a number, a symbol, or an operation on two sizes."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array; a first size `*s` stands for any number of axes."""

    dtype: str
    dims: tuple[Dim, ...]
    role: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A type that another one decides."""

    name: str


@dataclass(frozen=True, slots=True)
class Fields:
    """A dict with string keys."""

    items: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A list of as many values of one type as a size says."""

    count: Dim
    element: Type


Type: TypeAlias = "Array | Variable | Fields | Repeated | tuple[Type, ...]"


class Unfit(Exception):
    """Two types do not fit, or nothing fits a hole."""


_ARRAY = re.compile(r"(?:([a-z_]+) )?([a-z0-9_]+)(?:\[([^\]]*)\])?(?:: (.+))?")
_OPERATIONS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//"}


def parse(value: Any) -> Type:
    """Gives the type that a literal of a sketch states; raises `ValueError` for none."""
    if isinstance(value, dict):
        return Fields(tuple((key, parse(item)) for key, item in value.items()))
    if isinstance(value, tuple) and len(value) == 2 and _is_symbol(value[0]):
        return Repeated(dim(value[0]), parse(value[1]))
    if isinstance(value, tuple | list):
        return tuple(map(parse, value))
    if re.fullmatch("[A-Z]", value):
        return Variable(value)
    found = _ARRAY.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no type")
    role, dtype, dims, doc = found.groups()
    if dtype == "key":
        dtype = "key<fry>"
    elif dims is None:
        raise ValueError(f"{value!r} has no shape")
    parts = [part.strip() for part in (dims or "").split(",")]
    return Array(dtype, tuple(dim(p) for p in parts if p), role or "", doc or "")


def _is_symbol(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]\w?", value) is not None


def dim(text: str) -> Dim:
    """Gives the size that a text states."""
    if text.startswith("*"):
        return text
    return _dim(ast.parse(text, mode="eval").body)


def _dim(node: ast.expr) -> Dim:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return name
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return (_OPERATIONS[type(op)], _dim(left), _dim(right))
    raise ValueError(f"{ast.unparse(node)!r} is no size")


def interface(text: str) -> tuple[tuple[tuple[str, Type], ...], Type]:
    """Gives the parameters and the result of `(x: signal f[n]) -> loss f[]`."""
    parameters, arrow, result = text.partition(" -> ")
    if not (arrow and parameters.startswith("(") and parameters.endswith(")")):
        raise ValueError(f"{text!r} is no interface")
    found = []
    for part in re.split(r", (?=\w+: )", parameters[1:-1]):
        name, _, type = part.partition(": ")
        found.append((name, parse(type)))
    results = re.split(r" & ", result)
    return tuple(found), parse(results[0] if len(results) == 1 else tuple(results))


def symbols(item: Type | Dim) -> Iterator[str]:
    """Gives the symbols in a type or a size, a `*s` without its star."""
    match item:
        case str():
            yield item.lstrip("*")
        case Array(dims=dims):
            for part in dims:
                yield from symbols(part)
        case Fields(items=items):
            for _, part in items:
                yield from symbols(part)
        case Repeated(count=count, element=element):
            yield from symbols(count)
            yield from symbols(element)
        case (str(), left, right) if isinstance(item[0], str):
            yield from symbols(left)  # type: ignore[arg-type]
            yield from symbols(right)  # type: ignore[arg-type]
        case tuple():
            for part in item:
                yield from symbols(part)  # type: ignore[arg-type]


def within(item: Any, space: str) -> Any:
    """Gives a type or a size with its symbols and variables in a name space: `n` as `space.n`."""
    match item:
        case int():
            return item
        case str():
            return f"*{space}.{item[1:]}" if item.startswith("*") else f"{space}.{item}"
        case Array(dtype, dims, role, doc):
            return Array(dtype, tuple(within(d, space) for d in dims), role, doc)
        case Variable(name):
            return Variable(f"{space}.{name}")
        case Fields(items):
            return Fields(tuple((key, within(part, space)) for key, part in items))
        case Repeated(count, element):
            return Repeated(within(count, space), within(element, space))
        case (str() as op, left, right):
            return (op, within(left, space), within(right, space))
    return tuple(within(part, space) for part in item)


@dataclass
class Fit:
    """What symbols and variables stand for, as far as types that met have decided it."""

    dims: dict[str, Dim | tuple[Dim, ...]] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)

    def copy(self) -> Fit:
        """Gives one that can be changed apart from this one."""
        return Fit(dict(self.dims), dict(self.types))

    def resolved(self, size: Dim) -> Dim:
        """Gives a size in terms of symbols that nothing has decided."""
        if isinstance(size, tuple):
            return (size[0], self.resolved(size[1]), self.resolved(size[2]))
        while isinstance(size, str) and size in self.dims:
            size = self.dims[size]  # type: ignore[assignment]
            if isinstance(size, tuple):
                return self.resolved(size)
        return size

    def shape(self, dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """Gives sizes with each `*s` that is decided written out."""
        if not dims or not isinstance(dims[0], str) or not dims[0].startswith("*"):
            return tuple(map(self.resolved, dims))
        several = self.dims.get(dims[0])
        if several is None:
            return (dims[0], *map(self.resolved, dims[1:]))
        return (*self.shape(several), *map(self.resolved, dims[1:]))  # type: ignore[arg-type]

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
        if isinstance(type, Array) and variable.endswith((".P", ".S")):
            raise Unfit(f"{type} is no tree of parameters")
        self.types[variable] = type

    def decided(self, type: Type) -> Type:
        """Gives a type itself, or what a variable stands for."""
        while isinstance(type, Variable) and type.name in self.types:
            type = self.types[type.name]
        return type

    def _unify_shapes(self, wanted: tuple[Dim, ...], given: tuple[Dim, ...]) -> None:
        for left, right in ((wanted, given), (given, wanted)):
            if left and isinstance(left[0], str) and left[0].startswith("*"):
                rest = len(left) - 1
                if len(right) < rest:
                    raise Unfit(f"{wanted} is not {given}")
                several = right[: len(right) - rest]
                if several != left[:1]:
                    self.dims[left[0]] = several
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
