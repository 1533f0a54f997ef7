"""Programs that a person wrote: the functions of a module, read from its source and never run."""

from jax_ir_pairs.synthesis.functions.avals import check_avals
from jax_ir_pairs.synthesis.functions.module import Function, Module, read_module
from jax_ir_pairs.synthesis.functions.programs import (
    functions_config,
    num_programs,
    program_of,
    read_source,
)

__all__ = [
    "Function",
    "Module",
    "check_avals",
    "functions_config",
    "num_programs",
    "program_of",
    "read_module",
    "read_source",
]
