"""What JAX, XLA and a program raise, as rejections. In the child."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from jax_ir_pairs.errors import Reason, Rejected
from jax_ir_pairs.extraction.source import FILE_NAME
from jax_ir_pairs.extraction.text import without_machine

_STACK = re.compile(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+")


@contextmanager
def rejecting(reason: Reason) -> Iterator[None]:
    """Rejects the program for whatever is raised inside: for `reason`, or `out-of-memory`."""
    try:
        yield
    except BaseException as error:  # a program may raise SystemExit too
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
        raise Rejected("out-of-memory" if exhausted else reason, described(error)) from error


def described(error: BaseException) -> str:
    """Gives type, message and, where the program's source is on the stack, its line."""
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == FILE_NAME
    ]
    if isinstance(error, SyntaxError) and error.filename == FILE_NAME and error.lineno:
        lines.append(error.lineno)
    where = f" ({FILE_NAME}, line {lines[-1]})" if lines else ""
    message = error.msg if isinstance(error, SyntaxError) else without_machine(str(error))
    # Of what a callback raises, the runtime has the whole stack before the error itself.
    message = _STACK.sub("", message)
    return f"{type(error).__name__}: {' '.join(message.split())[:300]}{where}"
