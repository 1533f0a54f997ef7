"""A place in a text, and the steps that a parser makes from it."""

from __future__ import annotations

import re
from typing import NoReturn

from jax_ir_pairs.scoring.jaxpr_text import patterns
from jax_ir_pairs.scoring.module import NotParsedError


class Cursor:
    """A place in the text, which each method moves past what it takes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._line, self._counted = 1, 0

    def line(self) -> int:
        """Gives the number of the line, from 1; asked for in the order of the text."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def fail(self, what: str) -> NoReturn:
        """Raises [`NotParsedError`][], with the line."""
        raise NotParsedError(f"line {self.text.count(chr(10), 0, self.at) + 1}: {what}")

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Gives the match of a pattern here, and moves past it; stays where there is none."""
        if (match := pattern.match(self.text, self.at)) is not None:
            self.at = match.end()
        return match

    def expect(self, mark: str) -> None:
        """Moves past `mark`, and any space before it."""
        self.take(patterns.SPACE)
        if not self.text.startswith(mark, self.at):
            self.fail(f"expected {mark!r}")
        self.at += len(mark)
