from __future__ import annotations

import warnings

import jax

from jax_ir_pairs.extraction.source import abstract_arguments, load
from tests.synthesis.tracing import draw_graph, only, run, traced, traced_as_built

ONLY = only("custom_primitive")


def test_programs_trace_to_the_avals_they_were_built_with() -> None:
    for seed in range(60):
        draft = draw_graph(ONLY, seed)
        program = draft.program()
        traced_as_built(program, draft.entry, seed)


def test_they_lower_without_a_deprecated_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        for seed in range(15):
            program = draw_graph(ONLY, seed).program()
            jax.config.update("jax_enable_x64", False)
            function = load(program.python, program.entry_point)
            function.trace(*abstract_arguments(program.inputs)).lower()


def test_a_program_leaves_nothing_behind_for_the_next() -> None:
    for seed in range(10):
        program = draw_graph(ONLY, seed).program()
        assert str(traced(program, seed)) == str(traced(program, seed))


def test_every_rule_turns_up() -> None:
    sources = "".join(draw_graph(ONLY, seed).program().python for seed in range(200))
    for text in (
        "ad.defjvp(", "ad.primitive_jvps[", "ad.deflinear2(", "batching.defvectorized(",
        "batching.defbroadcasting(", "batching.primitive_batchers[", "multiple_results = True",
        "multiple_results=True", "def_abstract_eval", "def_impl",
    ):  # fmt: skip
        assert text in sources, text


def test_the_primitives_stand_in_the_jaxpr() -> None:
    kept = 0
    for seed in range(60):
        program = draw_graph(ONLY, seed).program()
        names = [
            line.partition("_p = ")[0]
            for line in program.python.splitlines()
            if "_p = Primitive(" in line
        ]
        text = str(traced(program, seed))
        kept += any(f"= {name} " in text or f"= {name}[" in text for name in names)
    assert kept >= 20


def test_they_run() -> None:
    for seed in range(8):
        run(draw_graph(ONLY, seed).program(), seed)
