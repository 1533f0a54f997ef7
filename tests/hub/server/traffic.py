"""What went over the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; the status of one that was cut is 0. Sizes are of bodies."""

    method: str
    path: str
    status: int
    received: int
    sent: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests and their answers, in the order in which they ended."""

    exchanges: tuple[Exchange, ...]

    def of(self, methods: str, pattern: str = "") -> Traffic:
        """Gives those of some methods whose path has `pattern` in it."""
        named = methods.split()
        found = (e for e in self.exchanges if e.method in named and re.search(pattern, e.path))
        return Traffic(tuple(found))

    @property
    def uploads(self) -> Traffic:
        """Large objects that arrived whole."""
        return Traffic(tuple(e for e in self.of("PUT", "^/objects/").exchanges if e.status == 200))

    @property
    def commits(self) -> Traffic:
        """Commits that were made."""
        return Traffic(tuple(e for e in self.of("POST", "/commit/").exchanges if e.status == 200))

    @property
    def writes(self) -> Traffic:
        """All that might have changed something."""
        return self.of("POST PUT DELETE PATCH")

    @property
    def received(self) -> int:
        """Bytes that the server got."""
        return sum(exchange.received for exchange in self.exchanges)

    @property
    def sent(self) -> int:
        """Bytes that the server gave."""
        return sum(exchange.sent for exchange in self.exchanges)

    def __len__(self) -> int:
        return len(self.exchanges)
