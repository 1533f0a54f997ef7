from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import read_a_jaxpr as example


def test_the_tree_holds_the_inner_jaxprs() -> None:
    jaxpr = jax.make_jaxpr(example.program)(jnp.ones(3)).jaxpr
    tree = [(depth, equation.primitive.name) for depth, equation in example.walk(jaxpr)]
    assert tree == [
        (0, "scan"),
        (1, "jit"),
        (2, "mul"),
        (1, "add"),
        (0, "gt"),
        (0, "convert_element_type"),
        (0, "cond"),
        (1, "exp"),
        (1, "sqrt"),
    ]
    assert example.primitives(jaxpr) == {name: 1 for _, name in tree}


def test_signatures_name_the_types() -> None:
    jaxpr = jax.make_jaxpr(lambda x: jnp.sum(2.0 * x) > 1)(jnp.ones(3)).jaxpr
    assert [example.signature(equation) for equation in jaxpr.eqns] == [
        "mul: f32[] f32[3] -> f32[3]",
        "reduce_sum: f32[3] -> f32[]",
        "gt: f32[] f32[] -> bool[]",
    ]


def test_every_variable_is_bound_once() -> None:
    jaxpr = jax.make_jaxpr(example.program)(jnp.ones(3)).jaxpr
    for level in [jaxpr, *(e.params["jaxpr"].jaxpr for e in jaxpr.eqns if "jaxpr" in e.params)]:
        bound = [*level.constvars, *level.invars]
        bound += [var for equation in level.eqns for var in equation.outvars]
        assert len(bound) == len(set(bound))


@pytest.mark.parametrize("xs", [[0.1, 0.2], [0.5, 1.5, 2.5]], ids=["exp", "sqrt"])
def test_our_interpreter_agrees_with_jax_and_numpy(xs: list[float]) -> None:
    closed = jax.make_jaxpr(example.program)(jnp.array(xs))
    (value,) = example.evaluate(closed.jaxpr, closed.consts, jnp.array(xs))
    total = np.sum(np.square(xs))
    np.testing.assert_allclose(value, np.sqrt(total) if total > 1 else np.exp(total), rtol=1e-6)
    np.testing.assert_allclose(value, example.program(jnp.array(xs)), rtol=1e-6)


def test_our_interpreter_reads_captured_constants() -> None:
    table = jnp.array([1.0, 2.0, 3.0])
    closed = jax.make_jaxpr(lambda x: (2.0 * x + table, x))(table)
    doubled, same = example.evaluate(closed.jaxpr, closed.consts, jnp.ones(3))
    np.testing.assert_allclose(doubled, [3.0, 4.0, 5.0])
    np.testing.assert_allclose(same, [1.0, 1.0, 1.0])
