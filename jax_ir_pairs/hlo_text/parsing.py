"""Lines of HLO text into data, as XLA prints them: one instruction a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jax_ir_pairs.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.hlo_text.syntax import Instruction

_LINE = re.compile(r"  (ROOT )?%?([\w.$-]+) = (.+?) ([a-z][a-z0-9-]*)\((.*)$")
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,]*)\](?:\{([\d,]*)(?::[^{}]*)?\})?")
_NAME = re.compile(r"%([\w.$-]+)")
_MARK = re.compile(r'[(){}\[\]]|"(?:[^"\\]|\\.)*"|(, )(?=[\w-]+=)')
_COMMENT = re.compile(r"/\*.*?\*/")


@dataclass(frozen=True, slots=True)
class Line:
    """An instruction of which only the head is read: what most instructions need."""

    is_root: bool
    name: str
    shape: str
    opcode: str
    rest: str
    """What follows the bracket before the operands."""


def line_of(text: str) -> Line | None:
    """Gives the instruction of a line, or nothing where it has none."""
    if (match := _LINE.match(text)) is None:
        return None
    root, name, shape, opcode, rest = match.groups()
    return Line(root is not None, name, shape, opcode, rest)


def instruction_of(line: Line) -> Instruction:
    """Gives all of an instruction; raises ValueError where it does not go on as XLA prints it."""
    parts = _parts(line.rest)
    operands = tuple(_NAME.findall(parts[0]))
    attributes = dict(part.split("=", 1) for part in parts[1:])
    shape = shape_of(line.shape)
    return Instruction(line.name, shape, line.opcode, operands, attributes, line.is_root)


def _parts(rest: str) -> list[str]:
    """Gives what is between the operands' brackets, and each attribute."""
    parts: list[str] = []
    depth, begin = 1, 0
    for mark in _MARK.finditer(rest):
        if mark[0] in ("(", "{", "["):
            depth += 1
        elif mark[0] in (")", "}", "]"):
            depth -= 1
            if not depth and not parts:
                parts.append(rest[begin : mark.start()])
                begin = mark.end()
        elif mark[1] and not depth:
            if begin != mark.start():
                parts.append(rest[begin : mark.start()])
            begin = mark.end()
    if depth:
        raise ValueError(f"a bracket is not closed: {rest[:100]}")
    if begin < len(rest):
        parts.append(rest[begin:])
    return parts


def shape_of(text: str) -> Shape:
    """Gives the shape that a text is; raises ValueError for none."""
    return _shape(_COMMENT.sub("", text), 0)[0]


def _shape(text: str, place: int) -> tuple[Shape, int]:
    if text.startswith("(", place):
        parts = []
        place += 1
        while not text.startswith(")", place):
            part, place = _shape(text, place)
            parts.append(part)
            while text.startswith((",", " "), place):
                place += 1
        return TupleShape(tuple(parts)), place + 1
    if (match := _ARRAY.match(text, place)) is None:
        raise ValueError(f"{text[place : place + 40]!r} is no shape")
    order = None if match[3] is None else _numbers(match[3])
    return ArrayShape(match[1], _numbers(match[2]), order), match.end()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)
