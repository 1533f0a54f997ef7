"""Whole algorithms as people write them, by theme; the family `numerics` draws from them."""
