"""What becomes of a program on which a target's compiler takes the child down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jax_ir_pairs import targets
from jax_ir_pairs.config import Limits
from jax_ir_pairs.errors import Reason, Rejected, UsageError
from jax_ir_pairs.extraction import CheckRequest, Extraction, ExtractionProcess, TargetLevels
from jax_ir_pairs.extraction.environment import memory_bytes
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import FakeProcess
from tests.extraction.hand_written import SIMPLE

TARGETS = ("cpu", "tpu-v5e", "cuda-h100")
Answer = Callable[[Program, tuple[str, ...]], Extraction]


def failing_on(target: str | None, reason: Reason = "crash") -> Answer:
    def answer(
        program: Program, further: tuple[str, ...], check: CheckRequest | None = None
    ) -> Extraction:
        if target in further or (target == "cpu" and not further) or target == "all":
            raise Rejected(reason, "it went down")
        levels = tuple(TargetLevels(name, None, f"for {name}") for name in further)
        return FakeProcess(further=lambda _: levels).extract(program)

    return answer


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> ExtractionProcess:
    monkeypatch.setattr(targets, "_version", lambda name: "1.0")
    return ExtractionProcess(Limits(), TARGETS)


@pytest.mark.parametrize("reason", ["crash", "timeout", "out-of-memory"])
def test_a_target_that_ends_the_child_costs_its_own_levels(
    process: ExtractionProcess, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    monkeypatch.setattr(process, "_once", failing_on("tpu-v5e", reason))
    tpu, gpu = process.extract(SIMPLE).further
    assert tpu == TargetLevels("tpu-v5e", refusal=(reason, "it went down"))
    assert gpu == TargetLevels("cuda-h100", None, "for cuda-h100")


def test_a_program_that_ends_the_child_itself_is_rejected(
    process: ExtractionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_once", failing_on("all"))
    with pytest.raises(Rejected, match="crash"):
        process.extract(SIMPLE)


def test_what_no_target_can_change_is_not_tried_again(
    process: ExtractionProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def answer(
        program: Program, further: tuple[str, ...], check: CheckRequest | None = None
    ) -> Extraction:
        asked.append(further)
        raise Rejected("trace-error", "TypeError")

    monkeypatch.setattr(process, "_once", answer)
    with pytest.raises(Rejected, match="trace-error"):
        process.extract(SIMPLE)
    assert asked == [TARGETS[1:]]


def test_a_process_needs_what_its_targets_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "_version", lambda name: None)
    with pytest.raises(UsageError, match=r"lacks libtpu: pip install 'jax-ir-pairs\[tpu\]'"):
        ExtractionProcess(Limits(), ("cpu", "tpu-v5e"))


def test_the_memory_of_a_platform_is_added_once() -> None:
    alone = memory_bytes(8.0, ["cpu"])
    assert alone == 8 * 2**30
    with_tpus = memory_bytes(8.0, ["cpu", "tpu-v5e", "tpu-v6e"])
    assert alone < with_tpus == memory_bytes(8.0, ["cpu", "tpu-v4"])
    assert memory_bytes(8.0, TARGETS) > with_tpus
