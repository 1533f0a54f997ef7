"""Proves the verifier by mutation: wrong answers have to be caught, and true ones to be taken.

    python benchmarks/mutants.py [--rows N] [--mutants M] [--of K] [--level LEVEL] … [--json FILE]

Left alone it tries a few rows; `make mutants` runs the long proof.

Of K of the rows of a config, mutants are made at each level until M of them change the result on
test inputs by more than tolerance: a judge runs each, which shares neither inputs nor comparison
with the verifier (`mutation.judge`). Then the verifier scores them, and the true answers of all
rows too: as they are, renamed, reformatted and so on. What slipped is written to the JSON file,
with its text.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import queue
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from jax_ir_pairs.build.records import Row, shard_records
from jax_ir_pairs.config import load_config
from mutation.edit import Mutant, mutants
from mutation.judge import Verdict
from mutation.judging import Judge
from mutation.languages import MUTATIONS
from mutation.rewriting import rewritten

TASKS = {
    "python": "stablehlo_to_python",
    "jaxpr": "python_to_jaxpr",
    "stablehlo": "python_to_stablehlo",
    "hlo": "stablehlo_to_hlo",
    "optimized_hlo": "hlo_to_optimized_hlo",
}
"""By level: a task whose answer is of it."""

ScoreMany = Callable[..., Sequence[Any]]
"""Gives the score of each of some answers: its tasks, rows and answers, and `workers`."""

_VERDICTS = ("invalid", "same", "signature", "changed")


@dataclass(frozen=True)
class Judged:
    """A mutant of a row, what the judge says, and what the verifier does."""

    row: Row
    mutant: Mutant
    verdict: Verdict
    score: Any = None

    @property
    def caught(self) -> bool:
        """Whether the verifier said that it is not the row's program."""
        return self.score is not None and self.score.equivalent is not True

    def record(self, level: str) -> dict[str, Any]:
        """Gives what is needed to look into it."""
        return {
            "level": level,
            "row": self.row["id"],
            "seed": self.row["seed"],
            "mutation": self.mutant.mutation,
            "verdict": asdict(self.verdict),
            "score": asdict(self.score),
            "text": self.mutant.text,
        }


