"""The lines of an HLO module: XLA keeps the Python stack of each instruction, in tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from jax_ir_pairs.extraction.line_map.inheritance import NOWHERE, Lines, with_inherited

_INSTRUCTION = re.compile(r"  (?:ROOT )?%?([\w.$-]+) = ")
# An instruction: name, opcode, operands, and what follows them; or the name of a computation.
_LINE = re.compile(
    rf"^(?:{_INSTRUCTION.pattern}[^\n]*? ([a-z][a-z0-9-]*)\(([^)\n]*)([^\n]*)"
    r"|(?:ENTRY )?%?([\w.$-]+) [^\n]*\{$)",
    re.MULTILINE,
)
_METADATA = ", metadata={"
_FRAME_OF = re.compile(r"stack_frame_id=(\d+)")
_NAME = re.compile(r"%([\w.$-]+)")
_TABLE_ROW = re.compile(r"(\d+) (.*)")
_FIELD = re.compile(r"(\w+)=(\d+)")

PLACELESS = frozenset({"parameter", "constant", "tuple", "get-tuple-element", "copy"})
"""Opcodes that mostly have no place in the source, and are given none that is not their own."""


class _Instruction(NamedTuple):
    name: str
    computation: str
    opcode: str
    operands: tuple[str, ...]
    called: tuple[str, ...]
    own: Lines


def lines_of(debug_text: str, file_name: str) -> list[Lines]:
    """Gives, for each instruction in the order of the text, the lines of `file_name` it is from.

    `debug_text` is the module as printed with metadata, tables of frames, and `%` before names. A
    fusion comes from all lines of what it fuses. What XLA has made without metadata comes from
    where it is used, or in a function that is called from several places from all of them.
    """
    head, frames = _frames(debug_text, file_name)
    instructions = list(_instructions(debug_text, head, frames))
    by_name = {instruction.name: instruction for instruction in instructions}
    members: dict[str, list[str]] = defaultdict(list)
    callers: dict[str, list[str]] = defaultdict(list)
    users: dict[str, list[str]] = defaultdict(list)
    for instruction in instructions:
        members[instruction.computation].append(instruction.name)
        for computation in instruction.called:
            callers[computation].append(instruction.name)
        for operand in instruction.operands:
            users[operand].append(instruction.name)

    def made_for(name: str) -> Iterable[str]:
        instruction = by_name[name]
        return users[name] or callers[instruction.computation]

    lines = with_inherited({i.name: i.own for i in instructions}, made_for)
    lines = with_inherited(lines, lambda name: by_name[name].operands)

    def fused(name: str) -> Lines:
        inside = (n for computation in by_name[name].called for n in members[computation])
        return lines[name].union(
            *(fused(n) if by_name[n].called else by_name[n].own for n in inside)
        )

    return [
        instruction.own
        if instruction.opcode in PLACELESS
        else fused(instruction.name)
        if instruction.opcode == "fusion"
        else lines[instruction.name]
        for instruction in instructions
    ]


def is_instruction(line: str) -> bool:
    """Whether a line of an HLO text begins an instruction."""
    return _INSTRUCTION.match(line) is not None


def _instructions(text: str, begin: int, frames: dict[int, Lines]) -> Iterable[_Instruction]:
    computation = ""
    for line in _LINE.finditer(text, begin):
        name, opcode, operands, rest, header = line.groups()
        if header:
            computation = header
            continue
        # Where it is from stands behind all that it is.
        attributes, _, metadata = rest.partition(_METADATA)
        frame = _FRAME_OF.search(metadata)
        yield _Instruction(
            name=name,
            computation=computation,
            opcode=opcode,
            operands=tuple(_NAME.findall(operands)),
            called=tuple(_NAME.findall(attributes)) if "%" in attributes else (),
            own=frames.get(int(frame[1]), NOWHERE) if frame else NOWHERE,
        )


def _frames(text: str, file_name: str) -> tuple[int, dict[int, Lines]]:
    """Gives where the tables end, and the innermost line in `file_name` of each stack frame."""
    tables: dict[str, dict[int, str]] = {}
    place = 0
    for name in ("FileNames", "FunctionNames", "FileLocations", "StackFrames"):
        begin = text.find(f"\n{name}\n", place)
        if begin < 0:
            return 0, {}
        place = text.find("\n\n", begin)
        rows = (_TABLE_ROW.match(row) for row in text[begin:place].split("\n")[2:])
        tables[name] = {int(row[1]): row[2] for row in rows if row}
    files = {number for number, name in tables["FileNames"].items() if name == f'"{file_name}"'}
    located: dict[int, Lines] = {}
    for number, row in tables["FileLocations"].items():
        fields = dict(_FIELD.findall(row))
        here = int(fields["file_name_id"]) in files
        located[number] = frozenset({int(fields["line"])}) if here else NOWHERE
    frames: dict[int, Lines] = {}
    for number, row in sorted(tables["StackFrames"].items()):
        fields = dict(_FIELD.findall(row))
        # XLA prints the parent with 1 added, so that 1 is none.
        parent = int(fields["parent_frame_id"]) - 1
        frames[number] = located[int(fields["file_location_id"])] or frames.get(parent, NOWHERE)
    return place, frames
