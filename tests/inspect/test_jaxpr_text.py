from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import pyarrow.parquet as pq
import pytest
from jax import lax

from jax_ir_pairs.inspect.jaxpr_text import Equation, avals, def_use_pairs, equations

ROOT = Path(__file__).parent.parent.parent
SAMPLE = next((ROOT / "data" / "sample").glob("*.parquet"))


def test_an_equation_has_outputs_primitive_and_inputs() -> None:
    text = str(jax.make_jaxpr(lambda x, y: (jnp.sin(x) + y, lax.top_k(x, 2)))(*[jnp.ones(4)] * 2))
    found = list(equations(text))
    assert found[:2] == [
        Equation(("c",), "sin", ("a",)),
        Equation(("d",), "add", ("c", "b")),
    ]
    assert found[2].primitive == "top_k"
    assert found[2].inputs == ("a",)
    assert len(found[2].outputs) == 2


def test_literals_are_no_inputs() -> None:
    text = str(jax.make_jaxpr(lambda x: 2.0 * x)(1.0))
    assert list(equations(text)) == [Equation(("b",), "mul", ("a",))]


def test_parameters_over_lines_and_operands_after_them() -> None:
    def step(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.cos(carry) * x, carry

    text = str(jax.make_jaxpr(lambda x: lax.scan(step, jnp.exp(x[0]), x)[0])(jnp.ones(3)))
    pairs = def_use_pairs(text)
    assert ("exp", "scan") in pairs
    assert ("cos", "mul") in pairs
    assert ("scan", "cos") not in pairs


def test_operands_that_go_on_in_the_next_line() -> None:
    text = (
        "{ lambda ; a:f32[3]. let\n"
        "    b:f32[3] = sin a\n"
        "    c:f32[3] = jit[name=g jaxpr=g] -0.9999999403953552:f32[]\n"
        "      b\n"
        "    d:f32[3] = neg a\n"
        "  in (c, d) }"
    )
    assert def_use_pairs(text) == {("sin", "jit")}


def test_branches_on_one_line() -> None:
    text = str(jax.make_jaxpr(lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, jnp.tan(x)))(1.0))
    assert {equation.primitive for equation in equations(text)} >= {"cond", "sin", "cos", "tan"}
    assert ("tan", "cond") in def_use_pairs(text)


def test_values_of_nested_jaxprs_are_those_of_their_holder() -> None:
    text = str(jax.make_jaxpr(lambda x: -jax.jit(jnp.sin)(x))(1.0))
    assert {("sin", "neg"), ("jit", "neg")} <= def_use_pairs(text)


def test_references_are_read_and_written() -> None:
    def program(x: jax.Array) -> jax.Array:
        ref = jax.new_ref(jnp.sin(x))
        ref[...] += 1
        jax.ref.addupdate(ref, (0,), ref[1])
        return jax.freeze(ref)

    pairs = def_use_pairs(str(jax.make_jaxpr(program)(jnp.ones(3))))
    assert {
        ("sin", "new_ref"),
        ("new_ref", "get"),
        ("get", "add"),
        ("add", "swap"),
        ("new_ref", "addupdate"),
        ("get", "addupdate"),
        ("new_ref", "freeze"),
    } <= pairs


def test_effects_without_results_are_equations() -> None:
    def program(x: jax.Array) -> jax.Array:
        jax.debug.print("a = {} in (", jnp.sin(x))
        return x

    text = str(jax.make_jaxpr(program)(1.0))
    assert [equation.outputs for equation in equations(text)] == [("b",), ()]
    assert [makes for makes, _ in def_use_pairs(text)] == ["sin"]


def test_avals_have_dtype_and_rank() -> None:
    text = "a:f32[] b:bf16[2,3] c:key<fry>[4] d:f8_e4m3fn[1] e:Ref{i32[5]} f:bool[8@(i,j),2]"
    assert avals(text) == {
        ("f32", 0),
        ("bf16", 2),
        ("key<fry>", 1),
        ("f8_e4m3fn", 1),
        ("i32", 1),
        ("bool", 2),
    }


@pytest.mark.parametrize("row", range(0, 100, 3))
def test_every_equation_of_a_row_is_found(row: int) -> None:
    table = pq.read_table(SAMPLE, columns=["jaxpr", "primitives", "num_eqns"])
    jaxpr, primitives, number = table.slice(row, 1).to_pylist()[0].values()
    found = list(equations(jaxpr))
    # References print as assignments, and primitives of another kind under names of their own.
    printed_otherwise = {"get", "swap", "addupdate", "call_hi_primitive"} & set(primitives)
    if not printed_otherwise:
        assert sorted({equation.primitive for equation in found}) == primitives
        # A jaxpr that several equations share is printed at each, and counted once.
        assert len(found) >= number
