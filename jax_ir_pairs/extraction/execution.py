"""A module run again from its text, StableHLO or HLO. In the child.

The one place that compiles a module without tracing it: no public function of JAX takes a text.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jaxlib._jax as _jax
import numpy as np
from jax._src import compiler
from jax._src.sharding_impls import GSPMDSharding

from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.hlo_module import parse_hlo

Array = np.ndarray[Any, np.dtype[Any]]


def stablehlo_of(hlo_text: str) -> bytes:
    """Gives an unoptimized HLO module as StableHLO; raises what jaxlib does for what is none."""
    module = parse_hlo(hlo_text)
    stablehlo: bytes = _jax.mlir.hlo_to_stablehlo(module.as_serialized_hlo_module_proto())
    return stablehlo


def parts_of(sharding: Any, shape: tuple[int, ...], num_devices: int) -> list[tuple[slice, ...]]:
    """Gives which part of an array of this shape each of the first devices has, in their order."""
    devices = tuple(jax.devices()[:num_devices])
    where = GSPMDSharding(devices, sharding).devices_indices_map(shape)
    return [where[device] for device in devices]


@functools.cache
def load_lapack() -> None:
    """Looks LAPACK's functions up, as lowering a program does; without it a call ends the process.

    The only public way is to lower an op that LAPACK computes.
    """
    jax.jit(jax.lax.linalg.cholesky).lower(jax.ShapeDtypeStruct((1, 1), np.float32))


@functools.cache
def _register_sparse() -> None:
    importlib.import_module("jax.experimental.sparse")


_LIBRARIES = {"lapack_": load_lapack, "cpu_csr_": _register_sparse}
"""What has to be done in this process before a custom call of that prefix, once."""


class Executable:
    """A StableHLO module, as text or as bytes, compiled for the first devices that there are.

    `options` of XLA come on top of those of every extraction. The module must not call into this
    process: what a callback calls is not in it.
    """

    def __init__(
        self,
        stablehlo: str | bytes,
        num_devices: int = 1,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        code = stablehlo.encode() if isinstance(stablehlo, str) else stablehlo
        for prefix, load in _LIBRARIES.items():
            if prefix.encode() in code:
                load()
        overrides = {name: str(value) for name, value in {**COMPILER_OPTIONS, **options}.items()}
        compile_options = compiler.get_compile_options(
            num_replicas=1,
            num_partitions=num_devices,
            device_assignment=np.arange(num_devices).reshape(1, num_devices),
            env_options_overrides=overrides,
        )
        # As JAX asks for it, of every program; with one device there is nothing to partition.
        compile_options.executable_build_options.use_spmd_partitioning = num_devices > 1
        compile_options.executable_build_options.use_shardy_partitioner = num_devices > 1
        self._devices = tuple(jax.devices()[:num_devices])
        client: Any = self._devices[0].client
        devices: Any = _jax.DeviceList(self._devices)
        self._loaded = client.compile_and_load(stablehlo, devices, compile_options)

    def __call__(
        self, inputs: Sequence[Array], shapes: Sequence[tuple[int, ...]] = ()
    ) -> list[Array]:
        """Gives the results for `inputs`; for several devices the `shapes` of the results too."""
        with jax.enable_x64(True):  # else JAX narrows what it places on a device
            return self._results(inputs, shapes)

    def _results(self, inputs: Sequence[Array], shapes: Sequence[tuple[int, ...]]) -> list[Array]:
        if len(self._devices) == 1:
            shards = self._run([jax.device_put(value, self._devices[0]) for value in inputs])
            return [np.asarray(parts[0]) for parts in shards]
        placed = [jax.device_put(x, where) for x, where in zip(inputs, self.ins, strict=True)]
        return [
            np.asarray(jax.make_array_from_single_device_arrays(shape, where, parts))
            for shape, where, parts in zip(shapes, self.outs, self._run(placed), strict=True)
        ]

    @property
    def ins(self) -> list[jax.sharding.Sharding]:
        """How the inputs lie on several devices."""
        return [self._sharding(each) for each in self._loaded.get_parameter_shardings() or []]

    @property
    def outs(self) -> list[jax.sharding.Sharding]:
        """How the outputs do."""
        return [self._sharding(each) for each in self._loaded.get_output_shardings() or []]

    def _sharding(self, sharding: Any) -> jax.sharding.Sharding:
        return GSPMDSharding(self._devices, sharding)

    def _run(self, arguments: list[jax.Array]) -> list[list[jax.Array]]:
        results = self._loaded.execute_sharded(arguments)
        shards: list[list[jax.Array]] = results.disassemble_into_single_device_arrays()
        return shards
