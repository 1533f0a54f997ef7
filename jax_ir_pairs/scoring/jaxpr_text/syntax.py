"""The syntax tree of a printed jaxpr: what the text says, and nothing that it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

HOLE = "\0"
"""Stands in the text of a [`Value`][] for a nested jaxpr, and in an index for a variable."""


@dataclass(frozen=True, slots=True)
class Binder:
    """A variable where it is bound, with its printed type: `a` and `f32[8]`."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number in place of a variable: `0.5` and `f32[]`; or an array, not shown: `[...]`."""

    text: str
    type: str


Atom = str | Literal
"""What an equation reads: the name of a variable, or a number."""


# A jaxpr that is used twice is one object, so trees are compared by `fingerprint`, not by `==`.
@dataclass(frozen=True, slots=True, eq=False)
class Jaxpr:
    """`{ lambda constants ; inputs . let equations in (results) }`."""

    constants: tuple[Binder, ...]
    inputs: tuple[Binder, ...]
    equations: tuple[Equation, ...]
    results: tuple[Atom, ...]

    def nested(self) -> Iterator[Jaxpr]:
        """Gives the jaxprs in the parameters of its equations."""
        for equation in self.equations:
            for _, value in equation.params:
                yield from value.jaxprs


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The name of a jaxpr that the text defines ahead: `jaxpr=f` after `let f = { … } in`."""

    name: str
    definitions: Mapping[str, Jaxpr] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """The value of a parameter: its text, with a hole for each jaxpr in it."""

    text: str
    parts: tuple[Jaxpr | Reference, ...] = ()

    @property
    def jaxprs(self) -> tuple[Jaxpr, ...]:
        """The jaxprs in it, those of references too."""
        return tuple(p if isinstance(p, Jaxpr) else p.definitions[p.name] for p in self.parts)


@dataclass(frozen=True, slots=True, eq=False)
class Equation:
    """`binders = primitive[params] operands`, on a line of the text that counts from 1.

    What is printed with an arrow is `get` (`a <- b[i]`), `swap` (`b[i] <- a`) or `addupdate`
    (`b[i] += a`): the operands are the reference, the value that is written, and the variables of
    the index, whose text is the parameter `index`.
    """

    binders: tuple[Binder, ...]
    primitive: str
    params: tuple[tuple[str, Value], ...]
    operands: tuple[Atom, ...]
    line: int

    def param(self, name: str) -> Value | None:
        """Gives the value of a parameter, and none where it is not printed."""
        return next((value for key, value in self.params if key == name), None)


def in_order(root: Jaxpr) -> Iterator[Jaxpr | Equation]:
    """Gives a jaxpr and all that it holds, each once, as the text of it has them."""
    seen = {id(root)}
    stack: list[Iterator[Jaxpr | Equation]] = [iter((root, *root.equations))]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            continue
        yield following
        if isinstance(following, Equation):
            for jaxpr in reversed([j for _, value in following.params for j in value.jaxprs]):
                if id(jaxpr) not in seen:
                    seen.add(id(jaxpr))
                    stack.append(iter((jaxpr, *jaxpr.equations)))


def all_binders(root: Jaxpr) -> Iterator[Binder]:
    """Gives the variables of a jaxpr and of all that it holds, where they are bound."""
    for each in in_order(root):
        yield from each.binders if isinstance(each, Equation) else (*each.constants, *each.inputs)
