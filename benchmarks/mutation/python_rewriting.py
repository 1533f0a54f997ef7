"""The same Python program, written otherwise."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping
from random import Random

from mutation.names import fresh


def renamed(text: str, rng: Random) -> str:
    """Other names of local variables.

    Not of what may be known by its name elsewhere: functions of the module, parameters, fields, and
    whatever a string names.
    """
    tree = ast.parse(text)
    table = fresh(sorted(_local_names(tree)), rng)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = table.get(node.id, node.id)
        elif isinstance(node, ast.Nonlocal | ast.Global):
            node.names = [table.get(name, name) for name in node.names]
    return ast.unparse(tree) + "\n"


def _local_names(tree: ast.Module) -> set[str]:
    stored: set[str] = set()
    kept: set[str] = {*dir(builtins)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                stored.add(name)
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                kept.add(name)
            case ast.arg(arg=name) | ast.Constant(value=str(name)) | ast.Attribute(attr=name):
                kept.add(name)
            case ast.keyword(arg=str(name)) | ast.MatchAs(name=str(name)):
                kept.add(name)
            case ast.alias(name=name, asname=other):
                kept.add(other or name.partition(".")[0])
        if isinstance(node, ast.ClassDef):
            kept |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            kept |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    return stored - kept


def reformatted(text: str, rng: Random) -> str:
    """Another layout, with comments between the statements."""
    lines = ast.unparse(ast.parse(text)).splitlines()
    # A statement is one line here, but for strings that go over several.
    if '"""' in text:
        return "\n".join(lines) + "\n"
    return "".join(f"{line}{rng.choice(('', ' ', '  # a comment'))}\n" for line in lines)


REWRITINGS: Mapping[str, Callable[[str, Random], str]] = {
    "renamed": renamed,
    "reformatted": reformatted,
}
