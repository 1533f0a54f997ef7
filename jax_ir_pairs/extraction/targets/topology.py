"""The devices that a target has, of which none is there: they can only be compiled for."""

from __future__ import annotations

from functools import cache

import jax
from jax.experimental import topologies

from jax_ir_pairs.targets import TARGETS, GpuFigures, TpuSlice


@cache
def devices(target: str, count: int) -> tuple[jax.Device, ...]:
    """Gives at least `count` devices of `target` that are near each other, as few as there are.

    Raises ValueError where the table has no slice with as many.
    """
    hardware = TARGETS[target].hardware
    if isinstance(hardware, TpuSlice):
        return _tpu(hardware, count)
    assert isinstance(hardware, GpuFigures)
    found = topologies.get_topology_desc(
        platform="cuda", topology=f"1x1x{count}", target_config=gpu_target_config(hardware)
    )
    return tuple(found.devices)


def _tpu(hardware: TpuSlice, count: int) -> tuple[jax.Device, ...]:
    enough = [size for size in hardware.bounds if size >= count]
    if not enough:
        raise ValueError(f"no slice of {hardware.generation} with {count} devices is known")
    bounds = hardware.bounds[min(enough)]
    # v5e and v6e are named by two sides; one host has all chips, which older libtpu must be told.
    sides = bounds[:2] if hardware.generation in {"v5e", "v6e"} else bounds
    found = topologies.get_topology_desc(
        platform="tpu",
        topology_name=f"{hardware.generation}:{'x'.join(map(str, sides))}",
        chips_per_host_bounds=bounds,
        chip_config_name=hardware.chip_config,
    )
    return tuple(found.devices)


def gpu_target_config(gpu: GpuFigures) -> str:
    """Gives XLA's `GpuTargetConfigProto` of a GPU, as text.

    The fields are those of `xla/stream_executor/device_description.proto`. What all these GPUs
    have alike stands here: limits of threads, blocks and registers, of the CUDA programming guide.
    """
    major, minor = gpu.compute_capability
    # From Hopper on, ptxas is run for the architecture's own instructions: sm_90a, sm_100a.
    features = "feature_extension: ACCELERATED_FEATURES" if major >= 9 else ""
    return f"""
gpu_device_info {{
  cuda_compute_capability {{ major: {major} minor: {minor} {features} }}
  core_count: {gpu.multiprocessors}
  fpus_per_core: {gpu.fp32_cores_per_multiprocessor}
  clock_rate_ghz: {gpu.clock_mhz / 1000}
  device_memory_size: {gpu.memory_gib * 2**30}
  memory_bandwidth: {gpu.memory_gb_per_s * 10**9}
  l2_cache_size: {int(gpu.l2_mib * 2**20)}
  shared_memory_per_core: {gpu.shared_kib_per_multiprocessor * 1024}
  shared_memory_per_block: {48 * 1024}
  shared_memory_per_block_optin: {(gpu.shared_kib_per_multiprocessor - 1) * 1024}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  threads_per_warp: 32
  threads_per_core_limit: 2048
  threads_per_block_limit: 1024
  thread_dim_limit_x: 1024
  thread_dim_limit_y: 1024
  thread_dim_limit_z: 64
  block_dim_limit_x: {2**31 - 1}
  block_dim_limit_y: {2**16 - 1}
  block_dim_limit_z: {2**16 - 1}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 12 }}
device_description_str: "{gpu.model}"
"""
