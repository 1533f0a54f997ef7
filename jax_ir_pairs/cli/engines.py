"""The engine that a build is asked to run on."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.build.engines import Engine


class EngineName(StrEnum):
    """The engines."""

    LOCAL = "local"
    RAY = "ray"


def asked_engine(name: EngineName, address: str | None) -> Engine:
    """Gives the engine of this name.

    **Raises:** [`UsageError`][] for an address without Ray, and where Ray is not installed.
    """
    if name == EngineName.LOCAL:
        from jax_ir_pairs.build.engines import local

        if address is not None:
            raise UsageError("--address is that of a Ray cluster, so it needs --engine ray.")
        return local.run
    try:
        from jax_ir_pairs.build.engines import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UsageError("--engine ray needs Ray: pip install 'jax-ir-pairs[ray]'.") from None
    return partial(ray.run, address=address)
