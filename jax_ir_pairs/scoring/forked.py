"""A child that is forked from this process, and answers JSON with JSON within a time limit.

A fork takes milliseconds where importing JAX takes seconds. So it is made from a process that has
imported everything and started nothing: a backend's threads would not be in the fork.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Self

from jax_ir_pairs.extraction.line_process import ChildDiedError

Serve = Callable[[BinaryIO, BinaryIO], None]
"""What the child does: reads requests, a line each, and writes replies."""

_CHUNK = 1 << 20
_MAX_REPLY = 1 << 27
_ERRORS_KEPT = 4096


class Forked:
    """A child that runs `serve`, with no open file of its parent's but its own pipes."""

    def __init__(self, serve: Serve) -> None:
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        self._errors, errors = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _become(serve, requests, replies, errors)
        for end in (requests, replies, errors):
            os.close(end)
        os.set_blocking(self._requests, False)
        self._kept = b""

    def ask(self, request: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """Gives the reply to a request, which has to come by `deadline` of the monotonic clock.

        **Raises:** TimeoutError, and [`ChildDiedError`][]; the child is of no use after either.
        """
        self._kept = b""
        sending = memoryview(json.dumps(request).encode() + b"\n")
        reply = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_WRITE)
            selector.register(self._replies, selectors.EVENT_READ)
            selector.register(self._errors, selectors.EVENT_READ)
            while not reply.endswith(b"\n"):
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError
                for key, _ in selector.select(left):
                    if key.fd == self._requests:
                        sending = self._send(sending)
                        if not sending:
                            selector.unregister(self._requests)
                        continue
                    chunk = os.read(key.fd, _CHUNK)
                    if key.fd == self._errors:
                        self._keep(chunk)
                        if not chunk:
                            selector.unregister(self._errors)
                    elif not chunk or len(reply) > _MAX_REPLY:
                        raise self._death()
                    else:
                        reply += chunk
        try:
            answer = json.loads(reply)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise ChildDiedError("no reply", "it wrote something else")
        return answer

    def _send(self, data: memoryview) -> memoryview:
        try:
            return data[os.write(self._requests, data) :]
        except BrokenPipeError:
            raise self._death() from None

    def _keep(self, chunk: bytes) -> None:
        self._kept = (self._kept + chunk)[-_ERRORS_KEPT:]

    def _death(self) -> ChildDiedError:
        status = self._end()
        os.set_blocking(self._errors, False)
        with suppress(BlockingIOError):
            while chunk := os.read(self._errors, _CHUNK):
                self._keep(chunk)
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return ChildDiedError(cause, self._kept.decode(errors="replace"))

    def _end(self) -> int:
        """Gives how the child ended; kills it first where it only closed its pipes."""
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        self._kill()
        return -signal.SIGKILL

    def _kill(self) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def close(self) -> None:
        """Kills the child and waits for its end."""
        self._kill()
        for end in (self._requests, self._replies, self._errors):
            os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _become(serve: Serve, requests: int, replies: int, errors: int) -> None:
    """Runs `serve` in the child and ends it, without a word of what the parent had under way."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        first, last = sorted((requests, replies))
        os.closerange(3, first)
        os.closerange(first + 1, last)
        os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))
        serve(os.fdopen(requests, "rb"), os.fdopen(replies, "wb"))
        status = 0
    except BaseException as error:
        with suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}".encode(errors="replace")[:1000])
    finally:
        os._exit(status)
