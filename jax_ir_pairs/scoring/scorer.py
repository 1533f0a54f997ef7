"""Scores answers: one, or many over worker processes. Imports no JAX."""

from __future__ import annotations

import atexit
import json
import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring.process import ScoringProcess
from jax_ir_pairs.scoring.refusal import refusal
from jax_ir_pairs.scoring.score import Score
from jax_ir_pairs.scoring.tasks import task_named
from jax_ir_pairs.scoring.tasks.task import Row, Task
from jax_ir_pairs.waiting import results

SECONDS = 10.0
MEMORY_GIB = 3.0
DRAWS = 3
_IN_A_CHUNK = 8
"""Answers to one row that one worker takes at once, since it knows the row by then."""

Job = tuple[int, Task, str]
"""The place of an answer, its task, and the answer."""


class Scorer:
    """Scores answers in `workers` processes, which are started by the first answers and kept.

    Each answer has `seconds` of wall-clock time and `memory_gib` of memory, and is tried on `draws`
    ordinary inputs, and on edges. A context manager, which ends the processes.
    """

    def __init__(
        self,
        workers: int = 1,
        *,
        seconds: float = SECONDS,
        memory_gib: float = MEMORY_GIB,
        draws: int = DRAWS,
    ) -> None:
        if workers < 1 or draws < 1 or not seconds > 0 or not memory_gib > 0:
            raise UsageError("workers, draws, seconds and memory_gib have to be more than 0.")
        self._processes = [ScoringProcess(memory_gib, seconds) for _ in range(workers)]
        self._draws = draws
        self._lock = threading.Lock()

    def start(self) -> None:
        """Starts the processes ahead of the first answer, without waiting."""
        for process in self._processes:
            process.start()

    def score(self, task: str, row: Row, answer: str) -> Score:
        """Gives the score of one answer. **Raises:** as [`score_many`][]."""
        [score] = self.score_many(task, [row], [answer])
        return score

    def score_many(
        self, tasks: str | Sequence[str], rows: Sequence[Row], answers: Sequence[str]
    ) -> list[Score]:
        """Gives the score of each answer to its row, in their order.

        Answers to one row are scored together, which is quicker, and the same answer only once.

        **Raises:** [`UsageError`][] for an unknown task, a row that lacks a column, or lists of
        different lengths; [`BuildError`][] where no process can be started.
        """
        names = [tasks] * len(answers) if isinstance(tasks, str) else tasks
        if not len(names) == len(rows) == len(answers):
            raise UsageError(
                f"There are {len(names)} tasks, {len(rows)} rows and {len(answers)} answers; "
                "each answer needs one of each."
            )
        scores: list[Score | None] = [None] * len(answers)
        first: dict[tuple[str, str, str], int] = {}
        same: dict[int, int] = {}
        by_row: dict[str, list[Job]] = {}
        for place, (name, row, answer) in enumerate(zip(names, rows, answers, strict=True)):
            task = task_named(name)
            scores[place] = known = _ahead(task, row, answer)
            if known is not None:
                continue
            sent = _sent(task, row)
            before = first.setdefault((name, sent, answer), place)
            if before != place:
                same[place] = before
            else:
                by_row.setdefault(sent, []).append((place, task, answer))
        with self._lock:
            for place, score in self._judged(by_row):
                scores[place] = score
        return [scores[same.get(place, place)] or Score() for place in range(len(scores))]

    def _judged(self, by_row: Mapping[str, Sequence[Job]]) -> list[tuple[int, Score]]:
        waiting: queue.SimpleQueue[tuple[str, Sequence[Job]]] = queue.SimpleQueue()
        for row, jobs in by_row.items():
            for start in range(0, len(jobs), _IN_A_CHUNK):
                waiting.put((row, jobs[start : start + _IN_A_CHUNK]))
        found: list[tuple[int, Score]] = []
        stop = threading.Event()

        def work(process: ScoringProcess) -> None:
            while True:
                try:
                    row, jobs = waiting.get_nowait()
                except queue.Empty:
                    return
                for place, task, answer in jobs:
                    if stop.is_set():
                        return
                    request = _request(task, answer, self._draws)
                    found.append((place, process.score(row, request)))

        processes = self._processes[: max(1, waiting.qsize())]
        if len(processes) == 1:
            work(processes[0])
            return found
        with ThreadPoolExecutor(len(processes)) as pool:
            try:
                for _ in results([pool.submit(work, process) for process in processes]):
                    pass
            finally:  # after Ctrl-C the others end with the answers that they are at
                stop.set()
        return found

    def close(self) -> None:
        """Ends the processes; a later answer starts them again."""
        for process in self._processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _ahead(task: Task, row: Row, answer: Any) -> Score | None:
    """Gives the score of what needs no process: refused, measured, or the row's own text."""
    if not isinstance(answer, str):
        return Score.refused(f"The answer is no text but {type(answer).__name__}.")
    for column in task.columns():
        if column not in row:
            raise UsageError(f"The row has no column {column!r}, which task {task.name} needs.")
    if task.measure is not None:
        reason = refusal(task.language, answer)
        return Score.refused(reason) if reason else task.measure(row, answer)
    own = row[task.answer]
    if own is None:
        raise UsageError(f"The row's {task.answer!r} is null: its target refuses the program.")
    if answer.strip() == own.strip():
        return Score.right(exact=True)
    reason = refusal(task.language, answer, own)
    return Score.refused(reason) if reason else None


def _sent(task: Task, row: Row) -> str:
    return json.dumps({name: row[name] for name in task.columns()})


def _request(task: Task, answer: str, draws: int) -> dict[str, Any]:
    return {
        "language": task.language,
        "column": task.answer,
        "runs": task.runs,
        "answer": answer,
        "draws": draws,
    }


_kept: Scorer | None = None
_keeping = threading.Lock()


def _keep() -> Scorer:
    global _kept
    with _keeping:
        if _kept is None:
            _kept = Scorer()
            atexit.register(_kept.close)
        return _kept


def score(task: str, row: Row, answer: str) -> Score:
    """Gives the score of one answer to a row, in a process that is kept until the caller's ends.

    **Raises:** [`UsageError`][] for an unknown task or a row that lacks a column, and
    [`BuildError`][] where no process can be started.
    """
    return _keep().score(task, row, answer)


def score_many(
    tasks: str | Sequence[str],
    rows: Iterable[Row],
    answers: Iterable[str],
    *,
    workers: int = 2,
    inputs: int = DRAWS,
) -> list[Score]:
    """Gives the score of each answer to its row, over `workers` processes that end with it.

    Each program is tried on `inputs` ordinary draws, beside edges; else as [`score`][]. A
    [`Scorer`][] keeps its processes for the next batch.
    """
    with Scorer(workers, draws=inputs) as scorer:
        return scorer.score_many(tasks, list(rows), list(answers))
