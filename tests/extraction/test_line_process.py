from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jax_ir_pairs.extraction.line_process import ChildDiedError, LineProcess

# Runs the Python of each line that it is handed.
_CHILD = "import os, sys, time\nfor line in sys.stdin: exec(line)"


@pytest.fixture
def child() -> Iterator[LineProcess]:
    process = LineProcess([sys.executable, "-c", _CHILD], dict(os.environ))
    yield process
    process.close()


def test_answers_lines_longer_than_any_pipe(child: LineProcess) -> None:
    child.write(b"print(len('" + b"x" * 1_000_000 + b"'), 'y' * 3_000_000, flush=True)\n")
    assert child.read(30) == b"1000000 " + b"y" * 3_000_000 + b"\n"


def test_no_answer_in_time(child: LineProcess) -> None:
    child.write(b"time.sleep(60)\n")
    with pytest.raises(TimeoutError):
        child.read(0.2)


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not tell who waits"
)
def test_waiting_for_a_core_is_no_time_of_the_child(child: LineProcess) -> None:
    work = "end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    hold_to_a_busy_core(child)
    started = time.monotonic()
    child.write(f"exec({work!r}); print('done', flush=True)\n".encode())
    assert child.read(1.0) == b"done\n"
    assert time.monotonic() - started > 1.0
    child.write(b"time.sleep(60)\n")
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        child.read(0.5)
    assert time.monotonic() - started < 5  # asleep, it waits for none


def hold_to_a_busy_core(child: LineProcess) -> None:
    """Holds the child to a core that four others, which end with it, are busy on."""
    core = min(os.sched_getaffinity(0))
    busy = f"if os.fork() == 0:\n os.sched_setaffinity(0, [{core}])\n while True: pass"
    for _ in range(4):
        child.write(f"exec({busy!r})\n".encode())
    child.write(f"os.sched_setaffinity(0, [{core}]); print('held', flush=True)\n".encode())
    assert child.read(30) == b"held\n"


def test_endless_stderr_neither_blocks_nor_escapes_the_limit(child: LineProcess) -> None:
    child.write(b"exec('while True: os.write(2, bytes(65536))')\n")
    with pytest.raises(TimeoutError):
        child.read(0.3)


def test_death_tells_the_signal_and_the_end_of_stderr(child: LineProcess) -> None:
    child.write(b"os.write(2, b'x' * 100_000 + b'the end'); os.abort()\n")
    with pytest.raises(ChildDiedError) as info:
        child.read(30)
    assert info.value.cause == "SIGABRT"
    assert info.value.errors.endswith("xthe end")
    assert len(info.value.errors) <= 4096


def test_death_tells_the_exit_status(child: LineProcess) -> None:
    child.write(b"os._exit(3)\n")
    with pytest.raises(ChildDiedError, match="exit status 3"):
        child.read(30)
    with pytest.raises(ChildDiedError, match="exit status 3"):
        child.write(b"pass\n")


def test_close_kills_what_the_child_started(child: LineProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    grandchild = f"os.open({str(fifo)!r}, os.O_WRONLY); print('open', flush=True); time.sleep(60)"
    child.write(f"if os.fork() == 0: {grandchild}\n".encode())
    assert child.read(30) == b"open\n"
    with pytest.raises(BlockingIOError):  # it has a writer
        os.read(reader, 1)
    child.close()
    child.close()
    assert select.select([reader], [], [], 10)[0]
    assert os.read(reader, 1) == b""  # it has none any more
    os.close(reader)
