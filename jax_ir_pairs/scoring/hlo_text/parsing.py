"""HLO text into data: the grammar of XLA's `hlo_parser.cc`, as far as a rewriting looks at it.

XLA's own parser has taken the text before, so that what is wrong with it was said better there.
"""

from __future__ import annotations

import re
from typing import NoReturn

from jax_ir_pairs.scoring.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.scoring.hlo_text.syntax import Computation, HloModule, Instruction

_SPACE = re.compile(r"(?:\s+|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
_NAME = re.compile(r"%?([\w.-]+)")
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,\s]*)\]")
_LAYOUT = re.compile(r"\{([\d,\s]*)(?::[^{}]*)?\}")
_ROOT = re.compile(r"ROOT\b")
_ENTRY = re.compile(r"ENTRY\b")
_ATTRIBUTE = re.compile(r"([\w.-]+)\s*=")
# What a value can have in it that ends it or that hides its end.
_MARK = re.compile(r'[(){}\[\],\s]|"(?:[^"\\]|\\.)*"|/\*.*?\*/', re.DOTALL)
_NEXT = re.compile(r"ROOT\b|%?[\w.-]+\s*=(?!=)|\}")
# What follows the attributes of the header: tables of where it is from, and computations.
_TABLE = re.compile(r"(?:FileNames|FunctionNames|FileLocations|StackFrames)\n(?:\d+ .*\n)*")
_COMPUTATION = re.compile(r"ENTRY\b|%?[\w.-]+\s*[({]")
_OPENING, _CLOSING = "({[", ")}]"
_BY_LITERAL = {"constant", "parameter"}


class SyntaxUnknownError(Exception):
    """The text is none that this grammar has."""


def parse(text: str) -> HloModule:
    """Gives a module; raises [`SyntaxUnknownError`][] for what is none."""
    try:
        return _Parser(text).module()
    except RecursionError:
        raise SyntaxUnknownError("a shape of the text nests too deep") from None


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def module(self) -> HloModule:
        self._take("HloModule")
        name = self._name()
        attributes = self._attributes()
        while self._match(_TABLE):
            pass
        computations = []
        self._skip()
        while self._place < len(self._text):
            computations.append(self._computation())
            self._skip()
        if not computations:
            self._fail("a computation")
        return HloModule(name, attributes, tuple(computations))

    def _computation(self) -> Computation:
        is_entry = self._match(_ENTRY) is not None
        name = self._name()
        if self._peek("("):  # names and shapes, which the parameters have too
            self._group()
            self._take("->")
            self._shape()
        self._take("{")
        instructions = []
        while not self._peek("}"):
            instructions.append(self._instruction())
        self._take("}")
        self._attributes()  # of its execution thread, or its name in the source
        if not instructions:
            self._fail("an instruction")
        return Computation(name, tuple(instructions), is_entry)

    def _instruction(self) -> Instruction:
        is_root = self._match(_ROOT) is not None
        name = self._name()
        self._take("=")
        shape = self._shape()
        opcode = self._name()
        self._skip()
        inside = self._group()
        literal = (inside.strip(),)
        operands = literal if opcode in _BY_LITERAL else _operands(inside)
        return Instruction(name, shape, opcode, operands, self._attributes(), is_root)

    def _attributes(self) -> dict[str, str]:
        found = {}
        while self._peek(","):
            self._take(",")
            if (match := self._match(_ATTRIBUTE)) is None:
                self._fail("an attribute")
            found[match[1]] = self._value()
        return found

    def _value(self) -> str:
        """Gives an attribute's value: up to a comma outside brackets, or what begins something."""
        self._skip()
        begin = self._place
        while (mark := _MARK.search(self._text, self._place)) is not None:
            self._place = mark.start()
            if mark[0] in _OPENING:
                self._group()
            elif mark[0] == "," or mark[0] in _CLOSING:
                break
            elif mark[0].isspace():
                end = self._place
                self._skip()
                follows = any(
                    p.match(self._text, self._place) for p in (_NEXT, _COMPUTATION, _TABLE)
                )
                if follows or self._place == len(self._text):
                    return self._text[begin:end]
            else:
                self._place = mark.end()
        return self._text[begin : self._place]

    def _shape(self) -> Shape:
        if self._peek("("):
            self._take("(")
            parts = []
            while not self._peek(")"):
                parts.append(self._shape())
                if self._peek(","):
                    self._take(",")
            self._take(")")
            return TupleShape(tuple(parts))
        if (array := self._match(_ARRAY)) is None:
            self._fail("a shape")
        # A layout follows at once: a brace after a space begins a computation.
        layout = _LAYOUT.match(self._text, self._place)
        if layout is not None:
            self._place = layout.end()
        order = _numbers(layout[1]) if layout is not None else None
        return ArrayShape(array[1], _numbers(array[2]), order)

    def _group(self) -> str:
        """Takes what is in brackets, brackets in it included, and gives it without them."""
        begin = self._place
        if self._text[begin : begin + 1] not in tuple(_OPENING):
            self._fail("a bracket")
        depth = 0
        for mark in _MARK.finditer(self._text, begin):
            if mark[0] in _OPENING:
                depth += 1
            elif mark[0] in _CLOSING:
                depth -= 1
                if not depth:
                    self._place = mark.end()
                    return self._text[begin + 1 : mark.start()]
        return self._fail("the end of a bracket")

    def _name(self) -> str:
        if (match := self._match(_NAME)) is None:
            self._fail("a name")
        return match[1]

    def _take(self, what: str) -> None:
        if not self._peek(what):
            self._fail(repr(what))
        self._place += len(what)

    def _peek(self, what: str) -> bool:
        self._skip()
        return self._text.startswith(what, self._place)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        if (match := pattern.match(self._text, self._place)) is not None:
            self._place = match.end()
        return match

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._place)
        assert space is not None
        self._place = space.end()

    def _fail(self, wanted: str) -> NoReturn:
        line = self._text.count("\n", 0, self._place) + 1
        raise SyntaxUnknownError(f"line {line} of the text does not go on with {wanted}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number.strip())


def _operands(text: str) -> tuple[str, ...]:
    """Gives the names of operands, which may come after their shapes."""
    return tuple(re.findall(r"%?([\w.-]+)\s*(?:,|$)", _without_shapes(text)))


def _without_shapes(text: str) -> str:
    plain = re.sub(r"/\*.*?\*/", "", text)
    while (shorter := re.sub(r"[({\[][^(){}\[\]]*[)}\]]", " ", plain)) != plain:
        plain = shorter
    return plain
