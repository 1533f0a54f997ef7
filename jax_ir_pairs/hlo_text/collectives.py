"""Collectives of several operands, and of a mesh's axes: made of those that StableHLO has."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import replace

from jax_ir_pairs.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.hlo_text.syntax import Instruction

_MESH = re.compile(r"mesh\[([^\]]*)\](?:, device_ids=\((.*)\))?\s*\{([^{}]*)\}")
_GRID = re.compile(r"\[([\d,]+)\]<=(.*)")
_TILES = re.compile(r"\[([\d,]+)\](?:T\(([\d,]+)\))?")
_SIDE = re.compile(r"'([^']*)'=(\d+)")
_AXIS = re.compile(r"'([^']*)'(?::\((\d+)\)(\d+))?")


def with_listed_groups(instruction: Instruction) -> Instruction:
    """Gives a collective whose groups are lists of devices: `{{0,1},{2,3}}`.

    They may be written as axes of a mesh, `mesh['x'=2,'y'=2] {'y'}`, where those in braces vary
    within a group, or as rows of a transposed grid: `[2,2]<=[2,2]T(1,0)`. Of an axis `'x'=8` a part
    may vary: `'x':(2)4` are four places, of which there are two times as many.
    """
    attributes = dict(instruction.attributes)
    groups = attributes.get("replica_groups", "")
    if (ids := attributes.pop("device_ids", None)) is not None:
        groups = f"{groups}, device_ids={ids}"  # what comes after the comma is of the mesh
    if (mesh := _MESH.fullmatch(groups)) is not None:
        rows = _along_axes(mesh[1], mesh[3], mesh[2])
    elif (grid := _GRID.fullmatch(groups)) is not None:
        rows = _rows(_devices(grid[2]), _numbers(grid[1])[1])
    else:
        return instruction
    listed = ",".join("{" + ",".join(map(str, row)) + "}" for row in rows)
    return replace(instruction, attributes={**attributes, "replica_groups": f"{{{listed}}}"})


def _along_axes(sides: str, axes: str, ids: str | None) -> list[Sequence[int]]:
    """Gives the devices of a mesh that differ along some axes, or parts of them, in their order."""
    parts = [
        (name, int(before or 1), int(size or dict(_SIDE.findall(sides))[name]))
        for name, before, size in _AXIS.findall(axes)
    ]
    # The grid, with each axis cut where one of those parts begins or ends.
    grid: list[tuple[str, int, int]] = []
    for name, side in _SIDE.findall(sides):
        ends = {before * size for axis, before, size in parts if axis == name}
        cuts = sorted({1, int(side), *ends, *(b for axis, b, _ in parts if axis == name)})
        grid += [(name, begin, end // begin) for begin, end in itertools.pairwise(cuts)]

    def part(axis: int) -> int:
        name, begin, _ = grid[axis]
        inside = (n == name and b <= begin < b * size for n, b, size in parts)
        return next((place for place, within in enumerate(inside) if within), -1)

    lengths = tuple(length for _, _, length in grid)
    order = sorted(range(len(grid)), key=part)
    devices = _devices(ids) if ids else list(range(math.prod(lengths)))
    size = math.prod(size for _, _, size in parts)
    return _rows([devices[place] for place in _places(lengths, order)], size)


def _devices(text: str) -> list[int]:
    """Gives the devices that are listed, `0,2,1,3`, or are a transposed grid, `[2,2]T(1,0)`."""
    if (tiles := _TILES.fullmatch(text)) is None:
        return _numbers(text)
    sides = _numbers(tiles[1])
    return _places(tuple(sides), _numbers(tiles[2]) if tiles[2] else range(len(sides)))


def _places(sides: tuple[int, ...], order: Sequence[int]) -> list[int]:
    """Gives the numbers of the cells of a grid whose axes are put in `order`."""
    strides = [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]
    return [
        sum(place * strides[axis] for place, axis in zip(places, order, strict=True))
        for places in itertools.product(*(range(sides[axis]) for axis in order))
    ]


def _rows(devices: Sequence[int], length: int) -> list[Sequence[int]]:
    return [devices[begin : begin + length] for begin in range(0, len(devices), length)]


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
    if not isinstance(first, ArrayShape):
        return [instruction]  # of no meaning, as the verifier will say
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
