from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

SAYS = {
    "advanced_patterns": "On 8 device(s); equal to NumPy's result.",
    "grpo_reward": "1.0  Here it is:",
    "lm_eval_metric": "equivalent  0.50",
    "make_examples": "111 examples of 100 rows",
    "read_a_jaxpr": "cond: i32[] f32[] -> f32[]",
    "trace_a_function": "power(x, 5) traces to 5 multiplications",
    "walk_the_levels": "## What optimization changed",
}


def test_every_script_is_listed() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_the_script_runs_without_a_warning(name: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert SAYS[name] in run.stdout
