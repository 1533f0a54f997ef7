"""What the row's own jaxpr has that a text does not show: constants, meshes, functions, kernels.

Where an answer prints what the row's text prints, it means what the row has there. Two of the row's
equations may print the same; then the first of the answer's is the first of the row's, and so on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.scoring.jaxpr_text import (
    Binder,
    Equation,
    Jaxpr,
    Literal,
    Value,
    in_order,
    parse,
)
from jax_ir_pairs.scoring.jaxpr_text.names import params_key, value_key

HIDDEN = "[...]"
"""How an array prints that is a number of an equation."""

Bound = tuple[Any, dict[str, Any]]
"""A primitive, and its parameters."""


def type_of(value: Any) -> str:
    """Gives the type of a value as a jaxpr prints it."""
    return printed_type(jax.typeof(value))


def printed_type(aval: Any) -> str:
    """Gives the type of an aval as a jaxpr prints it, without the spaces that some have."""
    text: str = aval.str_short(short_dtypes=True)
    return text.replace(" ", "")


class Known:
    """What the `row` knows about an `answer`; traced only where something asks for it."""

    def __init__(self, row: Mapping[str, Any], answer: Jaxpr) -> None:
        self._row = row
        self._answer = answer
        self._digests: dict[int, str] = {}
        self._arrays: list[tuple[str, Any]] = []
        self._values: dict[tuple[str, str, str], list[Any]] = {}
        self._equations: dict[tuple[str, str], list[tuple[tuple[str, ...], Bound]]] = {}
        self._avals: dict[str, Any] = {}
        self._primitives: dict[str, Any] = {}

    def value(self, primitive: str, key: str, value: Value) -> list[Any]:
        """Gives what the row has for a parameter that prints so: one value, or none."""
        if not self._readable:
            return []
        found = self._values.get((primitive, key, value_key(value, self._digests)), [])
        # Functions print by name; of those that share one, only whole equations tell in order.
        same = not callable(found[0]) or all(each is found[0] for each in found) if found else False
        return found[:1] if same else []

    def equation(self, equation: Equation, operands: Sequence[Any]) -> Bound | None:
        """Gives what the row binds in the equation that prints the same, on the same types."""
        if not self._readable:
            return None
        types = tuple(map(type_of, operands))
        found = self._equations.get((equation.primitive, params_key(equation, self._digests)), [])
        place = self._places[id(equation)]
        ordered = [*found[place : place + 1], *found]
        return next((bound for its_types, bound in ordered if its_types == types), None)

    def aval(self, text: str) -> Any:
        """Gives an aval of the row by its printed type, and none where it has none of it."""
        return self._avals.get(text) if self._readable else None

    def primitive(self, name: str) -> Any:
        """Gives a primitive of the row by its name, and none where it has none of it."""
        return self._primitives.get(name) if self._readable else None

    def array(self, hidden: Binder | Literal) -> Any:
        """Gives the value of an array that the text only names: the row's next of the type."""
        return self._given.get(id(hidden)) if self._readable else None

    @cached_property
    def _readable(self) -> bool:
        """Whether the row traces to its text here, as it does in the versions that made it."""
        x64 = jax.config.jax_enable_x64
        try:
            jax.config.update("jax_enable_x64", False)
            function = load(self._row["python"], self._row["entry_point"])
            traced: Any = function.trace(*abstract_arguments(self._row["inputs"]))
        except Exception:  # whatever a program raises
            return False
        finally:
            jax.config.update("jax_enable_x64", x64)
        try:
            self._syntax = parse(self._row["jaxpr"])  # kept, since digests go by `id`
            self._walk(self._syntax, traced.jaxpr, set())
        except ValueError:  # other versions made the text
            return False
        return True

    @cached_property
    def _places(self) -> dict[int, int]:
        """How many equations of the answer before each print as it does, by `id`."""
        seen: Counter[tuple[str, str]] = Counter()
        places = {}
        for each in in_order(self._answer):
            if isinstance(each, Equation):
                key = each.primitive, params_key(each, self._digests)
                places[id(each)] = seen[key]
                seen[key] += 1
        return places

    @cached_property
    def _given(self) -> dict[int, Any]:
        """The row's arrays for what the answer names, by `id`."""
        left = list(self._arrays)
        given = {}
        for hidden in _hidden(self._answer):
            for place, (type_, value) in enumerate(left):
                if type_ == hidden.type:
                    given[id(hidden)] = value
                    del left[place]
                    break
        return given

    def _walk(self, syntax: Jaxpr, jaxpr: Any, seen: set[int]) -> None:
        if id(syntax) in seen:
            return
        seen.add(id(syntax))
        inner = getattr(jaxpr, "jaxpr", jaxpr)
        for binder, value in zip(syntax.constants, getattr(jaxpr, "consts", ()), strict=False):
            self._arrays.append((binder.type, value))
        for binder, variable in zip(syntax.inputs, inner.invars, strict=True):
            self._avals.setdefault(binder.type, variable.aval)
        for written, eqn in zip(syntax.equations, inner.eqns, strict=True):
            types = tuple(printed_type(atom.aval) for atom in eqn.invars)
            for atom, type_ in zip(eqn.invars, types, strict=True):
                self._avals.setdefault(type_, atom.aval)
                if np.shape(getattr(atom, "val", 0)):
                    self._arrays.append((type_, atom.val))
            for binder, variable in zip(written.binders, eqn.outvars, strict=False):
                self._avals.setdefault(binder.type, variable.aval)
            self._primitives.setdefault(eqn.primitive.name, eqn.primitive)
            key = (written.primitive, params_key(written, self._digests))
            self._equations.setdefault(key, []).append((types, (eqn.primitive, eqn.params)))
            for name, value in written.params:
                if name in eqn.params:
                    what = (written.primitive, name, value_key(value, self._digests))
                    self._values.setdefault(what, []).append(eqn.params[name])
                found = list(_jaxprs(eqn.params.get(name)))
                if len(found) == len(value.parts):
                    for nested in zip(value.jaxprs, found, strict=True):
                        self._walk(*nested, seen)


def _hidden(answer: Jaxpr) -> Iterator[Binder | Literal]:
    for each in in_order(answer):
        if isinstance(each, Jaxpr):
            yield from each.constants
        else:
            for atom in each.operands:
                if isinstance(atom, Literal) and atom.text == HIDDEN:
                    yield atom


def _jaxprs(value: Any) -> Iterator[Any]:
    if hasattr(value, "eqns"):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _jaxprs(each)
