"""The files of sketches, read as text: what each defines, and where each leaves something open."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from jax_ir_pairs.synthesis.sketching.choices import (
    Choice,
    Segment,
    all_choices,
    is_call_of,
    is_option,
    segment,
)
from jax_ir_pairs.synthesis.sketching.sizes import Range
from jax_ir_pairs.synthesis.sketching.types import Type, interface, keys_of, parse


@dataclass(frozen=True, eq=False)
class Item:
    """A function, a class or a constant of a file."""

    name: str
    file: SourceFile
    node: ast.stmt
    more: tuple[ast.stmt, ...] = ()
    """What belongs to it: `f.defvjp(forward, backward)`, or a function under `@f.defjvp`."""

    @cached_property
    def segment(self) -> Segment:
        """The whole of it."""
        parts = [segment(part) for part in (self.node, *self.more)]
        names = frozenset().union(*(part.names for part in parts))
        choices = tuple(choice for part in parts for choice in part.choices)
        return Segment([self.node, *self.more], names, choices)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes but those inside of f-strings, which have no places of their own in 3.11."""
        found: list[ast.AST] = []
        under_way: list[ast.AST] = [self.node, *self.more]
        while under_way:
            node = under_way.pop()
            if is_call_of(node, "sketch"):
                continue
            found.append(node)
            if not isinstance(node, ast.JoinedStr):
                under_way += ast.iter_child_nodes(node)
        return tuple(found)

    @cached_property
    def num_nodes(self) -> int:
        """Its size, whatever is chosen."""
        return len(self.nodes)

    @cached_property
    def has_checks(self) -> bool:
        """Whether it checks something and fails."""
        return any(isinstance(node, ast.Raise | ast.Assert) for node in self.nodes)

    @cached_property
    def spelled_out(self) -> frozenset[str]:
        """Names that stand somewhere as a string, an attribute, a field, or in a list."""
        found: set[str] = set()
        for node in self.nodes:
            match node:
                case ast.Constant(value=str(text)) | ast.Attribute(attr=text):
                    found.add(text)
                case ast.Nonlocal(names=names) | ast.Global(names=names):
                    found.update(names)
                case ast.ClassDef(body=body):
                    fields = (part.target for part in body if isinstance(part, ast.AnnAssign))
                    found.update(field.id for field in fields if isinstance(field, ast.Name))
        return frozenset(found)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of it that may be a name."""
        spans = [self.file.span(node) for node in (self.node, *self.more)]
        texts = (self.file.text[start:end] for start, end in spans)
        return frozenset(word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text))

    @cached_property
    def bound(self) -> frozenset[str]:
        """The names that are bound inside of it, parameters and functions too."""
        found = set()
        for node in ast.walk(self.node):
            if isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.FunctionDef) and node is not self.node:
                found.add(node.name)
        return frozenset(found)


@dataclass(frozen=True, eq=False)
class Hole:
    """A place for another sketch, `model = nested("(x: features f[n, d]) -> logits f[n, c]")`."""

    name: str
    takes: tuple[Type, ...]
    gives: Type


@dataclass(frozen=True, eq=False)
class Sketch(Item):
    """A function that can be a program, or a part of one."""

    takes: Mapping[str, Type] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    gives: Type | None = None
    sizes: Mapping[str, Range] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("f32",)
    purposes: tuple[str, ...] = ()
    details: str = ""
    weight: float = 1.0
    entry: bool = True
    fills: bool = True

    @cached_property
    def spelled_out(self) -> frozenset[str]:
        """Also the keys of its parameters' dicts, which `f(**params)` makes names."""
        keys = (key for type in self.takes.values() for key in keys_of(type))
        return super().spelled_out.union(keys)

    @property
    def function(self) -> ast.FunctionDef:
        """Its definition."""
        assert isinstance(self.node, ast.FunctionDef)
        return self.node


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A file of sketches."""

    theme: str
    stem: str
    text: str
    items: dict[str, Item] = field(default_factory=dict)
    holes: dict[str, Hole] = field(default_factory=dict)

    @cached_property
    def line_starts(self) -> list[int]:
        """The place of each line's first character, and the end."""
        return [0, *accumulate(len(line) for line in self.text.splitlines(keepends=True))]

    def place(self, line: int, column: int) -> int:
        """Gives the place in the text of a line, from 1, and a column, from 0."""
        return self.line_starts[line - 1] + column

    def span(self, node: Any) -> tuple[int, int]:
        """Gives the places where a node starts and ends."""
        return (
            self.place(node.lineno, node.col_offset),
            self.place(node.end_lineno, node.end_col_offset),
        )

    @cached_property
    def flags(self) -> dict[str, Sketch]:
        """The options that can stay as flags, by name, and the one sketch that each is about."""
        uses: dict[str, list[tuple[Item, Choice]]] = {}
        for item in self.items.values():
            for choice in all_choices(item.segment):
                if choice.kind == "maybe":
                    uses.setdefault(choice.option, []).append((item, choice))
        found = {}
        for option, places in uses.items():
            item, _ = places[0]
            one = isinstance(item, Sketch) and all(other is item for other, _ in places)
            if one and option.isidentifier() and all(self._can_stay(c) for _, c in places):
                assert isinstance(item, Sketch)
                found[option] = item
        return found

    def _can_stay(self, choice: Choice) -> bool:
        """Tells whether a branch is no part of a chain of `elif`, and has what surely stays."""
        node = choice.node
        if isinstance(node, ast.IfExp):
            return True
        assert isinstance(node, ast.If)
        if any(block and all(map(is_option, block)) for block in (node.body, node.orelse)):
            return False
        lines = [node.lineno, *(part.lineno for part in node.orelse[:1])]
        texts = (self.text[self.line_starts[line - 1] :].lstrip() for line in lines)
        return not any(text.startswith("elif ") for text in texts)

    @cached_property
    def comments(self) -> list[tuple[int, int]]:
        """Where each comment starts and ends."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [
            (self.place(*t.start), self.place(*t.end)) for t in tokens if t.type == tokenize.COMMENT
        ]


def read_file(theme: str, stem: str, text: str) -> SourceFile:
    """Gives a file's items and holes; raises `ValueError` for what is no file of sketches."""
    if not text.isascii():
        raise ValueError(f"{theme}/{stem}.py has other than ASCII characters")
    file = SourceFile(theme, stem, text)
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef():
                methods = [d for d in node.decorator_list if isinstance(d, ast.Attribute)]
                owner = next((o for d in methods if (o := _owner(file, d)) is not None), None)
                if owner is None:
                    file.items[node.name] = _function(file, node)
                else:
                    object.__setattr__(owner, "more", (*owner.more, node))
            case ast.ClassDef(name=name):
                file.items[name] = Item(name, file, node)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if is_call_of(value, "nested"):
                    assert isinstance(value, ast.Call)
                    takes, gives = interface(ast.literal_eval(value.args[0]))
                    file.holes[name] = Hole(name, tuple(type for _, type in takes), gives)
                else:
                    file.items[name] = Item(name, file, node)
            case ast.Expr(value=ast.Call()) | ast.Assign() if owner := _owner(file, node):
                object.__setattr__(owner, "more", (*owner.more, node))
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise ValueError(f"{theme}/{stem}.py, line {node.lineno}: no part of a sketch")
    return file


