from __future__ import annotations

import subprocess
import sys

import pytest

from jax_ir_pairs.extraction.environment import child_environment
from jax_ir_pairs.extraction.targets.topology import gpu_target_config
from jax_ir_pairs.targets import TARGETS, GpuFigures, TpuSlice

GPUS = {t.name: t.hardware for t in TARGETS.values() if isinstance(t.hardware, GpuFigures)}


@pytest.mark.parametrize("name", GPUS)
def test_a_gpu_is_described_by_its_figures(name: str) -> None:
    gpu = GPUS[name]
    text = gpu_target_config(gpu)
    assert f"core_count: {gpu.multiprocessors}\n" in text
    assert f'device_description_str: "{gpu.model}"' in text
    assert ("ACCELERATED_FEATURES" in text) == (gpu.compute_capability >= (9, 0))
    assert text.count("{") == text.count("}")


def test_figures_of_an_h100() -> None:
    """Against the device's own: 228 KiB a multiprocessor, 227 of them for one block."""
    text = gpu_target_config(GPUS["cuda-h100"])
    for line in (
        "cuda_compute_capability { major: 9 minor: 0 feature_extension: ACCELERATED_FEATURES }",
        "clock_rate_ghz: 1.98",
        "l2_cache_size: 52428800",
        "shared_memory_per_core: 233472",
        "shared_memory_per_block_optin: 232448",
        "memory_bandwidth: 3350000000000",
    ):
        assert f"  {line}\n" in text


@pytest.mark.parametrize("target", list(TARGETS)[1:])
@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_a_target_has_as_many_devices_as_a_program_uses(target: str, count: int) -> None:
    if missing := TARGETS[target].missing():
        pytest.skip(f"needs {', '.join(missing)}")
    script = (
        "import sys, jax; jax.devices()\n"
        "from jax_ir_pairs.extraction.targets.topology import devices\n"
        "found = devices(sys.argv[1], int(sys.argv[2]))\n"
        "print(len(found), found[0].device_kind, {d.process_index for d in found})"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", script, target, str(count)],
        env=child_environment(("cpu", target)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    number, kind = run.stdout.split(" ", 1)
    hardware = TARGETS[target].hardware
    if isinstance(hardware, TpuSlice):
        assert int(number) == min(size for size in hardware.bounds if size >= count)
        assert kind.startswith("TPU")
    else:
        assert int(number) == count
        assert kind.startswith("NVIDIA")
    assert run.stdout.rstrip().endswith("{0}"), "all devices are of one host"
