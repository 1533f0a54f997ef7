"""A module of HLO text as data: computations of instructions, in the order of the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jax_ir_pairs.scoring.hlo_text.shapes import Shape


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `ROOT name = shape opcode(operands), attribute=value`."""

    name: str
    shape: Shape
    opcode: str
    operands: tuple[str, ...]
    """Names; of a constant its literal, and of a parameter its number, as they are written."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """As they are written."""
    is_root: bool = False

    def __str__(self) -> str:
        attributes = "".join(f", {name}={value}" for name, value in self.attributes.items())
        root = "ROOT " if self.is_root else ""
        operands = ", ".join(self.operands)
        return f"{root}{self.name} = {self.shape} {self.opcode}({operands}){attributes}"


@dataclass(frozen=True, slots=True)
class Computation:
    """A function of a module."""

    name: str
    instructions: tuple[Instruction, ...]
    is_entry: bool = False

    @property
    def root(self) -> Instruction:
        """What it gives: the last instruction unless another is marked."""
        marked = (i for i in self.instructions if i.is_root)
        return next(marked, self.instructions[-1])

    @property
    def parameters(self) -> list[Instruction]:
        """Its parameters, in the order of their numbers."""
        found = [i for i in self.instructions if i.opcode == "parameter"]
        return sorted(found, key=lambda parameter: int(parameter.operands[0]))

    def __str__(self) -> str:
        body = "".join(f"  {instruction}\n" for instruction in self.instructions)
        return f"{'ENTRY ' if self.is_entry else ''}{self.name} {{\n{body}}}\n"


@dataclass(frozen=True, slots=True)
class HloModule:
    """A whole text."""

    name: str
    attributes: Mapping[str, str]
    computations: tuple[Computation, ...]

    @property
    def entry(self) -> Computation:
        """The computation that runs: the last unless another is marked."""
        marked = (c for c in self.computations if c.is_entry)
        return next(marked, self.computations[-1])

    def __str__(self) -> str:
        attributes = "".join(f", {name}={value}" for name, value in self.attributes.items())
        return f"HloModule {self.name}{attributes}\n\n" + "\n".join(map(str, self.computations))
