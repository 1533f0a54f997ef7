"""`python -m jax_ir_pairs` is `jax-ir-pairs`."""

from jax_ir_pairs.cli import main

main()
