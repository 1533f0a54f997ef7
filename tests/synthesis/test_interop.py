from __future__ import annotations

from jax_ir_pairs.extraction import levels
from tests.synthesis.tracing import drafts, only, primitives_of

RECIPE = only("interop")
REACHED = {
    "call_exported", "custom_partitioning", "dce_sink", "debug_callback",
    "debug_print", "device_put", "empty", "ffi_call", "inspect_sharding", "io_callback",
    "layout_constraint", "pure_callback",
}  # fmt: skip


def test_what_crosses_the_boundary_turns_up_as_it_is_typed() -> None:
    found = primitives_of(RECIPE, 200)
    assert {*found} >= REACHED, REACHED - {*found}


def test_callbacks_leave_nothing_of_the_process_in_the_text() -> None:
    programs = [draft.program() for _, draft in drafts(24, RECIPE)]
    texts = []
    for order in (programs, programs[::-1]):
        made = {p.id: levels.extract(p.python, p.entry_point, p.inputs) for p in order}
        texts.append([(e.stablehlo, e.optimized_hlo) for _, e in sorted(made.items())])
    assert texts[0] == texts[1]
