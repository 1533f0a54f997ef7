from __future__ import annotations

from tests.synthesis.tracing import drafts, only, primitives_of, run

RECIPE = only("state")


def test_references_and_kernels_turn_up_as_they_are_typed() -> None:
    found = primitives_of(RECIPE, 60)
    assert {"new_ref", "get", "swap", "addupdate", "freeze", "pallas_call", "run_state"} <= {*found}


def test_references_hold_what_was_written() -> None:
    for seed, draft in drafts(12, RECIPE):
        run(draft.program(), seed)
