"""Types that sketches state, such as `logits f[b, c]`.

A type is written as:

- `signal f[n]`: an array. First its role, which may be left out; then its dtype (`f` is the
  program's floating dtype, `i` and `c` the integers and complex numbers that go with it; others
  are named, `f32`, `bool`); then sizes: symbols, numbers, and sums, products and quotients of
  them. `*s` stands for any number of axes. A description may follow after a colon.
- `key`, `key[n]`: random keys.
- `P`: one capital, a type that another one decides; parameters `P` and states `S` are trees.
- a dict, a tuple or a list of types: a tree; `("l", type)`: a list of `l` of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    parts: tuple[Any, ...] = ()
    match item:
        case str():
            yield item.lstrip("*")
        case Array(dims=dims):
            parts = dims
        case Fields(items=items):
            parts = tuple(type for _, type in items)
        case Repeated(count=count, element=element):
            parts = (count, element)
        case tuple():  # a tree, or an operation on two sizes
            parts = item[1:] if isinstance(item[0], str) else item
    for part in parts:
        yield from symbols(part)


def keys_of(type: Type) -> Iterator[str]:
    """Gives the keys of all dicts in a type."""
    match type:
        case Fields(items=items):
            for key, part in items:
                yield key
                yield from keys_of(part)
        case Repeated(element=element):
            yield from keys_of(element)
        case tuple():
            for part in type:
                yield from keys_of(part)


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
