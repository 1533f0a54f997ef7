from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
from jax import export
from jax.experimental import mesh_utils

from jax_ir_pairs.extraction.targets.parallel import running_on


def test_programs_find_the_devices_they_are_given() -> None:
    devices = jax.devices()[:1]
    before = (jax.devices, jax.make_mesh, jax.pmap, mesh_utils.create_device_mesh)
    with running_on(devices, "cpu"):
        assert jax.devices() == jax.local_devices() == jax.devices("cpu") == devices
        assert jax.device_count() == jax.local_device_count() == 1
        assert list(jax.make_mesh((1,), ("x",)).devices.flat) == devices
        assert list(np.ravel(mesh_utils.create_device_mesh((1,)))) == devices
        assert jax.pmap(lambda x: x + 1)(np.ones((1, 2), np.float32)).shape == (1, 2)
    assert (jax.devices, jax.make_mesh, jax.pmap, mesh_utils.create_device_mesh) == before


def test_what_a_program_asks_for_itself_stays() -> None:
    with running_on([], "cpu"), pytest.raises(ValueError, match="device"):
        jax.make_mesh((1,), ("x",))
    mine = jax.devices()[:1]
    with running_on([], "cpu"):
        assert list(jax.make_mesh((1,), ("x",), devices=mine).devices.flat) == mine


def test_exports_are_for_the_platform_of_the_devices() -> None:
    doubled = jax.jit(lambda x: x * 2)
    with running_on([], "tpu"):
        assert export.export(doubled)(1.0).platforms == ("tpu",)
        assert export.export(doubled, platforms=["cuda"])(1.0).platforms == ("cuda",)
    assert export.export(doubled)(1.0).platforms == ("cpu",)


def test_they_are_put_back_after_an_error() -> None:
    before = jax.devices
    with pytest.raises(ZeroDivisionError), running_on([], "cpu"):
        sys.exit(1 // 0)
    assert jax.devices is before
