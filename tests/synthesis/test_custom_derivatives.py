from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from jax_ir_pairs.synthesis.constructs.derivatives import rules
from jax_ir_pairs.synthesis.constructs.derivatives.smooth import SEVERAL, UNARY, Smooth
from jax_ir_pairs.synthesis.constructs.derivatives.uses import Known
from jax_ir_pairs.synthesis.graph import Transformed, Var, walk
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, to_json
from tests.synthesis.tracing import (
    draw_graph,
    only,
    primitives,
    run,
    traced,
    traced_as_built,
)

ONLY = only("custom_derivatives")

SURROGATES = {"ste_round", "quantize", "hard_clamp", "spike", "binarize"}
"""Whose rule is, on purpose, not their derivative; near the edge of a domain so are these:"""
GUARDED = {"safe_sqrt", "safe_log", "safe_divide"}


def test_programs_trace_to_the_avals_they_were_built_with() -> None:
    for seed in range(60):
        draft = draw_graph(ONLY, seed)
        program = draft.program()
        traced_as_built(program, draft.entry, seed)


def test_every_construct_turns_up() -> None:
    found: set[str] = set()
    for seed in range(150):
        found |= set(primitives(traced(draw_graph(ONLY, seed).program(), seed).jaxpr))
    assert {
        "custom_jvp_call", "custom_vjp_call", "custom_vmap_call", "custom_linear_solve", "remat2",
        "name", "optimization_barrier", "linear_call", "stop_gradient", "while",
    } <= found  # fmt: skip
    sources = "".join(draw_graph(ONLY, seed).program().python for seed in range(300))
    for text in ("custom_root(", "closure_convert(", "linear_transpose(", "custom_gradient",
                 "nondiff_argnums", "sequential_vmap", "fixed_point_bwd", ".defjvps("):  # fmt: skip
        assert text in sources, text


def _derivative(known: Known, like: Aval, seed: int) -> list[np.ndarray]:
    """Gives the derivatives by all arguments at ordinary points."""
    scope = Scope(Stream("uses", seed), TABLE)
    xs = [scope.input(like, name) for name in "xyz"[: len(known.params)]]
    body = scope.nested([Var(like, role=v.role) for v in xs], reverse=True)
    out = Var(like, (-50.0, 50.0))
    body.bind("apply", (known.block, *body.params), {}, out)
    loss = body.close("loss", body.let("sum", out))
    grads = tuple(Var(like) for _ in xs)
    argnums = tuple(range(len(xs)))
    scope.bind("apply", (Transformed("grad", loss, {"argnums": argnums}), *xs), {}, grads)
    entry = scope.close("entry", grads)
    source, names = render(entry, "f", Stream("style", seed))
    types = [v.type for v in entry.params]
    program = Program(source, "f", to_json(list(zip(names, types, strict=True))), "", (), "")
    return run(program, seed)


@pytest.mark.parametrize("wrapper", [rules.with_jvps, rules.with_vjp, rules.with_gradient])
@pytest.mark.parametrize("smooth", [*UNARY, *SEVERAL], ids=lambda s: s.name)
def test_all_ways_to_give_a_rule_give_one_derivative(smooth: Smooth, wrapper: object) -> None:
    like = Aval("f32", (5,))
    scope = Scope(Stream("rule", 0), TABLE)
    expected = _derivative(rules.with_jvp(scope, smooth, Var(like, (-4.0, 4.0))), like, 1)
    scope = Scope(Stream("rule", 0), TABLE)
    known = wrapper(scope, smooth, Var(like, (-4.0, 4.0)))  # type: ignore[operator]
    if smooth.name == "quantize":  # its number of levels is drawn, and its rule ignores it
        assert smooth.slopes == (None,)
    for one, other in zip(expected, _derivative(known, like, 1), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "smooth",
    [s for s in (*UNARY, *SEVERAL) if s.name not in SURROGATES | GUARDED],
    ids=lambda s: s.name,
)
def test_rules_are_the_derivatives(smooth: Smooth) -> None:
    like = Aval("f32", (5,))
    known = rules.with_jvp(Scope(Stream("rule", 0), TABLE), smooth, Var(like, (-4.0, 4.0)))
    plain = replace(known.block, template="{def0}", functions=known.block.functions[:1], me=None)
    for given, true in zip(
        _derivative(known, like, 2),
        _derivative(replace(known, block=plain), like, 2),
        strict=True,
    ):
        np.testing.assert_allclose(given, true, rtol=1e-3, atol=1e-4)


def test_what_has_no_forward_mode_stands_under_none() -> None:
    both = only("autodiff", "custom_derivatives")
    for seed in range(120):
        draft = draw_graph(both, seed)
        if any(call.op.name in ("jvp", "linearize") for call in walk(draft.entry)):
            traced(draft.program(), seed)