def judged(level: str, rows: Sequence[Row], wanted: int, workers: int) -> list[Judged]:
    """Gives mutants of rows, the same share of each, until `wanted` of them change the result."""
    waiting = {
        place: mutants(row[level], MUTATIONS[level], Random(f"{row['seed']} {level}"))
        for place, row in enumerate(rows)
    }
    found: list[Judged] = []
    with ExitStack() as stack:
        judges: queue.SimpleQueue[Judge] = queue.SimpleQueue()
        for _ in range(workers):
            judges.put(stack.enter_context(Judge()))
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        while waiting and (missing := wanted - _changed(found)) > 0:
            # Of one row in one go: the judge keeps the results of the true text.
            share = -(-missing // len(waiting))
            taken = {place: list(itertools.islice(it, share)) for place, it in waiting.items()}
            waiting = {place: it for place, it in waiting.items() if len(taken[place]) == share}
            ask = partial(_judge_row, judges, level)
            for each in pool.map(ask, [rows[place] for place in taken], taken.values()):
                found += each
            unrunnable = {each.row["id"] for each in found if each.verdict.kind == "unrunnable"}
            waiting = {p: it for p, it in waiting.items() if rows[p]["id"] not in unrunnable}
    return found


def _judge_row(
    judges: queue.SimpleQueue[Judge], level: str, row: Row, texts: Sequence[Mutant]
) -> list[Judged]:
    judge = judges.get()
    try:
        return [Judged(row, mutant, judge(level, mutant.text, row)) for mutant in texts]
    finally:
        judges.put(judge)


def _changed(found: Sequence[Judged]) -> int:
    return sum(each.verdict.kind == "changed" for each in found)


def scored(
    level: str, found: Sequence[Judged], score_many: ScoreMany, workers: int
) -> list[Judged]:
    """Gives the mutants that are valid and wrong, with their scores."""
    wrong = [each for each in found if each.verdict.kind in {"changed", "signature"}]
    rows, texts = [each.row for each in wrong], [each.mutant.text for each in wrong]
    scores = score_many([TASKS[level]] * len(wrong), rows, texts, workers=workers)
    return [
        Judged(each.row, each.mutant, each.verdict, score)
        for each, score in zip(wrong, scores, strict=True)
    ]


def accepted(
    level: str, rows: Sequence[Row], score_many: ScoreMany, workers: int
) -> list[tuple[str, Row, str, Any]]:
    """Gives each true answer: how it is written, its row, its text and its score."""
    answers = [answer for row in rows for answer in _true_answers(level, row)]
    of, texts = ([answer[place] for answer in answers] for place in (1, 2))
    scores = score_many([TASKS[level]] * len(answers), of, texts, workers=workers)
    return [(*answer, score) for answer, score in zip(answers, scores, strict=True)]


def _true_answers(level: str, row: Row) -> Iterator[tuple[str, Row, str]]:
    yield "plain", row, row[level]
    for name, text in rewritten(level, row[level], Random(f"{row['seed']} {level}")):
        yield name, row, text


def mutation_table(level: str, found: Sequence[Judged], scores: Sequence[Judged]) -> Table:
    """Gives a line for each mutation: what became of its mutants."""
    columns = (
        "mutation",
        "made",
        "invalid",
        "unchanged",
        "signature",
        "changed",
        "caught",
        "share",
    )
    table = Table(*columns, title=f"mutants: {level}")
    for name in [*MUTATIONS[level], "all"]:
        kinds = [
            each.verdict.kind
            for each in found
            if name in {each.mutant.mutation, "all"} and each.verdict.kind in _VERDICTS
        ]
        of = [
            each
            for each in scores
            if name in {each.mutant.mutation, "all"} and each.verdict.kind == "changed"
        ]
        caught = sum(each.caught for each in of)
        share = f"{100 * caught / len(of):.2f} %" if of else ""
        counts = [len(kinds), *map(kinds.count, _VERDICTS), caught]
        table.add_row(name, *map(str, counts), share, end_section=name == [*MUTATIONS[level]][-1])
    return table


def acceptance_table(level: str, answers: Sequence[tuple[str, Row, str, Any]]) -> Table:
    """Gives a line for each way to write a true answer."""
    table = Table("written", "answers", "accepted", "share", title=f"true answers: {level}")
    for name in dict.fromkeys(answer[0] for answer in answers):
        right = [answer[3].equivalent is True for answer in answers if answer[0] == name]
        share = f"{100 * sum(right) / len(right):.2f} %"
        table.add_row(name, str(len(right)), str(sum(right)), share)
    return table


def prove(
    level: str,
    rows: Sequence[Row],
    mutated: Sequence[Row],
    wanted: int,
    score_many: ScoreMany,
    workers: int,
    console: Console,
) -> list[dict[str, Any]]:
    """Prints the tables of a level; gives the mutants that slipped and true answers refused."""
    started = time.perf_counter()
    found = judged(level, mutated, wanted, workers)
    between = time.perf_counter()
    scores = scored(level, found, score_many, workers)
    answers = accepted(level, rows, score_many, workers)
    ended = time.perf_counter()
    console.print(mutation_table(level, found, scores), acceptance_table(level, answers))
    odd = {each.row["id"] for each in found if each.verdict.kind == "unrunnable"}
    console.print(
        f"{len(mutated)} rows, of which the judge cannot run {len(odd)}; "
        f"{len(found)} mutants judged in {between - started:.0f} s; "
        f"{len(scores) + len(answers)} answers scored in {ended - between:.0f} s"
    )
    slipped = [each.record(level) for each in scores if not each.caught]
    refused = [
        {"level": level, "row": row["id"], "written": name, "score": asdict(score), "text": text}
        for name, row, text, score in answers
        if score.equivalent is not True
    ]
    for item in (*slipped, *refused):
        what = item.get("mutation") or f"true answer, {item['written']}"
        why = item["verdict"]["detail"] if "verdict" in item else item["score"]["reason"]
        console.print(f"{level} {item['row']} {what}: {why}", markup=False)
    return slipped + refused


def rows_of(config_name: str, number: int, cache: Path | None) -> list[Row]:
    """Gives the first rows of a config, from a file of JSON lines where that has them."""
    if cache is not None and cache.exists():
        rows: list[Row] = [json.loads(line) for line in cache.read_text().splitlines()]
        if len(rows) >= number:
            return rows[:number]
    splits = dict.fromkeys(("validation", "test"), 0) | {"train": number}
    config = load_config(config_name, splits=splits, rows_per_shard=number)
    rows = list(shard_records(config, "train", 0))
    if cache is not None:
        cache.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


def main() -> None:
    """Proves, and prints two tables for each level."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="hlo-10k")
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--mutants", type=int, default=20, help="that change the result")
    parser.add_argument("--of", type=int, help="rows that mutants are made of; else all")
    parser.add_argument("--level", action="append", choices=[*TASKS], help="else all")
    parser.add_argument("--characters", type=int, default=20_000, help="of a text, at most")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows-file", type=Path, help="JSON lines: rows to keep for the next run")
    parser.add_argument("--json", type=Path, default=Path("slipped.json"))
    parser.add_argument("--scorer", default="jax_ir_pairs:score_many", help="MODULE:FUNCTION")
    asked = parser.parse_args()
    module, _, name = asked.scorer.partition(":")
    score_many: ScoreMany = getattr(importlib.import_module(module), name)
    rows = rows_of(asked.config, asked.rows, asked.rows_file)
    console = Console(width=110)
    wrong: list[dict[str, Any]] = []
    for level in asked.level or TASKS:
        short = [row for row in rows if len(row[level]) <= asked.characters]
        mutated = short[: asked.of]
        wrong += prove(level, short, mutated, asked.mutants, score_many, asked.workers, console)
        asked.json.write_text(json.dumps(wrong, indent=1))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
