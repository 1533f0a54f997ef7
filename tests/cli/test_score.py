from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from jax_ir_pairs.cli.score import _Answer, _table
from jax_ir_pairs.scoring import Score
from jax_ir_pairs.scoring.tasks import TASKS
from tests.cli.test_app import run
from tests.test_sample import FOLDER, SAMPLE


def write(path: Path, answers: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    return path


def test_answers_are_scored(tmp_path: Path) -> None:
    row = pq.read_table(SAMPLE).to_pylist()[0]
    answers = [
        {"row_id": row["id"], "task": "jaxpr_to_stablehlo", "answer": row["stablehlo"] + "// a"},
        {"row_id": row["id"], "task": "jaxpr_to_stablehlo", "answer": "no"},
        {"id": row["id"], "answer": f"flops: {row['flops']}"},
    ]
    file, out = write(tmp_path / "answers.jsonl", answers), tmp_path / "scores.jsonl"
    table = run(
        "score", file, "--dataset", FOLDER, "--task", "cost", "--out", out, "-w", "1"
    ).stdout
    [one, two] = [line.split() for line in table.splitlines()[1:] if line.strip()]
    assert one[:2] + one[-1:] == ["jaxpr_to_stablehlo", "2", "0.500"]
    assert two[0] == "cost"
    scores = [json.loads(line) for line in out.read_text().splitlines()]
    assert [score["reward"] for score in scores[:2]] == [1.0, 0.0]
    assert scores[0]["row_id"] == row["id"]
    assert [score["task"] for score in scores][2] == "cost"


def test_80_columns_hold_the_name_of_every_task() -> None:
    answers = [_Answer("a", task, "") for task in TASKS]
    console = Console(width=80)
    with console.capture() as captured:
        console.print(_table(answers, [Score.right(exact=True) for _ in answers]))
    lines = captured.get().splitlines()[1:]
    assert [line.split()[0] for line in lines] == [*TASKS]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"task": "cost", "answer": ""}, "line 1: has no row_id"),
        ({"row_id": "a", "answer": ""}, "line 1: has no task"),
        ({"row_id": "a", "task": "cost"}, "line 1: has no answer"),
        ({"row_id": "a", "task": "nonsense", "answer": ""}, "There is no task 'nonsense'"),
        ({"row_id": "a", "task": "cost", "answer": ""}, "There is no row with the id 'a'"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    tmp_path: Path, answer: dict[str, Any], sentence: str
) -> None:
    file = write(tmp_path / "answers.jsonl", [answer])
    assert sentence in run("score", file, "--dataset", FOLDER, code=2).stderr
