"""Programs whose trace has the devices in it, run on a topology's in place of the CPU's.

Meshes are made while a program runs, from what `jax.devices` gives and from what `jax.make_mesh`,
`mesh_utils.create_device_mesh` and `jax.pmap` take where nothing is said; `jax.export.export` takes
the platform of the devices. Only these public names are replaced, and only while such a program is
run and traced once more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import jax
from jax import export
from jax.experimental import mesh_utils


@contextmanager
def running_on(devices: Sequence[jax.Device], platform: str) -> Iterator[None]:
    """Makes `devices`, of `platform`, the ones that a program finds."""

    def found(*args: Any, **kwargs: Any) -> list[jax.Device]:
        return list(devices)

    def number(*args: Any, **kwargs: Any) -> int:
        return len(devices)

    def on_them(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **{"devices": list(devices), **kwargs})

        return call

    @functools.wraps(export.export)
    def for_platform(*args: Any, **kwargs: Any) -> Any:
        return exporting(*args, **{"platforms": [platform], **kwargs})

    exporting = export.export
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
        patch.object(export, "export", for_platform),
        patch.object(mesh_utils, "create_device_mesh", on_them(mesh_utils.create_device_mesh)),
    ):
        yield
