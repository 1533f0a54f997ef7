"""An optimized module made one that runs again: its logic, without how the CPU was to do it.

XLA takes no layouts, schedules and fusions of its own making from outside. What is dropped here is
without a meaning of its own; what has one is rewritten, one function for each opcode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from jax_ir_pairs.scoring.hlo_text import bitcast, collectives
from jax_ir_pairs.scoring.hlo_text.shapes import ArrayShape, Shape, TupleShape
from jax_ir_pairs.scoring.hlo_text.syntax import Computation, HloModule, Instruction

DROPPED = frozenset(
    """
    backend_config control-predecessors frontend_attributes metadata origin
    output_to_operand_aliasing sharding statistics
    """.split()  # noqa: SIM905
)
"""Attributes that say where, when or why, and not what."""


class NoMeaningError(Exception):
    """An instruction that means something only to the process or the device it is compiled for."""


Rewriting = Callable[[Instruction, Sequence[Shape]], "list[Instruction] | str"]
"""Gives what an instruction becomes, or the name of the value that it hands on as it is.

It takes the shapes of the operands, with layouts. The last instruction has the name of the first.
"""


def runnable(module: HloModule) -> HloModule:
    """Gives a module that XLA takes as one to optimize.

    **Raises:** [`NoMeaningError`][], `BitcastInvalidError`, and KeyError for the name of a value
    that is not there.
    """
    computations = tuple(_rewritten(computation) for computation in module.computations)
    return HloModule(module.name, {}, computations)


def _rewritten(computation: Computation) -> Computation:
    shapes: dict[str, Shape] = {}
    same: dict[str, str] = {}
    instructions: list[Instruction] = []
    for instruction in computation.instructions:
        shapes[instruction.name] = instruction.shape
        named = instruction
        operands: list[Shape] = []
        if instruction.opcode not in {"constant", "parameter"}:
            operands = [shapes[name] for name in instruction.operands]
            named = replace(
                instruction, operands=tuple(same.get(name, name) for name in instruction.operands)
            )
        became = REWRITINGS.get(instruction.opcode, _plain)(named, operands)
        if isinstance(became, str):
            same[instruction.name] = became
        else:
            instructions += became
    root = same.get(computation.root.name, computation.root.name)
    return replace(
        computation,
        instructions=tuple(replace(i, is_root=i.name == root) for i in instructions),
    )


def _plain(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    return [
        replace(
            instruction,
            shape=instruction.shape.without_layout(),
            attributes=_without(instruction.attributes, DROPPED),
        )
    ]


def _without(attributes: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in attributes.items() if name not in names}


def _fusion(fusion: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    """A fusion gives what its computation does, of whatever kind it is and whoever runs it."""
    attributes = {"to_apply": fusion.attributes["calls"]}
    called = replace(fusion, opcode="call", attributes=attributes)
    return _plain(called, operands)


def _bitcast(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction] | str:
    operand = operands[0]
    if not isinstance(operand, ArrayShape) or not isinstance(instruction.shape, ArrayShape):
        raise bitcast.BitcastInvalidError(f"{instruction.name} is a bitcast of a tuple")
    return bitcast.as_logical(instruction, operand) or instruction.operands[0]


def _copy(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction] | str:
    """A copy is what it copies, in another place or layout; of another shape it is left to XLA."""
    if instruction.shape.without_layout() != operands[0].without_layout():
        return _plain(instruction, operands)
    return instruction.operands[0]


def _custom_call(instruction: Instruction, operands: Sequence[Shape]) -> list[Instruction]:
    """A custom call keeps its layouts, which the function that it calls goes by."""
    attributes = _without(instruction.attributes, DROPPED - {"backend_config"})
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
    [plain] = _plain(collectives.with_listed_groups(instruction), operands)
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
    "copy": _copy,
    "custom-call": _custom_call,
    "fusion": _fusion,
    "reduce-scatter": _collective,
    "rng-get-and-update-state": _of_process,
}
"""By opcode; any other instruction only loses its layout and the attributes of `DROPPED`."""
