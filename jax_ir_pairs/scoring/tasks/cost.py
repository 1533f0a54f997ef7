"""The task of telling what the compiler says that a program costs."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from jax_ir_pairs.scoring.score import Score
from jax_ir_pairs.scoring.tasks.task import Row, Task

FIGURES = ("flops", "bytes_accessed", "num_fusions")
"""The columns that are asked for."""

_LINE = re.compile(
    r"^[ \t*\-]{0,8}[\"'`]?(\w{1,40})[\"'`]?[ \t]{0,8}[:=][ \t]{0,8}([-+\d.,_eE]{1,40})", re.M
)


def _score(row: Row, answer: str) -> Score:
    figures = _figures(answer)
    missing = [name for name in FIGURES if name not in figures]
    if len(missing) == len(FIGURES):
        return Score.not_parsed(
            f"It names none of {', '.join(FIGURES)}, as JSON or in lines such as `flops: 128`."
        )
    near = {name: _near(figures.get(name), float(row[name])) for name in FIGURES}
    reason = ", ".join(f"{name} {share:.2f}" for name, share in near.items() if share < 1)
    return Score.near(sum(near.values()) / len(FIGURES), reason)


def _near(given: float | None, true: float) -> float:
    """Gives 1 less the relative error, and at least 0; an error of a true 0 is relative to 1."""
    if given is None or not math.isfinite(given):
        return 0.0
    return max(0.0, 1.0 - abs(given - true) / max(abs(true), 1.0))


def _figures(answer: str) -> dict[str, float]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = {
            name: text.replace(",", "").replace("_", "") for name, text in _LINE.findall(answer)
        }
    if not isinstance(found, dict):
        return {}
    figures = {name: _number(found[name]) for name in FIGURES if name in found}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


TASK = Task("cost", ("python", "entry_point", "inputs"), "", "text", needs=FIGURES, measure=_score)
