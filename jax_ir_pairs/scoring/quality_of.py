"""How good an optimized module is, against the row's: its size, and the compiler's cost."""

from __future__ import annotations

from jax_ir_pairs.scoring.languages.optimized_hlo import Size, size_of


def quality(ours: str, theirs: str) -> float:
    """Gives 1 for as few instructions and bytes accessed as the row's, and less for more.

    The mean of both quotients, none of which counts for more than 1: to be better than the
    compiler is not asked for.
    """
    mine, own = map(_sizes, (size_of(ours), size_of(theirs)))
    return sum(min(1.0, b / a) if a else 1.0 for a, b in zip(mine, own, strict=True)) / len(own)


def _sizes(size: Size) -> tuple[float, float]:
    return float(size.instructions), size.bytes_accessed
