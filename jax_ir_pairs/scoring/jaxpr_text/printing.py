"""A syntax tree, printed so that it parses back: one equation a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from jax_ir_pairs.scoring.jaxpr_text.syntax import (
    HOLE,
    Atom,
    Binder,
    Equation,
    Jaxpr,
    Literal,
    Value,
)


def printed(jaxpr: Jaxpr) -> str:
    """Gives the text of a jaxpr, with those that it holds more than once defined ahead."""
    uses = Counter(id(nested) for holder in _all_jaxprs(jaxpr) for nested in holder.nested())
    shared = [each for each in _all_jaxprs(jaxpr) if uses[id(each)] > 1]
    names = {id(each): f"jaxpr{place}" for place, each in enumerate(shared)}
    definitions = [f"let {names[id(each)]} = {_jaxpr(each, names, '')} in\n" for each in shared]
    return "".join([*definitions, _jaxpr(jaxpr, names, ""), "\n"])


def _all_jaxprs(root: Jaxpr) -> Iterator[Jaxpr]:
    found = {id(root)}
    stack = [root]
    while stack:
        jaxpr = stack.pop()
        yield jaxpr
        for nested in jaxpr.nested():
            if id(nested) not in found:
                found.add(id(nested))
                stack.append(nested)


def _jaxpr(jaxpr: Jaxpr, names: dict[int, str], indent: str) -> str:
    constants, inputs = _binders(jaxpr.constants), _binders(jaxpr.inputs)
    results = "".join(f"{_atom(atom)}, " for atom in jaxpr.results).removesuffix(" ")
    lines = [f"{{ lambda {constants}; {inputs}. let"]
    lines += [f"{indent}    {_equation(eqn, names, indent)}" for eqn in jaxpr.equations]
    return "\n".join([*lines, f"{indent}  in ({results}) }}"])


def _equation(eqn: Equation, names: dict[int, str], indent: str) -> str:
    bound = _binders(eqn.binders)
    if (index := eqn.param("index")) is not None and eqn.primitive in _ARROWS:
        return _arrow(eqn, bound, index.text)
    params = " ".join(f"{key}={_value(value, names, indent)}" for key, value in eqn.params)
    head = f"{bound} = {eqn.primitive}" if bound else eqn.primitive
    operands = "".join(f" {_atom(atom)}" for atom in eqn.operands)
    # The semicolon, since what follows an equation that binds nothing could be an operand of it.
    return f"{head}[{params}]{operands};" if params else f"{head}{operands};"


_ARROWS = ("get", "swap", "addupdate")


def _arrow(eqn: Equation, bound: str, index: str) -> str:
    reference, *rest = eqn.operands
    value = None if eqn.primitive == "get" else rest.pop(0)
    for atom in rest:
        index = index.replace(HOLE, _atom(atom), 1)
    place = f"{reference}{index}"
    if value is None:
        return f"{bound} <- {place};"
    if eqn.primitive == "addupdate":
        return f"{place} += {_atom(value)};"
    if bound:
        return f"{bound}, {place} <- {place}, {_atom(value)};"
    return f"{place} <- {_atom(value)};"


def _value(value: Value, names: dict[int, str], indent: str) -> str:
    text = value.text
    for nested in value.jaxprs:
        name = names.get(id(nested))
        inner = _jaxpr(nested, names, indent + "    ") if name is None else name
        text = text.replace(HOLE, inner, 1)
    return text


def _binders(binders: Sequence[Binder]) -> str:
    return " ".join(f"{binder.name}:{binder.type}" for binder in binders)


def _atom(atom: Atom) -> str:
    return f"{atom.text}:{atom.type}" if isinstance(atom, Literal) else atom
