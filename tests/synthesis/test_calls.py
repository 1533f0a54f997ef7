from __future__ import annotations

from collections import Counter

from jax_ir_pairs.config import Recipe, Size
from jax_ir_pairs.synthesis.graph import Function, functions_in, walk
from tests.synthesis.tracing import drafts, only, primitives_of


def test_helpers_type_as_jax_does() -> None:
    assert primitives_of(only("calls"), 60)


def test_some_functions_are_called_again_and_some_compiled_on_their_own() -> None:
    again = jitted = 0
    for _, draft in drafts(150, only("calls")):
        uses = Counter(
            callee
            for call in walk(draft.entry)
            for operand in call.operands
            for callee in functions_in(operand)
            if isinstance(callee, Function)
        )
        again += any(count > 1 for count in uses.values())
        jitted += any(function.decorator == "jax.jit" for function in uses)
    assert again > 5
    assert jitted > 5


def test_long_programs_are_made_of_functions() -> None:
    recipe = Recipe(
        families={"calls": 2, "expression": 1}, size=Size(median=150, sigma=0.1, largest=200)
    )
    sources = [draft.program().python for _, draft in drafts(10, recipe)]
    assert sum(source.count("def ") >= 3 for source in sources) >= 7
