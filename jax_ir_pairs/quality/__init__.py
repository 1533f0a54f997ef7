"""Checks by execution: every row is run, and its results are held against an independent oracle.

`inputs`, `interpreter`, `interpreter_cost`, `oracles`, `check` and `worker` run in the child and
import JAX; what this table of contents names, `comparison` and `tolerance` do not.
"""

from jax_ir_pairs.quality.process import CheckingProcess, check_request

__all__ = ["CheckingProcess", "check_request"]
