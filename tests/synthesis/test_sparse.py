"""The family of sparse matrices: its programs trace, and reach the primitives of each format."""

from __future__ import annotations

from functools import cache

import pytest

from jax_ir_pairs.config import Recipe
from jax_ir_pairs.synthesis.graph import vars_in
from jax_ir_pairs.synthesis.types import leaves
from tests.synthesis.tracing import RECIPE, drafts, out_avals, primitives, shown, traced


@cache
def _reached() -> frozenset[str]:
    found: set[str] = set()
    for seed, draft in drafts(80, Recipe(families={"sparse": 1.0}, size=RECIPE.size)):
        program = draft.program()
        jaxpr = traced(program, seed)
        expected = [str(a) for v in vars_in(draft.entry.result) for a in leaves(v.type)]
        assert out_avals(jaxpr) == expected, shown(program, seed)
        found.update(primitives(jaxpr))
    return frozenset(found)


@pytest.mark.parametrize(
    "primitive",
    ["bcoo_fromdense", "bcoo_todense", "bcoo_dot_general", "bcoo_transpose", "bcoo_extract",
     "bcoo_sum_duplicates", "csr_fromdense", "coo_fromdense", "bcsr_fromdense"],
)  # fmt: skip
def test_reaches(primitive: str) -> None:
    assert primitive in _reached()
