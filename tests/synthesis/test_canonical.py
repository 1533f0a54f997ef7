from __future__ import annotations

from jax_ir_pairs.synthesis.canonical import hashes
from jax_ir_pairs.synthesis.graph import Function, Literal
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval


def function(op: str = "tanh", side: int = 4, name: str = "x", factor: float = 2.0) -> Function:
    scope = Scope(Stream(0), TABLE)
    x = scope.input(Aval("f32", (side,)), name)
    y = scope.let("mul", scope.let(op, x), Literal(factor))
    return scope.close("entry", y)


def test_names_do_not_count() -> None:
    assert hashes(function(name="x")) == hashes(function(name="inputs"))


def test_shapes_and_numbers_count_for_the_canonical_form_only() -> None:
    canonical, structure = hashes(function())
    for other in (function(side=8), function(factor=3.0)):
        assert hashes(other)[0] != canonical
        assert hashes(other)[1] == structure


def test_ops_count_for_both() -> None:
    canonical, structure = hashes(function())
    other = hashes(function(op="sin"))
    assert other[0] != canonical
    assert other[1] != structure


def test_wiring_counts() -> None:
    def difference(swapped: bool) -> Function:
        scope = Scope(Stream(0), TABLE)
        x, y = (scope.input(Aval("f32", (4,)), name) for name in "xy")
        result = scope.let("sub", y, x) if swapped else scope.let("sub", x, y)
        return scope.close("entry", result)

    assert hashes(difference(False))[1] != hashes(difference(True))[1]
