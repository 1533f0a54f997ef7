from __future__ import annotations

import math
from collections.abc import Collection

import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.apart import ALONE, CONTRACTION
from jax_ir_pairs.quality.interpreter_cost import UnsupportedError, cost
from tests.quality.programs import (
    BRANCH_OF_CHOLESKY,
    CALLBACK,
    CHOLESKY,
    LOOP_OF_CHOLESKY,
    stablehlo,
)

FORI = "def f(x):\n    return lax.fori_loop(0, {}, lambda i, y: jnp.sin(y), x)"
WHILE = "def f(x):\n    return lax.while_loop(lambda y: y.sum() > 1, lambda y: y / 2, x)"


def units(text: str, limit: float = math.inf, apart: Collection[str] = ()) -> float:
    with make_ir_context():
        return cost(ir.Module.parse(text), limit, apart).units


def handed_over(body: str, aval: str, apart: Collection[str] = ALONE) -> int:
    with make_ir_context():
        return cost(ir.Module.parse(stablehlo(body, aval)), math.inf, apart).apart


def test_it_grows_with_the_trips_of_a_loop() -> None:
    ten, twenty, thirty = (units(stablehlo(FORI.format(n), "f32[8]")) for n in (10, 20, 30))
    assert thirty - twenty == twenty - ten > 10 * 8


def test_a_loop_whose_trips_do_not_show_runs_some() -> None:
    assert units(stablehlo(WHILE, "f32[8]")) > 10 * 8


@pytest.mark.parametrize(
    ("body", "small", "large", "factor"),
    [
        ("jnp.sin(x)", "f32[100]", "f32[10000]", 100),
        ("x @ x.T", "f32[20,20]", "f32[40,40]", 8),
        ("x.sum()", "f32[100]", "f32[10000]", 100),
        ("lax.conv(x, x, (1, 1), 'SAME')", "f32[8,8,9,9]", "f32[8,8,18,18]", 16),
        ("lax.reduce_window(x, 0., lax.add, (9,), (1,), 'SAME')", "f32[100]", "f32[10000]", 100),
        ("jnp.sort(x)", "f32[128]", "f32[16384]", 256),
        ("x.at[jnp.arange(x.size) // 2].add(x)", "f32[100]", "f32[10000]", 100),
        ("lax.cond(x[0] > 0, jnp.sin, jnp.cos, x)", "f32[100]", "f32[10000]", 100),
        ("lax.lgamma(x)", "f32[100]", "f32[10000]", 100),
    ],
)
def test_it_grows_with_sizes(body: str, small: str, large: str, factor: float) -> None:
    few, many = (units(stablehlo(f"def f(x):\n    return {body}", a)) for a in (small, large))
    assert factor / 3 < many / few <= factor


def test_a_call_costs_what_it_calls_each_time() -> None:
    body = "@jax.jit\ndef g(x):\n    return jnp.sin(x)\n\n\ndef f(x):\n    return {}"
    once, twice, thrice = (
        units(stablehlo(body.format(value), "f32[500]"))
        for value in ("g(x)", "g(g(x))", "g(g(g(x)))")
    )
    assert thrice - twice == twice - once >= 500


def test_it_stops_at_its_limit() -> None:
    text = stablehlo(FORI.format(1000), "f32[8]")
    total = units(text)
    assert units(text, total) == total
    with pytest.raises(UnsupportedError, match=f"costs over {total - 1:g}"):
        units(text, total - 1)


def test_what_is_handed_over_is_counted_outside_of_branches_only() -> None:
    assert handed_over(CHOLESKY, "f32[4,4]") == 1
    assert handed_over(LOOP_OF_CHOLESKY, "f32[4,4]") == 1
    with pytest.raises(UnsupportedError, match=r"has stablehlo\.custom_call"):
        handed_over(BRANCH_OF_CHOLESKY, "f32[4,4]")
    with pytest.raises(UnsupportedError, match=r"has stablehlo\.custom_call"):
        handed_over(CALLBACK, "f32[4]")


def test_what_is_handed_over_is_compiled_once() -> None:
    loop = "def f(x):\n    return lax.fori_loop(0, {}, lambda i, y: jnp.linalg.cholesky(y), x)"
    few, many = (units(stablehlo(loop.format(n), "f32[4,4]"), apart=ALONE) for n in (3, 6))
    assert few < many < 2 * few


@pytest.mark.parametrize("apart", [False, True])
def test_a_large_contraction_is_cheap_by_itself(apart: bool) -> None:
    text = stablehlo("def f(x):\n    return x @ x", "f32[64,64]")
    assert (units(text, apart=CONTRACTION if apart else ()) < 10_000) == apart


def test_a_contraction_with_an_algorithm_is_the_interpreters() -> None:
    body = "def f(x):\n    return lax.dot_general(x, x, (((1,), (0,)), ((), ())), precision={})"
    names = "lax.Precision.HIGHEST", "lax.DotAlgorithmPreset.F32_F32_F32"
    handed = [handed_over(body.format(name), "f32[64,64]", CONTRACTION) for name in names]
    assert handed == [1, 0]


def test_a_contraction_of_nothing_is_refused_unless_it_is_by_itself() -> None:
    text = stablehlo("def f(x):\n    return x @ x.T", "f32[3,0]")
    with pytest.raises(UnsupportedError, match="has an empty contraction"):
        units(text)
    assert units(text, apart=CONTRACTION) > 0


def test_a_bound_that_is_never_reached_is_passed_over() -> None:
    body = "def f(x):\n    return lax.fori_loop(0, {}, lambda i, y: jnp.sin(y), x)"
    assert units(stablehlo(body.format(2**31 - 1), "f32[8]")) < units(
        stablehlo(body.format(100), "f32[8]")
    )
