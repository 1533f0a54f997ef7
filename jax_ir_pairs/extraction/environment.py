"""The pinned surroundings of an extraction: what makes every machine give the same bytes."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import jax_ir_pairs
from jax_ir_pairs import targets as target_table
from jax_ir_pairs.targets import TARGETS, Platform

# Both only spare work after the last HLO pass: the optimized text is the same without them.
COMPILER_OPTIONS: Mapping[str, int] = MappingProxyType(
    {"xla_backend_optimization_level": 0, "xla_cpu_parallel_codegen_split_count": 1}
)
"""XLA's options, beside those of the environment, for each compilation."""

ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "JAX_ENABLE_X64": "false",
        "JAX_PLATFORMS": "cpu",
        # XLA partitions large fusions over its threads and over the cores, and writes both into
        # the optimized module: the threads are those of the devices, and each compilation sees
        # one core.
        "NPROC": "1",
        # With AVX-512 NumPy has other routines for functions of doubles, whose last bits differ;
        # an error of a check would show them.
        "NPY_DISABLE_CPU_FEATURES": "AVX512_ICL AVX512_SKX AVX512_SPR X86_V4",
        "PYTHONHASHSEED": "0",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_force_host_platform_device_count=8",
    }
)
"""The variables that can decide a byte of a row."""

PLATFORM_OPTIONS: Mapping[Platform, Mapping[str, int]] = MappingProxyType(
    {
        "cpu": COMPILER_OPTIONS,
        "tpu": MappingProxyType({}),
        # Autotuning measures on the device; without one it takes defaults, and so it does here.
        "cuda": MappingProxyType({"xla_gpu_autotune_level": 0}),
    }
)
"""XLA's options for each compilation, by platform."""

PLATFORM_ENVIRONMENT: Mapping[Platform, Mapping[str, str]] = MappingProxyType(
    {
        "cpu": MappingProxyType({}),
        # libtpu else asks a cloud's metadata server what machine this is, writes log files, and
        # keeps other processes from loading it, as if there were a TPU to share.
        "tpu": MappingProxyType(
            {
                "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
                "TPU_ACCELERATOR_TYPE": "v5litepod-1",
                "TPU_LOG_DIR": "disabled",
                "TPU_SKIP_MDS_QUERY": "1",
                "TPU_STDERR_LOG_LEVEL": "3",
                "TPU_WORKER_HOSTNAMES": "localhost",
                "TPU_WORKER_ID": "0",
            }
        ),
        "cuda": MappingProxyType({}),
    }
)
"""The variables that a platform needs beside those of every extraction."""

_MEMORY_GIB: Mapping[Platform, float] = MappingProxyType({"cpu": 0.0, "tpu": 4.0, "cuda": 4.0})

# These decide no byte: they find packages and shared libraries, and keep stderr to errors.
_PASSED_ON = (
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "TMPDIR",
)
_QUIET = {"PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "2"}


DUMPS = "JAX_IR_PAIRS_DUMPS"
"""The variable that names the folder for XLA's dumps; it decides no byte."""

_IN_MEMORY = Path("/dev/shm")
_ROOM_FOR_DUMPS = 1 << 30  # for one worker; those of a large program take 40 MB


def make_dumps_folder() -> Path:
    """Makes a folder for XLA's dumps: in memory where there is room, which takes half the time."""
    usable = os.access(_IN_MEMORY, os.W_OK | os.X_OK)
    in_memory = usable and shutil.disk_usage(_IN_MEMORY).free > _ROOM_FOR_DUMPS
    return Path(tempfile.mkdtemp(prefix="jax-ir-pairs-", dir=_IN_MEMORY if in_memory else None))


def compiler_flags(targets: Sequence[str] = ("cpu",)) -> str:
    """Gives what pins the compiler, as JSON: the compiler options and the environment.

    With `targets` beside the first, also what pins theirs: options by target, versions by package.
    """
    flags: dict[str, object] = {
        "compiler_options": dict(COMPILER_OPTIONS),
        "environment": {**ENVIRONMENT, **_platform_environment(targets)},
    }
    if names := targets[1:]:
        flags["targets"] = {name: dict(PLATFORM_OPTIONS[TARGETS[name].platform]) for name in names}
        flags["packages"] = target_table.versions(names)
    return json.dumps(flags, sort_keys=True)


def _platform_environment(targets: Sequence[str]) -> dict[str, str]:
    platforms = sorted({TARGETS[name].platform for name in targets})
    return {k: v for platform in platforms for k, v in PLATFORM_ENVIRONMENT[platform].items()}


def memory_bytes(memory_gib: float, targets: Sequence[str]) -> int:
    """Gives the limit on a worker's data, with what the targets' compilers need on top."""
    platforms = {TARGETS[name].platform for name in targets}
    return int((memory_gib + sum(_MEMORY_GIB[platform] for platform in platforms)) * 2**30)


def versions() -> tuple[str, str]:
    """Gives the versions of JAX and jaxlib, without importing them."""
    return importlib.metadata.version("jax"), importlib.metadata.version("jaxlib")


def child_environment(
    targets: Sequence[str] = ("cpu",), dumps: Path | None = None
) -> dict[str, str]:
    """Gives the whole environment of the child that compiles for `targets`.

    The compiler dumps into the folder `dumps`, which the child removes where its parent dies.

    Nothing else of the caller's leaks in. The child finds the packages that the caller finds,
    this one included even where it is not installed.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own_folder = str(Path(jax_ir_pairs.__file__).parent.parent)
    folders = dict.fromkeys(str(Path(entry).absolute()) for entry in [*sys.path, own_folder])
    return {
        **passed_on,
        **_QUIET,
        **ENVIRONMENT,
        **_platform_environment(targets),
        **({} if dumps is None else {DUMPS: str(dumps)}),
        "PYTHONPATH": os.pathsep.join(folders),
    }


WORKER = "jax_ir_pairs.extraction.worker"
"""The module that the child runs; another may do the same and more."""


def child_command(
    memory_bytes: int, further: Sequence[str] = (), worker: str = WORKER
) -> list[str]:
    """Gives the command that runs the worker with at most `memory_bytes` of its own data.

    It is ready once it has found the devices of the `further` targets.

    `-P` keeps the working directory, where any `types.py` may lie, out of its search path unless
    the caller has it on its own.
    """
    return [sys.executable, "-P", "-m", worker, str(memory_bytes), *further]
