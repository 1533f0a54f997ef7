"""Numbers for the symbols in a program's types: sides as models have them, most of them small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from jax_ir_pairs.synthesis.sketching.fit import Fit, Unfit, value
from jax_ir_pairs.synthesis.stream import Stream

Range: TypeAlias = "tuple[int, int] | set[int]"
"""The least and the greatest number that a symbol may be, or all of them."""

_USUAL = (
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 20, 24, 25, 28, 30, 32, 36, 40, 48, 50, 56,
    60, 64, 72, 80, 96, 100, 120, 128, 160, 192, 200, 224, 256, 300, 320, 384, 400, 500, 512, 600,
    640, 768, 784, 800, 1000, 1024, 1280, 1500, 1536, 2000, 2048, 3000, 3072, 4000, 4096,
)  # fmt: skip
_SMALL = 64
_LARGE = 128
LARGE_SHARE = 0.75
"""How often a program gets a side of 128 or more where its types allow one."""
_TRIES = 30


def draw_sizes(stream: Stream, fit: Fit, ranges: Mapping[str, Range]) -> dict[str, int]:
    """Gives a number for each symbol, in its range; raises [`Unfit`][] where none are found."""
    free: dict[str, Range] = {}
    for symbol, allowed in ranges.items():
        root = fit.resolved(symbol)
        if isinstance(root, str):
            free[root] = _common(free.get(root, (1, 4096)), allowed)
    for symbol, allowed in free.items():
        if not allowed or (isinstance(allowed, tuple) and allowed[0] > allowed[1]):
            raise Unfit(f"no number is in all ranges of {symbol}")
    for _ in range(_TRIES):
        large = [s for s, allowed in free.items() if max(allowed) >= _LARGE]
        chosen = stream.choice(large) if large and stream.chance(LARGE_SHARE) else ""
        sizes: dict[str, int] = {}
        for symbol, allowed in free.items():
            sizes[symbol] = _side(stream, allowed, symbol == chosen, set(sizes.values()))
        try:
            for symbol, allowed in ranges.items():
                sizes[symbol] = value(fit.resolved(symbol), sizes)
                if not _holds(allowed, sizes[symbol]):
                    raise Unfit(f"{symbol} is out of its range")
        except Unfit:
            continue
        return sizes
    raise Unfit("no sizes are in all ranges")


def _holds(allowed: Range, number: int) -> bool:
    if isinstance(allowed, tuple):
        return allowed[0] <= number <= allowed[1]
    return number in allowed


def _common(one: Range, other: Range) -> Range:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return max(one[0], other[0]), min(one[1], other[1])
    few, more = (other, one) if isinstance(one, tuple) else (one, other)
    return {number for number in few if _holds(more, number)}


def _side(stream: Stream, allowed: Range, large: bool, taken: set[int]) -> int:
    if not isinstance(allowed, tuple):
        return stream.choice(sorted(allowed))
    low, high = allowed
    usual = [n for n in _USUAL if low <= n <= high]
    if large:
        usual = [n for n in usual if n >= _LARGE] or usual
        # Less likely each time that it doubles.
        return stream.weighted(usual, [n**-0.7 for n in usual]) if usual else high
    usual = [n for n in usual if n <= _SMALL] or usual[:1] or [low]
    free = [n for n in usual if n not in taken]
    return stream.choice(free if free and stream.chance(0.8) else usual)
