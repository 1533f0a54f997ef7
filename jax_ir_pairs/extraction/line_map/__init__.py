"""Which lines of each level come from which line of the source: from JAX's and XLA's own record."""
