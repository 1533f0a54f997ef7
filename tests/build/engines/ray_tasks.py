"""What the tests hand to workers of Ray: all of it is found by name there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import ray

from jax_ir_pairs.build.engines import Emit
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import FakeProcess, colliding, reject_tenth, use_fake_programs


def open_fake() -> FakeProcess:
    """Draws fake programs in this worker too, which lives as long as its process does."""
    use_fake_programs(pytest.MonkeyPatch(), Path(os.environ["JAX_IR_PAIRS_CACHE"]))
    return FakeProcess(jaxpr=colliding, check=reject_tenth)


def open_once_two_nodes_work(nodes: Path) -> FakeProcess:
    """Begins when there is one on another node too, so that both are in the middle of something."""
    process = open_fake()
    (nodes / ray.get_runtime_context().get_node_id()).touch()

    def check(program: Program) -> None:
        while len(list(nodes.iterdir())) < 2:
            time.sleep(0.05)
        time.sleep(0.03)
        reject_tenth(program)

    process.check = check
    return process


def fail_on_two(task: int, process: Extractor, emit: Emit) -> None:
    if task == 2:
        raise BuildError("two is too many")


def say_and_hang(task: str, process: Extractor, emit: Emit) -> None:
    """Writes the number of its process, and hangs."""
    Path(task).write_text(str(os.getpid()))
    time.sleep(600)
