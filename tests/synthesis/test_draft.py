from __future__ import annotations

import ast
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_ir_pairs.synthesis.graph import Function, Transformed, functions_in, walk
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.stream import Stream
from tests.synthesis.tracing import (
    RECIPE,
    drafts,
    draw_graph,
    out_avals,
    primitives,
    shown,
    traced,
    traced_as_built,
)

ROOT = Path(__file__).parent.parent.parent
SEEDS = st.integers(0, 2**40)


@settings(max_examples=60)
@given(SEEDS)
def test_programs_trace_to_the_avals_they_were_built_with(seed: int) -> None:
    draft = draw_graph(RECIPE, seed)
    program = draft.program()
    traced_as_built(program, draft.entry, seed)


@settings(max_examples=25)
@given(SEEDS)
def test_style_changes_no_meaning(seed: int) -> None:
    draft = draw_graph(RECIPE, seed)
    program = draft.program()
    source, _ = render(draft.entry, draft.name, Stream("another style", seed), x64=draft.x64)
    jaxpr = traced(program, seed)
    other = traced(replace(program, python=source), seed)
    assert Counter(primitives(other)) == Counter(primitives(jaxpr)), shown(program, seed)
    assert out_avals(other) == out_avals(jaxpr)


def test_a_seed_gives_the_same_program_in_every_process() -> None:
    code = (
        "import hashlib; from jax_ir_pairs.config import load_config; "
        "from jax_ir_pairs.synthesis import draw; recipe = load_config('hlo-100').recipe; "
        "drafts = [draw(recipe, seed) for seed in range(200)]; "
        "text = ''.join(d.canonical_hash + d.program().python for d in drafts); "
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(digests) == 1


def test_inputs_are_json_that_names_the_parameters() -> None:
    for seed, draft in drafts(50):
        program = draft.program()
        names = [name for name, _ in json.loads(program.inputs)]
        (entry,) = (
            node
            for node in ast.parse(program.python).body
            if isinstance(node, ast.FunctionDef) and node.name == program.entry_point
        )
        required = len(entry.args.args) - len(entry.args.defaults)
        found = [argument.arg for argument in entry.args.args[:required]]
        assert found == names, shown(program, seed)


def test_almost_all_inputs_are_used() -> None:
    unused = 0
    for seed, draft in drafts(200):
        jaxpr = traced(draft.program(), seed).jaxpr
        used = {id(var) for eqn in jaxpr.eqns for var in eqn.invars}
        unused += any(id(var) not in used for var in jaxpr.invars)
    assert unused <= 4


def test_almost_no_candidates_are_equal() -> None:
    found = [draft for _, draft in drafts(1000)]
    assert len({draft.canonical_hash for draft in found}) >= 985
    assert len({draft.structure_hash for draft in found}) >= 950


def test_transforms_are_listed_from_outside_in() -> None:
    for seed, draft in drafts(300):
        transforms = draft.program().transforms
        for call in walk(draft.entry):
            for operand in call.operands:
                chain = [c.transform for c in functions_in(operand) if isinstance(c, Transformed)]
                assert set(chain) <= set(transforms), seed
    nested = [d.transforms() for _, d in drafts(400) if d.family == "batching"]
    assert ("vmap", "grad") in nested


@pytest.mark.parametrize("family", sorted(RECIPE.families))
def test_families_turn_up(family: str) -> None:
    assert any(draft.family == family for _, draft in drafts(200))


def _nested_ops(draft_function: object, outer: str) -> set[str]:
    """Gives the ops inside the functions of calls of `outer`."""
    inside: set[str] = set()
    for call in walk(draft_function):  # type: ignore[arg-type]
        if call.op.name == outer:
            for operand in call.operands:
                for callee in functions_in(operand):
                    if isinstance(callee, Function):
                        inside |= {inner.op.name for inner in walk(callee)}
    return inside


def test_families_compose() -> None:
    wanted = {
        ("scan", "scan"),
        ("scan", "cond"),
        ("scan", "matmul"),
        ("cond", "fori_loop"),
        ("map", "apply"),
        ("fori_loop", "apply"),
        ("switch", "apply"),
        ("apply", "scan"),
        ("apply", "jvp"),
    }
    for _, draft in drafts(6000):
        wanted -= {
            (outer, inner) for outer, inner in wanted if inner in _nested_ops(draft.entry, outer)
        }
        if not wanted:
            return
    raise AssertionError(f"not drawn: {wanted}")


@pytest.mark.parametrize(
    "pair",
    [("vmap", "grad"), ("vmap", "vmap"), ("grad", "checkpoint"), ("grad", "grad")],
)
def test_transformations_wrap_each_other(pair: tuple[str, str]) -> None:
    def chains() -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for _, draft in drafts(1000):
            for call in walk(draft.entry):
                for operand in call.operands:
                    chain = [
                        callee.transform
                        for callee in functions_in(operand)
                        if isinstance(callee, Transformed)
                    ]
                    found |= set(itertools.pairwise(chain))
        return found

    assert pair in chains()
