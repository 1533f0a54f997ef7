"""Runs a syntax tree on tracers: an equation binds its primitive, or does what its rule says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jax_ir_pairs.extraction.registry import primitives_by_name
from jax_ir_pairs.scoring.jaxpr_binding import values
from jax_ir_pairs.scoring.jaxpr_binding.known import HIDDEN, Known, type_of
from jax_ir_pairs.scoring.jaxpr_binding.rules import RULES
from jax_ir_pairs.scoring.jaxpr_text import (
    Atom,
    Binder,
    Equation,
    Jaxpr,
    Literal,
    Value,
    all_binders,
)
from jax_ir_pairs.scoring.module import NotRunnableError, NotValidError

MOST_EQUATIONS = 40_000
"""Equations over which a jaxpr, with each nested one as often as it is called, is not run."""


class _Dropped:
    """The value of a variable that prints as `_`, as others of its jaxpr do: nothing reads it."""


DROPPED = _Dropped()


class Binding:
    """One text's run on tracers; what the text lacks is looked up in the row."""

    def __init__(self, jaxpr: Jaxpr, known: Known) -> None:
        self.known = known
        # With explicit axes, as of `f32[8@x]`; equations do not print what they shard.
        self._sharded = any("@" in binder.type for binder in all_binders(jaxpr))
        self._left = MOST_EQUATIONS

    def run(self, jaxpr: Jaxpr, arguments: Sequence[Any]) -> list[Any]:
        """Gives the results of a jaxpr.

        **Raises:** [`NotValidError`][] and [`NotRunnableError`][], with the line of the equation.
        """
        values_of: dict[str, Any] = {}
        if len(jaxpr.inputs) != len(arguments):
            raise NotValidError(f"a jaxpr of {len(jaxpr.inputs)} inputs is given {len(arguments)}")
        for binder in jaxpr.constants:
            values_of[binder.name] = self._array(binder)
        for binder, argument in zip(jaxpr.inputs, arguments, strict=True):
            values_of[binder.name] = _typed(binder, argument)
        unread = [b for eqn in jaxpr.equations for b in eqn.binders if b.name == "_"]
        for equation in jaxpr.equations:
            self._left -= 1
            if self._left < 0:
                raise NotRunnableError(f"over {MOST_EQUATIONS:,} equations, calls unfolded")
            where = f"line {equation.line}, {equation.primitive}"
            try:
                operands = [self._read(atom, values_of) for atom in equation.operands]
                results = self.bound(equation, operands)
                if len(results) != len(equation.binders):
                    count = f"{len(results)} results for {len(equation.binders)} variables"
                    raise NotValidError(f"gives {count}")
                for binder, result in zip(equation.binders, results, strict=True):
                    ambiguous = binder.name == "_" and len(unread) > 1
                    value = _typed(binder, result)
                    values_of[binder.name] = DROPPED if ambiguous else value
            except (NotValidError, NotRunnableError) as error:
                if str(error).startswith("line "):
                    raise
                raise type(error)(f"{where}: {error}") from None
            except RecursionError:
                raise NotRunnableError(f"{where}: nested too deeply to be traced") from None
            except NotImplementedError as error:
                raise NotRunnableError(f"{where}: {sentence(error)}") from None
            except Exception as error:
                raise NotValidError(f"{where}: {sentence(error)}") from error
        return [self._result(atom, values_of) for atom in jaxpr.results]

    def bound(self, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
        """Gives the results of one equation: what its rule says, or what the row has there."""
        try:
            if (rule := RULES.get(equation.primitive)) is not None:
                return rule(self, equation, operands)
            if self._sharded and any("@" in type_of(operand) for operand in operands):
                raise NotRunnableError("how its result is sharded is not in the text")
            return self.bind(equation, operands)
        except NotRunnableError as error:
            if str(error).startswith("line "):  # of an equation within
                raise
            found = self.known.equation(equation, operands)
            if found is None:
                raise
            return _results(*found, operands)

    def bind(self, equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
        """Gives what the primitive of an equation gives, with the parameters that it prints."""
        name = equation.primitive
        if (primitive := _primitives().get(name) or self.known.primitive(name)) is None:
            raise NotRunnableError(f"{name} is no primitive of this JAX")
        return _results(primitive, self._params(equation), operands)

    def param(self, equation: Equation, key: str, value: Value) -> Any:
        """Gives the value of a parameter, from its text or from the row."""
        try:
            if not value.parts:
                return values.parameter(key, value.text)
            if value.text == "\0":
                closed = self.closed(value.jaxprs[0])
                has_consts = any(equation.param(name) for name in ("consts", "update_consts"))
                return closed.jaxpr if has_consts else closed
            if value.text.strip("\0 ") == "()":
                return tuple(map(self.closed, value.jaxprs))
            raise NotRunnableError(f"{key} cannot be made from its text")
        except NotRunnableError:
            found = self.known.value(equation.primitive, key, value)
            if not found:
                raise
            return found[0]

    def closed(self, jaxpr: Jaxpr) -> Any:
        """Gives a nested jaxpr as JAX has it."""
        if any("Ref" in binder.type for binder in jaxpr.inputs):
            raise NotRunnableError("has a jaxpr of references, as a kernel is")
        avals = [self.aval(binder.type) for binder in jaxpr.inputs]
        return jax.make_jaxpr(lambda *arguments: self.run(jaxpr, arguments))(*avals)

    def aval(self, text: str) -> Any:
        """Gives the aval of a printed type. **Raises:** [`NotRunnableError`][]."""
        aval = values.aval_of(text)
        if aval is None:
            aval = self.known.aval(text)
        if aval is None:
            raise NotRunnableError(f"no value of type {text} can be made")
        return aval

    def _params(self, equation: Equation) -> dict[str, Any]:
        params = dict(hidden_params().get(equation.primitive, {}))
        if equation.primitive == "broadcast_in_dim":
            params["shape"] = self.aval(equation.binders[0].type).shape
        for key, value in equation.params:
            params[key] = self.param(equation, key, value)
        return params

    def _read(self, atom: Atom, values_of: Mapping[str, Any]) -> Any:
        if isinstance(atom, Literal):
            return self._array(atom) if atom.text == HIDDEN else values.number(atom)
        if (value := values_of[atom]) is DROPPED:
            raise NotRunnableError("reads _, which several variables are called")
        return value

    def _result(self, atom: Atom, values_of: Mapping[str, Any]) -> Any:
        if atom == "_" and values_of["_"] is DROPPED:
            return DROPPED
        return self._read(atom, values_of)

    def _array(self, hidden: Binder | Literal) -> Any:
        if (value := self.known.array(hidden)) is None:
            name = hidden.name if isinstance(hidden, Binder) else hidden.text
            raise NotRunnableError(f"the value of {name}:{hidden.type} is not in the text")
        return value


def _results(primitive: Any, params: Mapping[str, Any], operands: Sequence[Any]) -> Sequence[Any]:
    results = primitive.bind(*operands, **params)
    return results if primitive.multiple_results else [results]


_primitives = cache(primitives_by_name)


@cache
def hidden_params() -> dict[str, dict[str, Any]]:
    """Gives parameters that JAX prints only where they are not these, by primitive.

    They are read off a jaxpr, since versions of JAX differ in what they hide.
    """

    def examples(x: Any) -> Any:
        unary = (lax.exp, lax.exp2, lax.log, lax.expm1, lax.log1p, lax.tanh, lax.logistic)
        more = (lax.sin, lax.cos, lax.tan, lax.sqrt, lax.rsqrt, lax.cbrt, lax.erfc)
        for function in (*unary, *more, getattr(lax, "log2", lax.log)):
            x = function(x)
        x = lax.mul(x, x)
        x = lax.broadcast_in_dim(x, (2,), ())
        x = lax.dot(x, x)
        return lax.convert_element_type(x, jnp.int32)

    traced: Any = jax.make_jaxpr(examples)(jax.ShapeDtypeStruct((), jnp.float32))
    found = {eqn.primitive.name: dict(eqn.params) for eqn in traced.jaxpr.eqns}
    found["dot_general"] |= {"precision": None, "preferred_element_type": None}
    return found


def _typed(binder: Binder, value: Any) -> Any:
    if value is DROPPED:
        if binder.name != "_":
            raise NotRunnableError("reads _, which several variables are called")
        return value
    if (found := type_of(value)) != binder.type:
        raise NotValidError(f"{binder.name} is {found} and not {binder.type}")
    return value


def sentence(error: BaseException) -> str:
    """Gives what an error says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
