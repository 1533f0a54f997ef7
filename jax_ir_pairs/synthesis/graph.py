"""The program as typed data: variables, calls of ops, functions, transformed functions.

Variables are compared by identity, everything else is frozen. A call's operands may be functions,
so that a scan, a cond or a vmap is a call like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from jax_ir_pairs.synthesis.types import ANYTHING, Aval, Bounds, Record, Tree

if TYPE_CHECKING:
    from jax_ir_pairs.synthesis.op import Op


@dataclass(frozen=True, slots=True, eq=False)
class Var:
    """A value: an array, or a tree of arrays. `role` is what a person would name it after."""

    type: Tree
    bounds: Bounds = ANYTHING
    role: str = ""

    @property
    def aval(self) -> Aval:
        """The type of a value that is an array."""
        assert isinstance(self.type, Aval), self.type
        return self.type


@dataclass(frozen=True, slots=True)
class Literal:
    """A Python number in the source; weakly typed, so it takes the dtype of the other operand."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the source: a helper, a loop body, a loss, or the entry point."""

    role: str
    params: tuple[Var, ...]
    body: tuple[Call, ...]
    result: Result
    doc: str = ""

    def free_vars(self) -> dict[Var, None]:
        """Gives the variables that the body takes from outside, in order of first use."""
        bound = set(self.params)
        free: dict[Var, None] = {}
        for call in self.body:
            for var in call.used_vars():
                if var not in bound:
                    free[var] = None
            bound.update(call.outs_flat())
        for var in vars_in(self.result):
            if var not in bound:
                free[var] = None
        return free


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """A function under a transformation: `jax.vmap(f, in_axes=(0, None))`."""

    transform: str
    function: Callee
    params: Mapping[str, Any] = field(default_factory=dict)


Callee: TypeAlias = Function | Transformed
Result: TypeAlias = "Var | Literal | Record | tuple[Result, ...]"
Operand: TypeAlias = "Var | Literal | Function | Transformed | Record | tuple[Operand, ...]"
Outs: TypeAlias = "Var | tuple[Outs, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One use of an op: operands in, `outs` bound (a variable, or a pattern of them)."""

    op: Op
    operands: tuple[Operand, ...]
    params: Mapping[str, Any]
    outs: Outs

    def outs_flat(self) -> Iterator[Var]:
        """Gives the variables that the call binds."""
        return vars_in(self.outs)

    def used_vars(self) -> Iterator[Var]:
        """Gives the variables that the operands mention, those free in function operands too."""
        for operand in self.operands:
            yield from vars_in(operand)


def vars_in(item: Any) -> Iterator[Var]:
    """Gives the variables in an operand, a result or a pattern, with repetition, in order."""
    if isinstance(item, Var):
        yield item
    elif isinstance(item, tuple):
        for part in item:
            yield from vars_in(part)
    elif isinstance(item, Record):
        for _, part in item.items:
            yield from vars_in(part)
    elif isinstance(item, Function):
        yield from item.free_vars()
    elif isinstance(item, Transformed):
        yield from vars_in(item.function)


def functions_in(item: Any) -> Iterator[Callee]:
    """Gives the functions in an operand, each transformed one before the one that it wraps."""
    if isinstance(item, Transformed):
        yield item
        yield from functions_in(item.function)
    elif isinstance(item, Function):
        yield item
    elif isinstance(item, tuple):
        for part in item:
            yield from functions_in(part)


def innermost(callee: Callee) -> Function:
    """Gives the function under all transformations."""
    while isinstance(callee, Transformed):
        callee = callee.function
    return callee


def walk(function: Function) -> Iterator[Call]:
    """Gives every call of a function, those of nested functions after the call that uses them."""
    for call in function.body:
        yield call
        for operand in call.operands:
            for callee in functions_in(operand):
                if isinstance(callee, Function):
                    yield from walk(callee)
