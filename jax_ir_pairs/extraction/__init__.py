"""Program -> levels: the only part that traces, lowers or compiles, in a child process.

`levels`, `text`, `hlo_module`, `counting`, `targets` and `worker` run in the child and import JAX;
what this table of contents names does not.
"""

from jax_ir_pairs.extraction.environment import compiler_flags, versions
from jax_ir_pairs.extraction.process import ExtractionProcess
from jax_ir_pairs.extraction.result import Extraction, MappedLine, TargetLevels

__all__ = [
    "Extraction",
    "ExtractionProcess",
    "MappedLine",
    "TargetLevels",
    "compiler_flags",
    "versions",
]
