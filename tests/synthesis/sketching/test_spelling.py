"""Each style writes the same program: its spelling changes no meaning."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from jax_ir_pairs.synthesis.sketching.writing import write
from jax_ir_pairs.synthesis.stream import Stream
from tests.synthesis.sketching.library import PLAIN, draft_of, library_of

SKETCH = """
import jax.numpy as jnp


@sketch(takes={"residual": "f[n, n]", "weights": "f[n]"}, gives="f[]")
def f(residual, weights):
    '''Do it.'''
    residual = residual - residual.mean(axis=0)
    spread = jnp.sum(residual**2, axis=-1) / (1 + jnp.square(weights - 1).sum())
    total = jnp.mean(jnp.square(residual - 1) ** 2)
    return (spread + total).max() - jnp.max(jnp.abs(weights)) + -jnp.square(total)
"""


def text(**habits: str) -> str:
    draft = draft_of(library_of(SKETCH), "f")
    style = replace(PLAIN, **habits, renaming=1.0)  # type: ignore[arg-type]
    return write(draft, style, Stream("names")).source


@pytest.mark.parametrize("methods", ["", "on", "off"])
@pytest.mark.parametrize("squares", ["", "power", "function"])
def test_a_style_changes_no_meaning(methods: str, squares: str) -> None:
    known: dict[str, object] = {}
    source = text(methods=methods, squares=squares)
    exec(source, known)
    plain: dict[str, object] = {}
    exec(text(), plain)
    x = np.linspace(-1, 2, 9, dtype=np.float32).reshape(3, 3)
    ours, theirs = known["f"](x, x[0]), plain["f"](x, x[0])  # type: ignore[operator]
    assert np.allclose(ours, theirs), source
    assert "jnp.sum(residual**2" not in source or squares != "function", source
    assert "jnp.square(total)" not in source or squares != "power", source
    if methods == "on":
        assert "jnp.max" not in source, source
    jax.clear_caches()
