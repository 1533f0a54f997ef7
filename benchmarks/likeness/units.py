"""Programs out of the files of a package: a function that uses JAX, with what it needs.

A unit is a top-level function or a method whose body names something that its file imports from
JAX. What it needs of its file comes with it, as in a program of a build: the imports that it uses,
and the functions, classes and constants that it names, and those that these name, in the order of
the file. A function that came with another is no unit of its own. Of a method only the method is
taken, not its class. Units over `LONGEST` characters are left out.

A unit is self-contained where it is a function, every name in it is bound, and all that it imports
is the standard library, JAX but for its private modules, NumPy, SciPy, or a library that programs
of a build import as well. These are what programs of a build can be held against like for like.
"""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from likeness.packages import Source

LONGEST = 12_000
_SHORTEST_BODY = 2  # lines; what is shorter only hands on

_LIBRARIES = frozenset(("chex", "equinox", "flax", "jax", "jaxtyping", "numpy", "optax", "scipy"))
_BUILTINS = frozenset(dir(builtins))

_DEFINED = (ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Unit:
    """A real function: by itself, and as a program with what it needs."""

    package: str
    path: str
    name: str
    alone: str
    program: str
    self_contained: bool


def units(sources: Iterable[Source]) -> list[Unit]:
    """Gives the units of all files that can be parsed, each text once."""
    found: dict[str, Unit] = {}
    for source in sources:
        try:
            module = ast.parse(source.text)
        except SyntaxError:  # a template, or Python 2
            continue
        for unit in _File(source, module).units():
            found.setdefault(unit.alone, unit)
    return list(found.values())


class _File:
    """The top level of a file, by the names that it binds."""

    def __init__(self, source: Source, module: ast.Module) -> None:
        self._source = source
        self._lines = source.text.splitlines()
        self._imports: dict[str, str] = {}
        self._from_jax: set[str] = set()
        self._bound: dict[str, ast.stmt] = {}
        self._module = module
        for statement in module.body:
            self._bind(statement)

    def units(self) -> Iterator[Unit]:
        """Gives the functions and methods of the file that use JAX."""
        if not self._from_jax:
            return
        taken: set[str] = set()
        functions = [node for node in self._module.body if isinstance(node, ast.FunctionDef)]
        needs = {node.name: self._needs(node) for node in functions}
        for name, of_name in needs.items():
            taken |= of_name - {name}
        for node in functions:
            if node.name not in taken and self._uses_jax(node):
                yield from self._unit(node, node.name, needs[node.name] - {node.name})
        for holder in self._module.body:
            if isinstance(holder, ast.ClassDef):
                for method in holder.body:
                    if isinstance(method, ast.FunctionDef) and self._uses_jax(method):
                        name = f"{holder.name}.{method.name}"
                        yield from self._unit(method, name, self._needs(method) - {holder.name})

    def _unit(self, node: ast.FunctionDef, name: str, needs: set[str]) -> Iterator[Unit]:
        if _length(node) < _SHORTEST_BODY:
            return
        alone = textwrap.dedent(self._text(node))
        with_it = [self._bound[need] for need in needs if need in self._bound]
        with_it = sorted({id(each): each for each in with_it}.values(), key=lambda e: e.lineno)
        used = _names(node).union(*map(_names, with_it))
        imports = dict.fromkeys(text for bound, text in self._imports.items() if bound in used)
        parts = ["\n".join(imports), *map(self._text, with_it), alone]
        program = _joined(parts, with_it)
        if len(program) <= LONGEST:
            contained = "." not in name and _is_self_contained(program)
            source = self._source
            yield Unit(source.package, source.path, name, f"{alone}\n", program, contained)

    def _needs(self, node: ast.AST) -> set[str]:
        """Gives the names of the file's own that `node` needs, and those that these need."""
        found: set[str] = set()
        left = [node]
        while left:
            for name in _names(left.pop()) - found:
                if name in self._bound:
                    found.add(name)
                    left.append(self._bound[name])
        return found

    def _uses_jax(self, node: ast.AST) -> bool:
        return not self._from_jax.isdisjoint(_names(node))

    def _bind(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                self._import(statement, alias)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            self._bound[statement.name] = statement
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    self._bound[target.id] = statement
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            self._bound[statement.target.id] = statement

    def _import(self, statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> None:
        renamed = f" as {alias.asname}" if alias.asname else ""
        bound = alias.asname or alias.name.partition(".")[0]
        if isinstance(statement, ast.Import):
            module, text = alias.name, f"import {alias.name}{renamed}"
        else:
            module = "." * statement.level + (statement.module or "")
            text = f"from {module} import {alias.name}{renamed}"
        self._imports[bound] = text
        if module.partition(".")[0] == "jax":
            self._from_jax.add(bound)

    def _text(self, node: ast.stmt) -> str:
        decorators = node.decorator_list if isinstance(node, _DEFINED) else []
        start = min([node.lineno, *(each.lineno for each in decorators)])
        return "\n".join(self._lines[start - 1 : node.end_lineno])


def _joined(parts: list[str], with_it: list[ast.stmt]) -> str:
    """Gives a program: blank lines as the formatter has them around definitions."""
    imports, *others = parts
    text = imports
    for place, part in enumerate(others):
        first = place == 0
        both_plain = not (
            place >= len(with_it)
            or isinstance(with_it[place], _DEFINED)
            or (place > 0 and isinstance(with_it[place - 1], _DEFINED))
        )
        gap = "\n" if both_plain and not first else "\n\n" if both_plain else "\n\n\n"
        text = f"{text}{gap}{part}" if text else part
    return f"{text}\n"


def _is_self_contained(program: str) -> bool:
    module = ast.parse(program)
    bound = set(_BUILTINS)
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if not all(map(_is_at_hand, _modules(node))):
                return False
            bound.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, (*_DEFINED, ast.ExceptHandler)) and node.name:
            bound.add(node.name)
    return _names(module) <= bound


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = "." * node.level + (node.module or "")
    return [f"{module}.{alias.name}" for alias in node.names]


def _is_at_hand(module: str) -> bool:
    if module.startswith("jax._src"):
        return False
    first = module.partition(".")[0]
    return first in _LIBRARIES or first in sys.stdlib_module_names


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _length(node: ast.FunctionDef) -> int:
    """Gives the lines of a function without its head and docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
