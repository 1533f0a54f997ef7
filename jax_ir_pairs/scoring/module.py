"""The one form that every language is brought into: a StableHLO module with flat values."""

from __future__ import annotations

from dataclasses import dataclass

Aval = tuple[tuple[int, ...], str]
"""Shape, and the name that NumPy has for the dtype; a key is its words, of uint32."""


class NotParsedError(Exception):
    """A text is not of its language."""


class NotValidError(Exception):
    """A text is of its language, yet its types or shapes are wrong."""


class NotRunnableError(Exception):
    """A text may well be right, but there is no way to run it here."""


@dataclass(frozen=True, slots=True)
class Module:
    """A program that runs."""

    stablehlo: str | bytes
    inputs: tuple[Aval, ...]
    outputs: tuple[Aval, ...]
    num_devices: int = 1
