"""The command that scores answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from jax_ir_pairs.cli.inspection import ConfigName
from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.inspect.parquet_files import ConfigFiles
    from jax_ir_pairs.scoring import Score

_STEPS = ("parses", "valid", "signature", "equivalent", "exact")


@dataclass(frozen=True, slots=True)
class _Answer:
    row_id: str
    task: str
    text: str


def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl", help="Answers, one JSON object a line: row_id, task, answer."
        ),
    ],
    dataset: Annotated[Path, typer.Option(metavar="DIR", help="Build that has the rows.")],
    config: ConfigName = None,
    task: Annotated[
        str | None, typer.Option(help="Task of the answers that do not name theirs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each score to it, as JSON lines.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Processes.")] = 2,
    inputs: Annotated[
        int, typer.Option(min=1, help="Ordinary inputs that a program is tried on, beside edges.")
    ] = 3,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="Longest time for one answer.")
    ] = 10.0,
) -> None:
    """Score what a model wrote against the rows of a build, by running it.

    Answers run in processes that can neither write files nor use the network (on Linux).
    """
    from jax_ir_pairs.inspect.parquet_files import find_config
    from jax_ir_pairs.scoring import Scorer

    answers = list(_answers(file, task))
    rows = _rows(find_config(dataset, config), answers)
    waiting = Console(stderr=True).status(f"scoring {len(answers):,} answers")
    with Scorer(workers, seconds=seconds, draws=inputs) as scorer, waiting:
        scores = scorer.score_many(
            [answer.task for answer in answers],
            [rows[answer.row_id] for answer in answers],
            [answer.text for answer in answers],
        )
    if out is not None:
        lines = (
            {"row_id": answer.row_id, "task": answer.task, **asdict(found)}
            for answer, found in zip(answers, scores, strict=True)
        )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        out.write_text(text, encoding="utf-8", newline="\n")
    Console().print(_table(answers, scores))


def _answers(file: Path, task: str | None) -> Iterator[_Answer]:
    from jax_ir_pairs.scoring.tasks import task_named

    for number, line in enumerate(file.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise UsageError(f"{where}: is no JSON object.") from None
        if not isinstance(found, dict):
            raise UsageError(f"{where}: is no JSON object.")
        row_id, name = found.get("row_id", found.get("id")), found.get("task", task)
        if not isinstance(row_id, str):
            raise UsageError(f"{where}: has no row_id, the id of the row that it answers to.")
        if not isinstance(name, str):
            raise UsageError(f"{where}: has no task; --task gives one to all that have none.")
        if not isinstance(found.get("answer"), str):
            raise UsageError(f"{where}: has no answer, which is a string.")
        yield _Answer(row_id, task_named(name).name, found["answer"])


def _rows(files: ConfigFiles, answers: Sequence[_Answer]) -> dict[str, dict[str, Any]]:
    from jax_ir_pairs.scoring.tasks import TASKS

    wanted = {answer.row_id for answer in answers}
    names = {answer.task for answer in answers}
    needed = [c for name in TASKS if name in names for c in TASKS[name].columns()]
    columns = ["id", *dict.fromkeys(needed)]
    rows = {
        row["id"]: row
        for table in files.tables(columns)
        for row in table.filter(_is_in(table, wanted)).to_pylist()
    }
    if missing := sorted(wanted - rows.keys()):
        raise UsageError(f"There is no row with the id {missing[0]!r} in {files.name}.")
    return rows


def _is_in(table: Any, wanted: set[str]) -> Any:
    import pyarrow as pa

    return pa.array([each in wanted for each in table["id"].to_pylist()])


def _table(answers: Sequence[_Answer], scores: Sequence[Score]) -> Table:
    """Gives a line for each task: its answers, the share that took each step, the mean reward."""
    # Just so narrow that 80 columns hold the longest name of a task.
    table = Table(
        "task", "answers", *_STEPS, "reward", box=None, pad_edge=False, collapse_padding=True
    )
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify = "right"
    for task in dict.fromkeys(answer.task for answer in answers):
        own = [s for a, s in zip(answers, scores, strict=True) if a.task == task]
        shares = [_share([getattr(score, step) for score in own]) for step in _STEPS]
        mean = sum(score.reward for score in own) / len(own)
        table.add_row(task, f"{len(own):,}", *shares, f"{mean:.3f}")
    return table


def _share(steps: Sequence[bool | None]) -> str:
    return (
        "–" if all(s is None for s in steps) else f"{100 * sum(map(bool, steps)) / len(steps):.1f}%"
    )
