"""A program: frozen data, and the only thing about it that the rest of the project reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """Python source, an entry point in it, and abstract inputs.

    The source is self-contained; the inputs are JSON, the arguments of the entry point in order:
    `[["params", {"w": "f32[8,16]"}], ["x", "f32[4,8]"]]`.
    """

    python: str
    entry_point: str
    inputs: str
    family: str
    transforms: tuple[str, ...]
    structure_hash: str
    purpose: str | None = None
    """What it is for, in one sentence."""
    sketches: tuple[str, ...] = ()
    """The names of the sketches that it is drawn from, in the order of their functions."""

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the source followed by the inputs."""
        return hashlib.sha256((self.python + self.inputs).encode()).hexdigest()[:16]
