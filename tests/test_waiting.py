from __future__ import annotations

import _thread
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jax_ir_pairs.waiting import results


def test_results_come_as_they_are_done() -> None:
    first = threading.Event()

    def late() -> str:
        assert first.wait(20)
        return "late"

    with ThreadPoolExecutor(2) as pool:
        given = results([pool.submit(late), pool.submit(lambda: "early")])
        assert next(given) == "early"
        first.set()
        assert list(given) == ["late"]


def test_an_error_is_raised_while_others_are_under_way() -> None:
    raised = threading.Event()

    def fail() -> bool:
        raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(raised.wait, 20)
        with pytest.raises(ZeroDivisionError):
            list(results([waiting, pool.submit(fail)]))
        assert not waiting.done()
        raised.set()


def test_a_signal_that_does_not_end_the_wait_is_seen() -> None:
    seen = threading.Event()

    def press_ctrl_c() -> bool:
        time.sleep(0.3)  # till the main thread waits
        _thread.interrupt_main()  # which leaves it in its wait, as a signal just before one does
        return seen.wait(20)

    with ThreadPoolExecutor(1) as pool:
        pressed = pool.submit(press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            list(results([pressed]))
        seen.set()
        assert pressed.result()
