"""A child process that answers a line with a line, within a time limit."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from jax_ir_pairs.extraction.lifeline import LIFELINE
from jax_ir_pairs.extraction.starvation import waits_for_a_core

_MOST_WAITING = 9
"""How many times its limit a child may wait for a core, since it can be its own threads' doing."""

_CHUNK = 1 << 20
_ERRORS_KEPT = 4096


class ChildDiedError(Exception):
    """The child ended instead of answering.

    `cause` is the name of a signal, such as SIGSEGV, or an exit status; `errors` the end of what
    it wrote to stderr.
    """

    def __init__(self, cause: str, errors: str) -> None:
        super().__init__(f"{cause}: {errors}")
        self.cause = cause
        self.errors = errors


class LineProcess:
    """Starts `command` in a session of its own, so that Ctrl-C in a terminal does not reach it.

    It is handed a [lifeline][jax_ir_pairs.extraction.lifeline], to end with this process by.

    Not for use by several threads at once, but for `kill`; each may have one of its own.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        theirs, ours = os.pipe()
        self._lifeline: int | None = ours
        try:
            self._process = subprocess.Popen(
                command,
                env={**environment, LIFELINE: str(theirs)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                pass_fds=(theirs,),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        self._errors = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._selector.register(self._process.stderr, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def write(self, line: bytes) -> None:
        """Hands `line`, newline included, to the child. Raises [`ChildDiedError`][]."""
        self._errors = b""
        try:
            while line:
                line = line[os.write(self._requests, line) :]
        except BrokenPipeError:
            raise self._death() from None

    def read(self, seconds: float) -> bytes:
        """Gives the line that the child answers. Raises TimeoutError and [`ChildDiedError`][].

        The time that the child waits for a core, where the system tells it, is none of its
        `seconds`, or what else runs on the machine would decide who is in time. In their first
        tenth it is, since a look at all threads takes milliseconds, and most answers come by then.
        """
        started = time.monotonic()
        ready = {key.fd for key, _ in self._selector.select(seconds / 10)}
        before = {} if self._replies in ready else waits_for_a_core(self.pid)
        deadline = started + seconds
        chunks: list[bytes] = []
        while not (chunks and chunks[-1].endswith(b"\n")):
            if (now := time.monotonic()) >= deadline:
                waited = min(self._waited(before), _MOST_WAITING * seconds)
                deadline = started + seconds + waited
            if now >= deadline:
                raise TimeoutError
            for key, _ in self._selector.select(deadline - now):
                chunk = os.read(key.fd, _CHUNK)
                if key.fd != self._replies:
                    self._keep_errors(key, chunk)
                elif chunk:
                    chunks.append(chunk)
                else:
                    raise self._death()
        return b"".join(chunks)

    def _waited(self, before: Mapping[int, float]) -> float:
        """Gives how long that thread waited for a core since `before` which waited longest."""
        waits = waits_for_a_core(self.pid)
        return max((waits[thread] - before.get(thread, 0.0) for thread in waits), default=0.0)

    def kill(self) -> None:
        """Kills the child, with what it may have started. Any thread may do this."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def close(self) -> None:
        """Kills the child, with what it may have started, and waits for its end. Idempotent."""
        if self._process.returncode is None:
            self.kill()
            self._process.wait()
        self._selector.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _keep_errors(self, key: selectors.SelectorKey, chunk: bytes) -> None:
        if chunk:
            self._errors = (self._errors + chunk)[-_ERRORS_KEPT:]
        else:
            self._selector.unregister(key.fileobj)

    def _death(self) -> ChildDiedError:
        """Waits for the end of a child that has closed its pipes, and says how it came."""
        try:
            status = self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return ChildDiedError("closed pipe", "")
        while ready := self._selector.select(0):
            chunks = [(key, os.read(key.fd, _CHUNK)) for key, _ in ready]
            for key, chunk in chunks:
                self._keep_errors(key, chunk)
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return ChildDiedError(cause, self._errors.decode(errors="replace"))
