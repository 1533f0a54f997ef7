"""The child that checks: one for all tests of this file."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

import pytest

from jax_ir_pairs.config import Checks
from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction import CheckRequest
from jax_ir_pairs.quality import CheckingProcess, check_request
from tests.extraction.hand_written import LIMITS, SIMPLE, program

CRASHING = program(
    "import os\n\n\ndef stop(x):\n    os.write(2, b'no way on')\n    os.abort()\n\n\n"
    "def f(x):\n    return jax.pure_callback(stop, x, x)",
    "f32[2]",
)
"""Compiles, and ends the process once it is run."""


KERNEL = program(
    "import numpy as np\n\nfactor = jax.ffi.ffi_call('lapack_spotrf_ffi', ("
    "jax.ShapeDtypeStruct((2, 2), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)),"
    "input_layouts=((0, 1),), output_layouts=((0, 1), ()))\n\n\n"
    "def f(x):\n    return factor(x @ x.T + jnp.eye(2), uplo=np.uint8(76))[1]",
    "f32[2,2]",
)
"""Calls LAPACK by a name, which nothing of JAX has loaded."""


@pytest.fixture(scope="module")
def process() -> Iterator[CheckingProcess]:
    with CheckingProcess(LIMITS) as process:
        yield process


def test_without_a_request_nothing_is_run(process: CheckingProcess) -> None:
    found = process.extract(SIMPLE)
    assert (found.checked_by, found.max_abs_error, found.max_rel_error) == (None, None, None)
    assert process.extract(CRASHING).checked_by is None
    assert "check" not in process.stage_seconds


def test_with_a_request_the_levels_are_the_same_and_the_check_is_there(
    process: CheckingProcess,
) -> None:
    found = process.extract(SIMPLE, CheckRequest(3, executes=True))
    assert found.checked_by == "interpreter"
    assert found.max_abs_error is not None
    assert found.max_abs_error < 1e-6
    assert process.stage_seconds["check"] > 0
    plain = process.extract(SIMPLE)
    assert (found.jaxpr, found.optimized_hlo) == (plain.jaxpr, plain.optimized_hlo)


def test_a_rejection_says_what_was_found(process: CheckingProcess) -> None:
    with pytest.raises(Rejected) as info:
        process.extract(
            program("def f(x):\n    return jnp.log(x)", "f32[8]"), CheckRequest(0, executes=True)
        )
    assert (info.value.reason, info.value.detail) == (
        "nonfinite",
        "result 0, float32[8], on ordinary inputs",
    )


def test_a_crash_while_it_runs_costs_one_program(process: CheckingProcess) -> None:
    with pytest.raises(Rejected) as info:
        process.extract(CRASHING, CheckRequest(0, executes=True))
    assert (info.value.reason, info.value.detail) == ("crash", "SIGABRT: no way on")
    assert process.extract(SIMPLE, CheckRequest(0, executes=True)).checked_by == "interpreter"


GOLDEN = [4, 5, 11, 12, 16, 30, 43, 62]
"""The first of those that are run: which ones they are depends on nothing but their seed."""


def requests(checks: Checks, seeds: int = 100) -> dict[int, CheckRequest]:
    """Gives what is asked of each program of which something is."""
    asked = {seed: check_request(checks, seed) for seed in range(seeds)}
    return {seed: request for seed, request in asked.items() if request is not None}


def test_of_a_sample_a_tenth_is_run() -> None:
    sample = requests("sample", 20_000)
    assert isclose(len(sample) / 20_000, 0.1, abs_tol=0.008)
    assert list(sample)[:8] == GOLDEN
    assert all(request == CheckRequest(seed, executes=True) for seed, request in sample.items())


def test_of_texts_the_same_tenth_is_run_and_something_is_asked_of_all() -> None:
    texts = requests("texts")
    assert list(texts) == list(range(100))
    assert all(request.seed == seed for seed, request in texts.items())
    run = {seed: request for seed, request in texts.items() if request.executes}
    assert run == requests("sample")


def test_none_and_all_are_what_they_say() -> None:
    assert requests("none") == {}
    assert requests("all") == {seed: CheckRequest(seed, executes=True) for seed in range(100)}


def test_a_kernel_is_there_in_a_fresh_child() -> None:
    with CheckingProcess(LIMITS) as fresh:
        assert fresh.extract(KERNEL, CheckRequest(3, executes=True)).checked_by
