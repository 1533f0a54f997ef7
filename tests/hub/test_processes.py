from __future__ import annotations

import copy
import gc
import os
import pickle
from collections.abc import Iterator, Sequence

import pytest

from jax_ir_pairs.config import Limits
from jax_ir_pairs.hub import processes
from jax_ir_pairs.hub.processes import ExtractionProcesses

LIMITS = Limits()


class FakeProcess:
    def __init__(self, limits: Limits, targets: Sequence[str], *, passes: bool) -> None:
        self.limits, self.targets, self.passes = limits, targets, passes

    def start(self) -> None:
        OPEN.add(self)

    def close(self) -> None:
        OPEN.discard(self)


OPEN: set[object] = set()


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CheckingProcess", FakeProcess)
    OPEN.clear()


def test_a_process_is_lent_again() -> None:
    pool = ExtractionProcesses()
    with pool.lend(LIMITS) as first:
        assert first in OPEN
    with pool.lend(LIMITS) as second:
        assert second is first
    assert first in OPEN
    pool.close()
    assert first not in OPEN


def test_a_process_has_one_user_at_a_time() -> None:
    pool = ExtractionProcesses()
    with pool.lend(LIMITS) as first, pool.lend(LIMITS) as second:
        assert first is not second
    pool.close()


def test_a_process_ends_with_a_generator_that_is_not_read_to_its_end() -> None:
    pool = ExtractionProcesses()

    def generate() -> Iterator[object]:
        with pool.lend(LIMITS) as process:
            while True:
                yield process

    stream = generate()
    process = next(stream)
    assert process in OPEN
    del stream
    gc.collect()
    assert process not in OPEN


def test_a_process_that_failed_is_not_lent_again() -> None:
    pool = ExtractionProcesses()
    with pytest.raises(KeyboardInterrupt), pool.lend(LIMITS) as failed:
        raise KeyboardInterrupt
    assert failed not in OPEN
    with pool.lend(LIMITS) as fresh:
        assert fresh is not failed
    pool.close()


def test_idle_processes_end_with_the_last_reference() -> None:
    pool = ExtractionProcesses()
    with pool.lend(LIMITS) as process:
        pass
    del pool
    gc.collect()
    assert process not in OPEN


def test_copies_start_processes_of_their_own() -> None:
    pool = ExtractionProcesses()
    with pool.lend(LIMITS) as process:
        pass
    for other in (copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))):
        with other.lend(LIMITS) as lent:
            assert lent is not process
        other.close()
    assert process in OPEN
    pool.close()


def test_a_fork_leaves_the_parents_processes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ExtractionProcesses()
    with pool.lend(LIMITS) as process:
        pass
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        with pool.lend(LIMITS) as lent:
            assert lent is not process
        pool.close()
        assert lent not in OPEN
    assert process in OPEN
    pool.close()
