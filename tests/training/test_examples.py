from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jax_ir_pairs.scoring import TASKS, score
from jax_ir_pairs.training import to_examples

SAMPLE = next((Path(__file__).parents[2] / "data/sample").rglob("*.parquet"))
ROWS = pq.read_table(SAMPLE).slice(0, 2).to_pylist()


@pytest.mark.parametrize("task", [name for name in TASKS if not TASKS[name].answer])
def test_what_an_example_says_is_graded_as_right(task: str) -> None:
    for row in ROWS:
        [example] = to_examples(row, task)
        assert score(task, row, example["completion"]).reward == 1


@pytest.mark.parametrize("task", [name for name in TASKS if TASKS[name].answer])
def test_a_program_is_the_rows_own_or_there_is_no_example(task: str) -> None:
    for row in ROWS:
        own = row.get(TASKS[task].answer)
        assert [e["completion"] for e in to_examples(row, task)] == ([own] if own else [])
