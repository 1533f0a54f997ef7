from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.shaking import shaking
from tests.interpreter.running import interpret

X = np.linspace(-2.0, 2.0, 8, dtype=np.float32)


def shaken(function: Any, value: Array, seed: int) -> Array:
    text = jax.jit(function).lower(value).as_text()
    [result] = interpret(text, [value], change=shaking(seed))
    return result


def plain(function: Any, value: Array) -> Array:
    [result] = interpret(jax.jit(function).lower(value).as_text(), [value])
    return result


def test_a_result_is_moved_by_a_rounding_and_by_no_more() -> None:
    runs = [shaken(jnp.tanh, X, seed) for seed in range(4)]
    own = plain(jnp.tanh, X)
    distances: Any = np.stack([np.abs(run - own) / np.spacing(np.abs(own)) for run in runs])
    assert 1.0 <= distances.max() <= 2.0
    assert len(np.unique(distances[:, 0])) > 1  # each run has its own roundings
    np.testing.assert_array_equal(runs[0], shaken(jnp.tanh, X, 0))


def saturated(x: jax.Array) -> jax.Array:
    return jnp.floor(jnp.tanh(x * 0.0 + 20.0))


def of_constants(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.tan(jnp.linspace(-1.0, 1.0, 33))) + 0.0 * x


@pytest.mark.parametrize("function", [saturated, of_constants])
def test_what_moving_the_inputs_does_not_show_is_shown(function: Any) -> None:
    own = plain(function, X)
    assert any((shaken(function, X, seed) != own).any() for seed in range(4))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int32"])
def test_whole_numbers_are_exact(dtype: str) -> None:
    def function(x: jax.Array) -> jax.Array:
        return jnp.floor((x + x) * jnp.asarray(3, dtype)) + jnp.cumsum(x)

    whole = np.arange(6).astype(jnp.dtype(dtype))
    np.testing.assert_array_equal(plain(function, whole), shaken(function, whole, 0))


def _sine(_: jax.Array, value: jax.Array) -> Any:
    return jnp.sin(value)


def test_loops_and_branches_are_shaken_and_bodies_of_reductions_are_not() -> None:
    def looped(x: jax.Array) -> Any:
        return jax.lax.fori_loop(0, 3, _sine, x)

    assert (shaken(looped, X, 1) != plain(looped, X)).any()
    # A product is off by one rounding, and not by one for each of its terms.
    own, moved = plain(jnp.prod, X), shaken(jnp.prod, X, 1)
    assert abs(moved - own) <= 2 * np.spacing(abs(own))
