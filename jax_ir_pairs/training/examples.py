"""Examples for every task that is scored: what is asked, and an answer that the scorer takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.tasks import Task, task_named
from jax_ir_pairs.scoring.tasks.task import Row

Form = Literal["prompt_completion", "messages", "text"]
FORMS: tuple[Form, ...] = get_args(Form)

Example = dict[str, Any]

_WORDINGS = {
    "program": (
        "Give the {answer} of this program, and nothing else.",
        "Translate what follows to {answer}. Answer with the text alone.",
        "What is the {answer} of this? Write only that.",
    ),
    "cost": (
        "What does the compiler say this costs? Answer with a JSON object of {answer}.",
        "Give {answer} of this program as one JSON object.",
    ),
    "line_map": (
        'Which lines of {answer} come from each line of Python? Answer in JSON: {{"3": [5, 6]}}.',
        'Map each line of Python to its lines of {answer}, in JSON such as {{"3": [5, 6]}}.',
    ),
}


def to_examples(row: Row, task: str, form: Form = "prompt_completion") -> list[Example]:
    """Gives the examples of a task that a row has: none where it lacks the answer.

    **Raises:** [`UsageError`][] for a task or a form that is not there.
    """
    asked = task_named(task)
    if form not in FORMS:
        raise UsageError(f"There is no form {form!r}; there are {', '.join(FORMS)}.")
    completion = _completion(asked, row)
    if completion is None:
        return []
    prompt = f"{_instruction(asked, row)}\n\n{_shown(asked, row)}\n\n"
    if form == "messages":
        turns = (("user", prompt.rstrip("\n")), ("assistant", completion))
        return [{"messages": [{"role": role, "content": content} for role, content in turns]}]
    if form == "text":
        return [{"text": prompt + completion}]
    return [{"prompt": prompt, "completion": completion}]


@dataclass(frozen=True)
class Examples:
    """Turns batches of rows into examples: for `map` with `batched=True`."""

    task: str
    form: Form = "prompt_completion"

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Gives the examples of all rows of the batch, by column."""
        names = {"messages": ("messages",), "text": ("text",)}.get(
            self.form, ("prompt", "completion")
        )
        rows = (
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        )
        examples = [example for row in rows for example in to_examples(row, self.task, self.form)]
        return {name: [example[name] for example in examples] for name in names}


def _completion(task: Task, row: Row) -> str | None:
    if task.answer:
        answer: str | None = row.get(task.answer)
        return answer
    if any(row.get(name) is None for name in task.needs):
        return None
    if task.name == "cost":
        return json.dumps({name: row[name] for name in task.needs})
    level = task.reads[1]
    return json.dumps({str(entry["python"]): entry[level] for entry in row["line_map"]})


def _instruction(task: Task, row: Row) -> str:
    kind = "program" if task.answer else "cost" if task.name == "cost" else "line_map"
    answer = {"cost": ", ".join(task.needs)}.get(kind, task.answer or task.reads[-1])
    wordings = _WORDINGS[kind]
    drawn = hashlib.sha256(f"{task.name}/{row['seed']}".encode()).digest()
    wording = wordings[int.from_bytes(drawn[:8], "big") % len(wordings)]
    return wording.format(answer=answer)


def _shown(task: Task, row: Row) -> str:
    return "\n\n".join(f"{name}:\n{row[name]}" for name in task.reads)
