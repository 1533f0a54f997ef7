"""An optimized module made one that runs again: its logic, without how the CPU was to do it.

XLA takes no layouts, schedules and fusions of its own making from outside. What is dropped here is
without a meaning of its own; what has one is rewritten, one function for each opcode. It works on
the text, as XLA prints it, line by line: most lines only lose layouts and attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jax_ir_pairs.hlo_text import bitcast, collectives
from jax_ir_pairs.hlo_text.parsing import instruction_of, line_of, shape_of
from jax_ir_pairs.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.hlo_text.syntax import Instruction

DROPPED = (
    "control-predecessors",
    "frontend_attributes",
    "metadata",
    "origin",
    "output_to_operand_aliasing",
    "sharding",
    "statistics",
)
"""Attributes that say where, when or why, and not what; a `backend_config` says how."""

_BRACES = r"\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\"|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_DROPPED = re.compile(rf", (?:{'|'.join(DROPPED)})={_BRACES}")
_LAYOUT = re.compile(r"(?<=\])\{[\d,]*(?::[^{}]*)?\}")
_BACKEND_CONFIG = ", backend_config="


class NoMeaningError(Exception):
    """An instruction that means something only to the process or the device it is compiled for."""


Rewriting = Callable[[Instruction, Sequence[Shape]], list[Instruction]]
"""Gives what an instruction becomes: it takes the shapes of the operands, with layouts.

The last instruction has the name of the first."""


def runnable(text: str) -> str:
    """Gives a module that XLA takes as one to optimize, from the text of an optimized one.

    **Raises:** [`NoMeaningError`][], `BitcastInvalidError`, KeyError for the name of a value that
    is not there, and ValueError for what is not as XLA prints it.
    """
    _, _, body = text.partition("\n")
    has_dropped = any(f", {name}=" in body for name in DROPPED)
    lines = ["HloModule m"]
    shapes: dict[str, str] = {}
    for line in body.split("\n"):
        if (found := line_of(line)) is None:
            if line.startswith("}"):
                shapes, line = {}, "}"
            lines.append(_LAYOUT.sub("", line))
            continue
        shapes[found.name] = found.shape
        rewriting = REWRITINGS.get(found.opcode)
        if rewriting is None:
            lines.append(_plain(line, has_dropped=has_dropped))
            continue
        instruction = instruction_of(found)
        operands = [shape_of(shapes[name]) for name in instruction.operands]
        *before, last = rewriting(replace(instruction, is_root=False), operands)
        lines += [f"  {each}" for each in (*before, replace(last, is_root=found.is_root))]
    return "\n".join(lines)


def _plain(line: str, *, has_dropped: bool) -> str:
    line = line.partition(_BACKEND_CONFIG)[0]
    if has_dropped:
        line = _DROPPED.sub("", line)
    return _LAYOUT.sub("", line)


def _stripped(instruction: Instruction) -> Instruction:
    return replace(
        instruction,
        shape=instruction.shape.without_layout(),
        attributes=_without(instruction.attributes, (*DROPPED, "backend_config")),
    )


def _without(attributes: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name not in names}


def _fusion(fusion: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    """A fusion gives what its computation does, of whatever kind it is and whoever runs it."""
    attributes = {"to_apply": fusion.attributes["calls"]}
    return [_stripped(replace(fusion, opcode="call", attributes=attributes))]


def _bitcast(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    operand = operands[0]
    if not isinstance(operand, ArrayShape) or not isinstance(instruction.shape, ArrayShape):
        raise bitcast.BitcastInvalidError(f"{instruction.name} is a bitcast of a tuple")
    steps = bitcast.as_logical(instruction, operand)
    return steps or [_stripped(replace(instruction, opcode="copy", attributes={}))]


def _custom_call(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    """A custom call keeps its layouts, which the function that it calls goes by."""
    attributes = _without(instruction.attributes, DROPPED)
    target = attributes["custom_call_target"].strip('"')
    if "callback" in target or target in _OF_PROCESS:
        raise NoMeaningError(f"{instruction.name} calls {target}, which is of another process")
    if target == "TopK":
        return _top_k(instruction)
    return [replace(instruction, attributes=attributes)]


_OF_PROCESS = {"GetRngSeed"}


def _top_k(instruction: Instruction) -> list[Instruction]:
    shape = instruction.shape.without_layout()
    values = shape.parts[0] if isinstance(shape, TupleShape) else shape
    if not isinstance(values, ArrayShape):
        raise KeyError(instruction.name)
    attributes = {"k": str(values.sides[-1]), "largest": "true"}
    return [replace(instruction, shape=shape, opcode="topk", attributes=attributes)]


def _collective(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    plain = _stripped(collectives.with_listed_groups(instruction))
    if plain.opcode == "all-to-all":
        return collectives.all_to_all(plain)
    return collectives.one_by_one(plain, operands)


def _of_process(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    raise NoMeaningError(f"{instruction.name} is {instruction.opcode}, of another process")


REWRITINGS: Mapping[str, Rewriting] = {
    "all-gather": _collective,
    "all-reduce": _collective,
    "all-to-all": _collective,
    "bitcast": _bitcast,
    "custom-call": _custom_call,
    "fusion": _fusion,
    "reduce-scatter": _collective,
    "rng-get-and-update-state": _of_process,
}
"""By opcode; any other instruction only loses its layout and the attributes of `DROPPED`."""
