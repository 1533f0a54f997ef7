"""Programs written by hand, one for each way in which texts of a level can differ."""

from __future__ import annotations

import json
from typing import Any

from jax_ir_pairs.config import Limits
from jax_ir_pairs.synthesis.program import Program

LIMITS = Limits(seconds=60.0)

_IMPORTS = (
    "from functools import partial\n\nimport jax\nimport jax.numpy as jnp\nfrom jax import lax\n"
)


def program(body: str, *arguments: Any, entry_point: str = "f") -> Program:
    """Gives a program with the usual imports; arguments are avals or trees of them."""
    inputs = [[f"x{n}", argument] for n, argument in enumerate(arguments)]
    source = f"{_IMPORTS}\n\n{body}\n"
    return Program(source, entry_point, json.dumps(inputs), "expression", (), "0" * 16)


SIMPLE = program("def f(x):\n    return jnp.sin(x) + 1", "f32[8]")

PROGRAMS: dict[str, Program] = {
    "simple": SIMPLE,
    "softmax": program(
        "def f(x):\n    return jax.nn.softmax(x @ x.T, axis=-1)",
        "f32[16,32]",
    ),
    "scan": program(
        "def f(c, xs):\n    return lax.scan(lambda c, x: (c * x, jnp.sin(c)), c, xs)",
        *("f32[8]", "f32[10,8]"),
    ),
    "cond": program(
        "def f(x):\n    return lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x)",
        "f32[64]",
    ),
    "while": program(
        "def f(x):\n    return lax.while_loop(lambda y: y[0] < 9, lambda y: y + 1, x)",
        "f32[8]",
    ),
    "grad": program(
        "def loss(p, x):\n    return jnp.mean(jnp.tanh(x @ p['w'] + p['b'][0]))\n\n\n"
        "def f(p, x):\n    return jax.value_and_grad(loss)(p, x)",
        *({"w": "f32[16,8]", "b": ["f32[8]"]}, "f32[4,16]"),
    ),
    "vmap": program(
        "def f(a, b):\n    return jax.vmap(jnp.dot, in_axes=(0, None))(a, b)",
        *("bf16[8,16]", "bf16[16]"),
    ),
    "custom_jvp": program(
        "@jax.custom_jvp\ndef relu(x):\n    return jnp.maximum(x, 0)\n\n\n"
        "@relu.defjvp\ndef relu_jvp(primals, tangents):\n"
        "    return relu(*primals), tangents[0] * (primals[0] > 0)\n\n\n"
        "def f(x):\n    return relu(x), jax.grad(lambda y: relu(y).sum())(x)",
        "f32[12]",
    ),
    "custom_vjp": program(
        "@jax.custom_vjp\ndef twice(x):\n    return x * 2\n\n\n"
        "twice.defvjp(lambda x: (twice(x), x), lambda residuals, g: (g * residuals,))\n\n\n"
        "def f(x):\n    return jax.vjp(twice, x)[0]",
        "f32[12]",
    ),
    "checkpoint": program(
        "@partial(jax.checkpoint, policy=jax.checkpoint_policies.dots_saveable)\n"
        "def block(x):\n    return jnp.sin(x @ x)\n\n\n"
        "def f(x):\n    return jax.grad(lambda y: block(y).sum())(x)",
        "f32[8,8]",
    ),
    "callback": program(
        "def f(x):\n    return jax.pure_callback(lambda a: a, x, x)",
        "f32[4]",
    ),
    "activations": program(
        "def f(x):\n    return [a(x) for a in (jax.nn.relu, jax.nn.gelu, jax.nn.log_softmax)]",
        "f16[4,8]",
    ),
    "constant": program(
        "def f(x):\n"
        "    c = jnp.asarray([[float(i * j) for i in range(20)] for j in range(20)])\n"
        "    return x @ c",
        "f32[20,20]",
    ),
    "key": program(
        "def f(x):\n    return x + jax.random.normal(jax.random.key(0), x.shape)",
        "f32[16]",
    ),
    "indexing": program(
        "def f(x, i):\n    return x[i], jnp.sort(x), jnp.take(x, i, axis=1)",
        *("f32[32,4]", "i32[2]"),
    ),
    "large": program(
        "def f(x, y):\n    return jnp.exp(x) @ y, jnp.tanh(x).sum(axis=1)",
        *("f32[1024,2048]", "f32[2048,1024]"),
    ),
}

INSPECTED = program(
    "from jax.sharding import AxisType, PartitionSpec as P\n\n"
    "mesh = jax.make_mesh((2,), ('i',), axis_types=(AxisType.Auto,))\n\n\n"
    "@partial(jax.shard_map, mesh=mesh, in_specs=P('i'), out_specs=P('i'))\n"
    "def g(x):\n    return x * 2\n\n\n"
    "def f(x):\n    jax.debug.inspect_array_sharding(x, callback=print)\n    return g(x)",
    "f32[8]",
)
"""A program whose modules would hold two addresses of the process that lowers it."""

KERNEL = program(
    "from jax.experimental import pallas as pl\n\n\n"
    "def kernel(x_ref, o_ref):\n    o_ref[...] = x_ref[...] * 2\n\n\n"
    "def f(x, y):\n    z = pl.pallas_call(\n        kernel,\n"
    "        out_shape=jax.ShapeDtypeStruct((4, 16), jnp.float32),\n        grid=(2,),\n"
    "        in_specs=[pl.BlockSpec((2, 16), lambda i: (i, 0))],\n"
    "        out_specs=pl.BlockSpec((2, 16), lambda i: (i, 0)),\n"
    "        interpret=True,\n    )(x)\n"
    "    return z, jnp.remainder(y, y[0])",
    "f32[4,16]",
    "i32[4]",
)
"""A program that calls `_where` of two scalars while it is traced, and while it is lowered."""
