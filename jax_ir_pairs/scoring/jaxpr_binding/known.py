"""What the row's own jaxpr has that a text does not show: constants, meshes, functions, kernels.

An answer that says of a parameter what the row's text says of it means what the row has there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import jax

from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.scoring.jaxpr_text import Equation, Jaxpr, Value, parse
from jax_ir_pairs.scoring.jaxpr_text.names import params_key, value_key


def type_of(value: Any) -> str:
    """Gives the type of a value as a jaxpr prints it."""
    text: str = jax.typeof(value).str_short(short_dtypes=True)
    return text


class Known:
    """The row's jaxpr, traced again and read beside its text, where something asks for it."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self._row = row
        self._digests: dict[int, str] = {}
        self._constants: list[tuple[str, Any]] = []
        self._values: dict[tuple[str, str, str], list[Any]] = {}
        self._equations: dict[tuple[str, str, tuple[str, ...]], tuple[Any, dict[str, Any]]] = {}
        self._avals: dict[str, Any] = {}
        self._primitives: dict[str, Any] = {}

    def values(self, primitive: str, key: str, value: Value) -> list[Any]:
        """Gives what the row has for a parameter that prints so; nothing where it has none."""
        what = (primitive, key, value_key(value, self._digests))
        return self._values.get(what, []) if self.readable else []

    def equation(
        self, equation: Equation, operands: Sequence[Any]
    ) -> tuple[Any, dict[str, Any]] | None:
        """Gives primitive and parameters of the row's equation that prints the same."""
        types = tuple(map(type_of, operands))
        key = (equation.primitive, params_key(equation, self._digests), types)
        return self._equations.get(key) if self.readable else None

    def aval(self, text: str) -> Any:
        """Gives an aval of the row by its printed type, and none where it has none of it."""
        return self._avals.get(text) if self.readable else None

    def primitive(self, name: str) -> Any:
        """Gives a primitive of the row by its name, and none where it has none of it."""
        return self._primitives.get(name) if self.readable else None

    def constants(self) -> list[tuple[str, Any]]:
        """Gives the arrays that it captures, with their types, in the order of the text."""
        return list(self._constants) if self.readable else []

    @cached_property
    def readable(self) -> bool:
        """Whether the row traces to its text here, as it does in the versions that made it."""
        x64 = jax.config.jax_enable_x64
        try:
            jax.config.update("jax_enable_x64", False)
            function = load(self._row["python"], self._row["entry_point"])
            traced = function.trace(*abstract_arguments(self._row["inputs"]))
            self._walk(parse(self._row["jaxpr"]), traced.jaxpr)
        except Exception:  # whatever a program raises
            return False
        finally:
            jax.config.update("jax_enable_x64", x64)
        return True

    def _walk(self, syntax: Jaxpr, jaxpr: Any) -> None:
        closed, inner = jaxpr, getattr(jaxpr, "jaxpr", jaxpr)
        for binder, value in zip(syntax.constants, getattr(closed, "consts", ()), strict=False):
            self._constants.append((binder.type, value))
        for binder, variable in zip(syntax.inputs, inner.invars, strict=True):
            self._avals.setdefault(binder.type, variable.aval)
        for written, eqn in zip(syntax.equations, inner.eqns, strict=True):
            self._primitives.setdefault(eqn.primitive.name, eqn.primitive)
            for atom in (*eqn.invars, *eqn.outvars):
                self._avals.setdefault(atom.aval.str_short(short_dtypes=True), atom.aval)
            types = tuple(atom.aval.str_short(short_dtypes=True) for atom in eqn.invars)
            key = (written.primitive, params_key(written, self._digests), types)
            self._equations.setdefault(key, (eqn.primitive, eqn.params))
            for name, value in written.params:
                if name in eqn.params:
                    what = (written.primitive, name, value_key(value, self._digests))
                    self._values.setdefault(what, []).append(eqn.params[name])
            for nested in _jaxprs_printed(written, eqn):
                self._walk(*nested)


def _jaxprs_printed(written: Equation, eqn: Any) -> Iterator[tuple[Jaxpr, Any]]:
    for name, value in written.params:
        found = list(_jaxprs(eqn.params.get(name)))
        if len(found) == len(value.jaxprs):
            yield from zip(value.jaxprs, found, strict=True)


def _jaxprs(value: Any) -> Iterator[Any]:
    if hasattr(value, "eqns"):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from _jaxprs(each)
