"""Programs that call Python back, lowered and compiled for a GPU that is not there.

The one place that uses JAX's private `xla_bridge`, and the arguments that a `Lowered` keeps for its
compiler: JAX asks the devices that are there which kind of GPU "gpu" means, and hands the compiler
the Python functions, which a compiler without a device does not take. Neither shows in the text,
in which a callback is a number: its place among the program's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import jax
from jax._src import xla_bridge


@contextmanager
def gpus_are_cuda() -> Iterator[None]:
    """Makes "gpu" mean "cuda" to JAX, as it does where there is a GPU of NVIDIA's."""
    canonical = xla_bridge.canonicalize_platform

    def canonicalize(platform: str) -> str:
        return "cuda" if platform == "gpu" else canonical(platform)

    with patch.object(xla_bridge, "canonicalize_platform", canonicalize):
        yield


def without_callbacks(lowered: jax.stages.Lowered) -> jax.stages.Lowered:
    """Takes the Python functions from what `lowered` hands the compiler; gives `lowered`."""
    lowered._lowering.compile_args["host_callbacks"] = ()
    return lowered
