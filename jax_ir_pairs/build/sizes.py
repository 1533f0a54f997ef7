"""Sizes of a row that are worked out of others: how hard it is, and how many tokens it has."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from jax_ir_pairs.extraction import Extraction
from jax_ir_pairs.schema import LEVELS
from jax_ir_pairs.synthesis.program import Program

_BYTES_OF_A_TOKEN = 3
_SHAPE = re.compile(r"[\w>]\[([\d,]*)\]")


def difficulty(program: Program, extraction: Extraction) -> int:
    """Gives how hard a program is to follow, from 1 to 10.

    Half of the sum, rounded: the binary logarithm of its equations and one, how deep its jaxprs
    are nested, an eighth of its distinct primitives, its transformations, and the binary logarithm
    of its devices.
    """
    points = (
        math.log2(1 + extraction.num_eqns)
        + extraction.depth
        + len(extraction.primitives) / 8
        + len(program.transforms)
        + math.log2(extraction.num_devices)
    )
    return max(1, min(10, round(points / 2)))


def num_tokens(texts: Mapping[str, str]) -> dict[str, int]:
    """Gives the tokens of each level, about: a third of its bytes, rounded up.

    Each model has a tokenizer of its own, so none is pinned.
    """
    return {level: -(-len(texts[level].encode()) // _BYTES_OF_A_TOKEN) for level in LEVELS}


def largest_argument(inputs: str) -> int:
    """Gives the elements of the largest array among a row's `inputs`; 1 is a scalar's."""
    shapes = (match[1].split(",") for match in _SHAPE.finditer(inputs))
    return max((math.prod(int(side) for side in shape if side) for shape in shapes), default=0)
