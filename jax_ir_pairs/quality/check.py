"""The check of one program: run it, ask an oracle, compare. In the child."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from jax_ir_pairs.errors import Rejected
from jax_ir_pairs.extraction.failures import rejecting
from jax_ir_pairs.extraction.levels import Compiled
from jax_ir_pairs.extraction.result import Check
from jax_ir_pairs.quality.comparison import (
    Array,
    all_finite,
    compare,
    described,
    described_as,
    is_inexact,
)
from jax_ir_pairs.quality.conditioning import RUNS, SLACK, distance, moved, nudged_results
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import ordinary_inputs, physical
from jax_ir_pairs.quality.interpreter_cost import UnsupportedError
from jax_ir_pairs.quality.oracles import ORACLES, shaken_results
from jax_ir_pairs.quality.roundings import tolerances

DRAWS_ANEW = frozenset({"rng_uniform"})
"""Primitives whose numbers come from a state of the process: no two runs agree, so that any
difference would pass as one that rounding explains, with an error that is another in each build."""


def check(program: Compiled, seed: int, *, executes: bool = True) -> Check | None:
    """Runs a compiled program on inputs of `seed`, and gives who confirmed its results.

    `executes` says whether its machine code has to be run; without, its texts are enough where they
    can be interpreted.

    Nobody does where it draws other numbers in each run ([`DRAWS_ANEW`][]): it is only run.

    **Raises:** [`Rejected`][]: `run-error` where the runtime refuses it, `nonfinite` where a result
    has an infinity or a NaN, `mismatch` where shapes or dtypes are not those of the jaxpr or the
    oracle gives something else, and `out-of-memory`.
    """
    avals = program.traced.jaxpr.in_avals
    inputs = ordinary_inputs(avals, seed)
    with rejecting("run-error"):
        results = execute(program, inputs)
    _hold_to_avals(program, results)
    for place, value in enumerate(results):
        if not all_finite(value):
            raise Rejected("nonfinite", f"result {place}, {described(value)}, on ordinary inputs")
    if not DRAWS_ANEW.isdisjoint(program.extraction.primitives):
        return None
    checked_by, expected = _expected(program, inputs)
    difference = compare(results, expected, 0.0)
    if not difference.agrees:  # most programs give the same bits
        allowed = tolerances(program.extraction.stablehlo)
        difference = compare(results, expected, allowed)
        if not (
            difference.agrees
            or _explained(
                results, expected, allowed, nudged_results(partial(execute, program), inputs)
            )
            or _explained(
                expected, results, allowed, shaken_results(program, inputs, checked_by, RUNS)
            )
        ):
            raise Rejected("mismatch", f"{checked_by}: {difference.beyond}")
    return Check(checked_by, difference.max_abs_error, difference.max_rel_error, executed=True)


def _hold_to_avals(program: Compiled, results: Sequence[Array]) -> None:
    avals = program.traced.jaxpr.out_avals
    if len(results) != len(avals):
        raise Rejected("mismatch", f"{len(results)} results instead of {len(avals)}")
    for place, (value, aval) in enumerate(zip(results, avals, strict=True)):
        shape, dtype = physical(aval)
        if (value.shape, value.dtype) != (shape, dtype):
            wanted = described_as(dtype.name, shape)
            raise Rejected("mismatch", f"result {place} is {described(value)}, not {wanted}")


def _expected(program: Compiled, inputs: Sequence[Array]) -> tuple[str, list[Array]]:
    for name, oracle in ORACLES.items():
        try:
            with rejecting("run-error"):
                return name, oracle(program, inputs)
        except Rejected as rejected:
            if not isinstance(rejected.__cause__, UnsupportedError):
                raise Rejected(rejected.reason, f"{name}: {rejected.detail}") from None
    raise AssertionError("the last oracle runs every program")


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
