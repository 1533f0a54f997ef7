"""A compiled program run on inputs. In the child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.inputs import unwrapped, wrapped


def execute(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    """Gives the results of the compiled program, flat, keys as their words."""
    avals = program.traced.jaxpr.in_avals
    flat = [wrapped(value, aval.dtype) for value, aval in zip(inputs, avals, strict=True)]
    executable: Any = program.executable
    args, kwargs = jax.tree.unflatten(executable.in_tree, flat)
    results = jax.tree.leaves(executable(*args, **kwargs))
    jax.effects_barrier()  # a callback that fails late fails here
    return [unwrapped(result) for result in results]
