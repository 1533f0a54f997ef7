"""A traced program, lowered and compiled for one target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import jax

from jax_ir_pairs.extraction import optimization
from jax_ir_pairs.extraction.counting import all_jaxprs
from jax_ir_pairs.extraction.environment import PLATFORM_OPTIONS
from jax_ir_pairs.extraction.targets.cuda_libraries import pinned_versions
from jax_ir_pairs.extraction.targets.cuda_passes import optimized_for_gpu
from jax_ir_pairs.extraction.targets.gpu_callbacks import gpus_are_cuda, without_callbacks
from jax_ir_pairs.extraction.targets.parallel import running_on
from jax_ir_pairs.extraction.targets.topology import devices
from jax_ir_pairs.extraction.text import module_text
from jax_ir_pairs.targets import TARGETS


@dataclass(frozen=True, slots=True)
class Compilation:
    """What a target's lowering and compiler give; nothing is done before it is asked for."""

    target: str
    num_devices: int
    traced: Any
    """The trace that the levels are from."""
    trace_again: Callable[[], Any]
    """Runs the source and traces it once more, for the devices that it then finds."""

    def lowered(self) -> jax.stages.Lowered:
        """Gives the program as it is lowered for the target's devices.

        A program of one device is lowered from the trace that is there: where it runs is no part
        of it, but comes from the default device, as it does for who has such a device. A mesh is
        part of a trace, and so is what a program exports for the platform that it finds: such
        programs are traced on the target's devices.
        """
        found = devices(self.target, self.num_devices)[: self.num_devices]
        platform = TARGETS[self.target].platform
        traced = self.traced
        if self.num_devices > 1 or self._exports():
            with running_on(found, platform):
                traced = self.trace_again()
        libraries = pinned_versions() if platform == "cuda" else nullcontext()
        with jax.default_device(found[0]), libraries, gpus_are_cuda():
            lowered: jax.stages.Lowered = traced.lower(lowering_platforms=(platform,))
        return without_callbacks(lowered) if platform == "cuda" else lowered

    def _exports(self) -> bool:
        eqns = (eqn for jaxpr in all_jaxprs(self.traced.jaxpr) for eqn in jaxpr.eqns)
        return any(eqn.primitive.name == "call_exported" for eqn in eqns)

    def texts(self, lowered: jax.stages.Lowered) -> tuple[str, str]:
        """Gives the StableHLO and the optimized HLO of `lowered`.

        Machine code is made only where the text is not to be had without: for TPUs always. Raises
        ValueError for a program that brings a mesh of this process's own devices: XLA would compile
        it for those.
        """
        if own := optimization.devices(lowered) & set(jax.local_devices()):
            kind = next(iter(own)).platform
            raise ValueError(f"its mesh is made of {kind} devices before it is traced")
        platform = TARGETS[self.target].platform
        options = PLATFORM_OPTIONS[platform]
        if platform == "cuda":
            found = optimized_for_gpu(lowered, options)
        else:
            compiled = lowered.compile(compiler_options=dict(options))
            found = optimization.of_executable(compiled)
        return module_text(lowered.as_text()), found.text
