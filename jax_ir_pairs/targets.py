"""What XLA compiles for: one table, in which a target is one entry.

None of them needs its device: TPUs are described by libtpu, GPUs by the figures in this table.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from jax_ir_pairs.errors import UsageError

Platform = Literal["cpu", "tpu", "cuda"]

DISTRIBUTIONS: Mapping[Platform, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": (),
        "tpu": ("libtpu",),
        # ptxas is in nvidia-cuda-nvcc, libdevice in nvidia-nvvm. No library of kernels is needed.
        "cuda": ("jax-cuda13-pjrt", "jax-cuda13-plugin", "nvidia-cuda-nvcc", "nvidia-nvvm"),
    }
)
"""What has to be installed to compile for a platform: an extra of the platform's name has it."""


@dataclass(frozen=True, slots=True)
class TpuSlice:
    """Slices of one TPU generation, each on one host.

    `bounds` has the chips along each axis by the number of devices. JAX sees one device a chip,
    or two where the generation has `cores` of its own and `chip_config` does not join them.
    """

    generation: str
    bounds: Mapping[int, tuple[int, ...]]
    chip_config: str = "default"


@dataclass(frozen=True, slots=True)
class GpuFigures:
    """The published figures of a GPU, of those that XLA's passes read.

    From NVIDIA's data sheets, and, for what an SM holds, the table of technical specifications by
    compute capability in the CUDA programming guide.
    """

    model: str
    compute_capability: tuple[int, int]
    multiprocessors: int
    fp32_cores_per_multiprocessor: int
    shared_kib_per_multiprocessor: int
    l2_mib: float
    memory_gib: int
    memory_gb_per_s: int
    clock_mhz: int


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that XLA compiles for."""

    name: str
    platform: Platform
    hardware: TpuSlice | GpuFigures | None = None

    @property
    def distributions(self) -> tuple[str, ...]:
        """What has to be installed for it, beside this project."""
        return DISTRIBUTIONS[self.platform]

    def missing(self) -> list[str]:
        """Gives those of its distributions that are not installed; imports none of them."""
        return [name for name in self.distributions if _version(name) is None]

    def column(self, level: str) -> str:
        """Gives the name of the column with `level` for this target."""
        return f"{level}_{self.name.replace('-', '_')}"


_FLAT = MappingProxyType({1: (1, 1, 1), 2: (1, 2, 1), 4: (2, 2, 1), 8: (2, 4, 1)})
_CUBE = MappingProxyType({1: (1, 1, 1), 2: (1, 2, 1), 4: (2, 2, 1), 8: (2, 2, 2)})
_TWO_A_CHIP = MappingProxyType({2: (1, 1, 1), 4: (1, 2, 1), 8: (2, 2, 1)})

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("cpu", "cpu"),
            Target("tpu-v4", "tpu", TpuSlice("v4", _CUBE, chip_config="megacore")),
            Target("tpu-v5e", "tpu", TpuSlice("v5e", _FLAT)),
            Target("tpu-v5p", "tpu", TpuSlice("v5p", _CUBE)),
            Target("tpu-v6e", "tpu", TpuSlice("v6e", _FLAT)),
            Target("tpu-v7x", "tpu", TpuSlice("tpu7x", _TWO_A_CHIP)),
            Target(
                "cuda-a100",
                "cuda",
                GpuFigures("NVIDIA A100-SXM4-80GB", (8, 0), 108, 64, 164, 40, 80, 2039, 1410),
            ),
            Target(
                "cuda-h100",
                "cuda",
                GpuFigures("NVIDIA H100 80GB HBM3", (9, 0), 132, 128, 228, 50, 80, 3350, 1980),
            ),
            Target(
                "cuda-h200",
                "cuda",
                GpuFigures("NVIDIA H200", (9, 0), 132, 128, 228, 50, 141, 4800, 1980),
            ),
            Target(
                "cuda-b200",
                "cuda",
                GpuFigures("NVIDIA B200", (10, 0), 148, 128, 228, 126.5, 180, 8000, 1965),
            ),
        )
    }
)
"""Every target by its name; the first is the one that each config starts with."""


def further(names: Iterable[str]) -> tuple[Target, ...]:
    """Gives the targets of a config after its first, whose levels have columns of their own."""
    return tuple(TARGETS[name] for name in list(names)[1:])


def known_targets(names: Iterable[str]) -> tuple[str, ...]:
    """Gives the targets of these names, after the CPU, which is always the first.

    **Raises:** [`UsageError`][] that says which targets there are.
    """
    asked = list(names)
    if unknown := [name for name in asked if name not in TARGETS]:
        raise UsageError(f"There is no target {unknown[0]!r}; there are {', '.join(TARGETS)}.")
    return tuple(dict.fromkeys(["cpu", *asked]))


def require_installed(names: Iterable[str]) -> None:
    """Raises [`UsageError`][] unless everything for the targets is installed."""
    if missing := {name: lacks for name in names if (lacks := TARGETS[name].missing())}:
        extras = ",".join(dict.fromkeys(TARGETS[name].platform for name in missing))
        packages = ", ".join(dict.fromkeys(lack for lacks in missing.values() for lack in lacks))
        raise UsageError(
            f"To compile for {', '.join(missing)} this installation lacks {packages}: "
            f"pip install 'jax-ir-pairs[{extras}]'"
        )


def versions(names: Iterable[str]) -> dict[str, str]:
    """Gives the versions of what the targets need, by distribution; what lacks is left out."""
    distributions = dict.fromkeys(d for name in names for d in TARGETS[name].distributions)
    return {name: found for name in distributions if (found := _version(name)) is not None}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
