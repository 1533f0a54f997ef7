"""What an extraction gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from jax_ir_pairs.errors import Reason


@dataclass(frozen=True, slots=True)
class MappedLine:
    """A line of the source, and the lines of each level that come from it; all count from 1."""

    python: int
    jaxpr: tuple[int, ...] = ()
    stablehlo: tuple[int, ...] = ()
    hlo: tuple[int, ...] = ()
    optimized_hlo: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pass:
    """The module after an HLO pass that changed it; both names are empty before the first."""

    pipeline: str
    name: str
    hlo: str


@dataclass(frozen=True, slots=True)
class TargetLevels:
    """What a further target makes of a program, or why it refuses it."""

    target: str
    stablehlo: str | None = None
    """Nothing where it is the program's own StableHLO, or where nothing could be lowered."""
    optimized_hlo: str | None = None
    """Nothing where the target refuses the program."""
    refusal: tuple[Reason, str] | None = None

    @classmethod
    def refused(cls, target: str, reason: Reason, detail: str) -> Self:
        """Gives the levels of a target that refuses the program."""
        return cls(target, refusal=(reason, detail))


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """That somebody is to confirm what a program computes."""

    seed: int
    """What its inputs are drawn from."""
    executes: bool
    """Whether its machine code is made and run, beside whatever else confirms it."""


@dataclass(frozen=True, slots=True)
class Check:
    """Who confirmed the results of a program, and how far apart the two are."""

    checked_by: str
    max_abs_error: float
    max_rel_error: float
    executed: bool
    """Whether its machine code was run and compared as well."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The levels of a program under the source, their sizes, and the compiler's own analysis.

    The texts are canonical (see [`jax_ir_pairs.extraction.text`][]); the columns of a row that
    have the names of these fields say what they mean.
    """

    jaxpr: str
    stablehlo: str
    hlo: str
    optimized_hlo: str
    line_map: tuple[MappedLine, ...]
    primitives: tuple[str, ...]
    num_eqns: int
    num_stablehlo_ops: int
    num_hlo_instructions: int
    num_optimized_hlo_instructions: int
    num_fusions: int
    num_devices: int
    depth: int
    """How deep jaxprs are inside of each other: 1 where there is one."""
    flops: float
    bytes_accessed: float
    transcendentals: float
    peak_memory_bytes: int | None = None
    """Nothing where no machine code was made."""
    executed: bool = False
    """Whether machine code was run and its results compared."""
    checked_by: str | None = None
    """Nothing, as the next two, where the program was not run, or gives other results each time."""
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    further: tuple[TargetLevels, ...] = ()
    """The targets after the first, in the order in which they were asked for."""
    passes: tuple[Pass, ...] = ()
    """From the unoptimized to the optimized module, where they were asked for."""

    def __str__(self) -> str:
        """Gives each text under its name, for a person."""
        texts = {
            "jaxpr": self.jaxpr,
            "stablehlo": self.stablehlo,
            "hlo": self.hlo,
            "optimized_hlo": self.optimized_hlo,
        }
        for each in self.further:
            refusal = each.refusal and f"refused, {': '.join(each.refusal)}\n"
            found = {"stablehlo": each.stablehlo, "optimized_hlo": each.optimized_hlo or refusal}
            texts |= {f"{level} for {each.target}": text for level, text in found.items() if text}
        return "\n".join(f"# {title}\n{text}" for title, text in texts.items())
