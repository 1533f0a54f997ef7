"""Scores where trainers and evaluations look for them. Imports neither JAX nor any of those."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.scorer import Scorer
from jax_ir_pairs.scoring.tasks import task_named

Completion = str | Sequence[Mapping[str, Any]]
"""What a model wrote: a text, or messages, the last of which is its own."""

RewardFunction = Callable[..., list[float]]
ProcessResults = Callable[[Mapping[str, Any], Sequence[str]], dict[str, float]]

_OF_QUESTIONS = ("line",)
"""What a question may add to its row: the one line of Python that a map is asked for."""
_FENCE = "```"
_THOUGHT = "</think>"


def answer_of(completion: Completion) -> str:
    """Gives the answer in a completion: its last block of code, or all of it where it has none.

    What comes ahead of a closed `</think>` is left out. A block that is not closed counts too.
    """
    text = completion if isinstance(completion, str) else _content(completion)
    text = text.rpartition(_THOUGHT)[2]
    lines = text.splitlines(keepends=True)
    fences = [number for number, line in enumerate(lines) if line.lstrip().startswith(_FENCE)]
    if not fences:
        return text
    start = fences[-2] if len(fences) % 2 == 0 else fences[-1]
    end = fences[-1] if len(fences) % 2 == 0 else len(lines)
    return "".join(lines[start + 1 : end])


def _content(messages: Sequence[Mapping[str, Any]]) -> str:
    content = messages[-1].get("content") if messages else ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def reward_function(task: str, scorer: Scorer | None = None) -> RewardFunction:
    """Gives a reward function for TRL's `GRPOTrainer`, which passes the columns of the data set on.

    The data set has to keep the columns of the row that the task needs. Without a `scorer` there is
    one of two processes, which end with the caller's.

    **Raises:** [`UsageError`][] for an unknown task, and when called, for a missing column.
    """
    needed = task_named(task).columns()
    scores = scorer or _kept(Scorer(workers=2))

    def reward(
        prompts: Sequence[Any], completions: Sequence[Completion], **columns: Sequence[Any]
    ) -> list[float]:
        if missing := [name for name in needed if name not in columns]:
            raise UsageError(
                f"Task {task} needs the column {missing[0]!r}: keep it in the data set "
                "(remove_unused_columns=False)."
            )
        given = [*needed, *(name for name in _OF_QUESTIONS if name in columns)]
        rows = [{name: columns[name][at] for name in given} for at in range(len(completions))]
        found = scores.score_many(task, rows, [answer_of(each) for each in completions])
        return [score.reward for score in found]

    reward.__name__ = f"jax_ir_pairs_{task.replace('-', '_')}"  # what TRL logs it under
    return reward


def process_results(task: str, scorer: Scorer | None = None) -> ProcessResults:
    """Gives a `process_results` for a task of lm-evaluation-harness: metrics of one document.

    They are `reward`, and as 0 or 1 `parses`, `valid`, `signature`, `equivalent` and `exact`; all
    of them are meant to be averaged.

    **Raises:** [`UsageError`][] for an unknown task, and when called, for a missing column.
    """
    task_named(task)
    scores = scorer or _kept(Scorer())

    def metrics(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
        score = scores.score(task, doc, answer_of(results[0]))
        steps = ("parses", "valid", "signature", "equivalent", "exact")
        return {
            "reward": score.reward,
            **{step: float(bool(getattr(score, step))) for step in steps},
        }

    return metrics


def _kept(scorer: Scorer) -> Scorer:
    atexit.register(scorer.close)
    return scorer
