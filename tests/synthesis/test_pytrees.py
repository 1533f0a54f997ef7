from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from jax_ir_pairs.extraction.source import load
from jax_ir_pairs.synthesis.constructs import trees
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, leaves
from tests.synthesis.tracing import (
    draw_graph,
    only,
    primitives,
    run,
    traced,
    traced_as_built,
)

ONLY = only("pytrees")


def test_programs_trace_to_the_avals_they_were_built_with() -> None:
    for seed in range(60):
        draft = draw_graph(ONLY, seed)
        program = draft.program()
        traced_as_built(program, draft.entry, seed)


def test_every_construct_turns_up() -> None:
    sources = "".join(draw_graph(ONLY, seed).program().python for seed in range(300))
    for text in (
        "(NamedTuple):", "register_dataclass", "register_pytree_node_class", "._replace(",
        "register_pytree_with_keys_class", "dataclasses.replace(", "jax.tree.map(",
    ):  # fmt: skip
        assert text in sources, text


def test_loops_carry_objects() -> None:
    found: set[str] = set()
    for seed in range(80):
        program = draw_graph(ONLY, seed).program()
        if "class " in program.python:
            found |= set(primitives(traced(program, seed).jaxpr))
    assert {"scan", "while"} <= found


@pytest.mark.parametrize("seed", range(12))
def test_objects_of_every_class_come_back_as_they_went(seed: int) -> None:
    scope = Scope(Stream("class", seed), TABLE)
    a, b = (scope.input(Aval("f32", shape), name) for shape, name in (((3,), "x"), ((2, 2), "y")))
    type = trees.define(scope, "Point", (("second", a.type), ("first", b.type)))
    made = trees.construct(scope, type, {"second": a, "first": b})
    assert [str(aval) for aval in leaves(made.type)] == ["f32[3]", "f32[2,2]"]
    source, _ = render(scope.close("entry", made), "f", Stream("style", seed))
    point = load(source, "f")(jnp.ones(3), jnp.zeros((2, 2)))
    assert [leaf.shape for leaf in jax.tree.leaves(point)] == [(3,), (2, 2)]
    doubled = jax.tree.map(lambda leaf: 2 * leaf, point)
    assert doubled.second.sum() == 6
    assert doubled.first.shape == (2, 2)


def test_they_run() -> None:
    for seed in range(8):
        run(draw_graph(ONLY, seed).program(), seed)
