"""The exceptions of the project: what went wrong as expected, apart from what is a bug.

Every error that a user can cause or meet is a [`JaxIrPairsError`][] whose message is one
sentence that names the thing and the mend. Anything else that escapes is a bug of ours.
"""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

Reason = Literal[
    "too-long",
    "duplicate",
    "trace-error",
    "compiler-error",
    "run-error",
    "nonfinite",
    "mismatch",
    "crash",
    "timeout",
    "out-of-memory",
]
"""Why a candidate gave no row; see [`Rejected`][]."""

REASONS: tuple[Reason, ...] = get_args(Reason)

INCIDENT_REASONS: frozenset[Reason] = frozenset({"crash", "timeout", "out-of-memory"})
"""Reasons that depend on the machine, so that the manifest names each such candidate."""

CHECK_REASONS: frozenset[Reason] = frozenset({"run-error", "nonfinite", "mismatch"})
"""Reasons of the checks: each may be a bug of a compiler, so the manifest lists every such one."""


class JaxIrPairsError(Exception):
    """An expected failure: the message is for the user and needs no traceback."""

    exit_code: ClassVar[int] = 1


class UsageError(JaxIrPairsError):
    """What was asked for cannot be: an unknown config or key, a wrong type, a bad option."""

    exit_code: ClassVar[int] = 2


class BuildError(JaxIrPairsError):
    """A build that cannot go on or be sealed: too many rejections, a broken or foreign shard."""


class Rejected(Exception):
    """A candidate that gives no row, for a named and counted reason.

    Not a [`JaxIrPairsError`][]: the build catches and counts it, and no user ever sees it raised.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
