"""The parent's side of extraction: a child process that no program can take the build down with."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from jax_ir_pairs.errors import INCIDENT_REASONS, BuildError, Reason, Rejected
from jax_ir_pairs.extraction.environment import (
    WORKER,
    child_command,
    child_environment,
    make_dumps_folder,
    memory_bytes,
)
from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess
from jax_ir_pairs.extraction.result import (
    CheckRequest,
    Extraction,
    MappedLine,
    Pass,
    TargetLevels,
)
from jax_ir_pairs.extraction.starvation import num_starved
from jax_ir_pairs.extraction.text import without_machine
from jax_ir_pairs.targets import TARGETS, require_installed

if TYPE_CHECKING:
    from jax_ir_pairs.config import Limits
    from jax_ir_pairs.extraction.user_function import UserFunction
    from jax_ir_pairs.synthesis.program import Program

_TRIES = 2
"""Of a program that takes its child down or hangs: what two fresh children do is its own doing."""

_TRIES_OF_STARVED = 20
"""Of one whose child was killed while the system killed for want of memory, or may have."""

_TRIES_OF_KILLED = 1000
"""Of one whose child a person or a scheduler killed. Enough for kills every few seconds to change
no row on a busy machine, where one in ten children may live until its answer."""

_FROM_OUTSIDE = frozenset({"SIGKILL", "SIGTERM"})
_START_SECONDS = 300.0  # importing JAX from a cold network file system can take minutes
_MEMORY_ENDED = re.compile("bad_alloc|allocate memory|out of memory|MemoryError", re.IGNORECASE)
_REQUEST = ("python", "entry_point", "inputs", "file")
_STACK_LINE = re.compile(r"\s*(@|\*\*\*|$)")


class _Killed(Rejected):
    """The child was ended by a signal that no program and no compiler sends."""


class _Starved(_Killed):
    """The same, and it may have been for the memory that the program took."""


class ExtractionProcess:
    """Extracts programs in a child process, with a fresh child after each failure.

    A failure of the child is one of the program where a fresh child fails on it again.

    The child is started by the first program, or ahead of it by `start`, and again after every
    `limits.programs_per_process` programs. A context manager, which kills the child at its end.
    Each target after the first adds to the extraction, and the time of a program to its limit; one
    on which the child dies or hangs is one that refuses the program. With `passes`, what each pass
    made of a module is in the extraction too. Not for use by several threads at once, but for
    `kill`; each may have one of its own.
    """

    worker: ClassVar[str] = WORKER
    """The module that the child runs."""

    def __init__(
        self, limits: Limits, targets: Sequence[str] = ("cpu",), *, passes: bool = False
    ) -> None:
        require_installed(targets)
        self._limits = limits
        self._targets = tuple(targets)
        self._passes = passes
        platforms = {TARGETS[name].platform for name in self._targets}
        self._dumped = passes or "cuda" in platforms  # what the compiler says only in dumps
        self._dumps: Path | None = None
        self._child: LineProcess | None = None
        self._ready = False
        self._killed = False
        self._answered = 0
        self._peak_memory_bytes = 0
        self._stage_seconds: Mapping[str, float] = MappingProxyType({})

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that any child of this object had resident, in bytes."""
        return self._peak_memory_bytes

    @property
    def stage_seconds(self) -> Mapping[str, float]:
        """Seconds that the child spent in each stage of the last program that it answered."""
        return self._stage_seconds

    def start(self) -> None:
        """Starts the child, where there is none, without waiting: it imports JAX meanwhile."""
        if self._child is None:
            limit = memory_bytes(self._limits.memory_gib, self._targets)
            command = child_command(limit, self._targets[1:], self.worker)
            self._dumps = make_dumps_folder() if self._dumped else None
            self._child = LineProcess(command, child_environment(self._targets, self._dumps))
            if self._killed:  # while it started
                self._child.kill()

    def extract(
        self, program: Program | UserFunction, check: CheckRequest | None = None
    ) -> Extraction:
        """Gives the levels of `program`.

        With a `check`, also who confirmed its results: for a `worker` that can say so, as that of
        [`jax_ir_pairs.quality`][] does.

        **Raises:** [`Rejected`][] for what the program does, and [`BuildError`][] where no child
        can be started.
        """
        further = self._targets[1:]
        if not further:
            return self._extract(program, (), check)
        try:
            return self._extract(program, further, check, tries=1)
        except Rejected as rejected:
            if self._killed or rejected.reason not in INCIDENT_REASONS:
                raise
        # Which of the targets it was is known once each has been asked for alone.
        extraction = self._extract(program, (), check)
        alone = tuple(self._of_target(program, target) for target in further)
        return replace(extraction, further=alone)

    def _of_target(self, program: Program | UserFunction, target: str) -> TargetLevels:
        try:
            [levels] = self._extract(program, (target,)).further
        except Rejected as rejected:
            return TargetLevels.refused(target, rejected.reason, rejected.detail)
        return levels

    def _extract(
        self,
        program: Program | UserFunction,
        further: tuple[str, ...],
        check: CheckRequest | None = None,
        tries: int = _TRIES,
    ) -> Extraction:
        """Gives the levels for some of the targets, by at most so many children that fail."""
        left = _tries(of_its_own=tries)
        while True:
            try:
                return self._once(program, further, check)
            except Rejected as rejected:
                left[type(rejected)] -= 1
                incident = rejected.reason in INCIDENT_REASONS
                if not incident or self._killed or not left[type(rejected)]:
                    raise

    def _once(
        self,
        program: Program | UserFunction,
        further: tuple[str, ...],
        check: CheckRequest | None,
    ) -> Extraction:
        if self._answered >= self._limits.programs_per_process:
            self.close()
        try:
            reply = self._ask(self._ready_child(), program, further, check)
        except BaseException:  # KeyboardInterrupt too: an answer half read is of no use
            self.close()
            raise
        self._answered += 1
        self._stage_seconds = MappingProxyType(reply["seconds"])
        self._peak_memory_bytes = max(self._peak_memory_bytes, reply["peak_memory_bytes"])
        if rejected := reply.get("rejected"):
            if rejected[0] == "out-of-memory":
                self.close()
            raise Rejected(*rejected)
        fields = reply["extraction"]
        levels = tuple(
            TargetLevels(**{**item, "refusal": tuple(item["refusal"]) if item["refusal"] else None})
            for item in fields["further"]
        )
        own = {
            "line_map": tuple(map(_mapped_line, fields["line_map"])),
            "primitives": tuple(fields["primitives"]),
            "passes": tuple(Pass(**item) for item in fields["passes"]),
        }
        return Extraction(**{**fields, **own, "further": levels})

    def close(self) -> None:
        """Kills the child, if there is one. The next program gets a fresh one."""
        child, self._child, self._ready, self._answered = self._child, None, False, 0
        if child is not None:
            child.close()
        dumps, self._dumps = self._dumps, None
        if dumps is not None:
            shutil.rmtree(dumps, ignore_errors=True)

    def kill(self) -> None:
        """Makes the extraction under way fail at once, and every later one. For other threads."""
        self._killed = True
        if (child := self._child) is not None:
            child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ready_child(self) -> LineProcess:
        left = _tries(of_its_own=1)
        while not self._ready:
            starved = num_starved()
            self.start()
            assert self._child is not None
            try:
                self._child.read(_START_SECONDS)
            except TimeoutError:
                _could_not_start(f"it was not ready within {_START_SECONDS:g} s")
            except ChildDiedError as died:
                kind = _kind(died, starved)
                left[kind] -= 1
                if self._killed or not left[kind]:
                    _could_not_start(_last_lines(died.errors, 1) or died.cause)
                self.close()
            else:
                self._ready = True
        assert self._child is not None
        return self._child

    def _ask(
        self,
        child: LineProcess,
        program: Program | UserFunction,
        further: tuple[str, ...],
        check: CheckRequest | None,
    ) -> dict[str, Any]:
        known = {name: getattr(program, name, None) for name in _REQUEST}
        request = {name: value for name, value in known.items() if value is not None}
        request |= {"targets": further, "passes": self._passes}
        if check is not None:
            request["check"] = asdict(check)
        seconds = self._limits.seconds * (1 + len(further))
        starved = num_starved()
        try:
            child.write(json.dumps(request).encode() + b"\n")
            reply: dict[str, Any] = json.loads(child.read(seconds))
        except TimeoutError:
            raise Rejected("timeout", f"no answer within {seconds:g} s") from None
        except ChildDiedError as died:
            reason: Reason = "out-of-memory" if _MEMORY_ENDED.search(died.errors) else "crash"
            detail = f"{died.cause}: {_last_lines(died.errors, 3)}".removesuffix(": ")
            raise _kind(died, starved)(reason, detail) from None
        return reply


def _tries(of_its_own: int) -> dict[type[Rejected], int]:
    """Gives how many children may fail, by whose doing it is."""
    return {_Killed: _TRIES_OF_KILLED, _Starved: _TRIES_OF_STARVED, Rejected: of_its_own}


def _kind(died: ChildDiedError, starved: int | None) -> type[Rejected]:
    """Gives whose doing the end of a child is, before which so many processes were starved."""
    if died.cause not in _FROM_OUTSIDE:
        return Rejected
    return _Killed if starved is not None and num_starved() == starved else _Starved


def _mapped_line(entry: dict[str, Any]) -> MappedLine:
    levels = {level: tuple(numbers) for level, numbers in entry.items() if level != "python"}
    return MappedLine(entry["python"], **levels)


def _could_not_start(why: str) -> NoReturn:
    raise BuildError(
        f"The process that compiles programs could not start: {why}. "
        f"See whether this works: {sys.executable} -c 'import jax; jax.devices()'"
    )


def _last_lines(errors: str, count: int) -> str:
    """Gives the last lines of stderr that are not of a stack trace, in one."""
    lines = [line.strip() for line in errors.splitlines() if not _STACK_LINE.match(line)]
    return without_machine(" | ".join(lines[-count:]))[-500:]
