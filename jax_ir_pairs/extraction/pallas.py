"""Pallas as a process has it that lowered a kernel before. In the child."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np


@functools.cache
def load_pallas() -> None:
    """Lowers an interpreted kernel; does nothing but the first time.

    The first such lowering imports modules that add states to JAX's configuration. These are part
    of the key of its caches, so a function traced before is traced again after, and a program
    that is lowered then has it twice in its module.
    """
    from jax.experimental import pallas as pl

    value = jax.ShapeDtypeStruct((1,), np.float32)

    def kernel(given: Any, result: Any) -> None:
        result[...] = given[...]

    jax.jit(pl.pallas_call(kernel, out_shape=value, interpret=True)).lower(value)
