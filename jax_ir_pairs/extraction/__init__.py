"""Program -> levels: the only part that traces, lowers or compiles, in a child process.

`levels`, `text`, `hlo_module`, `counting`, `targets`, `user_file` and `worker` run in the child and
import JAX; what this table of contents names does not. `in_process` does all of it where it is
called.
"""

from jax_ir_pairs.extraction.environment import compiler_flags, versions
from jax_ir_pairs.extraction.process import ExtractionProcess
from jax_ir_pairs.extraction.result import CheckRequest, Extraction, MappedLine, TargetLevels

__all__ = [
    "CheckRequest",
    "Extraction",
    "ExtractionProcess",
    "MappedLine",
    "TargetLevels",
    "compiler_flags",
    "versions",
]
