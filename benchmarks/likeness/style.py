"""How programs are written, counted by their syntax trees: what has a loop, what names are used."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

_COMMONEST = 20
_AS_OPERATORS = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "true_divide", "negative", "floor_divide"),
        *("remainder", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
        *("sub", "mul", "div", "neg", "rem", "lt", "le", "gt", "ge", "eq", "ne"),
    )
)
_OPS = (ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Subscript, ast.UnaryOp)
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

_HAVE: Mapping[str, Callable[[ast.AST], bool]] = {
    "if": lambda node: isinstance(node, ast.If),
    "for": lambda node: isinstance(node, ast.For),
    "raise or assert": lambda node: isinstance(node, (ast.Raise, ast.Assert)),
    ".shape": lambda node: isinstance(node, ast.Attribute) and node.attr == "shape",
    "and/or": lambda node: isinstance(node, ast.BoolOp),
    "f-string": lambda node: isinstance(node, ast.JoinedStr),
    "conditional expression": lambda node: isinstance(node, ast.IfExp),
    "comprehension": lambda node: isinstance(node, _COMPREHENSIONS),
    "jnp.add( and its like": lambda node: _is_operator_call(node),
    "annotations": lambda node: (
        (isinstance(node, ast.arg) and node.annotation is not None)
        or (isinstance(node, ast.FunctionDef) and node.returns is not None)
    ),
    "default arguments": lambda node: (
        isinstance(node, ast.arguments) and bool(node.defaults or any(node.kw_defaults))
    ),
    "class": lambda node: isinstance(node, ast.ClassDef),
    "lambda": lambda node: isinstance(node, ast.Lambda),
    "nested function": lambda node: (
        isinstance(node, ast.FunctionDef)
        and any(isinstance(n, ast.FunctionDef) for part in node.body for n in ast.walk(part))
    ),
    "tuple unpacked": lambda node: (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
    ),
}


@dataclass(slots=True)
class _Tally:
    programs: int = 0
    having: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    assignments: int = 0
    of_one_op: int = 0
    first_lines: list[str] = field(default_factory=list)


def style(texts: Iterable[str]) -> dict[str, float]:
    """Gives the figures of programs' style: shares from 0 to 1, and numbers of lines."""
    tally = _Tally()
    for text in texts:
        _count(text, tally)
    programs = max(tally.programs, 1)
    stores = max(tally.stored.total(), 1)
    openings = Counter(line.split()[0] for line in tally.first_lines if line.split())
    found = {name: tally.having[name] / programs for name in (*_HAVE, "comment", "docstring")}
    found["stores under the 20 commonest names"] = (
        sum(number for _, number in tally.stored.most_common(_COMMONEST)) / stores
    )
    found["stores under single letters"] = (
        sum(number for name, number in tally.stored.items() if len(name) == 1) / stores
    )
    found["assignments of one op"] = tally.of_one_op / max(tally.assignments, 1)
    found["distinct first lines of docstrings per 3,000 programs"] = (
        3000 * len(set(tally.first_lines)) / programs
    )
    found["distinct first lines, of all first lines"] = len(set(tally.first_lines)) / max(
        len(tally.first_lines), 1
    )
    found["docstrings under the commonest opening word"] = max(openings.values(), default=0) / max(
        openings.total(), 1
    )
    return found


def code_alone(text: str) -> str:
    """Gives a program without docstrings and comments, laid out by the standard library."""
    module = ast.parse(text)
    for node in ast.walk(module):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(module) + "\n"


def has_comment(text: str) -> bool:
    """Tells whether there is a comment, outside strings."""
    if "#" not in text:
        return False
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return any(token.type == tokenize.COMMENT for token in tokens)


def _count(text: str, tally: _Tally) -> None:
    tally.programs += 1
    having = {"comment"} if has_comment(text) else set()
    for node in ast.walk(ast.parse(text)):
        having.update(name for name, test in _HAVE.items() if name not in having and test(node))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_":
            tally.stored[node.id] += 1
        elif isinstance(node, ast.Assign):
            tally.assignments += 1
            tally.of_one_op += _ops(node.value) == 1
        elif isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node)):
            having.add("docstring")
            tally.first_lines.append(docstring.partition("\n")[0].strip())
    tally.having.update(having)


def _ops(value: ast.expr) -> int:
    """Counts the operations of an expression; a negative number is none."""
    return sum(
        isinstance(node, _OPS)
        and not (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant))
        for node in ast.walk(value)
    )


def _is_operator_call(node: ast.AST) -> bool:
    """Tells a call such as `jnp.add(a, b)` or `lax.mul(a, b)`, for which there is an operator."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _AS_OPERATORS
        and ast.unparse(node.func.value) in ("jnp", "lax", "jax.lax", "jax.numpy")
    )
