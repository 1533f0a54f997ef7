"""From the graph to Python source that reads as a person would write it."""

from jax_ir_pairs.synthesis.render.source import render

__all__ = ["render"]
