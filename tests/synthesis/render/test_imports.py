from __future__ import annotations

from jax_ir_pairs.synthesis.render.imports import module


def test_a_module_imports_what_it_uses() -> None:
    text = module([["def f(x):", "    return jnp.sin(lax.neg(x))"]])
    assert text == (
        "import jax.numpy as jnp\nfrom jax import lax\n\n\n"
        "def f(x):\n    return jnp.sin(lax.neg(x))\n"
    )
