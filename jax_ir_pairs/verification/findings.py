"""What is wrong with a dataset, and what was looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

Kind = Literal[
    "manifest",
    "file",
    "schema",
    "provenance",
    "id",
    "duplicate",
    "split",
    "text",
    "bytes",
    "result",
]
"""What was held against what, from the whole dataset down to what a row computes."""

KEPT = 1000
"""Findings of one kind that are kept; all are counted."""

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what, and what it should be."""

    kind: Kind
    place: str
    what: str
    expected: str = ""
    found: str = ""


@dataclass
class Report:
    """The findings, and counts of what was looked at."""

    configs: list[str] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    texts: int = 0
    """Texts that were handed to a parser."""
    remade: int = 0
    """Rows that were made again and compared."""
    run: int = 0
    """Rows that were run: those made again with their check, which may be of texts, and those of
    other versions."""
    not_remade: Counter[str] = field(default_factory=Counter)
    """Chosen rows that were not made again, by why this installation cannot."""
    not_read: Counter[str] = field(default_factory=Counter)
    """Texts of another jaxlib that the parsers of this one do not know, by column."""
    not_run: Counter[str] = field(default_factory=Counter)
    """Of these, the rows that could not be run, by reason."""
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: dict[Kind, list[Finding]] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts

    def add(self, findings: Iterable[Finding]) -> None:
        """Counts findings, and keeps the first of each kind."""
        for finding in findings:
            self.counts[finding.kind] += 1
            kept = self.findings.setdefault(finding.kind, [])
            if len(kept) < KEPT:
                kept.append(finding)

    def as_json(self) -> str:
        """Gives all of it as JSON."""
        findings = {kind: [asdict(each) for each in kept] for kind, kept in self.findings.items()}
        content = {"is_sound": self.is_sound, **vars(self), "findings": findings}
        return json.dumps(content, indent=1) + "\n"


def difference(expected: object, found: object) -> tuple[str, str]:
    """Gives what differs in short: of texts the first line that does, with its number."""
    if isinstance(expected, str) and isinstance(found, str):
        ours, theirs = expected.split("\n"), found.split("\n")
        for number, (a, b) in enumerate(zip(ours, theirs, strict=False), 1):
            if a != b:
                return _lines(ours, number, a), _lines(theirs, number, b)
        if len(ours) != len(theirs):
            return f"{len(ours):,} lines", f"{len(theirs):,} lines"
    return shortened(repr(expected)), shortened(repr(found))


def shortened(text: str) -> str:
    """Gives the start of a long text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _lines(lines: list[str], number: int, line: str) -> str:
    return shortened(repr(line)) if len(lines) == 1 else f"line {number}: {shortened(line)}"
