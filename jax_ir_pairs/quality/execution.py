"""A compiled program run on inputs. In the child."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.inputs import unwrapped, wrapped


def execute(
    program: Compiled, inputs: Sequence[Array], executable: jax.stages.Compiled | None = None
) -> list[Array]:
    """Gives the results of a program, or of another `executable` of it, flat, keys as their words.

    A program that is not compiled whole yet is compiled so now.
    """
    avals = program.traced.jaxpr.in_avals
    flat = [wrapped(value, aval.dtype) for value, aval in zip(inputs, avals, strict=True)]
    machine_code = executable or program.executable
    args, kwargs = jax.tree.unflatten(machine_code.in_tree, flat)
    results = jax.tree.leaves(machine_code(*args, **kwargs))
    jax.effects_barrier()  # a callback that fails late fails here
    return [unwrapped(result) for result in results]
