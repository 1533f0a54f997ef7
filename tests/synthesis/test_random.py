"""The family of random numbers: every program traces, and no key is used twice."""

from __future__ import annotations

from collections import Counter

import pytest

from jax_ir_pairs.synthesis.graph import Var, walk
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.ops.keys import fresh, held, legacy, split
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import KEY, Aval
from tests.synthesis.tracing import drafts, only, shown, traced_as_built

_SEVERAL_USES = {"fold_in", "item", "unpack", "key_at", "key_clone"}
"""Many numbers are folded into one key."""


def test_programs_trace_to_what_they_say() -> None:
    for seed, draft in drafts(40, only("random")):
        program = draft.program()
        traced_as_built(program, draft.entry, seed)


def test_no_key_is_used_twice() -> None:
    for seed, draft in drafts(300, only("random")):
        uses: Counter[Var] = Counter()
        for call in dict.fromkeys(walk(draft.entry)):  # a function may be applied twice
            if call.op.name in _SEVERAL_USES:
                continue
            uses.update(v for v in call.operands if isinstance(v, Var) and _is_key(v))
        assert all(count == 1 for count in uses.values()), shown(draft.program(), seed)


def _is_key(var: Var) -> bool:
    return isinstance(var.type, Aval) and var.type.dtype in KEY


def test_an_ordinary_op_never_sees_a_key() -> None:
    scope = Scope(Stream("keys"), TABLE)
    key = scope.input(Aval(KEY[0]), "key")
    assert scope.pick() is None
    assert held(scope) is key


@pytest.mark.parametrize("seed", range(20))
def test_fresh_keys_differ(seed: int) -> None:
    scope = Scope(Stream("keys", seed), TABLE)
    made: list[Var] = []
    for _ in range(4):
        made.append(fresh(scope))
        scope.let("random_normal", made[-1], shape=(2,))
    made += [*split(scope, "k1", "k2", "k3"), *legacy(scope, "k1", "k2")]
    assert len(set(made)) == 9
