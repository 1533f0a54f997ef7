"""A function under construction: what does not fit is ill typed, and no error of ours."""

from __future__ import annotations

import pytest

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval


def test_bounds_that_no_float_holds_are_ill_typed() -> None:
    scope = Scope(Stream("bounds"), TABLE)
    wide = Var(Aval("f32", (64,)), (-1e20, 1e20))
    with pytest.raises(IllTyped, match="reversed_cumprod may leave the range of every dtype"):
        scope.let("reversed_cumprod", wide, axis=0, reverse=True)


def test_what_fails_is_taken_back_where_it_took_values_out_too() -> None:
    scope = Scope(Stream("attempts"), TABLE)
    x = scope.input(Aval("f32", (4,)), "x")
    y = scope.let("tanh", x)

    def fail() -> None:
        scope.values.remove(x)
        scope.let("sin", y)
        raise IllTyped("after all")

    assert not scope.attempt(fail)
    assert scope.values == [x, y]
    assert [call.op.name for call in scope.body] == ["tanh"]
    assert list(scope.unused) == [y]
