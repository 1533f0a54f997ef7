"""Functions with derivatives of their own, and the ways in which people use them."""
