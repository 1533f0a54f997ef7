from __future__ import annotations

import warnings

import jax

from jax_ir_pairs.config import Recipe
from jax_ir_pairs.extraction.levels import abstract_arguments, load
from jax_ir_pairs.synthesis import draw
from jax_ir_pairs.synthesis.graph import vars_in
from jax_ir_pairs.synthesis.types import leaves
from tests.synthesis.tracing import RECIPE, out_avals, run, shown, traced

ONLY = Recipe(families={"custom_primitive": 1.0}, size=RECIPE.size)


def test_programs_trace_to_the_avals_they_were_built_with() -> None:
    for seed in range(60):
        draft = draw(ONLY, seed)
        program = draft.program()
        built = [str(aval) for var in vars_in(draft.entry.result) for aval in leaves(var.type)]
        assert out_avals(traced(program, seed)) == built, shown(program, seed)


def test_they_lower_without_a_deprecated_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        for seed in range(15):
            program = draw(ONLY, seed).program()
            jax.config.update("jax_enable_x64", False)
            function = load(program.python, program.entry_point)
            function.trace(*abstract_arguments(program.inputs)).lower()


def test_a_program_leaves_nothing_behind_for_the_next() -> None:
    for seed in range(10):
        program = draw(ONLY, seed).program()
        assert str(traced(program, seed)) == str(traced(program, seed))


def test_every_rule_turns_up() -> None:
    sources = "".join(draw(ONLY, seed).program().python for seed in range(200))
    for text in (
        "ad.defjvp(", "ad.primitive_jvps[", "ad.deflinear2(", "batching.defvectorized(",
        "batching.defbroadcasting(", "batching.primitive_batchers[", "multiple_results = True",
        "multiple_results=True", "def_abstract_eval", "def_impl",
    ):  # fmt: skip
        assert text in sources, text


def test_the_primitives_stand_in_the_jaxpr() -> None:
    kept = 0
    for seed in range(60):
        program = draw(ONLY, seed).program()
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
        run(draw(ONLY, seed).program(), seed)