def _owner(file: SourceFile, node: ast.AST) -> Item | None:
    """Gives the first item that a statement or a decorator names: the one that it is about."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in file.items]
    names.sort(key=file.span)
    return file.items[names[0].id] if names else None


def _function(file: SourceFile, node: ast.FunctionDef) -> Item:
    stated = next((d for d in node.decorator_list if is_call_of(d, "sketch")), None)
    if stated is None:
        return Item(node.name, file, node)
    assert isinstance(stated, ast.Call)
    said = {k.arg: ast.literal_eval(k.value) for k in stated.keywords}
    first, _, details = (ast.get_docstring(node) or "").partition("\n\n")
    if not first:
        raise ValueError(f"{file.theme}/{file.stem}.py: {node.name} does not say what it is for")
    takes = {key.rstrip("?"): parse(value) for key, value in said["takes"].items()}
    gives = said.get("gives")
    return Sketch(
        node.name,
        file,
        node,
        takes=takes,
        optional=frozenset(key[:-1] for key in said["takes"] if key.endswith("?")),
        gives=None if gives is None else parse(gives),
        sizes=said.get("sizes") or {},
        dtypes=tuple(said.get("dtypes", "f32").split()),
        purposes=(re.sub(r"\s+", " ", first), *said.get("also", ())),
        details=details,
        weight=said.get("weight", 1.0),
        entry=said.get("entry", True),
        fills=said.get("fills", True),
    )
