from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from likeness import jaxpr_counts as counts


def _text(function: Callable[..., Any], *shapes: tuple[int, ...]) -> str:
    avals = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    return str(jax.make_jaxpr(function)(*avals))


@pytest.mark.parametrize(
    ("function", "number"),
    [
        (lambda x, y: (jnp.sin(x), jnp.cos(y)), 2),
        (lambda x, y: (jnp.sin(x), jnp.cos(x)), 1),  # of one argument
        (lambda x, y: (jnp.sin(x + y), y), 1),
        (lambda x, y: (x, y, jnp.tanh(x)), 2),
        (lambda x, y: (jax.jit(jnp.matmul)(x, x), jax.nn.relu(y)), 2),
        (lambda x, y: jax.lax.scan(lambda c, row: (c + row, c), y[0], x), 1),
        (lambda x, y: jax.lax.fori_loop(0, 3, lambda i, c: (c[1], c[0]), (x, y)), 1),
        (lambda x, y: jnp.sin(x), 1),
    ],
)
def test_outputs_that_share_no_data_are_apart(function: Callable[..., Any], number: int) -> None:
    assert counts.components(_text(function, (4, 4), (4, 4))) == number


def test_primitives_are_in_order_with_nested_ones() -> None:
    found = counts.primitives(_text(lambda x: jnp.tanh(jax.jit(jnp.sin)(x)), (3,)))
    assert found == ["jit", "sin", "tanh"]


def test_sides_are_of_all_arguments() -> None:
    assert counts.largest_side('[["x", "f32[4,5]"], ["params", {"w": "f32[128]"}]]') == 128
    assert counts.has_large_side('[["x", "f32[4,128]"]]')
    assert not counts.has_large_side('[["x", "f32[]"], ["key", "key<fry>[2]"]]')


def test_dtypes_and_quantiles() -> None:
    assert counts.dtypes("a:f32[3] b:key<fry>[] c:i32[2,2]") == {"f32", "key", "i32"}
    assert counts.quantile(list(range(100)), 0.9) == 90
    assert counts.quantile([5], 0.99) == 5


def test_pairs_are_ordered_by_how_far_apart_they_are() -> None:
    ours = counts.bigram_shares([_text(lambda x: jnp.sin(jnp.cos(x)), (3,))] * 3)
    real = counts.bigram_shares([_text(lambda x: jnp.exp(jnp.cos(x)), (3,))] * 3)
    assert ours == {("cos", "sin"): 1.0}
    both = {**ours, ("mul", "add"): 0.5}
    found = counts.most_apart(both, {**real, ("mul", "add"): 0.5}, count=1)
    assert found == [(("cos", "sin"), 1.0, 0.0)]
