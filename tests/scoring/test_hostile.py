"""What hostile answers do: nothing, in time, and the next answer is none the wiser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_ir_pairs.scoring import Score, Scorer
from tests.scoring.hostile import (
    HLO_ANSWERS,
    PYTHON_ANSWERS,
    ROW,
    STABLEHLO_ANSWERS,
    TRUE,
)

SECONDS = 2.0
CASES = [
    *(("jaxpr_to_stablehlo", "stablehlo", name) for name in STABLEHLO_ANSWERS),
    *(("stablehlo_to_python", "python", name) for name in PYTHON_ANSWERS),
    *(("stablehlo_to_hlo", "hlo", name) for name in HLO_ANSWERS),
]
ANSWERS = {"stablehlo": STABLEHLO_ANSWERS, "python": PYTHON_ANSWERS, "hlo": HLO_ANSWERS}


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(seconds=SECONDS, memory_gib=2.0) as scorer:
        scorer.score("jaxpr_to_stablehlo", ROW, TRUE["stablehlo"])
        yield scorer


@pytest.mark.parametrize(
    ("task", "language", "name"), CASES, ids=[f"{c[1]}: {c[2]}" for c in CASES]
)
def test_a_hostile_answer_is_worth_little_and_the_next_is_scored(
    scorer: Scorer, task: str, language: str, name: str
) -> None:
    started = time.monotonic()
    score = scorer.score(task, ROW, ANSWERS[language][name])
    assert time.monotonic() - started < SECONDS + 3
    assert not score.equivalent
    assert score.reward <= 0.3
    assert score.reason
    true = scorer.score(task, ROW, TRUE[language])
    assert true == Score(True, True, True, True, False, 1.0)
    assert not Path("/tmp/hostile").exists()
