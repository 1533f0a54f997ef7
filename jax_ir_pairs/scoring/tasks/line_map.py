"""Tasks of telling which lines of a level come from a line of Python."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.scoring.score import Score
from jax_ir_pairs.scoring.tasks.task import Row, Task

_LINE = re.compile(
    r"^[ \t*\-]{0,8}(\d{1,7})[ \t]{0,8}(?::|->|→)[ \t]{0,8}\[?([\d, \t\-–]{0,100000})\]?[ \t]*$",
    re.M,
)
_LONGEST_RANGE = 100_000

Pairs = set[tuple[int, int]]
"""A line of Python, and a line of the level."""


def _score(level: str, row: Row, answer: str) -> Score:
    """Gives how near a map is: the harmonic mean of precision and recall over its pairs of lines.

    With a `line` in the row, which is a question's and no column, only that line is asked for, and
    a bare list of numbers is an answer too.
    """
    line = row.get("line")
    true = {
        (entry["python"], number)
        for entry in row["line_map"]
        if line is None or entry["python"] == line
        for number in entry[level]
    }
    try:
        given = _pairs(answer, line)
    except ValueError as error:
        return Score.not_parsed(str(error))
    if line is not None:
        given = {pair for pair in given if pair[0] == line}
    if not true and not given:
        return Score.near(1.0)
    right = len(true & given)
    reward = 2 * right / (len(true) + len(given))
    reason = f"{right} of {len(true)} pairs of lines, and {len(given) - right} that are wrong"
    return Score.near(reward, "" if reward == 1 else reason)


def _pairs(answer: str, line: int | None) -> Pairs:
    """Gives the pairs in an answer: JSON, or lines such as `3: 5, 6`. Raises ValueError."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = {python: _numbers(numbers) for python, numbers in _LINE.findall(answer)}
        if not found and line is not None and re.fullmatch(r"[\d,\s\-–]{1,100000}", answer.strip()):
            found = _numbers(answer)
        if not found:
            raise ValueError(
                'It is no map of lines, in JSON such as {"3": [5, 6]} or lines such as `3: 5, 6`.'
            ) from None
    if isinstance(found, list | int) and line is not None:
        found = {str(line): found if isinstance(found, list) else [found]}
    if not isinstance(found, dict):
        raise ValueError("It is JSON, but no object of lists by line.")
    return {(python, number) for python, number in _checked(found)}


def _checked(found: dict[str, Any]) -> Iterable[tuple[int, int]]:
    for python, numbers in found.items():
        if not (python.isdecimal() and len(python) < 8 and isinstance(numbers, list)):
            raise ValueError(f"{python[:40]!r}: is no line, or has no list of lines.")
        for number in numbers:
            if not isinstance(number, int) or isinstance(number, bool):
                raise ValueError(f"Line {python} has something else than numbers of lines.")
            yield int(python), number


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in re.split(r"[,\s]+", text.strip()):
        first, _, last = part.replace("–", "-").partition("-")
        if not first.isdecimal() or len(first) > 8 or len(last) > 8:
            continue
        end = int(last) if last.isdecimal() else int(first)
        if end - int(first) > _LONGEST_RANGE or len(numbers) > _LONGEST_RANGE:
            raise ValueError("It names more lines than a text has.")
        numbers += range(int(first), end + 1)
    return numbers


TASKS = tuple(
    Task(
        f"line_map_{level}",
        reads=("python", level),
        answer="",
        language="text",
        needs=("line_map",),
        measure=partial(_score, level),
    )
    for level in LEVELS[1:]
)
"""For each level below Python, the whole map, or the lines of one line of Python."""
