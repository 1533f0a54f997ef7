"""A function in a file of the user's, and what to call it with: the parent's side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: a tree of avals, or where it `is_static` a value that the program is made for.

    Without a `name` it is given by position.
    """

    value: Any
    is_static: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class UserFunction:
    """What [`ExtractionProcess`][] extracts as it does a program, with errors for a person.

    `python` is run as what `file`, an absolute path, holds: beside its neighbours, which it may
    import. The detail of a [`Rejected`][] for what it raises has several lines: those of its own
    files that were on the stack, and the whole message.
    """

    python: str
    entry_point: str
    inputs: str
    file: str

    @classmethod
    def of(cls, python: str, name: str, arguments: list[Argument], file: str) -> UserFunction:
        """Gives the function `name` of the source, called with `arguments`."""
        inputs = json.dumps([[a.name, a.is_static, a.value] for a in arguments])
        return cls(python, name, inputs, file)
