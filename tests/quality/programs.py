"""Small programs with all their levels, compiled in this process and ready to run."""

from __future__ import annotations

import functools
from typing import Any

import jax

from jax_ir_pairs.extraction import levels
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.extraction.result import Check
from jax_ir_pairs.extraction.source import abstract_arguments, load
from jax_ir_pairs.quality.check import check
from jax_ir_pairs.synthesis.program import Program
from tests.extraction.hand_written import program

CHOLESKY = "def f(x):\n    return jnp.linalg.cholesky(x @ x.T + 9 * jnp.eye(4))"
FFT = "def f(x):\n    return jnp.abs(jnp.fft.fft(x)).sum()"
COSTLY = "def f(x):\n    return lax.fori_loop(0, 20000, lambda i, y: jnp.tanh(y @ x), x)"
LOOP_OF_CHOLESKY = (
    "def f(x):\n    def body(i, y):\n"
    "        return jnp.linalg.cholesky(y @ y.T + jnp.eye(4))\n\n"
    "    return lax.fori_loop(0, 3, body, x)"
)
BRANCH_OF_CHOLESKY = (
    "def f(x):\n    return lax.cond(x[0, 0] > 9, jnp.linalg.cholesky, jnp.negative, x)"
)
MULHI = "def f(x):\n    return lax.mulhi(x, x)"
COMPOSITE = "def f(x):\n    return lax.composite(lambda y: jnp.sin(y) + 1, name='my.sine')(x) * 2"
SHARDED = (
    "from jax.sharding import AxisType, PartitionSpec as P\n\n"
    "mesh = jax.make_mesh((2,), ('i',), axis_types=(AxisType.Auto,))\n\n\n"
    "@partial(jax.shard_map, mesh=mesh, in_specs=P('i'), out_specs=P('i'))\n"
    "def f(x):\n    return lax.psum(x, 'i') * 2 + lax.axis_index('i')"
)
CALLBACK = (
    "import numpy as np\n\n\ndef f(x):\n    return jax.pure_callback(lambda y: np.sin(y), x, x) * 2"
)
LAYOUT_AND_CALLBACK = (
    "from jax.experimental.layout import Layout, with_layout_constraint\n\n\n"
    "def f(x):\n    y = with_layout_constraint(x, Layout((1, 0)))\n"
    "    return jax.pure_callback(lambda y: y, y, y) * 2"
)
INSPECTED = SHARDED.replace("def f(", "def g(") + (
    "\n\n\ndef f(x):\n    jax.debug.inspect_array_sharding(x, callback=print)\n    return g(x)"
)
SYMBOLIC = (
    "from jax import export\n\n"
    "exported = export.export(jax.jit(lambda x: jnp.abs(x) - x))(\n"
    "    jax.ShapeDtypeStruct(export.symbolic_shape('b, 2'), jnp.float32)\n)\n\n\n"
    "def f(x):\n    return exported.call(x)"
)

TAKEN = {
    "interpreter": ("def f(x):\n    return jnp.sin(x) @ x.T + 1", "f32[4,4]"),
    "interpreter of a composite": (COMPOSITE, "f32[4]"),
    "interpreter with a large contraction": ("def f(x):\n    return x @ x.T + 1", "f32[80,60]"),
    "interpreter of cholesky": (CHOLESKY, "f32[4,4]"),
    "interpreter of fft": (FFT, "f32[8]"),
    "interpreter of lapack": ("def f(x):\n    return jnp.linalg.qr(x)[1]", "f32[4,4]"),
    "interpreter of lapack in a loop": (LOOP_OF_CHOLESKY, "f32[4,4]"),
    "interpreter of lapack in a branch": (BRANCH_OF_CHOLESKY, "f32[4,4]"),
    "interpreter of devices": (SHARDED, "f32[4]"),
    "interpreter that shows a sharding": (INSPECTED, "f32[4]"),
    "interpreter of symbolic": (SYMBOLIC, "f32[4,2]"),
    "hlo as too costly": (COSTLY, "f32[32,32]"),
    "interpreter of what only optimized HLO has": (MULHI, "i32[4]"),
    "stablehlo with a callback": (CALLBACK, "f32[4]"),
    "stablehlo with a layout": (LAYOUT_AND_CALLBACK, "f32[4,3]"),
}
"""Programs by the oracle that is taken for them, and why."""


@functools.cache
def compiled(body: str, *avals: Any) -> Compiled:
    """Gives a program of this body, which defines `f`, ready to run."""
    return of(program(body, *avals))


def of(source: Program) -> Compiled:
    """Gives a program ready to run."""
    found: list[Compiled] = []

    def keep(ready: Compiled) -> Check:
        found.append(ready)
        return Check("nobody", 0.0, 0.0, executed=False)

    levels.extract(source.python, source.entry_point, source.inputs, check=keep)
    return found[0]


def stablehlo(body: str, *avals: Any) -> str:
    """Gives the StableHLO of a program of this body, which is not compiled."""
    source = program(body, *avals)
    jax.config.update("jax_enable_x64", False)
    arguments = abstract_arguments(source.inputs)
    text: str = load(source.python, "f").trace(*arguments).lower().as_text()
    return text


def confirmed(program: Compiled, seed: int) -> Check:
    """Gives who confirmed the results of a program of which somebody can."""
    found = check(program, seed)
    assert found is not None
    return found
