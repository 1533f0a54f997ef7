"""The source of an item with its choices made: edits of the text that a person wrote."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jax_ir_pairs.synthesis.sketching.choices import (
    Choice,
    Segment,
    is_call_of,
    is_option,
    left,
)
from jax_ir_pairs.synthesis.sketching.source import Item, SourceFile

Edit = tuple[int, int, str]
"""Where it starts and ends, and what stands there afterwards."""

_LOOSE = (
    ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda, ast.Tuple,
)  # fmt: skip
"""What has to be in parentheses inside of another expression."""
_DEFINES = (ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Text:
    """The edits of one item under way."""

    item: Item
    outcomes: Mapping[Choice, int | str]
    flags: Mapping[str, str] = field(default_factory=dict)
    """The names of the options that stay as parameters."""
    edits: list[Edit] = field(default_factory=list)
    outdents: dict[int, int] = field(default_factory=dict)
    """By line: how many levels it moves to the left."""

    @property
    def file(self) -> SourceFile:
        """The file that the item is in."""
        return self.item.file

    def lines(self, first: int, last: int) -> None:
        """Takes lines away, both included."""
        if first <= last:
            starts = self.file.line_starts
            self.edits.append((starts[first - 1], starts[last], ""))

    def choices(self, segment: Segment) -> None:
        """Makes the edits of all choices in a segment."""
        for choice in segment.choices:
            outcome = self.outcomes[choice]
            alternatives = left(choice, outcome)
            if len(alternatives) > 1:
                assert isinstance(choice.node, ast.If | ast.IfExp)
                test = choice.node.test
                call = test.operand if isinstance(test, ast.UnaryOp) else test
                self.edits.append((*self.file.span(call), self.flags[choice.option]))
            elif isinstance(choice.node, ast.If):
                self._branch(choice.node, int(outcome), choice.rest)
            elif alternatives:
                self._expression(choice.node, alternatives[0].node)
            else:
                start, end = self.file.span(choice.node)
                # `x[:8]`, where what is left open stands apart: `x[: size("b")]`.
                start -= self.file.text[:start].endswith("[: ")
                self.edits.append((start, end, str(outcome)))
            for alternative in alternatives:
                self.choices(alternative)

    def _expression(self, node: ast.AST, kept: ast.expr) -> None:
        start, end = self.file.span(node)
        first, last = self.file.span(kept)
        loose = isinstance(kept, _LOOSE) and not self._is_free(end, start)
        self.edits.append((start, first, "(" if loose else ""))
        self.edits.append((last, end, ")" if loose else ""))
        self._move_to(self._indent(self.file.text.count("\n", 0, start) + 1), kept)

    def _move_to(self, indent: int, kept: ast.expr) -> None:
        """Moves an expression on several lines to the left, to where the one around it begins."""
        assert kept.end_lineno is not None
        closing = self._line(kept.end_lineno).lstrip(" ")
        shift = self._indent(kept.end_lineno) - indent
        if kept.end_lineno > kept.lineno and closing.startswith((")", "]", "}")) and shift > 0:
            for line in range(kept.lineno + 1, kept.end_lineno + 1):
                self.outdents[line] = self.outdents.get(line, 0) + shift

    def _indent(self, number: int) -> int:
        line = self._line(number)
        return len(line) - len(line.lstrip(" "))

    def _is_free(self, end: int, start: int) -> bool:
        """Tells whether what stands between binds to nothing outside of it."""
        before = self.file.text[:start].rstrip(" \n")[-1:]
        after = self.file.text[end:].lstrip(" \n")[:1]
        text = self.file.text[:start].rstrip(" ")
        opens = before in {"(", "[", ",", "="} or text.endswith("return")
        line_ends = self.file.text[end:].lstrip(" ")[:1] == "\n"
        return opens and (after in {")", "]", ","} or line_ends)

    def _branch(self, node: ast.If, outcome: int, rest: tuple[ast.stmt, ...]) -> None:
        header_end = node.test.end_lineno
        assert header_end is not None
        assert node.end_lineno is not None
        if rest:
            if outcome == 0:
                assert rest[-1].end_lineno is not None
                self.lines(node.lineno, header_end)
                self._outdent(header_end + 1, node.end_lineno)
                self.lines(node.end_lineno + 1, rest[-1].end_lineno)
            else:
                self.lines(node.lineno, node.end_lineno)
            return
        chained = self._is_chained(node)
        otherwise = node.orelse[0].lineno if node.orelse else node.end_lineno + 1
        if node.orelse and not chained:
            while not self._line(otherwise).lstrip().startswith("else:"):
                otherwise -= 1
        if outcome == 0:
            self.lines(node.lineno, header_end)
            self._outdent(header_end + 1, otherwise - 1)
            self.lines(otherwise, node.end_lineno)
        elif chained:
            self.lines(node.lineno, otherwise - 1)
            if not is_option(node.orelse[0]):
                start = self.file.place(otherwise, node.col_offset)
                self.edits.append((start, start + len("elif"), "if"))
        else:
            self.lines(node.lineno, min(otherwise, node.end_lineno))
            self._outdent(otherwise + 1, node.end_lineno)

    def _is_chained(self, node: ast.If) -> bool:
        return len(node.orelse) == 1 and self._line(node.orelse[0].lineno).lstrip().startswith(
            "elif "
        )

    def _line(self, number: int) -> str:
        starts = self.file.line_starts
        return self.file.text[starts[number - 1] : starts[number]]

    def _outdent(self, first: int, last: int) -> None:
        for line in range(first, last + 1):
            if self._line(line).strip():
                self.outdents[line] = self.outdents.get(line, 0) + 4

    def result(self) -> str:
        """Gives the text of the item, edited."""
        starts = self.file.line_starts
        edits = [*self.edits]
        edits += [(starts[n - 1], starts[n - 1] + width, "") for n, width in self.outdents.items()]
        nodes = (self.item.node, *self.item.more)
        text = ""
        for number, (node, span) in enumerate(zip(nodes, item_spans(self.item), strict=True)):
            if number:
                defines = any(isinstance(n, _DEFINES) for n in (nodes[number - 1], node))
                text += "\n\n\n" if defines else "\n"
            text += edited(self.file.text, span, edits).rstrip("\n")
        return text


def edited(text: str, span: tuple[int, int], edits: list[Edit]) -> str:
    """Gives a part of a text with edits made; one inside of another that starts before is void."""
    parts: list[str] = []
    place, end = span
    # What is put in somewhere comes before what is replaced there.
    for start, stop, new in sorted(edits, key=lambda e: (e[0], e[1] > e[0], -e[1])):
        if start < place or stop > end:
            continue
        parts += (text[place:start], new)
        place = stop
    parts.append(text[place:end])
    return "".join(parts)


def item_spans(item: Item) -> list[tuple[int, int]]:
    """Gives where the parts of an item start and end, without what makes it a sketch."""
    starts = item.file.line_starts
    found = []
    for node in (item.node, *item.more):
        first = node.lineno
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min(
                [first, *(d.lineno for d in node.decorator_list if not is_call_of(d, "sketch"))]
            )
        assert node.end_lineno is not None
        found.append((starts[first - 1], starts[node.end_lineno]))
    return found


def renaming(item: Item, names: Mapping[str, str], own: frozenset[str]) -> Iterator[Edit]:
    """Gives the edits that rename variables and functions.

    `own` are functions and classes of the program, whose keywords are renamed too.
    """
    file = item.file
    for node in item.nodes:
        match node:
            case ast.JoinedStr():
                start, end = file.span(node)
                yield start, end, _in_braces(file.text[start:end], names)
            case ast.Name(id=name) if name in names:
                yield *file.span(node), names[name]
            case ast.arg(arg=name) if name in names:
                start = file.place(node.lineno, node.col_offset)
                yield start, start + len(name), names[name]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if name in names:
                word = "def " if isinstance(node, ast.FunctionDef) else "class "
                start = file.place(node.lineno, node.col_offset) + len(word)
                yield start, start + len(name), names[name]
            case ast.Call() if _called(node) in own:
                for keyword in node.keywords:
                    new = names.get(keyword.arg or "", "")
                    if keyword.arg is not None and new.isidentifier():
                        start = file.place(keyword.lineno, keyword.col_offset)
                        yield start, start + len(keyword.arg), new


def _called(node: ast.Call) -> str:
    """Gives the function that a call is of, or that it binds arguments of."""
    match node:
        case ast.Call(
            func=ast.Name(id="partial") | ast.Attribute(attr="partial"), args=[first, *_]
        ):
            return first.id if isinstance(first, ast.Name) else ""
        case ast.Call(func=ast.Name(id=name)):
            return name
    return ""


def _in_braces(text: str, names: Mapping[str, str]) -> str:
    """Renames in an f-string, whose parts have no places of their own in Python 3.11."""

    def renamed(match: re.Match[str]) -> str:
        return re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda m: names.get(m[0], m[0]), match[0])

    return re.sub(r"(?<!\{)\{[^{}]+\}", renamed, text)


def tidy(text: str) -> str:
    """Gives the text without the blank lines that choices left."""
    text = re.sub(r"\n[ \t]*\n(?:[ \t]*\n)+(?=[ \t])", "\n\n", text)
    return re.sub(r"(:\n)\s*\n(?= )", r"\1", text).rstrip("\n")
