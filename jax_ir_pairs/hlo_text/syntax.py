"""One instruction of HLO text as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jax_ir_pairs.hlo_text.shapes import Shape


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `ROOT name = shape opcode(operands), attribute=value`."""

    name: str
    shape: Shape
    opcode: str
    operands: tuple[str, ...]
    """Their names."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """As they are written."""
    is_root: bool = False

    def __str__(self) -> str:
        attributes = "".join(f", {name}={value}" for name, value in self.attributes.items())
        root = "ROOT " if self.is_root else ""
        operands = ", ".join(self.operands)
        return f"{root}{self.name} = {self.shape} {self.opcode}({operands}){attributes}"
