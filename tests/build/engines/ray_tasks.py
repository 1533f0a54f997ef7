"""What the tests hand to workers of Ray: all of it is found by name there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jax_ir_pairs.build.engines import Emit
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import FakeProcess, colliding, reject_tenth, use_fake_programs


def _slowly(program: Program) -> None:
    time.sleep(0.03)
    reject_tenth(program)


def open_fake() -> FakeProcess:
    """Draws fake programs in this worker too, which lives as long as its process does."""
    use_fake_programs(pytest.MonkeyPatch(), Path(os.environ["JAX_IR_PAIRS_CACHE"]))
    return FakeProcess(jaxpr=colliding, check=reject_tenth)


def open_slow() -> FakeProcess:
    process = open_fake()
    process.check = _slowly
    return process


def fail_on_two(task: int, process: Extractor, emit: Emit) -> None:
    if task == 2:
        raise BuildError("two is too many")


def say_and_hang(task: str, process: Extractor, emit: Emit) -> None:
    """Writes the number of its process, and hangs."""
    Path(task).write_text(str(os.getpid()))
    time.sleep(600)
