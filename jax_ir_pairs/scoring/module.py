"""The one form that every answer takes before it is run: a StableHLO module. Imports no JAX."""

from __future__ import annotations

import re
from dataclasses import dataclass

Aval = tuple[tuple[int, ...], str]
"""Shape, and dtype by NumPy's name; a key is the words of `uint32` that it consists of."""


class NotParsedError(Exception):
    """The text is not of its language; the message is one clear sentence."""


class NotValidError(Exception):
    """The text is of its language, and its types, shapes or operations do not fit together."""


class NotRunnableError(Exception):
    """The text is valid, and there is nothing here to run it with."""


@dataclass(frozen=True, slots=True)
class Module:
    """An answer as StableHLO, its inputs and outputs flat."""

    stablehlo: str | bytes
    inputs: tuple[Aval, ...]
    outputs: tuple[Aval, ...]
    num_devices: int = 1


_PARTITIONS = re.compile(r"mhlo\.num_partitions = (\d+)")


def num_partitions(stablehlo: str) -> int:
    """Gives the number of partitions that a text of StableHLO says it has."""
    found = _PARTITIONS.search(stablehlo)
    return int(found[1]) if found else 1
