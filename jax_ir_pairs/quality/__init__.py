"""Checks: the texts of a row are interpreted and compared, machine code is held against oracles.

`check`, `texts`, `oracles`, `inputs` and `worker` run in the child and import JAX; what this table
of contents names, `comparison` and `tolerance` do not.
"""

from jax_ir_pairs.quality.process import CheckingProcess, check_request

__all__ = ["CheckingProcess", "check_request"]
