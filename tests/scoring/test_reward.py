from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring import Scorer
from jax_ir_pairs.scoring.reward import Completion, answer_of, process_results, reward_function
from tests.scoring.hostile import ROW, STABLEHLO, TRUE


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer() as scorer:
        yield scorer


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("module {}", "module {}"),
        ("Here:\n```mlir\nmodule {}\n```\nDone.", "module {}\n"),
        ("```\nfirst\n```\nno, rather\n```\nsecond\n```", "second\n"),
        ("```python\ncut off", "cut off"),
        ("<think>```\nx\n```</think>answer", "answer"),
        ([{"role": "assistant", "content": "```\na\n```"}], "a\n"),
        ([{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}], "ab"),
        ([{"role": "assistant", "content": None}], ""),
        ([], ""),
        ("", ""),
    ],
)
def test_the_answer_in_a_completion(completion: Completion, answer: str) -> None:
    assert answer_of(completion) == answer


def test_a_reward_function_takes_what_grpo_trainer_gives(scorer: Scorer) -> None:
    reward = reward_function("jaxpr_to_stablehlo", scorer)
    completions = [
        f"```mlir\n{TRUE['stablehlo']}```",
        [{"role": "assistant", "content": STABLEHLO.replace("stablehlo.tanh", "stablehlo.sine")}],
        "no",
    ]
    columns: dict[str, list[Any]] = {name: [value] * 3 for name, value in ROW.items()}
    rewards = reward(prompts=["a", "b", "c"], completions=completions, trainer_state=[0], **columns)
    assert rewards == [1.0, 0.3, 0.0]
    assert reward.__name__ == "jax_ir_pairs_jaxpr_to_stablehlo"


def test_a_question_of_one_line(scorer: Scorer) -> None:
    reward = reward_function("line_map_hlo", scorer)
    columns = {"line_map": [ROW["line_map"]] * 2, "line": [5, 4]}
    assert reward(["a", "b"], ["5", "5"], **columns) == [1.0, 0.0]


def test_a_column_that_was_dropped_is_named(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="needs the column 'python': keep it"):
        reward_function("jaxpr_to_stablehlo", scorer)(["a"], ["b"], stablehlo=["c"])


def test_metrics_of_a_document(scorer: Scorer) -> None:
    metrics = process_results("stablehlo_to_python", scorer)
    right = {"reward": 1.0, "parses": 1.0, "valid": 1.0, "signature": 1.0, "equivalent": 1.0}
    assert metrics(ROW, [TRUE["python"]]) == right | {"exact": 0.0}
    assert metrics(ROW, [ROW["python"]]) == right | {"exact": 1.0}
    assert set(metrics(ROW, ["def"]).values()) == {0.0}


def test_unknown_tasks_are_refused_at_once() -> None:
    for make in (reward_function, process_results):
        with pytest.raises(UsageError, match="no task"):
            make("nonsense")
