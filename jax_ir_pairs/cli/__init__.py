"""The command line: thin commands over the library, and one way to report what goes wrong."""

from jax_ir_pairs.cli.app import main

__all__ = ["main"]
