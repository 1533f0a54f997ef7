"""HLO text: read into instructions, rewritten, and written again. Imports no JAX."""
