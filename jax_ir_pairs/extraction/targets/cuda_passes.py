"""The optimized HLO of a program for a GPU, from a compiler that is stopped after its last pass.

The hook that stops the CPU's compiler is of no use here: six passes come after it that change one
module in four (collectives become synchronous, optimization barriers and tuples go, constants get
other names, kernels are told to start before others end), and older versions of XLA do not call it
for GPUs. After its last pass XLA dumps the module, and then reads a file with kernels of former
compilations. It is given one that is none, and ends there, before it makes machine code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import jax

from jax_ir_pairs.extraction import hlo_module
from jax_ir_pairs.extraction.dumps import folder_for_dumps, module_in
from jax_ir_pairs.extraction.optimization import (
    Optimized,
    compilation_attributes,
    of_executable,
    with_attributes,
)

_NO_KERNELS = b"\xff" * 100  # begins like no protocol buffer
_DUMP = "*_gpu_after_optimizations.hlo.pb"

_CALLED = re.compile(r'custom_call_target="([^"]*)"')
_SOLVERS = ("csrlsvqr", "geev", "geqrf", "gesvd", "gesvdj", "gesvdp", "getrf", "orgqr", "ormqr")
HANDLED = frozenset(
    {
        # XLA's own.
        "GetRngSeed",
        "__cublas$lt$matmul",
        "__cublas$triangularSolve",
        "__cudnn$convBackwardFilter",
        "__cudnn$convBackwardInput",
        "__cudnn$convBiasActivationForward",
        "__cudnn$convForward",
        # Of JAX's plug-in.
        "cu_cholesky_update_ffi",
        "cu_lu_pivots_to_permutation",
        "cu_threefry2x32_ffi",
        "cu_tridiagonal_solve_perturbed",
        "cuhybrid_eig_comp",
        "cuhybrid_eig_real",
        "cuhybrid_geqp3",
        *(f"cusolver_{name}_ffi" for name in (*_SOLVERS, "potrf", "syevd", "syrk", "sytrd")),
        "xla_ffi_python_gpu_callback",
    }
)
"""The functions outside XLA that a program may call and the compiler is known to have."""


def optimized_for_gpu(lowered: jax.stages.Lowered, options: Mapping[str, str | int]) -> Optimized:
    """Gives the optimized module of `lowered`, without machine code where that can refuse nothing.

    Whether there is a function of the name that a program calls shows only where machine code is
    made. So a program that calls one that is not `HANDLED` is compiled whole, and so is one where
    the compiler does not stop or its dump cannot be read. Raises what the compiler does.
    """
    serialized = _after_passes(lowered, options)
    if serialized is not None:
        module = hlo_module.module_of(serialized)
        text = hlo_module.optimized_text(module)
        if HANDLED.issuperset(_CALLED.findall(text)):
            return Optimized(module, with_attributes(text, compilation_attributes(lowered)), None)
    return of_executable(lowered.compile(compiler_options=dict(options)))


def _after_passes(lowered: jax.stages.Lowered, options: Mapping[str, str | int]) -> bytes | None:
    """Gives the serialized module after the last pass; nothing where it was not to be had."""
    try:
        with folder_for_dumps() as folder:
            kernels, dumps = Path(folder, "kernels"), Path(folder, "dumps")
            kernels.write_bytes(_NO_KERNELS)
            stopping = {
                **options,
                "xla_dump_hlo_as_proto": True,
                "xla_dump_to": str(dumps),
                "xla_gpu_kernel_cache_file": str(kernels),
            }
            try:
                lowered.compile(compiler_options=stopping)
            except jax.errors.JaxRuntimeError as error:
                if str(kernels) not in str(error):
                    raise  # it was not stopped: it refuses the program
            found = list(dumps.glob(_DUMP))
            return module_in(found[0].read_bytes()) if len(found) == 1 else None
    except OSError:  # no room for temporary files
        return None
