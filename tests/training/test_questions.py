from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring import Scorer
from jax_ir_pairs.scoring.reward import answer_of
from jax_ir_pairs.scoring.tasks import TASKS
from jax_ir_pairs.training import wordings
from jax_ir_pairs.training.questions import columns, draw, questions
from tests.training.rows import ROWS, for_all_targets


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(workers=1) as scorer:
        yield scorer


@pytest.mark.parametrize("task", TASKS)
def test_the_scorer_takes_every_answer(task: str, scorer: Scorer) -> None:
    rows = [for_all_targets(row) for row in ROWS]
    asked = [(row, question) for row in rows for question in questions(row, TASKS[task])]
    assert len(asked) >= len(rows)
    scored = scorer.score_many(
        task,
        [row | {"line": question.line} for row, question in asked],
        [question.completion for _, question in asked],
    )
    assert [score.reward for score in scored] == [1] * len(asked), scored
    for _, question in asked:
        assert answer_of(question.completion) == question.completion


def test_every_task_that_is_scored_has_wordings() -> None:
    assert set(wordings.INSTRUCTIONS) == set(TASKS)
    assert set(wordings.LINE) == {name for name, task in TASKS.items() if "line_map" in task.needs}
    assert set(wordings.PROGRAM_ANSWERS) == {t.language for t in TASKS.values() if t.answer}
    for said in (*wordings.INSTRUCTIONS.values(), *wordings.LINE.values()):
        assert len(set(said)) >= 3
        assert not [each for each in said if "_" in each.replace("make_jaxpr", "")]


@pytest.mark.parametrize("task", TASKS)
def test_rows_get_all_wordings_each_row_its_own(task: str) -> None:
    row = for_all_targets(ROWS[0])
    first = [questions(row | {"seed": seed}, TASKS[task])[0].prompt for seed in range(40)]
    assert [questions(row | {"seed": 3}, TASKS[task])[0].prompt] == [first[3]]
    asked = {prompt.partition("\n")[0] for prompt in first}
    said = wordings.INSTRUCTIONS[task]
    assert {next(each for each in said if line.startswith(each)) for line in asked} == set(said)
    assert len(asked) == 2 * len(said)  # each with both ways to say how the answer is to look


def test_a_prompt_shows_what_the_answer_depends_on() -> None:
    row = ROWS[0]
    [asked] = questions(row, TASKS["stablehlo_to_python"])
    assert f"Entry point: {row['entry_point']}(" in asked.prompt
    assert row["stablehlo"] in asked.prompt
    assert row["python"] not in asked.prompt
    assert asked.prompt.endswith("\n\nPython:\n")
    assert asked.completion == row["python"]
    assert '"flops", "bytes_accessed", "num_fusions"' in questions(row, TASKS["cost"])[0].prompt


def test_costs_are_asked_for_where_no_machine_code_was_made() -> None:
    row = ROWS[0] | {"peak_memory_bytes": None}
    older = {name: value for name, value in row.items() if name != "executed"}
    [asked] = questions(older, TASKS["cost"])
    assert [asked] == questions(row | {"executed": False}, TASKS["cost"])
    assert "memory" not in asked.prompt + asked.completion


def test_a_question_about_a_line_numbers_what_it_shows() -> None:
    row = next(row for row in ROWS if len(row["line_map"]) > 1)
    asked = {}
    for seed in range(20):
        whole, one = questions(row | {"seed": seed}, TASKS["line_map_stablehlo"])
        assert whole.line is None
        assert re.search(rf"\bline {one.line}\b", one.prompt.partition("\n")[0])
        asked[one.line] = one.completion
    assert asked == {e["python"]: str(e["stablehlo"]) for e in row["line_map"]}
    for text in (row["python"], row["stablehlo"]):
        for number, line in enumerate(text.splitlines(), start=1):
            assert f"\n{number:4} {line}\n" in one.prompt


def test_no_question_without_an_answer() -> None:
    row = for_all_targets(ROWS[0])
    assert not questions(row | {"optimized_hlo_tpu_v5e": None}, TASKS["cpu_to_tpu-v5e"])
    assert not questions(row | {"flops": float("nan")}, TASKS["cost"])
    whole = questions(row | {"line_map": []}, TASKS["line_map_hlo"])
    assert [question.completion for question in whole] == ["{}"]


@pytest.mark.parametrize("task", TASKS)
def test_a_missing_column_is_named(task: str) -> None:
    row = for_all_targets(ROWS[0])
    for name in columns(TASKS[task]):
        lacking = {column: value for column, value in row.items() if column != name}
        with pytest.raises(UsageError, match=f"Task {task} needs the column '{name}'"):
            questions(lacking, TASKS[task])
    questions({name: row[name] for name in columns(TASKS[task])}, TASKS[task])


def test_a_draw_is_the_same_everywhere() -> None:
    assert draw("cost", 7) == 10690747068610724049


@pytest.mark.parametrize("task", TASKS)
def test_no_token_spans_prompt_and_completion(task: str) -> None:
    for row in ROWS:
        for asked in questions(for_all_targets(row), TASKS[task]):
            assert asked.prompt.endswith(":\n")
            assert not asked.completion[0].isspace()
