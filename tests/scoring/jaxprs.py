"""Small functions whose jaxprs have every form that a text can take, printed by the JAX at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

from jax_ir_pairs.extraction.levels import extract
from jax_ir_pairs.extraction.source import abstract_arguments, load

HEAD = "import jax\nimport jax.numpy as jnp\nimport numpy as np\nfrom jax import lax\n\n\n"

BODIES = {
    "arithmetic": "return jnp.sin(x) * 2.0 + x ** 3",
    "nothing": "return x",
    "special_numbers": "return jnp.where(x > jnp.inf, jnp.nan, -x)",
    "scan": "return lax.scan(lambda c, y: (c * 0.5 + y, c), x[0], x, reverse=True)",
    "while": "return lax.while_loop(lambda c: c.sum() < 9.0, lambda c: c + abs(x) + 1, x)",
    "batched_while": (
        "return jax.vmap(lambda v: lax.while_loop(lambda c: c < 9, lambda c: c + abs(v) + 1, v))(x)"
    ),
    "cond": "return lax.cond(x.sum() > 0, lambda v: v + 1, lambda v: v * 2, x)",
    "switch": "return lax.switch(x.astype(int)[0], [jnp.sin, jnp.cos, jnp.tanh], x)",
    "custom_jvp": "return jax.grad(lambda v: jax.nn.relu(v).sum() + jax.nn.softplus(v).sum())(x)",
    "remat": "return jax.grad(lambda v: jax.checkpoint(lambda w: jnp.sin(jnp.sin(w)).sum())(v))(x)",
    "gather": "return x[jnp.array([2, 0])], x.at[jnp.argmax(x)].add(2.0)",
    "sort": "return jnp.sort(x), jnp.argsort(-x)",
    "dot": "return jnp.einsum('i,j,k->jk', x, x, x, precision='highest')",
    "conv": "return jnp.convolve(x, x[:3], mode='same')",
    "window": "return lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,), 'SAME')",
    "reduce": "return lax.reduce(x, 1.0, lambda a, b: a * b + a, (0,))",
    "solve": "return jnp.linalg.solve(jnp.outer(x, x) + 9 * jnp.eye(8), x)",
    "random": "return jax.random.normal(jax.random.key(3), (4,)) + x[:4]",
    "fft": "return jnp.fft.rfft(x).real, jnp.fft.ifft(x).imag",
    "narrow": "return x.astype(jnp.bfloat16) * 2, x.astype(jnp.float8_e4m3fn), x.astype(int) >> 1",
    "shared": "f = jax.jit(lambda v: jnp.cos(v) + 1)\n    return f(f(x)) - f(x)",
    "constant": "return x + np.arange(8, dtype=np.float32), jax.jit(lambda v: v * np.ones(8))(x)",
    "printing": "jax.debug.print('of x: {}', x)\n    return x + 1",
    "dropped": "return jax.jit(lambda v: (jnp.sin(v), jnp.cos(v)))(x)[0]",
    "rounding": "return jnp.round(x), lax.reduce_precision(x, 5, 3), lax.integer_pow(x, -2)",
    "polygon": "return jnp.searchsorted(jnp.sort(x), x), jnp.cumsum(x), lax.top_k(x, 3)",
    "mesh": (
        "mesh = jax.make_mesh((2,), ('i',), axis_types=(jax.sharding.AxisType.Auto,))\n"
        "    p = jax.P('i')\n"
        "    f = lambda v: v + lax.psum(v, 'i')\n"
        "    f = jax.shard_map(f, mesh=mesh, in_specs=p, out_specs=p)\n"
        "    return f(x)"
    ),
}
"""What a function of `x: f32[8]` does."""


def row(body: str) -> dict[str, Any]:
    """Gives the columns of a row that reading an answer takes."""
    python = f"{HEAD}def f(x):\n    {body}\n"
    inputs = json.dumps([["x", "f32[8]"]])
    levels = extract(python, "f", inputs)
    columns = {"jaxpr": levels.jaxpr, "stablehlo": levels.stablehlo}
    return {"python": python, "entry_point": "f", "inputs": inputs, **columns}


@dataclass(frozen=True)
class Expected:
    """A row's function, to run."""

    function: Callable[..., Any]

    @classmethod
    def of(cls, columns: dict[str, Any]) -> Expected:
        jax.config.update("jax_enable_x64", False)
        abstract_arguments(columns["inputs"])
        return cls(load(columns["python"], columns["entry_point"]))

    def __call__(self, *inputs: Any) -> list[Any]:
        return jax.tree.leaves(self.function(*inputs))
