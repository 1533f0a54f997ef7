"""Programs out of seeds: drawn as typed graphs, valid by construction, written as source.

Imports no JAX.
"""

from jax_ir_pairs.synthesis.draft import Draft, draw
from jax_ir_pairs.synthesis.program import Program

__all__ = ["Draft", "Program", "draw"]
