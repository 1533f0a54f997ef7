"""Where a piece of a sketch leaves something open, and which names what is left of it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_HOLES = {"one_of", "maybe", "number", "integer", "size"}


@dataclass(frozen=True, eq=False)
class Choice:
    """A place where a sketch leaves something open."""

    kind: str
    node: ast.AST
    alternatives: tuple[Segment, ...] = ()
    option: str = ""
    """Of a `maybe`: its name; the first alternative is taken where it is chosen."""
    negated: bool = False
    arguments: tuple[Any, ...] = ()
    rest: tuple[ast.stmt, ...] = ()
    """Of an `if maybe(...)` that returns: the statements after it, which are its `else`."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A piece of source: the names that it reads, and the choices in it."""

    node: Any
    names: frozenset[str]
    choices: tuple[Choice, ...]


KEPT = 2
"""Added to the outcome of a `maybe` that stays in the program, as a flag with a default."""


def left(choice: Choice, outcome: int | str) -> tuple[Segment, ...]:
    """Gives the alternatives of a choice whose text is left: one, or both of a flag."""
    if not choice.alternatives:
        return ()
    number = int(outcome)
    if choice.kind == "maybe" and number >= KEPT:
        return choice.alternatives
    return (choice.alternatives[number],)


def all_names(segment: Segment) -> set[str]:
    """Gives every name that a segment reads, whatever is chosen."""
    nested = (alternative for choice in segment.choices for alternative in choice.alternatives)
    return set(segment.names).union(*map(all_names, nested))


def all_choices(segment: Segment) -> Iterator[Choice]:
    """Gives every choice in a segment, whatever is chosen."""
    for choice in segment.choices:
        yield choice
        for alternative in choice.alternatives:
            yield from all_choices(alternative)


def choices_left(segment: Segment, outcomes: Mapping[Choice, int | str]) -> Iterator[Choice]:
    """Gives the choices of a segment and of what is left of it, in order."""
    for choice in segment.choices:
        yield choice
        for alternative in left(choice, outcomes[choice]):
            yield from choices_left(alternative, outcomes)


def hole_call(node: ast.AST) -> str:
    """Gives the name of the hole that a node is, or nothing."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _HOLES:
        return node.func.id
    return ""


def segment(node: Any) -> Segment:
    """Gives the names and the choices of a piece of source: a node or a list of statements."""
    names: set[str] = set()
    choices: list[Choice] = []
    if isinstance(node, list):
        _look_at_all(node, names, choices)
    else:
        _look(node, names, choices)
    return Segment(node, frozenset(names), tuple(choices))


def _look_at_all(body: list[ast.stmt], names: set[str], choices: list[Choice]) -> None:
    for number, node in enumerate(body):
        rest = body[number + 1 :]
        match node:
            case ast.If(test=test, body=[*_, ast.Return() | ast.Raise()] as kept, orelse=[]) if (
                rest
            ):
                if (option := _option(test)) is not None:
                    ways = (segment(kept), segment(rest))
                    choices.append(Choice("maybe", node, ways, *option, tuple(rest)))
                    return
        _look(node, names, choices)


def _look(node: ast.AST, names: set[str], choices: list[Choice]) -> None:
    if isinstance(node, ast.If | ast.IfExp) and (test := _option(node.test)) is not None:
        ways = (segment(node.body), segment(node.orelse))
        choices.append(Choice("maybe", node, ways, *test))
        return
    if kind := hole_call(node):
        assert isinstance(node, ast.Call)
        if kind == "one_of":
            choices.append(Choice(kind, node, tuple(segment(way) for way in node.args)))
        else:
            if kind == "maybe":
                raise ValueError(f"line {node.lineno}: `maybe` is the test of an if, or `not` is")
            arguments = tuple(ast.literal_eval(argument) for argument in node.args)
            choices.append(Choice(kind, node, arguments=arguments))
        return
    if isinstance(node, ast.JoinedStr) and any(map(hole_call, ast.walk(node))):
        raise ValueError(f"line {node.lineno}: an f-string leaves nothing open")
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        names.add(node.id)
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            if not is_call_of(decorator, "sketch"):
                _look(decorator, names, choices)
        _look(node.args, names, choices)
        if node.returns is not None:
            _look(node.returns, names, choices)
        _look_at_all(node.body, names, choices)
        return
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            _look_at_all(value, names, choices)
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                _look(child, names, choices)


def _option(test: ast.expr) -> tuple[str, bool, tuple[float]] | None:
    """Gives option, whether it is negated, and its probability, where a test is a `maybe`."""
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    call = test.operand if isinstance(test, ast.UnaryOp) and negated else test
    if hole_call(call) != "maybe":
        return None
    assert isinstance(call, ast.Call)
    arguments = [ast.literal_eval(argument) for argument in call.args]
    return arguments[0], negated, (arguments[1] if len(arguments) > 1 else 0.5,)


def is_option(node: ast.AST) -> bool:
    """Tells whether a statement is an `if maybe(...)`, of which nothing may be left."""
    return isinstance(node, ast.If) and _option(node.test) is not None


def is_call_of(node: ast.AST, name: str) -> bool:
    """Tells whether a node calls what has a name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
