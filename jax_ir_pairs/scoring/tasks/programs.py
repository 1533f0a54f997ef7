"""Tasks whose answer is a program: from one level of a row to another."""

from __future__ import annotations

from typing import get_args

from jax_ir_pairs.scoring.refusal import Language
from jax_ir_pairs.scoring.tasks.task import Task
from jax_ir_pairs.targets import TARGETS, further

_LEVELS: tuple[Language, ...] = get_args(Language)[:5]
_PAIRS: tuple[tuple[Language, Language], ...] = (
    ("python", "jaxpr"),
    ("python", "stablehlo"),
    ("jaxpr", "stablehlo"),
    ("stablehlo", "hlo"),
    ("hlo", "optimized_hlo"),
    *((level, "python") for level in _LEVELS[1:]),
)


def _translation(source: Language, result: Language) -> Task:
    also = ("entry_point", "inputs") if "python" in (source, result) else ()
    return Task(f"{source}_to_{result}", (source, *also), result, result)


def _retargeting(name: str, column: str) -> Task:
    return Task(f"cpu_to_{name}", ("optimized_hlo",), column, "optimized_hlo", runs=False)


TASKS = (
    *(_translation(*pair) for pair in _PAIRS),
    *(_retargeting(t.name, t.column("optimized_hlo")) for t in further(tuple(TARGETS))),
)
"""Translations between levels, and from the CPU's optimized module to another target's."""
