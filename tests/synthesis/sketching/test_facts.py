from __future__ import annotations

import pytest

from tests.synthesis.sketching.library import draft_of, library_of

SKETCH = """
import functools

import jax
import jax.numpy as jnp

{before}

@sketch(takes={{"x": "f[n]"}})
def f(x):
    '''Do it.'''
    {body}
"""


def facts(body: str, before: str = "") -> tuple[tuple[str, ...], str]:
    """Gives the transformations of a program and what of it is held out."""
    lines = body.replace("\n", "\n    ")
    draft = draft_of(library_of(SKETCH.format(body=lines, before=before)), "f")
    return draft.transforms(), draft.held_out


def test_transformations_are_told_from_outside_in() -> None:
    assert facts("return jax.vmap(jax.grad(jnp.sin))(x)")[0] == ("vmap", "grad")
    assert facts("return g(x)", "@jax.jit\ndef g(x):\n    return jax.vmap(jnp.sin)(x)\n")[0] == (
        "jit",
        "vmap",
    )
    partial = "@functools.partial(jax.jit, static_argnums=0)\ndef g(x):\n    return x\n"
    assert facts("return g(x)", partial)[0] == ("jit",)
    over = "@functools.partial(jax.pmap, axis_name='i')\ndef g(x):\n    return jax.grad(h)(x)\n"
    assert facts("h = jnp.sin\nreturn g(x)", over)[0] == ("pmap", "grad")
    sharded = "def part(y):\n    return jax.vmap(jnp.sin)(y)\nh = jax.shard_map(part, mesh=x)\n"
    assert facts(f"{sharded}return h(x)")[0] == ("shard_map", "vmap")


def test_methods_of_classes_and_transformations_of_other_packages_count() -> None:
    before = (
        "class Model(eqx.Module):\n"
        "    def __call__(self, x):\n        return self.inner(x)\n\n"
        "    def inner(self, x):\n        return jax.vmap(jnp.sin)(x)\n"
    )
    assert facts("return Model()(x)", before)[0] == ("vmap",)
    for written, name in (
        ("eqx.filter_value_and_grad", "value_and_grad"),
        ("nnx.grad", "grad"),
        ("nnx.jit", "jit"),
    ):
        assert facts(f"return {written}(jnp.sin)(x)")[0] == (name,)
    assert facts("return eqx.filter_grad(jax.vmap(jnp.sin))(x)")[1] == "compositions"


def test_what_is_not_called_does_not_count() -> None:
    assert facts("return x", "def g(x):\n    return jax.vmap(jnp.sin)(x)\n") == ((), "none")


@pytest.mark.parametrize(
    "body",
    [
        "def step(c, x):\n    return jax.grad(jnp.sin)(c), x\nreturn jax.lax.scan(step, x[0], x)",
        "return jax.vmap(lambda y: jax.lax.map(jnp.sin, y))(x[None])",
        "return jax.vmap(g)(x[None])",
        "h = jax.vmap(jnp.sin)\nreturn jax.grad(lambda y: h(y).sum())(x)",
        "return jax.checkpoint(g)(x)",
        "return jax.lax.cond(True, g, lambda y: y, x)",
    ],
)
def test_compositions_are_found_through_functions(body: str) -> None:
    before = "def g(x):\n    return jax.lax.fori_loop(0, 3, lambda i, y: y * 2, x)\n"
    assert facts(body, before)[1] == "compositions"


@pytest.mark.parametrize(
    "body",
    [
        "y = jax.lax.map(jnp.sin, x)\nreturn jax.vmap(jnp.cos)(y)",
        "return jax.grad(lambda y: g(y).sum())(x)",
        "return jax.vmap(jax.grad(jnp.sin))(x)",
        "return jax.tree.map(jnp.sin, {'x': jax.vmap(jnp.sin)(x)})",
    ],
)
def test_other_nesting_is_no_composition(body: str) -> None:
    before = "def g(x):\n    return jax.lax.fori_loop(0, 3, lambda i, y: y * 2, x)\n"
    assert facts(body, before)[1] == "none"


def test_functions_of_one_name_are_told_apart() -> None:
    before = """
def a(x):
    def step(y):
        return jax.lax.map(jnp.sin, y)

    return step(x)


def b(x):
    def step(y):
        return jnp.sin(y)

    return jax.vmap(step)(x)
"""
    assert facts("return a(x) + b(x)", before)[1] == "none"


def test_ops_are_held_out() -> None:
    assert facts("return jnp.cumprod(x)")[1] == "ops"
    assert facts("return jnp.cumprod(jax.vmap(lambda y: jax.lax.map(jnp.sin, y))(x[None]))")[1] == (
        "both"
    )


def test_rules_of_a_primitive_count_where_it_is_applied() -> None:
    before = """
p = Primitive("p")


@p.def_impl
def p_impl(x):
    return jnp.cumprod(jax.vmap(jnp.sin)(x))


def g(x):
    return p.bind(x)
"""
    assert facts("return g(x)", before) == (("vmap",), "ops")
    assert facts("return x", before) == ((), "none")
