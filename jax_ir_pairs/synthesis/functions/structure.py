"""The structure of a written program: what its syntax tree is without names and numbers."""

from __future__ import annotations

import ast
import hashlib
import json
from typing import Any

from jax_ir_pairs.synthesis.functions.module import bound_names


def structure_hash(source: str) -> str:
    """Gives 16 hex digits for a source without its names, constants, docstrings and comments.

    Names that it does not bind itself stay, and so do those of imports and attributes, which say
    what is computed. The tree is written out here, since `ast.dump` differs between versions of
    Python.
    """
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    content = _shape(tree, frozenset(bound_names(tree) - imported))
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _shape(value: Any, own: frozenset[str]) -> Any:
    match value:
        case ast.Constant():
            return ["constant", type(value.value).__name__]
        case ast.Attribute():
            return [value.attr, _shape(value.value, own)]
        case ast.AST():
            fields = [(name, getattr(value, name, None)) for name in value._fields]
            return [
                type(value).__name__,
                *([name, _shape(item, own)] for name, item in fields if item not in (None, [])),
            ]
        case list():
            return [_shape(item, own) for item in value if not _is_docstring(item)]
        case str():
            return "" if value in own else value
        case _:
            return value


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
