from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable

import pytest

from jax_ir_pairs.build.engines import Emit, local
from jax_ir_pairs.build.records import Extractor
from jax_ir_pairs.config import Limits
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest, Extraction, ExtractionProcess
from jax_ir_pairs.synthesis.program import Program
from tests.build.fakes import FakeProcess

PROGRAM = Program("def f(x):\n    return x\n", "f", '[["x", "f32[2]"]]', "expression", (), "0")


class Hanging(FakeProcess):
    """Extracts until it is killed, and then fails as a real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = threading.Event()
        self.killed = threading.Event()

    def extract(self, program: Program, check: CheckRequest | None = None) -> Extraction:
        self.busy.set()
        assert self.killed.wait(20)
        raise Rejected("crash", "SIGKILL")

    def kill(self) -> None:
        self.killed.set()


@pytest.mark.parametrize("workers", [1, 3, 9])
def test_each_task_is_done_once(workers: int) -> None:
    done: list[int] = []
    processes: list[FakeProcess] = []

    def open_process() -> FakeProcess:
        processes.append(FakeProcess())
        return processes[-1]

    def work(task: int, process: Extractor, emit: Emit) -> None:
        process.extract(PROGRAM)
        done.append(task)

    local.run(range(5), work, workers=workers, open_process=open_process, emit=print)

    assert sorted(done) == list(range(5))
    assert len(processes) == workers
    assert all(process.closed for process in processes)


def run_two(first: Callable[[Hanging], None]) -> tuple[Hanging, list[str]]:
    """Runs `first` in one worker while the other one hangs in an extraction."""
    process = Hanging()
    outcomes: list[str] = []

    def work(task: str, extractor: Extractor, emit: Emit) -> None:
        if task == "first":
            assert process.busy.wait(20)
            first(process)
            return
        try:
            extractor.extract(PROGRAM)
        except BaseException as error:
            outcomes.append(type(error).__name__)
            raise

    with pytest.raises((ZeroDivisionError, KeyboardInterrupt)):
        local.run(
            ["hang", "first", "never"], work, workers=2, open_process=lambda: process, emit=print
        )
    return process, outcomes


def fail(process: Hanging) -> None:
    raise ZeroDivisionError


def press_ctrl_c(process: Hanging) -> None:
    """Leaves the main thread in its wait, as a signal does that comes just before one."""
    time.sleep(0.3)  # till the main thread waits
    _thread.interrupt_main()
    assert process.killed.wait(20)


@pytest.mark.parametrize("first", [fail, press_ctrl_c])
def test_a_stop_interrupts_the_others_and_is_no_rejection(
    first: Callable[[Hanging], None],
) -> None:
    process, outcomes = run_two(first)

    assert process.killed.is_set()
    assert process.closed
    assert outcomes[0] == "StoppedError"


def test_rejections_pass_through() -> None:
    def check(program: Program) -> None:
        raise Rejected("timeout", "20 s")

    def work(task: int, process: Extractor, emit: Emit) -> None:
        with pytest.raises(Rejected, match="timeout: 20 s"):
            process.extract(PROGRAM)

    local.run([1], work, workers=1, open_process=lambda: FakeProcess(check=check), emit=print)


def test_a_stop_kills_a_real_extraction() -> None:
    endless = Program(
        "def f(x):\n    while True:\n        pass\n", "f", PROGRAM.inputs, "expression", (), "0"
    )
    started = time.monotonic()

    def work(task: str, process: Extractor, emit: Emit) -> None:
        if task == "fail":
            time.sleep(1)
            raise ZeroDivisionError
        process.extract(endless)

    with pytest.raises(ZeroDivisionError):
        local.run(
            ["endless", "fail"],
            work,
            workers=2,
            open_process=lambda: ExtractionProcess(Limits(seconds=100.0)),
            emit=print,
        )
    assert time.monotonic() - started < 30
