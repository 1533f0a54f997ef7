"""Module classes as users of flax and equinox write them, and the shapes they take and give."""

from __future__ import annotations

from dataclasses import dataclass

from jax_ir_pairs.synthesis.graph import Defined
from jax_ir_pairs.synthesis.types import Pullback, Record

OPAQUE = Pullback((), ())
"""Type of a value that no op of ours takes: a module, an optimizer."""
TREE = Record(())
"""Type of a tree whose leaves a library decides: variables of a module, gradients of it."""


@dataclass(frozen=True, slots=True)
class Module:
    """A class of a library, and the shape that its call gives for a shape."""

    block: Defined
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    dtype: str = "f32"
    """Dtype of what it takes: tokens are integers."""
    stats: bool = False
    """Whether it keeps running statistics."""
    dropout: bool = False
    """Whether it takes a key and a flag that says that it is trained."""
