"""The one form that runs, which every language is read into, and why a text may not get there."""

from __future__ import annotations

from dataclasses import dataclass

Aval = tuple[tuple[int, ...], str]
"""Shape, and dtype as NumPy names it; of a key its words, `uint32`."""


class NotParsedError(Exception):
    """The text is not of the language; one clear sentence."""


class NotValidError(Exception):
    """The text parses, but its types or shapes do not fit; one clear sentence."""


class NotRunnableError(Exception):
    """The text may be valid, but has what cannot be made from it alone; one clear sentence."""


@dataclass(frozen=True, slots=True)
class Module:
    """A StableHLO module, as text or bytecode, with flat inputs and outputs."""

    stablehlo: str | bytes
    inputs: tuple[Aval, ...]
    outputs: tuple[Aval, ...]
    num_devices: int = 1
