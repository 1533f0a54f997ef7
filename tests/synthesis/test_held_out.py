"""What is held out: found in hand-made graphs, known to the tables, as frequent as it should be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.plan import split_of
from jax_ir_pairs.synthesis import held_out
from jax_ir_pairs.synthesis.graph import (
    Call,
    Callee,
    Defined,
    Function,
    Operand,
    Transformed,
    Var,
    walk,
)
from jax_ir_pairs.synthesis.held_out import COMPOSITIONS, KINDS, OPS, Kind, kind_of
from jax_ir_pairs.synthesis.op import Op
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.ops.higher_order import TRANSFORMS
from jax_ir_pairs.synthesis.types import Aval
from tests.synthesis.test_ops import DRAWABLE, uses
from tests.synthesis.tracing import drafts, primitives, shown, traced

PRIMITIVES = {
    "arccosh": "acosh",
    "argmin": "argmin",
    "bitwise_count": "population_count",
    "reversed_cumlogsumexp": "cumlogsumexp",
    "reversed_cumprod": "cumprod",
    "clz": "clz",
    "cumlogsumexp": "cumlogsumexp",
    "cumprod": "cumprod",
    "population_count": "population_count",
}
"""Held-out ops and the primitive that each alone makes."""

X = Var(Aval("f32", (2,)))


def function(*calls: Call) -> Function:
    return Function("helper", (X,), calls, X)


def call(name: str, *operands: Operand) -> Call:
    return Call(TABLE[name], (*operands, X), {}, Var(X.type))


def apply(callee: Callee) -> Call:
    return call("apply", callee)


def wrapped(*names: str, body: Function) -> Call:
    """Gives a call of the function under these transformations and higher-order ops."""
    for name in reversed(names):
        if name in TRANSFORMS:
            body = function(apply(Transformed(name, body)))
        else:
            body = function(call(name, body))
    return body.body[0]


EMPTY = function()
BLOCK = Defined("block", "{def0}", (function(wrapped("scan", body=EMPTY)),))


@pytest.mark.parametrize(
    ("calls", "kind"),
    [
        ((), "none"),
        ((call("sin"),), "none"),
        ((call("clz"),), "ops"),
        ((call("sin"), wrapped("vmap", "scan", "cond", body=function(call("clz")))), "both"),
        ((wrapped("vmap", body=function(call("cumprod"))),), "ops"),
        ((wrapped("cond", "scan", body=EMPTY),), "compositions"),
        ((wrapped("scan", "cond", body=EMPTY),), "none"),
        ((wrapped("switch", "fori_loop", body=EMPTY),), "compositions"),
        ((wrapped("cond", "fori_loop_dynamic", body=EMPTY),), "none"),
        ((wrapped("vmap", "grad", body=EMPTY),), "none"),
        ((wrapped("grad", "vmap", body=EMPTY),), "compositions"),
        ((wrapped("value_and_grad", "checkpoint", "vmap", body=EMPTY),), "compositions"),
        ((call("vjp", function(wrapped("vmap", body=EMPTY))),), "compositions"),
        ((apply(Transformed("grad", Transformed("vmap", EMPTY))),), "compositions"),
        ((apply(Transformed("vmap", Transformed("grad", EMPTY))),), "none"),
        # Side by side is not inside, be it in one call.
        ((wrapped("grad", body=EMPTY), wrapped("vmap", body=EMPTY)), "none"),
        ((call("switch", (Transformed("grad", EMPTY), Transformed("vmap", EMPTY))),), "none"),
        ((call("switch", (EMPTY, function(wrapped("map", body=EMPTY)))),), "compositions"),
        ((apply(BLOCK),), "none"),
        ((apply(Transformed("vmap", BLOCK)),), "compositions"),
    ],
)
def test_kind_of_a_graph(calls: tuple[Call, ...], kind: Kind) -> None:
    assert kind_of(function(*calls)) == kind


def test_the_tables_name_what_there_is() -> None:
    assert set(TABLE) >= OPS
    assert set(PRIMITIVES) == OPS - {"squareplus"}
    names = {name for pair in COMPOSITIONS for name in pair}
    higher_order = {op.name for op in TABLE.values() if op.group in ("control_flow", "transform")}
    assert names | set(KINDS) | set(KINDS.values()) <= higher_order | set(TRANSFORMS)
    assert not names & set(KINDS)
    assert not set(KINDS.values()) & set(KINDS)


def test_the_structure_decides_what_is_held_out() -> None:
    kinds: dict[str, set[Kind]] = {}
    for _, draft in drafts(2000):
        kinds.setdefault(draft.structure_hash, set()).add(kind_of(draft.entry))
    assert max(map(len, kinds.values())) == 1


def test_shares_of_the_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what to change: run it with `-rP` to see the share of every op and composition."""
    found = [draft.entry for _, draft in drafts(5000)]
    kinds = Counter(map(kind_of, found))
    for name in sorted(OPS):
        monkeypatch.setattr(held_out, "OPS", {name})
        print(f"{sum(kind_of(entry) in ('ops', 'both') for entry in found) / 50:5.2f} % {name}")
    monkeypatch.setattr(held_out, "OPS", frozenset())
    for pair in sorted(COMPOSITIONS):
        monkeypatch.setattr(held_out, "INSIDE", held_out._inside(frozenset({pair})))
        print(f"{sum(kind_of(entry) != 'none' for entry in found) / 50:5.2f} % {' > '.join(pair)}")
    shares = {kind: kinds[kind] / 50 for kind in ("ops", "compositions", "both")}
    print(shares)
    assert 2.0 <= shares["ops"] <= 8.0
    assert 2.0 <= shares["compositions"] <= 8.0
    assert shares["both"] <= 1.0


def test_held_out_primitives_are_in_test_ops_only() -> None:
    wanted = {"train": 60, "test_compositions": 20, "test_ops": 60}
    showing = 0
    for seed, draft in drafts(6000):
        split = split_of(draft)
        if split is None or not wanted.get(split):
            continue
        wanted[split] -= 1
        program = draft.program()
        used = {call.op.name for call in walk(draft.entry)} & OPS
        assert bool(used) == (split == "test_ops"), shown(program, seed)
        inside = set(primitives(traced(program, seed))) & set(PRIMITIVES.values())
        # A derivative may leave its op behind: that of cumprod is made of multiplications.
        assert inside <= {PRIMITIVES[op] for op in used if op in PRIMITIVES}, shown(program, seed)
        showing += bool(inside)
    assert not any(wanted.values())
    assert showing >= 40


@pytest.mark.parametrize(
    "op", [op for op in DRAWABLE if op.name not in OPS], ids=lambda op: op.name
)
def test_no_other_op_makes_a_held_out_primitive(op: Op) -> None:
    """Neither itself nor its derivative; an op that fails here makes one of OPS a bad choice."""
    for use in uses(op, 1):
        if {call.op.name for call in use.function.body} & OPS:
            continue  # drawn to guard an operand
        program = use.program()
        found = set(primitives(traced(program, use.seed)))
        function = load(program.python, program.entry_point)
        arguments = abstract_arguments(program.inputs)
        if op.reverse and arguments:

            def loss(*values: Any, function: Any = function) -> Any:
                results = jax.tree.leaves(function(*values))
                return sum(jnp.sum(jnp.real(r)).astype(jnp.float32) for r in results)

            places = tuple(range(len(arguments)))
            gradient = jax.grad(loss, argnums=places, allow_int=True)
            found |= set(primitives(jax.make_jaxpr(gradient)(*arguments).jaxpr))
        assert not found & set(PRIMITIVES.values()), shown(program, use.seed)
