from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import jax_ir_pairs
from jax_ir_pairs.errors import UsageError
from jax_ir_pairs.scoring import Score, Scorer
from tests.scoring.hostile import HLO, PYTHON, ROW, STABLEHLO, TRUE
from tests.this_python import search_path

TASK = "jaxpr_to_stablehlo"
RIGHT = Score(True, True, True, True, False, 1.0)
WRONG = STABLEHLO.replace("stablehlo.tanh", "stablehlo.sine")


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(2) as scorer:
        scorer.start()
        yield scorer


def test_answers_come_back_in_order(scorer: Scorer) -> None:
    other = ROW | {"stablehlo": WRONG, "seed": 4}
    answers = [TRUE["stablehlo"], WRONG, "no", STABLEHLO, TRUE["stablehlo"], WRONG, WRONG + "//"]
    rows = [ROW, ROW, ROW, ROW, ROW, other, other]
    scores = scorer.score_many(TASK, rows, answers)
    assert [score.reward for score in scores] == [1.0, 0.3, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert [score.exact for score in scores] == [False, False, False, True, False, True, False]


def test_tasks_may_differ(scorer: Scorer) -> None:
    tasks = [TASK, "stablehlo_to_python", "stablehlo_to_hlo", "cost"]
    answers = [TRUE["stablehlo"], TRUE["python"], TRUE["hlo"], "flops: 64"]
    scores = scorer.score_many(tasks, [ROW] * 4, answers)
    assert scores[:3] == [RIGHT] * 3
    assert scores[3].reward == pytest.approx(1 / 3)


def test_the_same_answer_is_scored_once(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    process = scorer._processes[0]
    ask = process.score

    def noted(row: str, request: Mapping[str, Any]) -> Score:
        asked.append(request)
        return ask(row, request)

    monkeypatch.setattr(process, "score", noted)
    assert scorer.score_many(TASK, [ROW] * 5, [WRONG] * 5) == [scorer.score(TASK, ROW, WRONG)] * 5
    assert len(asked) == 2


def test_an_interrupt_leaves_the_answers_that_nobody_is_at() -> None:
    others = threading.Event()
    asked = []

    def interrupted(row: str, request: Mapping[str, Any]) -> Score:
        assert others.wait(20)
        raise KeyboardInterrupt

    def slow(row: str, request: Mapping[str, Any]) -> Score:
        others.set()
        asked.append(request)
        time.sleep(0.2)
        return RIGHT

    with Scorer(2) as scorer, pytest.MonkeyPatch.context() as patch:
        for process, score in zip(scorer._processes, (interrupted, slow), strict=True):
            patch.setattr(process, "score", score)
        with pytest.raises(KeyboardInterrupt):
            scorer.score_many(TASK, [ROW] * 100, [f"{WRONG}// {n}" for n in range(100)])
    assert len(asked) < 10


def test_a_process_that_was_killed_is_started_again() -> None:
    with Scorer() as scorer:
        assert scorer.score(TASK, ROW, TRUE["stablehlo"]) == RIGHT
        child = scorer._processes[0]._child
        assert child is not None
        os.kill(child.pid, signal.SIGKILL)
        scorer.score(TASK, ROW, WRONG)
        assert scorer.score(TASK, ROW, TRUE["stablehlo"]) == RIGHT


@pytest.mark.parametrize("task", ["hlo_to_optimized_hlo", "cpu_to_tpu-v5e"])
def test_an_optimized_module_is_parsed(scorer: Scorer, task: str) -> None:
    row = ROW | {"optimized_hlo_tpu_v5e": HLO}
    assert scorer.score(task, row, "HloModule").parses is False
    assert scorer.score(task, row, HLO.replace("Arg_", "q_")).parses


def test_another_target_is_read_only(scorer: Scorer) -> None:
    row = ROW | {"optimized_hlo_tpu_v5e": HLO}
    task = "cpu_to_tpu-v5e"
    assert scorer.score(task, row, HLO.replace("Arg_", "q_")).reward == 1.0
    other = scorer.score(task, row, HLO.replace("multiply(", "add("))
    assert (other.reward, other.valid, other.equivalent) == (0.2, True, None)
    with pytest.raises(UsageError, match="is null: its target refuses"):
        scorer.score(task, row | {"optimized_hlo_tpu_v5e": None}, HLO)


def test_inputs_without_effect_are_asked_of_python_only(scorer: Scorer) -> None:
    row = ROW | {
        "python": "def f(a, x):\n    return x + x\n",
        "inputs": '[["a", "f32[2]"], ["x", "f32[3]"]]',
        "stablehlo": "module { func.func public @main(%x: tensor<3xf32>) -> tensor<3xf32> {\n"
        "%0 = stablehlo.add %x, %x : tensor<3xf32>\nreturn %0 : tensor<3xf32> } }",
    }
    assert scorer.score("stablehlo_to_python", row, "def f(a, x):\n    return 2 * x\n") == RIGHT
    assert scorer.score("stablehlo_to_python", row, "def f(a, x):\n    return x\n").reward == 0.3
    reads = "def f(a, x):\n    return x + x + 0.1 * a.sum()\n"
    assert scorer.score("stablehlo_to_python", row, reads).reward == 0.3
    assert scorer.score(TASK, row, row["stablehlo"].replace("%0", "%b")) == RIGHT


def test_what_is_asked_wrongly(scorer: Scorer) -> None:
    with pytest.raises(UsageError, match="1 tasks, 2 rows and 1 answers"):
        scorer.score_many([TASK], [ROW, ROW], ["a"])
    with pytest.raises(UsageError, match="no column 'seed'"):
        scorer.score(TASK, {k: v for k, v in ROW.items() if k != "seed"}, "a")
    with pytest.raises(UsageError, match="no task"):
        scorer.score("nonsense", ROW, "a")
    with pytest.raises(UsageError, match="more than 0"):
        Scorer(0)
    assert scorer.score_many(TASK, [], []) == []
    assert scorer.score(TASK, ROW, None).reason == "The answer is no text but NoneType."  # type: ignore[arg-type]


def test_the_module_scores_without_jax_and_ends_its_process() -> None:
    code = f"""
import sys
import jax_ir_pairs
row = {ROW!r}
print(jax_ir_pairs.score("stablehlo_to_python", row, {PYTHON!r} + "# more").reward)
print([s.reward for s in jax_ir_pairs.score_many({TASK!r}, [row], ["no"], workers=1)])
print("jax" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | search_path(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.split() == ["1.0", "[0.0]", "False"], done.stderr


def test_public_names() -> None:
    assert jax_ir_pairs.Score is Score
    assert jax_ir_pairs.Scorer is Scorer
