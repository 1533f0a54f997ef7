"""Whether two jaxprs are the same but for names: of variables, and of what is defined ahead."""

from __future__ import annotations

import hashlib

from jax_ir_pairs.scoring.jaxpr_text.parsing import parse
from jax_ir_pairs.scoring.jaxpr_text.syntax import Atom, Equation, Jaxpr, Literal, Value

LABELS = frozenset({"name"})
"""Parameters that only name a function."""


def same_up_to_names(a_text: str, b_text: str) -> bool:
    """Tells whether two texts are the same jaxpr with other names and other white space.

    Variables may have any names, jaxprs may be written in place or defined ahead, and functions may
    be called anything; equations are in the same order.

    **Raises:** [`NotParsedError`][] where one of them is no jaxpr.
    """
    return fingerprint(parse(a_text)) == fingerprint(parse(b_text))


def fingerprint(jaxpr: Jaxpr, known: dict[int, str] | None = None) -> str:
    """Gives a digest of all but the names; `known` keeps those of jaxprs by their `id`."""
    known = {} if known is None else known
    # Without recursion, since definitions may go deeper than Python's stack.
    stack = [] if id(jaxpr) in known else [jaxpr]
    while stack:
        top = stack[-1]
        if id(top) in known:
            stack.pop()
        elif missing := [nested for nested in top.nested() if id(nested) not in known]:
            stack += missing
        else:
            known[id(top)] = _digest(top, known)
    return known[id(jaxpr)]


def value_key(value: Value, known: dict[int, str]) -> str:
    """Gives what two values share that are the same up to names."""
    if not value.parts:
        return value.text
    for nested in value.jaxprs:
        fingerprint(nested, known)
    return "\0".join([value.text, *(known[id(nested)] for nested in value.jaxprs)])


def params_key(equation: Equation, known: dict[int, str]) -> str:
    """Gives what the parameters of two equations share that are the same up to names."""
    return "\n".join(
        f"{key}={value_key(value, known)}" for key, value in equation.params if key not in LABELS
    )


def _digest(jaxpr: Jaxpr, known: dict[int, str]) -> str:
    numbers: dict[str, int] = {}

    def bind(name: str) -> str:
        numbers[name] = len(numbers)
        return str(numbers[name])

    def read(atom: Atom) -> str:
        return f"{atom.text}:{atom.type}" if isinstance(atom, Literal) else str(numbers[atom])

    used = {atom for eqn in jaxpr.equations for atom in eqn.operands} | set(jaxpr.results)
    lines = [
        " ".join(f"{bind(b.name)}:{b.type}" for b in binders)
        for binders in (jaxpr.constants, jaxpr.inputs)
    ]
    for eqn in jaxpr.equations:
        operands = " ".join(map(read, eqn.operands))
        bound = " ".join(f"{bind(b.name) if b.name in used else '_'}:{b.type}" for b in eqn.binders)
        lines.append(f"{bound} = {eqn.primitive}[{params_key(eqn, known)}] {operands}")
    lines.append(" ".join(map(read, jaxpr.results)))
    return hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()
