"""Builds the tests' config with a fake extraction that takes its time: `slow_build.py OUT CACHE`.

Says "extracted" for each program, so that who runs it can kill it at a chosen one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from jax_ir_pairs.build import build
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import CONFIG, FakeProcess, colliding, reject_tenth, use_fake_programs


def _slow(program: Program) -> None:
    os.write(sys.stdout.fileno(), b"extracted\n")  # unlike print, one piece for each thread
    time.sleep(0.02)
    reject_tenth(program)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    use_fake_programs(pytest.MonkeyPatch(), Path(sys.argv[2]))
    build(
        CONFIG,
        Path(sys.argv[1]),
        workers=2,
        open_process=lambda: FakeProcess(jaxpr=colliding, check=_slow),
    )
