"""The program as typed data: variables, calls of ops, functions, transformed functions.

Variables are compared by identity, everything else is frozen. A call's operands may be functions,
so that a scan, a cond or a vmap is a call like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from jax_ir_pairs.synthesis.types import ANYTHING, Aval, Bounds, Tree

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


@dataclass(frozen=True, slots=True)
class Code:
    """A parameter whose source is given: `P("data", None)`, `jnp.float32`."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function of the source: a helper, a loop body, a loss, or the entry point."""

    role: str
    params: tuple[Var, ...]
    body: tuple[Call, ...]
    result: Result
    decorator: str = ""
    """A transformation that the definition carries: `jax.jit`, `jax.checkpoint`."""
    free_vars: tuple[Var, ...] = field(init=False)
    """The variables that the body takes from outside, in order of first use."""

    def __post_init__(self) -> None:
        bound = set(vars_in(self.params))
        free: dict[Var, None] = {}
        for call in self.body:
            for var in call.used_vars:
                if var not in bound:
                    free[var] = None
            bound.update(call.outs_flat)
        for var in vars_in(self.result):
            if var not in bound:
                free[var] = None
        object.__setattr__(self, "free_vars", tuple(free))


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """A function under a transformation: `jax.vmap(f, in_axes=(0, None))`."""

    transform: str
    function: Callee
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Defined:
    """A block of the module that defines a name: a function with rules, a class, a mesh.

    In the template `{name}` is the name, `{f0}`, `{f1}` those of the functions, `{key}` a
    parameter, and a line `{def0}` the whole definition of the first function, which takes the name
    itself where the template has no `{f0}`. The functions see nothing of the module.
    """

    role: str
    template: str
    functions: tuple[Function, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    uses: tuple[Defined, ...] = ()
    """Blocks whose names the template mentions, as `{u0}`, `{u1}`."""

    def __post_init__(self) -> None:
        for function in self.functions:
            assert not function.free_vars, function.role


Callee: TypeAlias = Function | Transformed | Defined
Result: TypeAlias = "Var | Literal | tuple[Result, ...] | None"
Operand: TypeAlias = "Var | Literal | Callee | tuple[Operand, ...] | None"
Outs: TypeAlias = "Var | tuple[Outs, ...]"


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One use of an op: operands in, `outs` bound (a variable, or a pattern of them)."""

    op: Op
    operands: tuple[Operand, ...]
    params: Mapping[str, Any]
    outs: Outs
    used_vars: tuple[Var, ...] = field(init=False)
    """The variables that the operands mention, those free in function operands too."""
    outs_flat: tuple[Var, ...] = field(init=False)
    """The variables that the call binds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "used_vars", tuple(vars_in(self.operands)))
        object.__setattr__(self, "outs_flat", tuple(vars_in(self.outs)))


def vars_in(item: Any) -> Iterable[Var]:
    """Gives the variables in an operand, a result or a pattern, with repetition, in order."""
    if isinstance(item, Var):
        return (item,)
    if isinstance(item, tuple):
        found: list[Var] = []
        for part in item:
            if isinstance(part, Var):
                found.append(part)
            else:
                found += vars_in(part)
        return found
    if isinstance(item, Function):
        return item.free_vars
    if isinstance(item, Transformed):
        return vars_in(item.function)
    return ()


def functions_in(item: Any) -> Iterator[Callee]:
    """Gives the functions in an operand, each transformed one before the one that it wraps."""
    if isinstance(item, Transformed):
        yield item
        yield from functions_in(item.function)
    elif isinstance(item, Defined):
        yield item
        yield from item.functions
    elif isinstance(item, Function):
        yield item
    elif isinstance(item, tuple):
        for part in item:
            yield from functions_in(part)


def innermost(callee: Callee) -> Function | Defined:
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
