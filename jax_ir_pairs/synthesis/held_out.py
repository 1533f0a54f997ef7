"""What no program of train, validation and test has: the ops and compositions of two more splits.

Both tables are the same for every config and seed, so what one config tests no config trains on.
A composition is a pair of names: a transformation or an op that takes functions, and another one
anywhere inside the function that it is applied to. It is counted over the draft's own graph; what
an op does inside JAX is no part of it.

`tests/synthesis/test_held_out.py` measures how many candidates have them, and prints each one's
share where the whole is off: about 2.5 to 6 % are wanted of either kind.
"""

from __future__ import annotations

from typing import Any, Literal

from jax_ir_pairs.synthesis.graph import Function, Transformed, Var, functions_in

Kind = Literal["none", "ops", "compositions", "both"]

OPS: frozenset[str] = frozenset(
    {
        "arccosh",
        "argmin",
        "bitwise_count",
        "clz",
        "cumlogsumexp",
        "cumprod",
        "population_count",
        "reversed_cumlogsumexp",
        "reversed_cumprod",
        "squareplus",
    }
)
"""Names of the op table. All but `squareplus` have a primitive that nothing else makes, neither
another op nor a derivative, so the jaxprs of train are free of it too."""

COMPOSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        ("checkpoint", "scan"),
        ("cond", "scan"),
        ("grad", "grad"),
        ("grad", "vmap"),
        ("scan", "grad"),
        ("scan", "scan"),
        ("vmap", "cond"),
        ("vmap", "scan"),
    }
)
"""Outer and inner name; a kind stands for all names that [`KINDS`][] gives it."""

KINDS: dict[str, str] = {
    "value_and_grad": "grad",
    "vjp": "grad",
    "linearize": "jvp",
    "switch": "cond",
    "map": "scan",
    "fori_loop": "scan",
    "fori_loop_dynamic": "while_loop",
}
"""Names that trace to the same primitives as another one, whose kind they are: without this a
scan in a cond would be in train as a fori_loop in a switch. Others are a kind of their own."""


def _inside(compositions: frozenset[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Gives the names that complete a composition inside of each name, in all their spellings."""
    kinds = {name: name for pair in compositions for name in pair} | KINDS
    inside = {
        outer: frozenset(inner for inner in kinds if (kinds[outer], kinds[inner]) in compositions)
        for outer in kinds
    }
    return {outer: inner for outer, inner in inside.items() if inner}


INSIDE = _inside(COMPOSITIONS)
"""By outer name: the inner ones that complete a composition."""
_NOTHING: frozenset[str] = frozenset()


def kind_of(entry: Function) -> Kind:
    """Says what of a program is held out; its structure alone decides it."""
    found: set[Kind] = set()
    _walk(entry, _NOTHING, found)
    if len(found) == 2:
        return "both"
    return found.pop() if found else "none"


def _walk(function: Function, banned: frozenset[str], found: set[Kind]) -> None:
    """Adds what a function has; `banned` are the names that complete a composition in it."""
    for call in function.body:
        name = call.op.name
        if name in OPS:
            found.add("ops")
        if name in banned:
            found.add("compositions")
        for operand in call.operands:
            if type(operand) is not Var:
                _operand(operand, banned | INSIDE.get(name, _NOTHING), found)


def _operand(operand: Any, banned: frozenset[str], found: set[Kind]) -> None:
    if isinstance(operand, tuple):
        for part in operand:
            _operand(part, banned, found)
        return
    # A transformed function is followed by the one that it wraps.
    for callee in functions_in(operand):
        if isinstance(callee, Transformed):
            if callee.transform in banned:
                found.add("compositions")
            banned |= INSIDE.get(callee.transform, _NOTHING)
        elif isinstance(callee, Function):
            _walk(callee, banned, found)
