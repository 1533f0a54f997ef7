"""Negative zeros, which XLA prints as `-0` and reads back as the integer 0."""

from __future__ import annotations

import re

_NEGATIVE_ZERO = re.compile(r"(?<![\w.)%-])-0(?=[\s,)}]|$)")


def with_negative_zeros(text: str) -> str:
    """Gives an HLO text whose `-0` are written so that XLA's parser reads negative zeros."""
    return _NEGATIVE_ZERO.sub("-0.0", text) if "-0" in text else text
