"""Programs of several devices, run on a topology's devices in place of the CPU's.

Their meshes are made while they run, from what `jax.devices` gives and from what `jax.make_mesh`,
`mesh_utils.create_device_mesh` and `jax.pmap` take where nothing is said. Only these public names
are replaced, and only while such a program is run and traced once more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import jax
from jax.experimental import mesh_utils


@contextmanager
def running_on(devices: Sequence[jax.Device]) -> Iterator[None]:
    """Makes `devices` the ones that a program finds."""

    def found(*args: Any, **kwargs: Any) -> list[jax.Device]:
        return list(devices)

    def number(*args: Any, **kwargs: Any) -> int:
        return len(devices)

    def on_them(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **{"devices": list(devices), **kwargs})

        return call

    with (
        patch.multiple(
            jax,
            devices=found,
            local_devices=found,
            device_count=number,
            local_device_count=number,
            make_mesh=on_them(jax.make_mesh),
            pmap=on_them(jax.pmap),
        ),
        patch.object(mesh_utils, "create_device_mesh", on_them(mesh_utils.create_device_mesh)),
    ):
        yield
