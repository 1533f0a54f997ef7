"""Collectives of several operands, and of a mesh's axes: made of those that StableHLO has."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from jax_ir_pairs.scoring.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.scoring.hlo_text.syntax import Instruction

_MESH = re.compile(r"mesh\[([^\]]*)\]\s*\{([^{}]*)\}")
_AXIS = re.compile(r"'([^']*)'(?:=(\d+))?")


def with_listed_groups(instruction: Instruction) -> Instruction:
    """Gives a collective whose groups are lists of devices: `{{0,1},{2,3}}`.

    They may be written as axes of a mesh: those in braces vary within a group.
    """
    groups = instruction.attributes.get("replica_groups", "")
    if (mesh := _MESH.fullmatch(groups)) is None:
        return instruction
    sides = {name: int(side) for name, side in _AXIS.findall(mesh[1])}
    within = {name for name, _ in _AXIS.findall(mesh[2])}
    listed: dict[tuple[int, ...], list[int]] = {}
    for device, place in enumerate(itertools.product(*map(range, sides.values()))):
        group = tuple(p for p, name in zip(place, sides, strict=True) if name not in within)
        listed.setdefault(group, []).append(device)
    text = ",".join("{" + ",".join(map(str, group)) + "}" for group in listed.values())
    return replace(
        instruction, attributes={**instruction.attributes, "replica_groups": f"{{{text}}}"}
    )


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
