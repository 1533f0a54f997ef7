"""What a task is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.scoring.refusal import Language
from jax_ir_pairs.scoring.score import Score

Row = Mapping[str, Any]
"""A row of a dataset: values by the names of the columns."""

Measure = Callable[[Row, str], Score]
"""Gives the score of an answer that is a figure or a map, and needs no compiler."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is shown, what is asked for, and in which language."""

    name: str
    reads: tuple[str, ...]
    """The columns that the question shows."""
    answer: str
    """The column that has the true answer; empty for what is told from `needs`."""
    language: Language
    runs: bool = True
    """Whether an answer can be run here; else it is read only."""
    needs: tuple[str, ...] = ()
    """The columns that `measure` tells a score from."""
    measure: Measure | None = None
    """What scores an answer of language `text`; a program is judged in a child."""

    def columns(self) -> tuple[str, ...]:
        """Gives the columns of a row that its scoring needs."""
        if self.measure is not None:
            return self.needs
        return tuple(dict.fromkeys((*PROGRAM_COLUMNS, self.answer)))


PROGRAM_COLUMNS = (
    "python",
    "entry_point",
    "inputs",
    "jaxpr",
    "stablehlo",
    "hlo",
    "num_devices",
    "seed",
)
"""What judging a program needs, beside the column of the answer."""
