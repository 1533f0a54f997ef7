"""Collectives of several operands, and of a mesh's axes: made of those that StableHLO has."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import replace

from jax_ir_pairs.scoring.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.scoring.hlo_text.syntax import Instruction

_MESH = re.compile(r"mesh\[([^\]]*)\]\s*\{([^{}]*)\}")
_GRID = re.compile(r"\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")
_AXIS = re.compile(r"'([^']*)'(?:=(\d+))?")


def with_listed_groups(instruction: Instruction) -> Instruction:
    """Gives a collective whose groups are lists of devices: `{{0,1},{2,3}}`.

    They may be written as axes of a mesh, `mesh['x'=2,'y'=2] {'y'}`, where those in braces vary
    within a group, or as a transposed grid, `[2,2]<=[2,2]T(1,0)`, each row of which is a group.
    """
    groups = instruction.attributes.get("replica_groups", "")
    if (mesh := _MESH.fullmatch(groups)) is not None:
        sides = {name: int(side) for name, side in _AXIS.findall(mesh[1])}
        within = [name for name, _ in _AXIS.findall(mesh[2])]
        order = sorted(range(len(sides)), key=lambda axis: list(sides)[axis] in within)
        rows = _grid(tuple(sides.values()), order, math.prod(sides[name] for name in within))
    elif (grid := _GRID.fullmatch(groups)) is not None:
        lengths = _numbers(grid[2])
        order = _numbers(grid[3]) if grid[3] else list(range(len(lengths)))
        rows = _grid(tuple(lengths), order, _numbers(grid[1])[1])
    else:
        return instruction
    text = ",".join("{" + ",".join(map(str, row)) + "}" for row in rows)
    return replace(
        instruction, attributes={**instruction.attributes, "replica_groups": f"{{{text}}}"}
    )


def _grid(sides: tuple[int, ...], order: Sequence[int], length: int) -> list[tuple[int, ...]]:
    """Gives the numbers of the cells of a grid, its axes put in `order`, in rows of `length`."""
    strides = [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]
    cells = [
        sum(place * strides[axis] for place, axis in zip(places, order, strict=True))
        for places in itertools.product(*(range(sides[axis]) for axis in order))
    ]
    return [tuple(cells[begin : begin + length]) for begin in range(0, len(cells), length)]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def one_by_one(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    """Gives a collective of several operands, which are independent, as one for each."""
    if len(operands) == 1 or not isinstance(instruction.shape, TupleShape):
        return [instruction]
    parts = [
        replace(instruction, name=f"{instruction.name}.part{place}", shape=shape, operands=(name,))
        for place, (name, shape) in enumerate(
            zip(instruction.operands, instruction.shape.parts, strict=True)
        )
    ]
    return [*parts, _tuple(instruction, parts)]


def all_to_all(instruction: Instruction) -> list[Instruction]:
    """Gives the exchange of a tuple, one part to each device, as that of an array's slices."""
    if not isinstance(instruction.shape, TupleShape):
        return [instruction]
    first = instruction.shape.parts[0]
    assert isinstance(first, ArrayShape)
    count = len(instruction.operands)
    row = replace(first, sides=(1, *first.sides))
    whole = replace(first, sides=(count, *first.sides))
    name = instruction.name
    rows = [
        Instruction(f"{name}.row{place}", row, "reshape", (operand,))
        for place, operand in enumerate(instruction.operands)
    ]
    along = {"dimensions": "{0}"}
    if count == 1:
        sent = replace(rows[0], name=f"{name}.sent")
        rows = []
    else:
        sent = Instruction(f"{name}.sent", whole, "concatenate", tuple(r.name for r in rows), along)
    exchanged = replace(
        instruction,
        name=f"{name}.whole",
        shape=whole,
        operands=(sent.name,),
        attributes={**instruction.attributes, **along},
    )
    parts: list[Instruction] = []
    slices: list[Instruction] = []
    for place in range(count):
        bounds = [f"[{place}:{place + 1}]", *(f"[0:{side}]" for side in first.sides)]
        cut = {"slice": "{" + ", ".join(bounds) + "}"}
        new = Instruction(f"{name}.slice{place}", row, "slice", (exchanged.name,), cut)
        slices.append(new)
        parts.append(Instruction(f"{name}.part{place}", first, "reshape", (new.name,)))
    return [*rows, sent, exchanged, *slices, *parts, _tuple(instruction, parts)]


def _tuple(instruction: Instruction, parts: Sequence[Instruction]) -> Instruction:
    names = tuple(part.name for part in parts)
    return Instruction(instruction.name, instruction.shape, "tuple", names)
