"""Tests of functions written as objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jax_ir_pairs.synthesis.sketching.library import Library
from jax_ir_pairs.synthesis.sketching.writing import write
from jax_ir_pairs.synthesis.stream import Stream
from tests.synthesis.sketching.library import PLAIN, draft_of, library_of

LIBRARY = library_of(
    '''
    @sketch(takes={"x": "features f[n]"}, gives="features f[n]")
    def clip_ends(x, low=-2.0, high=integer(3, 3), mask=None):
        """Limit features."""
        if low >= high:
            raise ValueError(f"low={low} is not below {high}")
        return jnp.clip(x, low, high)
    ''',
    '''
    def halved(x, by=0.5):
        return by * x


    @sketch(takes={"x": "features f[n]"})
    def shrink(x, by=0.25):
        """Shrink."""
        by = 2 * by
        return halved(x, by=by)
    ''',
)


def bodies(library: Library, name: str, way: str) -> set[str]:
    """Gives the ways to write a program, without imports."""
    draft, style = draft_of(library, name), replace(PLAIN, objects=way)
    texts = (write(draft, style, Stream("objects", seed)).source for seed in range(60))
    return {text.partition("\n\n\n")[2] for text in texts}


def test_numbers_become_fields_of_a_dataclass() -> None:
    assert """@dataclass(frozen=True)
class ClipEnds:
    low: float = -2.0
    high: int = 3

    def __call__(self, x):
        if self.low >= self.high:
            raise ValueError(f"low={self.low} is not below {self.high}")
        return jnp.clip(x, self.low, self.high)


def clip_ends(x):
    return ClipEnds()(x)
""" in bodies(LIBRARY, "clip_ends", "dataclass")


def test_numbers_become_arguments_of_a_constructor() -> None:
    assert """class ClipEnds:
    def __init__(self, low, high):
        self.low = low
        self.high = high

    def apply(self, x):
        if self.low >= self.high:
            raise ValueError(f"low={self.low} is not below {self.high}")
        return jnp.clip(x, self.low, self.high)


def clip_ends(x):
    ends = ClipEnds(low=-2.0, high=3)
    return ends.apply(x)
""" in bodies(LIBRARY, "clip_ends", "init")


@pytest.mark.parametrize("way", ["dataclass", "init"])
def test_what_is_assigned_stays_a_parameter(way: str) -> None:
    for text in bodies(LIBRARY, "shrink", way):
        assert "class" not in text, text
