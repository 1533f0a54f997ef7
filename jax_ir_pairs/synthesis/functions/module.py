"""What the source of a module says of its functions, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.synthesis.functions.avals import check_avals

DECORATOR = "example_inputs"
PACKAGE = "jax_ir_pairs"


@dataclass(frozen=True)
class Function:
    """A function at the top of a module; `examples` has the inputs of each decorator."""

    node: ast.FunctionDef
    decorators: tuple[ast.Call, ...]
    examples: tuple[tuple[Any, ...], ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.name

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters that can be given by position."""
        return [arg.arg for arg in (*self.node.args.posonlyargs, *self.node.args.args)]

    @property
    def keywords(self) -> list[str]:
        """Names of the parameters that can be given by name."""
        return [arg.arg for arg in (*self.node.args.args, *self.node.args.kwonlyargs)]

    def misfit(self, count: int, keywords: Sequence[str] = ()) -> str | None:
        """Says why it cannot be called with `count` positional arguments and with `keywords`."""
        args, names = self.node.args, self.parameters
        signature = f"{self.name}({ast.unparse(args)})"
        if count > len(names) and args.vararg is None:
            return f"{signature} takes {_arguments(len(names))}, and {count} are given"
        if args.kwarg is None and (unknown := [k for k in keywords if k not in self.keywords]):
            return f"{signature} has no argument {unknown[0]!r}"
        required = names[count : len(names) - len(args.defaults)]
        required += [
            arg.arg
            for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
            if default is None
        ]
        if missing := [name for name in required if name not in keywords]:
            return f"{signature} needs {', '.join(missing)} too"
        return None


@dataclass(frozen=True)
class Module:
    """The source of a module, parsed. `file` is for messages."""

    source: str
    file: str
    tree: ast.Module

    @cached_property
    def functions(self) -> dict[str, Function]:
        """The public functions at its top, by name in order.

        **Raises:** [`UsageError`][] for examples that cannot be read, with file and line.
        """
        nodes = [node for node in self.tree.body if isinstance(node, ast.FunctionDef)]
        found = {n.name: self._function(n) for n in nodes if not n.name.startswith("_")}
        known = {call for function in found.values() for call in function.decorators}
        for call in self.decorators:
            if call not in known:
                raise self.error(call, f"{DECORATOR} is for public functions at the module's top")
        return found

    @cached_property
    def decorators(self) -> list[ast.Call]:
        """Every call of the decorator in it."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        nodes = [node for node in ast.walk(self.tree) if isinstance(node, kinds)]
        return [call for node in nodes for call in self._examples_on(node.decorator_list)]

    @cached_property
    def names(self) -> frozenset[str]:
        """Names that are bound at its top, `*` included."""
        return frozenset(name for node in self.tree.body for name in bound_names(node))

    def error(self, node: ast.expr | ast.stmt, problem: str) -> UsageError:
        """Gives the error that says what is wrong at the line of `node`."""
        return UsageError(f"{self.file}:{node.lineno}: {problem}.")

    def _function(self, node: ast.FunctionDef) -> Function:
        calls = tuple(self._examples_on(node.decorator_list))
        function = Function(node, calls, tuple(map(self._inputs, calls)))
        for call, inputs in zip(calls, function.examples, strict=True):
            if problem := function.misfit(len(inputs)):
                raise self.error(call, problem)
        return function

    def _examples_on(self, decorators: Sequence[ast.expr]) -> Iterator[ast.Call]:
        for node in decorators:
            if isinstance(node, ast.Call) and ast.unparse(node.func) in self._spellings:
                yield node

    @cached_property
    def _spellings(self) -> frozenset[str]:
        """How the decorator can be written here, such as `jax_ir_pairs.example_inputs`."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {f"{a.asname or a.name}.{DECORATOR}" for a in node.names
                          if a.name == PACKAGE}  # fmt: skip
            elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
                found |= {a.asname or a.name for a in node.names if a.name == DECORATOR}
        return frozenset(found)

    def _inputs(self, call: ast.Call) -> tuple[Any, ...]:
        if call.keywords:
            raise self.error(call, f"{DECORATOR} takes one input for each positional argument")
        try:
            inputs = tuple(ast.literal_eval(arg) for arg in call.args)
        except (ValueError, TypeError):
            raise self.error(
                call,
                f"{DECORATOR} is read and not run, so its inputs must be written out: strings "
                "such as 'f32[8,16]', and dicts, lists and tuples of them",
            ) from None
        try:
            check_avals(inputs)
        except ValueError as error:
            raise self.error(call, str(error)) from None
        return inputs


@lru_cache(maxsize=4)
def read_module(source: str, file: str = "the module") -> Module:
    """Parses a module. **Raises:** [`UsageError`][] where that is no Python."""
    try:
        return Module(source, file, ast.parse(source))
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise UsageError(f"{file}:{error.lineno}: {error.msg}: {line}") from None
    except ValueError as error:  # a null byte
        raise UsageError(f"{file}: is no Python source: {error}.") from None


def bound_names(node: ast.AST) -> set[str]:
    """Gives the names that `node` binds anywhere inside it, `*` for a star import."""
    found = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            found.add(inner.id)
        elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(inner.name)
        elif isinstance(inner, ast.arg):
            found.add(inner.arg)
        elif isinstance(inner, ast.alias):
            found.add(inner.asname or inner.name.partition(".")[0])
    return found


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"
