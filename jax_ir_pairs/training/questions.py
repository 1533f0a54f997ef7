"""What a row is asked in a task, and the answer that the scorer takes as right."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.tasks import Task
from jax_ir_pairs.scoring.tasks.task import Row
from jax_ir_pairs.training import wordings

_FENCES = {"python": "python", "stablehlo": "mlir"}
_COLUMN_OF_MAPS = "line_map"


@dataclass(frozen=True, slots=True)
class Question:
    """One question and its answer; `line` where it is about one line of Python."""

    task: str
    prompt: str
    completion: str
    line: int | None = None


def columns(task: Task) -> tuple[str, ...]:
    """Gives the columns that the questions of a task are made of."""
    answer = (task.answer,) if task.answer else task.needs
    return tuple(dict.fromkeys(("id", "seed", *task.reads, *answer)))


def asks_for_lines(task: Task) -> bool:
    """Says whether questions of a task can be about one line of Python."""
    return _COLUMN_OF_MAPS in task.needs


def questions(row: Row, task: Task) -> list[Question]:
    """Gives the questions of a task about a row: none where the row lacks the answer.

    A map of lines is asked for as a whole, and then for one line that the row's seed draws.

    **Raises:** [`UsageError`][] that names a column which the row has to have.
    """
    if missing := [name for name in columns(task) if name not in row]:
        raise UsageError(f"Task {task.name} needs the column {missing[0]!r}, which is not there.")
    if any(row[name] is None for name in columns(task)):
        return []
    if asks_for_lines(task):
        return _of_lines(row, task)
    if task.answer:
        formats, completion = wordings.PROGRAM_ANSWERS[task.language], row[task.answer]
        label = wordings.LANGUAGES[task.language]
    else:
        figures = {name: row[name] for name in task.needs}
        if not all(map(math.isfinite, figures.values())):
            return []
        keys = ", ".join(f'"{name}"' for name in figures)
        formats = tuple(each.format(keys=keys) for each in wordings.FIGURES_ANSWERS)
        completion = json.dumps({name: _shortest(figure) for name, figure in figures.items()})
        label = "JSON"
    asked = _worded(row, task.name, wordings.INSTRUCTIONS[task.name], formats)
    return [Question(task.name, f"{asked}\n\n{_shown(row, task)}\n\n{label}:\n", completion)]


def draw(*key: object) -> int:
    """Gives 64 bits that stand for the key: the same everywhere."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _of_lines(row: Row, task: Task) -> list[Question]:
    level = task.reads[-1]
    lines = {entry["python"]: list(entry[level]) for entry in row[_COLUMN_OF_MAPS]}
    shown = f"{_shown(row, task, numbered=True)}\n\nJSON:\n"
    whole = _worded(row, task.name, wordings.INSTRUCTIONS[task.name], wordings.MAP_ANSWERS)
    found = [Question(task.name, f"{whole}\n\n{shown}", json.dumps(lines))]
    if lines:
        line = sorted(lines)[draw(task.name, row["seed"], "line") % len(lines)]
        one = _worded(row, f"{task.name}:", wordings.LINE[task.name], wordings.LINE_ANSWERS)
        prompt = f"{one.replace('{line}', str(line))}\n\n{shown}"
        found.append(Question(task.name, prompt, json.dumps(lines[line]), line))
    return found


def _worded(row: Row, name: str, asked: Sequence[str], answers: Sequence[str]) -> str:
    drawn = draw(name, row["seed"])
    question, answer = divmod(drawn, len(answers))
    return f"{asked[question % len(asked)]} {answers[answer]}"


def _shown(row: Row, task: Task, *, numbered: bool = False) -> str:
    parts = []
    if "inputs" in task.reads:
        arguments = json.loads(row["inputs"])
        names = ", ".join(name for name, _ in arguments)
        trees = [f"{name}: {_tree(tree)}" for name, tree in arguments]
        parts.append("\n".join([f"Entry point: {row['entry_point']}({names})", *trees]))
    for level, name in wordings.LANGUAGES.items():
        if level in task.reads:
            text = _numbered(row[level]) if numbered else row[level]
            closed = text if text.endswith("\n") else f"{text}\n"
            parts.append(f"{name[0].upper()}{name[1:]}:\n```{_FENCES.get(level, '')}\n{closed}```")
    return "\n\n".join(parts)


def _tree(tree: Any) -> str:
    return tree if isinstance(tree, str) else json.dumps(tree)


def _numbered(text: str) -> str:
    lines = text.removesuffix("\n").split("\n")  # as line_map counts them
    return "".join(f"{number:4} {line}\n" for number, line in enumerate(lines, start=1))


def _shortest(figure: float) -> float:
    return int(figure) if float(figure).is_integer() else figure
