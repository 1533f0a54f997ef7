"""What an answer is worth. Imports no JAX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

PARSES = 0.1
VALID = 0.2
SIGNATURE = 0.3
"""What an answer gets that comes so far and no farther."""
EQUIVALENT = 0.8
"""What an equivalent answer gets whose quality counts too, and has none of it."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far an answer came, step by step; None where a step has no meaning or was not reached.

    The reward is 0 for what does not parse or is refused, 0.1 for what parses, 0.2 for what is
    valid, 0.3 for what has the inputs and outputs that were asked for, and 1 for what is
    equivalent. Of an optimized module the last 0.2 are its quality. Where nothing can be run, 1 is
    for what is the row's text up to names, and else it stays at 0.2. A figure or a map is worth
    how near it is.
    """

    parses: bool | None = None
    """Whether the text is of its language."""
    valid: bool | None = None
    """Whether types, shapes and operations fit together."""
    signature: bool | None = None
    """Whether the inputs and outputs are those of the row."""
    equivalent: bool | None = None
    """Whether it runs, and agrees with the row on every input that it was tried on."""
    exact: bool | None = None
    """Whether it is the row's own text, but for blank space around it."""
    reward: float = 0.0
    reason: str = ""
    """Why it is not worth 1."""

    @classmethod
    def refused(cls, reason: str) -> Self:
        """Gives the score of what was not even looked at, or could not be judged to the end."""
        return cls(parses=False, equivalent=False, exact=False, reason=reason)

    @classmethod
    def not_parsed(cls, reason: str) -> Self:
        """Gives the score of what is no text of its language."""
        return cls(parses=False, equivalent=False, exact=False, reason=reason)

    @classmethod
    def not_valid(cls, reason: str) -> Self:
        """Gives the score of what parses only."""
        return cls(True, False, equivalent=False, exact=False, reward=PARSES, reason=reason)

    @classmethod
    def not_run(cls, reason: str) -> Self:
        """Gives the score of what is valid, where nothing can be run."""
        return cls(True, True, exact=False, reward=VALID, reason=reason)

    @classmethod
    def other_signature(cls, reason: str) -> Self:
        """Gives the score of what takes or gives something else."""
        return cls(True, True, False, False, False, VALID, reason)

    @classmethod
    def different(cls, reason: str) -> Self:
        """Gives the score of what runs, and gives something else."""
        return cls(True, True, True, False, False, SIGNATURE, reason)

    @classmethod
    def right(cls, *, exact: bool = False, quality: float = 1.0, reason: str = "") -> Self:
        """Gives the score of an equivalent answer, whose `quality` is in [0, 1]."""
        reward = EQUIVALENT + (1 - EQUIVALENT) * min(1.0, max(0.0, quality))
        return cls(True, True, True, True, exact, reward, reason)

    @classmethod
    def near(cls, reward: float, reason: str = "") -> Self:
        """Gives the score of a figure or a map that parses, by how near it is."""
        return cls(parses=True, exact=reward == 1.0, reward=reward, reason=reason)
