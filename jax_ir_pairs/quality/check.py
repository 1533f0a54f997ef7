"""The check of one program: what its texts mean, and what it gives when it runs. In the child."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction.failures import rejecting
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.extraction.result import Check
from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality import texts
from jax_ir_pairs.quality.comparison import (
    Array,
    Difference,
    all_finite,
    compare,
    described,
    described_as,
    is_inexact,
)
from jax_ir_pairs.quality.conditioning import RUNS, SLACK, distance, moved, nudged_results
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import ordinary_inputs, physical
from jax_ir_pairs.quality.oracles import ORACLES, kept
from jax_ir_pairs.quality.roundings import tolerances
from jax_ir_pairs.quality.shaking import shaking

DRAWS_ANEW = frozenset({"rng_uniform"})
"""Primitives whose numbers come from a state of the process: no two runs agree, so that any
difference would pass as one that rounding explains, with an error that is another in each build."""

Run = Callable[[Sequence[Array]], list[Array]]


def check(program: Compiled, seed: int, *, executes: bool = True) -> Check | None:
    """Holds the texts of a program against each other on inputs of `seed`; says who confirmed it.

    They are interpreted. A program that `executes`, or whose texts cannot be interpreted, is
    compiled whole and run as well, and held against the first oracle that can tell. Nobody can
    where it draws other numbers in each run ([`DRAWS_ANEW`][]): it is only run.

    **Raises:** [`Rejected`][]: `run-error` where the runtime refuses it, `nonfinite` where a result
    has an infinity or a NaN, `mismatch` where shapes or dtypes are not those of the jaxpr or the
    oracle gives something else, and `out-of-memory`.
    """
    inputs = ordinary_inputs(program.traced.jaxpr.in_avals, seed)
    if not DRAWS_ANEW.isdisjoint(program.extraction.primitives):
        _executed(program, inputs)
        return None
    found: list[Difference] = []
    try:
        found.append(_of_texts(program, kept(program, inputs)))
    except UnsupportedError:
        executes = True
    checked_by = "interpreter"
    if executes:
        checked_by, difference = _of_machine_code(program, inputs)
        found.append(difference)
    return Check(
        checked_by,
        max(difference.max_abs_error for difference in found),
        max(difference.max_rel_error for difference in found),
        executed=executes,
    )


def _of_texts(program: Compiled, inputs: Sequence[Array]) -> Difference:
    """Gives how far apart the two texts are, as the interpreter says; else as [`check`][].

    **Raises:** [`UnsupportedError`][].
    """
    with _rejecting_errors("texts"):
        expected = texts.stablehlo(program)(inputs)
        run = texts.optimized_hlo(program)
        results = run(inputs)
    _hold_to_avals(program, results)
    return _held(program, "texts", results, expected, run, inputs)


@contextmanager
def _rejecting_errors(of: str) -> Iterator[None]:
    """Rejects the program for what is raised inside, unless that is [`UnsupportedError`][]."""
    try:
        with rejecting("run-error"):
            yield
    except Rejected as rejected:
        if isinstance(rejected.__cause__, UnsupportedError):
            raise rejected.__cause__ from None
        raise Rejected(rejected.reason, f"{of}: {rejected.detail}") from None


def _of_machine_code(program: Compiled, inputs: Sequence[Array]) -> tuple[str, Difference]:
    """Gives who can say what a program gives, and how far its machine code is from that."""
    results = _executed(program, inputs)
    checked_by, expected = _expected(program, inputs)
    run = partial(execute, program)
    return checked_by, _held(program, checked_by, results, expected, run, inputs)


def _executed(program: Compiled, inputs: Sequence[Array]) -> list[Array]:
    with rejecting("compiler-error"):
        _ = program.executable
    with rejecting("run-error"):
        results = execute(program, inputs)
    _hold_to_avals(program, results)
    return results


def _hold_to_avals(program: Compiled, results: Sequence[Array]) -> None:
    avals = program.traced.jaxpr.out_avals
    if len(results) != len(avals):
        raise Rejected("mismatch", f"{len(results)} results instead of {len(avals)}")
    for place, (value, aval) in enumerate(zip(results, avals, strict=True)):
        shape, dtype = physical(aval)
        if (value.shape, value.dtype) != (shape, dtype):
            wanted = described_as(dtype.name, shape)
            raise Rejected("mismatch", f"result {place} is {described(value)}, not {wanted}")
        if not all_finite(value):
            raise Rejected("nonfinite", f"result {place}, {described(value)}, on ordinary inputs")


def _expected(program: Compiled, inputs: Sequence[Array]) -> tuple[str, list[Array]]:
    for name, oracle in ORACLES.items():
        try:
            with _rejecting_errors(name):
                return name, oracle(program, inputs)
        except UnsupportedError:
            continue
    raise AssertionError("the last oracle runs every program")


def _held(
    program: Compiled,
    checked_by: str,
    results: Sequence[Array],
    expected: Sequence[Array],
    run: Run,
    inputs: Sequence[Array],
) -> Difference:
    """Gives how far results are from what was expected, where that is what rounding explains.

    `run` gives the results for other inputs.
    """
    difference = compare(results, expected, 0.0)
    if difference.agrees:  # most programs give the same bits
        return difference
    allowed = tolerances(program.extraction.stablehlo)
    difference = compare(results, expected, allowed)
    if not (
        difference.agrees
        or _explained(results, expected, allowed, nudged_results(run, inputs))
        or _explained(expected, results, allowed, _shaken(program, inputs, checked_by))
    ):
        raise Rejected("mismatch", f"{checked_by}: {difference.beyond}")
    return difference


def _shaken(
    program: Compiled, inputs: Sequence[Array], checked_by: str
) -> Iterator[Sequence[Array]]:
    """Gives what the `stablehlo` means where its operations round at random, some times over.

    Nothing where it was not the interpreter that ran it.
    """
    if checked_by not in {"texts", "interpreter"}:
        return
    own = inputs if checked_by == "texts" else kept(program, inputs)
    for seed in range(RUNS):
        yield texts.stablehlo(program, shaking(seed))(own)


def _explained(
    results: Sequence[Array],
    others: Sequence[Array],
    allowed: Sequence[float],
    runs: Iterable[Sequence[Array]],
) -> bool:
    """Tells whether `others` are about as far from `results` as these are in `runs`.

    Those are off by roundings alone, and are made one by one until they explain it. An integer that
    these do not move has to be right, and an infinity or a NaN is explained by nothing.
    """
    seen: list[Sequence[Array]] = []
    for run in runs:
        seen.append(run)
        if all(
            _within(own, other, limit, [moves[place] for moves in seen])
            for place, (own, other, limit) in enumerate(zip(results, others, allowed, strict=True))
        ):
            return True
    return False


def _within(own: Array, other: Array, allowed: float, moves: Sequence[Array]) -> bool:
    if (own.shape, own.dtype) != (other.shape, other.dtype):
        return False
    if not is_inexact(own.dtype):
        # Indices, flags and bits that a rounding decides, in about as many places.
        differing, decided = np.count_nonzero(own != other), np.count_nonzero(moved(own, moves))
        return bool(differing <= SLACK * decided)
    apart, spread = compare([other], [own], 0.0), distance(own, moves)
    if math.isinf(spread):
        return False
    return apart.max_rel_error <= allowed or apart.max_abs_error <= SLACK * spread
