"""The engine that a build is asked to run on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from jax_ir_pairs.errors import UsageError

if TYPE_CHECKING:
    from jax_ir_pairs.build.engines import Engine


class EngineName(StrEnum):
    """The engines."""

    LOCAL = "local"
    RAY = "ray"


@contextmanager
def asked_engine(
    name: EngineName, address: str | None, workers: int | None
) -> Iterator[tuple[Engine, int]]:
    """Gives the engine of this name, ready for a build, and its number of workers.

    **Raises:** [`UsageError`][] for an address without Ray, for `workers` of a cluster that is
    there already, and where Ray is not installed; [`BuildError`][] where none can be reached.
    """
    if name == EngineName.LOCAL:
        from jax_ir_pairs.build.engines import local

        if address is not None:
            raise UsageError("--address is that of a Ray cluster, so it needs --engine ray.")
        yield local.run, _cores() if workers is None else workers
        return
    address = address or os.environ.get("RAY_ADDRESS")
    if address is not None and workers is not None:
        raise UsageError(
            f"--workers: the cluster at {address} has CPUs of its own, one a worker; leave it out."
        )
    try:
        from jax_ir_pairs.build.engines import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UsageError("--engine ray needs Ray: pip install 'jax-ir-pairs[ray]'.") from None
    with ray.cluster(address, _cores() if workers is None else workers) as cpus:
        yield ray.run, max(1, cpus)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
