from __future__ import annotations

from pathlib import Path

from likeness.packages import Source
from likeness.tracing import trace
from likeness.units import units

FILE = """\
import time

import jax
import jax.numpy as jnp
from made_up_package import scale


def normalized(x, axis):
    y = scale(x)
    return y / jnp.sum(y, axis=axis)


def loss(params, targets, key):
    noise = jax.random.normal(key, targets.shape)
    return jnp.mean((normalized(params, 0) - targets + noise) ** 2)


def never(path):
    with open(path) as file:
        return jnp.asarray(file.read())


def endless(x):
    while True:
        x = jnp.sin(x) if isinstance(x, str) else x
"""


def test_functions_that_trace_have_a_jaxpr(tmp_path: Path) -> None:
    (tmp_path / "made_up_package.py").write_text("def scale(x):\n    print(x)\n    return 2 * x\n")
    found = trace(units([Source("made-up", "made_up/file.py", FILE)]), [tmp_path])
    jaxprs = {traced.name: traced.jaxpr for traced in found}
    assert set(jaxprs) == {"normalized", "loss"}
    assert "random_bits" in jaxprs["loss"]
    assert "div" in jaxprs["normalized"]
