"""A dataset held against its own claims: its files, its rows, and what made them.

`files` reads no row, `rows` each row's columns; `texts` has the texts parsed, and run where nothing
else can be said of them, and `remaking` makes rows again, both in limited children.
"""

from jax_ir_pairs.verification.finding import Finding
from jax_ir_pairs.verification.verify import Verification, verify

__all__ = ["Finding", "Verification", "verify"]
