from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from jax_ir_pairs.extraction.starvation import num_starved, waits_for_a_core


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [("nr_free_pages 9\noom_kill 12\ndrop_slab 0\n", 12), ("nr_oom_kill 3\n", None)],
)
def test_it_is_the_count_of_the_kernel(
    tmp_path: Path, statistics: str, expected: int | None
) -> None:
    (tmp_path / "vmstat").write_text(statistics)
    assert num_starved(tmp_path / "vmstat") == expected


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    assert num_starved(tmp_path / "vmstat") is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the file")
def test_here_it_does_not_change_by_itself() -> None:
    assert num_starved() == num_starved()


def test_waits_are_those_of_each_thread(tmp_path: Path) -> None:
    for thread, content in {"7": "5 2500000000 3\n", "8": "1 0 1\n"}.items():
        (tmp_path / "7" / "task" / thread).mkdir(parents=True)
        (tmp_path / "7" / "task" / thread / "schedstat").write_text(content)
    (tmp_path / "7" / "task" / "9").mkdir()  # one that has just ended
    assert waits_for_a_core(7, tmp_path) == {7: 2.5, 8: 0.0}
    assert waits_for_a_core(8, tmp_path) == {}


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not tell who waits"
)
def test_waits_here_are_of_the_threads_that_there_are() -> None:
    assert set(waits_for_a_core(os.getpid())) >= {threading.get_native_id()}
