"""Examples for every task that is scored, in the forms that trainers take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.fingerprint import code_digest
from jax_ir_pairs.scoring.tasks import TASKS, task_named
from jax_ir_pairs.scoring.tasks.task import Row
from jax_ir_pairs.training.lengths import Length, length
from jax_ir_pairs.training.questions import Question, asks_for_lines, columns, draw, questions

if TYPE_CHECKING:
    import datasets

Form = Literal["prompt_completion", "conversational", "messages", "text"]
"""Columns as TRL's `SFTTrainer` takes them: `prompt` and `completion` as texts, or as lists of
messages; `messages`; `text`. https://huggingface.co/docs/trl/dataset_formats"""

FORMS: tuple[Form, ...] = get_args(Form)

_COLUMNS: Mapping[Form, tuple[str, ...]] = {
    "prompt_completion": ("prompt", "completion"),
    "conversational": ("prompt", "completion"),
    "messages": ("messages",),
    "text": ("text",),
}

Example = dict[str, Any]
Dataset = TypeVar("Dataset")

_BATCH = 100  # rows, of some 50 KB each


def to_examples(row: Row, task: str, form: Form = "prompt_completion") -> list[Example]:
    """Gives the examples of a task that a row has: none where it lacks the answer.

    Beside the columns of the form each has the row's `id`, the `task`, and for maps of lines the
    `line` of Python that is asked for, if it is one.

    **Raises:** [`UsageError`][] for a task, a form or a column that is not there.
    """
    return Examples(task, form).of_row(row)


@dataclass(frozen=True)
class Tally:
    """What became of rows: examples by their task, and what was passed over, and why."""

    rows: int
    examples: Mapping[str, int]
    too_long: Mapping[str, int]
    """Questions that are longer than `max_tokens`, by task."""
    without_answer: Mapping[str, int]
    """Rows that lack the answer to a task."""


