from __future__ import annotations

import os
import sys
import threading

import pytest

from jax_ir_pairs.extraction.cores import on_one_core

CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


@pytest.mark.skipif(len(CORES) < 2, reason="needs two cores, on Linux")
def test_each_thread_has_its_own_cores_back() -> None:
    narrow, done = threading.Event(), threading.Event()
    seen: list[set[int]] = []

    def hold() -> None:
        os.sched_setaffinity(0, {CORES[1]})
        narrow.set()
        done.wait()
        seen.append(os.sched_getaffinity(0))

    later: list[threading.Thread] = []
    thread = threading.Thread(target=hold)
    thread.start()
    narrow.wait()
    with on_one_core():
        assert len(os.sched_getaffinity(0)) == 1
        assert os.sched_getaffinity(thread.native_id or 0) == os.sched_getaffinity(0)
        later.append(threading.Thread(target=done.wait))
        later[0].start()
    assert os.sched_getaffinity(0) == set(CORES)
    assert os.sched_getaffinity(later[0].native_id or 0) == set(CORES)
    done.set()
    thread.join()
    later[0].join()
    assert seen == [{CORES[1]}]
