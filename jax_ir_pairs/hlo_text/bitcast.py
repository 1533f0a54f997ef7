"""Bitcasts, the one instruction whose meaning is in its layouts."""

from __future__ import annotations

from dataclasses import replace

from jax_ir_pairs.hlo_text.shapes import ArrayShape, bits
from jax_ir_pairs.hlo_text.syntax import Instruction


class BitcastInvalidError(Exception):
    """A bitcast between shapes that do not take the same memory."""


def as_logical(bitcast: Instruction, operand: ArrayShape) -> list[Instruction]:
    """Gives what a bitcast does to the elements of its operand, without layouts.

    A bitcast hands on the bytes as they lie. So the operand is transposed to the order in which
    memory has its axes, taken for the result's axes in the order of theirs, and transposed from
    that. With another type, the bits of each element are taken for one of that type.

    **Raises:** [`BitcastInvalidError`][] where the two do not take the same memory.
    """
    result = bitcast.shape
    assert isinstance(result, ArrayShape)
    if operand.size * bits(operand.dtype) != result.size * bits(result.dtype):
        raise BitcastInvalidError(f"{bitcast.name} is a bitcast of {operand} to {result}")
    order, target = operand.major_to_minor, result.major_to_minor
    steps: list[tuple[str, ArrayShape, dict[str, str]]] = []
    shape = operand.without_layout()
    if order != tuple(sorted(order)):
        shape = replace(shape, sides=operand.in_memory)
        steps.append(("transpose", shape, {"dimensions": _braced(order)}))
    if shape.dtype != result.dtype:
        for step in _converted(shape, result.dtype):
            opcode = "reshape" if step.dtype == operand.dtype else "bitcast-convert"
            steps.append((opcode, step, {}))
            shape = step
    if shape.sides != result.in_memory:
        shape = replace(shape, sides=result.in_memory)
        steps.append(("reshape", shape, {}))
    if target != tuple(sorted(target)):
        shape = result.without_layout()
        back = tuple(target.index(axis) for axis in range(len(target)))
        steps.append(("transpose", shape, {"dimensions": _braced(back)}))
    instructions: list[Instruction] = []
    name = bitcast.operands[0]
    for place, (opcode, shape, attributes) in enumerate(steps, start=1):
        # The last has the name of the bitcast, for its users.
        new = bitcast.name if place == len(steps) else f"{bitcast.name}.step{place}"
        instructions.append(Instruction(new, shape, opcode, (name,), attributes))
        name = new
    return instructions


def _converted(shape: ArrayShape, dtype: str) -> list[ArrayShape]:
    """Gives the shapes on the way to another type, of a row of elements or of parts of elements."""
    ours, theirs = bits(shape.dtype), bits(dtype)
    if ours == theirs:
        return [replace(shape, dtype=dtype)]
    flat = ArrayShape(shape.dtype, (shape.size,))
    if ours > theirs:
        return [flat, ArrayShape(dtype, (shape.size, ours // theirs))]
    count = shape.size * ours // theirs
    return [ArrayShape(shape.dtype, (count, theirs // ours)), ArrayShape(dtype, (count,))]


def _braced(numbers: tuple[int, ...]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"
