"""The check of one program: what its texts mean, and what it gives when it runs. In the child."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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
from jax_ir_pairs.quality.oracles import INTERPRETER, ORACLES, kept
from jax_ir_pairs.quality.roundings import tolerances
from jax_ir_pairs.quality.shaking import shaking

DRAWS_ANEW = frozenset({"rng_uniform"})
"""Primitives whose numbers come from a state of the process: no two runs agree, so that any
difference would pass as one that rounding explains, with an error that is another in each build."""

TEXTS = "texts"
"""What a difference of the two texts is by."""
CONFIRMED_BY_TEXTS = "interpreter"
"""What `checked_by` says where both texts were interpreted."""


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
    own, meant = kept(program, inputs), None
    try:
        with _rejecting_errors(TEXTS):
            meant = texts.stablehlo(program)(own)
        found.append(_of_texts(program, own, meant))
    except UnsupportedError:
        executes = True
    checked_by = CONFIRMED_BY_TEXTS
    if executes:
        oracle, difference = _of_machine_code(program, inputs, meant)
        if not found:  # nobody knows of the text of `optimized_hlo`
            checked_by = oracle
        found.append(difference)
    return Check(
        checked_by,
        max(difference.max_abs_error for difference in found),
        max(difference.max_rel_error for difference in found),
        executed=executes,
    )


def _of_texts(program: Compiled, inputs: Sequence[Array], meant: Sequence[Array]) -> Difference:
    """Gives how far `optimized_hlo` is from what the `stablehlo` meant; else as [`check`][].

    **Raises:** [`UnsupportedError`][].
    """
    with _rejecting_errors(TEXTS):
        results = texts.optimized_hlo(program)(inputs)
    _hold_to_avals(program, results)
    return _held(program, TEXTS, results, meant, inputs)


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


def _of_machine_code(
    program: Compiled, inputs: Sequence[Array], meant: Sequence[Array] | None
) -> tuple[str, Difference]:
    """Gives who can say what a program gives, and how far its machine code is from that.

    It is what the `stablehlo` `meant`, unless that is nothing, as it cannot be interpreted.
    """
    results = _executed(program, inputs)
    checked_by, expected = (INTERPRETER, meant) if meant is not None else _asked(program, inputs)
    return checked_by, _held(program, checked_by, results, expected, inputs)


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


def _asked(program: Compiled, inputs: Sequence[Array]) -> tuple[str, list[Array]]:
    for name, oracle in ORACLES.items():
        if name == INTERPRETER:
            continue
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
    inputs: Sequence[Array],
) -> Difference:
    """Gives how far results are from what was expected, where that is what rounding explains."""
    difference = compare(results, expected, 0.0)
    if difference.agrees:  # most programs give the same bits
        return difference
    allowed = tolerances(program.extraction.stablehlo)
    difference = compare(results, expected, allowed)
    if not (
        difference.agrees
        or _moves(expected, results, allowed, _rounded_otherwise(program, checked_by, inputs))
    ):
        raise Rejected("mismatch", f"{checked_by}: {difference.beyond}")
    return difference


def _rounded_otherwise(
    program: Compiled, checked_by: str, inputs: Sequence[Array]
) -> Iterator[Sequence[Array]]:
    """Gives what a program gives where its inputs, and then its operations, round otherwise.

    By its `stablehlo`, where that can be interpreted: a wrong text, or wrong machine code, may be
    as sensitive as one likes.
    """
    if checked_by not in (TEXTS, INTERPRETER):
        yield from nudged_results(partial(execute, program), inputs)
        return
    own = inputs if checked_by == TEXTS else kept(program, inputs)
    yield from nudged_results(texts.stablehlo(program), own)
    for seed in range(RUNS):
        yield texts.stablehlo(program, shaking(seed))(own)


def _moves(
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
    apart, spread = compare([other], [own], 0.0), distance(own, moves)
    if not is_inexact(own.dtype):
        # Indices, flags and bits that a rounding decides: those that it was seen to move, about as
        # many others, and none of them much farther.
        decided = moved(own, moves)
        unseen = np.count_nonzero((own != other) & ~decided)
        return bool(unseen <= np.count_nonzero(decided) and apart.max_abs_error <= SLACK * spread)
    if math.isinf(spread):
        return False
    return apart.max_rel_error <= allowed or apart.max_abs_error <= SLACK * spread
