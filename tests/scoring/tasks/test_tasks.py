from __future__ import annotations

import json
from typing import Any

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.schema import columns
from jax_ir_pairs.scoring import Score
from jax_ir_pairs.scoring.tasks import TASKS, task_named
from jax_ir_pairs.targets import TARGETS

ROW: dict[str, Any] = {
    "flops": 100.0,
    "bytes_accessed": 400.0,
    "num_fusions": 0,
    "line_map": [
        {"python": 3, "jaxpr": [1], "stablehlo": [], "hlo": [4, 5], "optimized_hlo": []},
        {"python": 7, "jaxpr": [2], "stablehlo": [], "hlo": [6], "optimized_hlo": []},
    ],
}


def score(task: str, answer: str, **more: Any) -> Score:
    measure = TASKS[task].measure
    assert measure is not None
    return measure(ROW | more, answer)


def test_tasks_read_columns_that_there_are() -> None:
    known = {column.name for column in columns(tuple(TARGETS))}
    for name, task in TASKS.items():
        assert task.name == name
        assert {*task.reads, *task.columns()} <= known
        assert (task.measure is None) == bool(task.answer)


def test_the_tasks() -> None:
    assert {name for name in TASKS if not name.startswith("cpu_to_")} == {
        "python_to_jaxpr",
        "python_to_stablehlo",
        "jaxpr_to_stablehlo",
        "stablehlo_to_hlo",
        "hlo_to_optimized_hlo",
        "jaxpr_to_python",
        "stablehlo_to_python",
        "hlo_to_python",
        "optimized_hlo_to_python",
        "cost",
        "line_map_jaxpr",
        "line_map_stablehlo",
        "line_map_hlo",
        "line_map_optimized_hlo",
    }
    assert {name.removeprefix("cpu_to_") for name in TASKS if name.startswith("cpu_to_")} == {
        name for name in TARGETS if name != "cpu"
    }
    assert all(task.runs != name.startswith("cpu_to_") for name, task in TASKS.items())


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(UsageError, match="no task 'nonsense'; there are python_to_jaxpr"):
        task_named("nonsense")


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ('{"flops": 100, "bytes_accessed": 400.0, "num_fusions": 0}', 1.0),
        ("flops: 100\nbytes_accessed: 400\nnum_fusions: 0", 1.0),
        ("- `flops`: 1,00\n* bytes_accessed = 4e2\nnum_fusions: 0", 1.0),
        ("flops: 50\nbytes_accessed: 400\nnum_fusions: 0", 2.5 / 3),
        ("flops: 100", 1 / 3),
        ('{"flops": 1e400, "bytes_accessed": NaN, "num_fusions": 0}', 1 / 3),
        ('{"flops": true, "bytes_accessed": [400], "num_fusions": 0}', 1 / 3),
        ("num_fusions: 1", 0.0),
        ("flops: -100", 0.0),
        ("flops: 1e999", 0.0),
        ("flops: 9" + "9" * 30, 0.0),
    ],
)
def test_cost_is_worth_how_near_it_is(answer: str, reward: float) -> None:
    found = score("cost", answer)
    assert found.parses
    assert found.reward == pytest.approx(reward)
    assert bool(found.reason) == (reward < 1)
    assert found.exact == (reward == 1)


@pytest.mark.parametrize("peak", [96, None])
def test_cost_does_not_count_the_memory_that_not_every_row_has(peak: int | None) -> None:
    answer = '{"flops": 100, "bytes_accessed": 400, "num_fusions": 0}'
    assert score("cost", answer, peak_memory_bytes=peak).reward == 1.0
    assert score("cost", "flops: 100\npeak_memory_bytes: 7", peak_memory_bytes=peak).reward == (
        pytest.approx(1 / 3)
    )


@pytest.mark.parametrize("answer", ["", "many", "[1]", "{}", '{"flop": 3}', "[" * 100_000])
def test_cost_that_says_nothing(answer: str) -> None:
    assert score("cost", answer) == Score.not_parsed(score("cost", answer).reason)
    assert "flops" in score("cost", answer).reason


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ('{"3": [4, 5], "7": [6]}', 1.0),
        ("3: 4, 5\n7: 6", 1.0),
        ("3 -> 4-5\n7: [6]", 1.0),
        ("3: 4", 2 * 1 / (3 + 1)),
        ('{"3": [4, 5, 6, 7], "7": [6]}', 2 * 3 / (3 + 5)),
        ('{"7": [4, 5], "3": [6]}', 0.0),
        ("{}", 0.0),
    ],
)
def test_a_map_is_worth_how_near_it_is(answer: str, reward: float) -> None:
    found = score("line_map_hlo", answer)
    assert found.reward == pytest.approx(reward)
    assert bool(found.reason) == (reward < 1)


@pytest.mark.parametrize("answer", ["[4, 5]", "4, 5", "4-5", '{"3": [4, 5], "7": [9]}'])
def test_one_line_may_be_asked_for(answer: str) -> None:
    assert score("line_map_hlo", answer, line=3).reward == 1.0
    assert score("line_map_hlo", answer, line=7).reward < 1.0


def test_a_level_to_which_nothing_is_mapped() -> None:
    assert score("line_map_stablehlo", "{}").reward == 1.0
    assert score("line_map_stablehlo", '{"3": [1]}').reward == 0.0


@pytest.mark.parametrize(
    "answer",
    ["none", '"3"', "[1, 2]", '{"3": 4}', '{"3": ["4"]}', '{"3": [true]}', '{"x": [1]}',
     "3: 1-99999999", json.dumps({"9" * 20: [1]}), '{"²": [1]}', "[" * 100_000],
)  # fmt: skip
def test_what_is_no_map(answer: str) -> None:
    found = score("line_map_hlo", answer)
    assert found.parses is False
    assert found.reward == 0
    assert found.reason
