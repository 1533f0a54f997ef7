"""The family of sparse matrices: its programs trace, and reach the primitives of each format."""

from __future__ import annotations

from functools import cache

import pytest

from tests.synthesis.tracing import (
    drafts,
    only,
    primitives,
    traced_as_built,
)


@cache
def _reached() -> frozenset[str]:
    found: set[str] = set()
    for seed, draft in drafts(160, only("sparse")):
        program = draft.program()
        jaxpr = traced_as_built(program, draft.entry, seed)
        found.update(primitives(jaxpr))
    return frozenset(found)


@pytest.mark.parametrize(
    "primitive",
    ["bcoo_fromdense", "bcoo_todense", "bcoo_dot_general", "bcoo_transpose", "bcoo_extract",
     "bcoo_sum_duplicates", "csr_fromdense", "coo_fromdense", "bcsr_fromdense"],
)  # fmt: skip
def test_reaches(primitive: str) -> None:
    assert primitive in _reached()
