from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Never

import pytest

from jax_ir_pairs.config import Limits
from jax_ir_pairs.errors import BuildError, Rejected
from jax_ir_pairs.extraction import Extraction, ExtractionProcess
from jax_ir_pairs.extraction import process as process_module
from jax_ir_pairs.extraction.line_process import ChildDiedError
from tests.extraction.hand_written import LIMITS, PROGRAMS, SIMPLE, program


def _extract_simple() -> Extraction:
    with ExtractionProcess(LIMITS) as process:
        return process.extract(SIMPLE)


@pytest.fixture(scope="module")
def simple() -> Extraction:
    return _extract_simple()


@pytest.mark.parametrize(
    ("effect", "detail"),
    [
        ("import os\n\nos.write(2, b'no way on')\nos.abort()", "SIGABRT: no way on"),
        ("import os\n\nos._exit(3)", "exit status 3"),
        ("import ctypes\n\nctypes.string_at(0)", "SIGSEGV"),
        ("import os\n\nos.closerange(3, 50)\nwhile True:\n    pass", "closed pipe"),
    ],
)
def test_a_crash_costs_one_program(effect: str, detail: str, simple: Extraction) -> None:
    with ExtractionProcess(LIMITS) as process:
        with pytest.raises(Rejected) as info:
            process.extract(program(effect))
        assert (info.value.reason, info.value.detail) == ("crash", detail)
        assert process.extract(SIMPLE) == simple


@pytest.mark.parametrize("loop", ["while True:\n    pass", "import time\n\ntime.sleep(60)"])
def test_a_hang_costs_one_program_and_its_time(loop: str, simple: Extraction) -> None:
    with ExtractionProcess(Limits(seconds=3.0)) as process:
        with pytest.raises(Rejected, match="timeout: no answer within 3 s"):
            process.extract(program(loop))
        assert process.extract(SIMPLE) == simple


@pytest.mark.parametrize(
    ("cause", "starved", "failures"),
    [
        ("SIGSEGV", [0], 1),
        ("SIGKILL", [0], 999),
        ("SIGKILL", itertools.count(), 19),
        ("SIGKILL", [None], 19),
        ("timeout", [0], 1),
    ],
)
def test_what_a_fresh_child_does_not_do_again_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, cause: str, starved: Iterable[int | None], failures: int
) -> None:
    left = failures
    kills = itertools.cycle(starved)
    monkeypatch.setattr(process_module, "num_starved", lambda: next(kills))

    def ask(*request: object) -> Never:
        nonlocal left
        left -= 1
        if left < 0:
            raise InterruptedError  # stands for an answer
        raise TimeoutError if cause == "timeout" else ChildDiedError(cause, "")

    monkeypatch.setattr(ExtractionProcess, "_ready_child", lambda self: FailingChild(ask))
    process = ExtractionProcess(LIMITS)
    with pytest.raises(InterruptedError):
        process.extract(SIMPLE)
    left = failures + 1
    with pytest.raises(Rejected, match="timeout" if cause == "timeout" else f"crash: {cause}"):
        process.extract(SIMPLE)
    assert left == 0


class FailingChild:
    def __init__(self, read: Callable[..., Never]) -> None:
        self.read = read

    def write(self, line: bytes) -> None:
        pass


def test_a_child_that_is_killed_as_it_starts_is_started_again(simple: Extraction) -> None:
    with ExtractionProcess(LIMITS) as process:
        for _ in range(2):
            process.start()
            assert process._child is not None
            process._child.kill()
        assert process.extract(SIMPLE) == simple


def test_a_failure_of_memory_gets_a_fresh_child(simple: Extraction) -> None:
    with ExtractionProcess(LIMITS) as process:
        with pytest.raises(Rejected, match="out-of-memory"):
            process.extract(program("import sys\n\nsys.left = 1\nraise MemoryError"))
        with pytest.raises(Rejected, match="AttributeError: module 'sys' has no attribute 'left'"):
            process.extract(program("import sys\n\nsys.left"))
        assert process.extract(SIMPLE) == simple


def test_fresh_children_after_so_many_programs(simple: Extraction) -> None:
    limits = Limits(programs_per_process=2)
    ask_pid = program("import os\n\nraise ValueError(os.getpid())")
    pids = []
    with ExtractionProcess(limits) as process:
        for _ in range(3):
            with pytest.raises(Rejected) as info:
                process.extract(ask_pid)
            pids.append(info.value.detail)
            assert process.extract(SIMPLE) == simple
    assert len(set(pids)) == 3


def test_several_from_several_threads(simple: Extraction) -> None:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(_extract_simple) for _ in range(2)]
        assert [future.result() for future in futures] == [simple, simple]


def test_inside_the_daemonic_workers_of_a_pool(simple: Extraction) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_extract_simple) == simple


def test_close_ends_the_child_and_may_come_twice(simple: Extraction) -> None:
    process = ExtractionProcess(LIMITS)
    process.close()
    process.start()
    process.close()
    process.close()
    assert process.extract(SIMPLE) == simple
    process.close()


def test_another_thread_can_end_it_for_good() -> None:
    with ExtractionProcess(LIMITS) as process:
        process.extract(SIMPLE)
        other = threading.Timer(0.3, process.kill)
        other.start()
        with pytest.raises(Rejected, match="crash: SIGKILL"):
            process.extract(program("import time\n\ntime.sleep(60)"))
        other.join()
        with pytest.raises(BuildError, match="could not start: SIGKILL"):
            process.extract(SIMPLE)


def test_an_interrupt_leaves_nothing_behind(simple: Extraction) -> None:
    with ExtractionProcess(LIMITS) as process:
        process.extract(SIMPLE)
        interrupt = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            process.extract(program("import time\n\ntime.sleep(60)"))
        interrupt.join()
        assert time.monotonic() - started < 30
        assert process.extract(SIMPLE) == simple


def test_a_child_that_cannot_start_is_no_rejection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jax.py").write_text("raise ImportError('jaxlib is too old')")
    monkeypatch.syspath_prepend(tmp_path)
    with (
        ExtractionProcess(LIMITS) as process,
        pytest.raises(BuildError, match=r"could not start: ImportError: jaxlib is too old\. .*"),
    ):
        process.extract(SIMPLE)


def test_reports_memory_and_the_time_of_each_stage() -> None:
    imported_before = "jax" in sys.modules
    with ExtractionProcess(LIMITS) as process:
        assert process.peak_memory_bytes == 0
        process.extract(PROGRAMS["softmax"])
        assert 50 << 20 < process.peak_memory_bytes < 2 << 30
        stages = "trace lower texts compile line_map analysis"
        assert list(process.stage_seconds) == stages.split()
        assert all(seconds > 0 for seconds in process.stage_seconds.values())
    assert ("jax" in sys.modules) == imported_before
