"""Whether a dataset is what its manifest says, and whether its rows are what made them gives.

`parsing`, `execution` and `worker` run in the child and import JAX; nothing else does.
"""

from jax_ir_pairs.verification.findings import Finding, Report
from jax_ir_pairs.verification.verify import verify

__all__ = ["Finding", "Report", "verify"]
