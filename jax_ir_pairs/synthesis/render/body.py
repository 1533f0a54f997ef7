"""What is known of a function's body while its statements are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from jax_ir_pairs.synthesis.graph import Call, Function, Var, functions_in, vars_in
from jax_ir_pairs.synthesis.render.expressions import Expr
from jax_ir_pairs.synthesis.types import Aval


class Body:
    """Counts the uses of each value, so that a name can be left out or used again."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.uses = Counter(_direct_uses(function))
        self.closed_over = set(_closed_over(function))
        self._left = Counter(self.uses)
        self._own = set(function.params)
        self._waiting: dict[Var, str] = {}
        self._inside: dict[Var, tuple[Var, ...]] = {}

    def reads(self, call: Call) -> None:
        """Takes note that the operands of a call are read."""
        for var in _shallow(call.operands):
            self._left[var] -= 1
            self._waiting.pop(var, None)

    def inlines(self, call: Call, text: str) -> None:
        """Takes note that the call's expression stands where its result is used."""
        assert isinstance(call.outs, Var)
        self._waiting[call.outs] = text
        self._inside[call.outs] = self._read_by(call)

    def _read_by(self, call: Call) -> tuple[Var, ...]:
        """Gives the named values that the call's expression mentions."""
        return tuple(
            inner for var in _shallow(call.operands) for inner in self._inside.get(var, (var,))
        )

    def rebindable(self, call: Call, exprs: Mapping[Var, Expr]) -> Var | None:
        """Gives a value whose name the call's result can take: `h = jnp.tanh(h)`.

        It has the same type, nothing reads it any more, and no function closes over it.
        """
        out = call.outs
        if not isinstance(out, Var):
            self._own.update(vars_in(out))
            return None
        self._own.add(out)
        for var in self._read_by(call):
            name = exprs[var].text
            if (
                var in self._own
                and isinstance(var.type, Aval)
                and var.type == out.type
                and out.role in ("", var.role)
                and not self._left[var]
                and var not in self.closed_over
                and name.isidentifier()
                and not any(re.search(rf"\b{name}\b", text) for text in self._waiting.values())
            ):
                return var
        return None

    def rebound(self, old: Var, new: Var) -> None:
        """Takes note that the name of `old` is now that of `new`."""
        self._own.discard(old)
        self._own.add(new)


def _direct_uses(function: Function) -> list[Var]:
    """Gives the variables that the body itself mentions, not the functions in it."""
    uses = list(vars_in(function.result))
    for call in function.body:
        uses += _shallow(call.operands)
    return uses


def _shallow(operand: Any) -> list[Var]:
    if isinstance(operand, Var):
        return [operand]
    if isinstance(operand, tuple):
        return [var for part in operand for var in _shallow(part)]
    return []


def _closed_over(function: Function) -> list[Var]:
    """Gives the variables that functions in the body take from around them."""
    return [
        var
        for call in function.body
        for operand in call.operands
        for callee in functions_in(operand)
        if isinstance(callee, Function)
        for var in callee.free_vars
    ]
