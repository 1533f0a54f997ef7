"""The child process: answers each program that it is handed with its levels.

It reads one JSON object a line from its stdin and writes one a line to its stdout, both of which
it takes away from the programs: what a program or XLA prints goes to stderr, and what a program
reads is empty. It ends with its parent, however that ends.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import itertools
import json
import os
import queue
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction.environment import DUMPS
from jax_ir_pairs.extraction.lifeline import end_with_parent

_PROGRAMS_PER_TRIM = 50
_ALLOCATIONS_PER_COLLECTION = 100_000

Extract = Callable[..., Any]
"""What answers a request, whose fields are its arguments, beside `lap`, with a dataclass."""


def main(memory_bytes: int, targets: Sequence[str] = (), extract: Extract | None = None) -> None:
    """Answers requests until stdin ends, with at most `memory_bytes` of data of its own.

    Without an `extract`, it is that of `levels`, or of `user_file` for a function of a file.

    That `targets` cannot be compiled for, as with a broken libtpu, ends it before it is ready.
    """
    end_with_parent()
    requests, replies = _claim_pipes()
    _limit(memory_bytes)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()

    # Only now: the reader must watch for the parent's end during the second that this takes.
    import jax

    jax.devices()
    if targets:
        from jax_ir_pairs.extraction.targets import topology

        for target in targets:
            topology.devices(target, 1)
    _send(replies, {"ready": True})
    for number in itertools.count(1):
        _send(replies, answer(json.loads(waiting.get()), extract))
        if number % _PROGRAMS_PER_TRIM == 0:
            gc.collect()
            if number == _PROGRAMS_PER_TRIM:
                _let_be()
            _trim()


def _let_be() -> None:
    """Has the collector of garbage look seldom, and never at what is there by now: JAX, mostly.

    It else takes 3 % of a program's time, to find that all of JAX's modules are still in use.
    """
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)


def _trim() -> None:
    """Gives freed memory back to the system, as far as the C library can.

    Compilation frees what it takes, but in pieces: after 2,000 programs a worker without this has a
    quarter more than after 500 (`benchmarks/memory.py`).
    """
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def answer(request: dict[str, Any], extract: Extract | None = None) -> dict[str, Any]:
    """Gives the reply to one request: `extraction` or `rejected`, and figures of this process."""
    from jax_ir_pairs.extraction import levels, user_file

    extract = extract or (user_file.extract if "file" in request else levels.extract)
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def lap(stage: str) -> None:
        seconds[stage] = time.perf_counter() - started - sum(seconds.values())

    reply: dict[str, Any]
    try:
        reply = {"extraction": _fields(extract(**request, lap=lap))}
    except Rejected as rejected:
        reply = {"rejected": [rejected.reason, rejected.detail]}
    return {**reply, "seconds": seconds, "peak_memory_bytes": _peak_memory_bytes()}


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The limit on data, and not on address space, of which JAX reserves much more than it uses.
    # Elsewhere than on Linux it does not count what is mapped, and may be refused.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _read(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    # The parent is gone: do not even finish the compilation that may be under way.
    if dumps := os.environ.get(DUMPS):
        shutil.rmtree(dumps, ignore_errors=True)
    os._exit(0)


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply, default=_fields).encode() + b"\n")
    replies.flush()


def _fields(of: Any) -> dict[str, Any]:
    """Gives the fields of a dataclass, as `dataclasses.asdict` does, but copies nothing in them."""
    return {field.name: getattr(of, field.name) for field in dataclasses.fields(of)}


def _peak_memory_bytes() -> int:
    if sys.platform == "linux":
        # getrusage would count the memory of the parent that this process was forked from.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(memory_bytes=int(sys.argv[1]), targets=sys.argv[2:])