@dataclass(frozen=True)
class Examples:
    """Turns rows into examples: call `of` with a dataset, or hand it to `map(…, batched=True)`.

    With one task a row gives all examples of it. With weights by task each row gives those of
    one: drawn by the row's seed, and where that gives none, or none short enough, the next drawn.
    Longer examples than `max_tokens` are left out, never cut; the tokens of a chat template are
    not counted. See [`length`][jax_ir_pairs.training.lengths.length] for tokenizers.

    **Raises:** [`UsageError`][] for a task, form, weight, limit or tokenizer that cannot be.
    """

    task: str | Mapping[str, float]
    form: Form = "prompt_completion"
    max_tokens: int | None = None
    tokenizer: Any = None
    seed: int = 0
    """Another seed draws other tasks; wordings are the row's."""
    code: str = field(
        default_factory=lambda: code_digest("training", "scoring/tasks"), init=False, repr=False
    )
    """What makes an example, the wordings too: `datasets` does not take up a map by older ones."""

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            task_named(name)
            if not (weight > 0 and math.isfinite(weight)):
                raise UsageError(f"Task {name}: weight {weight} must be over 0.")
        if not self.weights:
            raise UsageError("There is no task to make examples of.")
        if self.form not in FORMS:
            raise UsageError(f"There is no form {self.form!r}; there are {', '.join(FORMS)}.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max_tokens {self.max_tokens} must be at least 1.")
        length(self.tokenizer)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_length"}

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of each task."""
        return {self.task: 1.0} if isinstance(self.task, str) else self.task

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that are read."""
        return tuple(dict.fromkeys(c for name in self.weights for c in columns(TASKS[name])))

    @property
    def features(self) -> datasets.Features:
        """The columns of the examples, for `map`. Imports datasets."""
        from datasets import Features, Value

        text, turns = Value("string"), [{"role": Value("string"), "content": Value("string")}]
        kinds = {"id": text, "task": text, "line": Value("int32"), "text": text, "messages": turns}
        kinds |= dict.fromkeys(
            ("prompt", "completion"), turns if self.form == "conversational" else text
        )
        return Features({name: kinds[name] for name in self._names})

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Gives the examples of all rows of the batch, by column."""
        rows = (
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        )
        examples = [example for row in rows for example in self.of_row(row)]
        return {name: [example[name] for example in examples] for name in self._names}

    def of(self, rows: Dataset, num_proc: int | None = None) -> Dataset:
        """Gives the examples of a `Dataset`, an `IterableDataset`, or each split of a dict of them.

        They come in the order of the rows, so what deals out rows deals out examples:
        `split_dataset_by_node` before or after, shards, resuming.

        **Raises:** [`UsageError`][] that names a column which is missing, or for processes that a
        stream does not have.
        """
        made: Dataset = self._of(rows, num_proc)
        return made

    def check_columns(self, names: Iterable[str]) -> None:
        """Raises [`UsageError`][] that names a column which is read and not among these."""
        there = list(names)
        if missing := [name for name in self.columns if name not in there]:
            task = next(name for name in self.weights if missing[0] in columns(TASKS[name]))
            raise UsageError(
                f"Task {task} needs the column {missing[0]!r}; there are {', '.join(there)}."
            )

    def of_row(self, row: Row) -> list[Example]:
        """Gives the examples of one row."""
        for task in self._order(row):
            if kept := [q for q in questions(row, TASKS[task]) if self._fits(q)]:
                return [self._formed(row, question) for question in kept]
        return []

    def tally(self, rows: Iterable[Row]) -> Tally:
        """Counts what rows give, and what is left out; goes through them once."""
        count, examples, too_long, lacking = 0, Counter[str](), Counter[str](), Counter[str]()
        for row in rows:
            count += 1
            for task in self._order(row):
                found = questions(row, TASKS[task])
                fits = sum(map(self._fits, found))
                lacking[task] += not found
                too_long[task] += len(found) - fits
                examples[task] += fits
                if fits:
                    break
        return Tally(count, +examples, +too_long, +lacking)

    def _of(self, rows: Any, num_proc: int | None) -> Any:
        if isinstance(rows, dict):
            return type(rows)({name: self._of(each, num_proc) for name, each in rows.items()})
        if num_proc is not None and not hasattr(rows, "num_rows"):
            raise UsageError("num_proc is for a Dataset; a stream's workers are its DataLoader's.")
        self.check_columns(rows.column_names or list(next(iter(rows), {})))
        if getattr(rows, "num_rows", None) == 0:  # which `map` leaves as it is
            return type(rows)(self.features.arrow_schema.empty_table(), split=rows.split)
        read = list(self.columns)
        options = {} if num_proc is None else {"num_proc": num_proc}
        return rows.select_columns(read).map(
            self,
            batched=True,
            batch_size=_BATCH,
            remove_columns=read,
            features=self.features,
            **options,
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return (*_COLUMNS[self.form], "task", "id", *(("line",) if self._asks_for_lines else ()))

    @property
    def _asks_for_lines(self) -> bool:
        return any(asks_for_lines(TASKS[name]) for name in self.weights)

    @cached_property
    def _length(self) -> Length:
        return length(self.tokenizer)

    def _order(self, row: Row) -> list[str]:
        """Gives the tasks in the order in which a row tries them, each first by its weight's share.

        Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
        """
        if len(self.weights) == 1:
            return list(self.weights)
        if "seed" not in row:
            raise UsageError("A mixture needs the column 'seed', which is not there.")
        keys = {
            name: -math.log((draw(self.seed, name, row["seed"]) + 1) / 2**64) / weight
            for name, weight in self.weights.items()
        }
        return sorted(keys, key=lambda name: keys[name])

    def _fits(self, question: Question) -> bool:
        if self.max_tokens is None:
            return True
        return self._length(question.prompt + question.completion) <= self.max_tokens

    def _formed(self, row: Row, question: Question) -> Example:
        example: Example = {"task": question.task, "id": row["id"]}
        if self._asks_for_lines:
            example["line"] = question.line
        asked = [{"role": "user", "content": question.prompt.rstrip("\n")}]
        answered = [{"role": "assistant", "content": question.completion}]
        match self.form:
            case "prompt_completion":
                return {"prompt": question.prompt, "completion": question.completion, **example}
            case "conversational":
                return {"prompt": asked, "completion": answered, **example}
            case "messages":
                return {"messages": asked + answered, **example}
            case "text":
                return {"text": question.prompt + question.completion, **example}
