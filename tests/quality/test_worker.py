"""What the child answers, in this process."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest
from jax_ir_pairs.extraction.worker import answer
from jax_ir_pairs.quality import check
from jax_ir_pairs.quality.worker import extract
from tests.extraction.hand_written import SIMPLE, program

REQUEST = {"python": SIMPLE.python, "entry_point": "f", "inputs": SIMPLE.inputs}
ASKED = {"seed": 0, "executes": True}


def test_what_is_not_asked_for_is_not_checked() -> None:
    reply = answer({**REQUEST, "targets": [], "passes": False}, extract)
    assert reply["extraction"]["checked_by"] is None
    assert "check" not in reply["seconds"]


def test_what_is_asked_for_is_checked() -> None:
    reply = answer({**REQUEST, "check": ASKED}, extract)
    assert reply["extraction"]["checked_by"] == "interpreter"
    assert list(reply["seconds"])[-1] == "check"


@pytest.mark.parametrize("executes", [True, False])
def test_a_check_is_told_the_seed_and_whether_to_run(
    executes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(check, "check", lambda program, **asked: told.append(asked))
    asked = CheckRequest(7, executes=executes)
    answer({**REQUEST, "check": asdict(asked)}, extract)
    assert told == [{"seed": 7, "executes": executes}]


def test_64_bits_of_one_program_are_not_those_of_the_next() -> None:
    body = (
        "jax.config.update('jax_enable_x64', True)\n\n\n"
        "def f(x, n):\n    return jnp.sin(x), n * 1000003"
    )
    wide = program(body, "f64[8]", "i64[]")
    checked = extract(wide.python, "f", wide.inputs, check=ASKED)
    assert checked.checked_by == "interpreter"
    assert checked.max_rel_error is not None
    assert checked.max_rel_error < 1e-15
    narrow = extract(SIMPLE.python, "f", SIMPLE.inputs, check=ASKED)
    assert "f64" not in narrow.jaxpr


def test_a_rejection_is_an_answer() -> None:
    wrong = program("def f(x):\n    return x / 0", "f32[2]")
    with pytest.raises(Rejected, match="nonfinite"):
        extract(wrong.python, "f", wrong.inputs, check=ASKED)
    reply = answer(
        {"python": wrong.python, "entry_point": "f", "inputs": wrong.inputs, "check": ASKED},
        extract,
    )
    assert reply["rejected"][0] == "nonfinite"
