"""The part of a module that one of its functions needs, as text.

What goes are the decorators of examples, the import that only they need, and those functions with
examples of their own that nothing which stays names. All else stays as it was written.
"""

from __future__ import annotations

import ast
import itertools

from jax_ir_pairs.synthesis.functions.module import PACKAGE, Module


def source_of(module: Module, entry_point: str) -> str:
    """Gives the source of the program whose entry point is a function with examples."""
    lines = module.source.splitlines()
    gone: set[int] = set()
    for function in module.functions.values():
        for call in function.decorators:
            gone |= _lines_of(call)
    for node in [*_unneeded(module, entry_point), *_imports_of_decorators(module)]:
        gone |= _with_space(lines, _lines_of(node))
    kept = [line for number, line in enumerate(lines, 1) if number not in gone]
    return "\n".join(kept).strip("\n") + "\n"


def _unneeded(module: Module, entry_point: str) -> list[ast.FunctionDef]:
    """Gives the functions with examples that neither the entry point nor the rest names."""
    others = {f.name: f for f in module.functions.values() if f.examples}
    nodes = {f.node for f in others.values()}
    waiting = [others.pop(entry_point).node, *(n for n in module.tree.body if n not in nodes)]
    while waiting:
        named = _names_in(waiting.pop()) & set(others)
        waiting += [others.pop(name).node for name in sorted(named)]
    return [function.node for function in others.values()]


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _imports_of_decorators(module: Module) -> list[ast.stmt]:
    """Gives the imports of this package on lines of their own that only the decorators need."""
    inside = {node for call in module.decorators for node in ast.walk(call)}
    used = {
        node.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node not in inside
    }
    lines = [line for node in module.tree.body for line in (node.lineno, node.end_lineno)]
    return [
        node
        for node in module.tree.body
        if _imports_only_this_package(node)
        and not used & {a.asname or a.name for a in node.names}  # type: ignore[attr-defined]
        and lines.count(node.lineno) == 2
    ]


def _imports_only_this_package(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name == PACKAGE for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module == PACKAGE


def _lines_of(node: ast.expr | ast.stmt) -> set[int]:
    """Gives the lines of a statement or a decorator, from the first of its own decorators on."""
    first = node.lineno
    if isinstance(node, ast.FunctionDef):
        first = min([first, *(decorator.lineno for decorator in node.decorator_list)])
    return set(range(first, (node.end_lineno or first) + 1))


def _with_space(lines: list[str], gone: set[int]) -> set[int]:
    """Adds the comment right above, and the blank lines above that where some follow as well."""
    above = range(min(gone) - 1, 0, -1)
    comments = set(itertools.takewhile(lambda n: lines[n - 1].startswith("#"), above))
    gone = gone | comments
    after = max(gone)
    if after < len(lines) and lines[after].strip():
        return gone
    above = range(min(gone) - 1, 0, -1)
    return gone | set(itertools.takewhile(lambda n: not lines[n - 1].strip(), above))
