"""Whether two programs do the same: run on many inputs, and compared. In the child."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality.comparison import Array, compare, is_inexact
from jax_ir_pairs.quality.conditioning import moved, nudged_results, slack
from jax_ir_pairs.quality.tolerance import LARGEST
from jax_ir_pairs.scoring.draws import Input, edges, values
from jax_ir_pairs.scoring.program import QUICK_COST, Program
from jax_ir_pairs.scoring.sandbox import no_longer_than

DRAWS = 3
"""Ordinary draws of inputs that an answer is tried on, beside the edges."""

_SLOWER = 20.0
_LEAST_SECONDS = 0.5
"""How much longer than the reference an answer may run, in CPU time, and what it may always."""

Draw = int | str
Key = tuple[Draw, bool]


@dataclass(slots=True)
class Reference:
    """The program of a row, and what is known of its results so far.

    How well it is conditioned is known from its own results on inputs off by a rounding, and at
    edges from what XLA makes of it where the interpreter gave them; never from an answer.
    """

    program: Program
    inputs: Sequence[Input]
    seed: int
    tolerances: Sequence[float]
    seconds: float = 0.0
    """The longest that one of its runs took of CPU time, compilation included."""
    _values: dict[Draw, list[Array]] = field(default_factory=dict)
    _results: dict[Key, list[Array]] = field(default_factory=dict)
    _nudged: dict[Key, list[list[Array]]] = field(default_factory=dict)

    def values(self, draw: Draw) -> list[Array]:
        """Gives the inputs of a draw."""
        if draw not in self._values:
            self._values[draw] = values(self.inputs, self.seed, draw)
        return self._values[draw]

    def results(self, draw: Draw, *, interpreted: bool) -> list[Array]:
        """Gives its results on the inputs of a draw."""
        key = draw, interpreted
        if key not in self._results:
            values = self.values(draw)
            started = time.process_time()
            self._results[key] = self.program.run(values, interpreted=interpreted)
            self.seconds = max(self.seconds, time.process_time() - started)
        return self._results[key]

    def nudged(self, draw: Draw, *, interpreted: bool) -> list[list[Array]]:
        """Gives its results where the inputs are off by a rounding, some times over."""
        key = draw, interpreted
        if key not in self._nudged:
            run = partial(self.program.run, interpreted=interpreted)
            others = list(nudged_results(run, self.values(draw)))
            if isinstance(draw, str) and self.program.interpreter is not None:
                others.append(self.results(draw, interpreted=not interpreted))
            self._nudged[key] = others
        return self._nudged[key]


def difference(reference: Reference, answer: Program, draws: int = DRAWS) -> str:
    """Gives where an answer does something else than the reference, or nothing where it does not.

    Its inputs and outputs are taken to be those of the reference. Each result has to agree on each
    draw; one that rounding alone moves about as far, and so far that the draw decides nothing, is
    passed over there, but each has to be decided by one ordinary draw.

    Raises what XLA does, where it refuses the answer.
    """
    undecided = set(range(len(reference.program.module.outputs)))
    for draw in [*range(draws), *edges(reference.inputs)]:
        interpreted = _is_interpreted(reference.program, answer)
        try:
            expected, results = _both(reference, answer, draw, interpreted=interpreted)
        except UnsupportedError:
            interpreted = False
            expected, results = _both(reference, answer, draw, interpreted=False)
        if len(results) != len(expected):
            return f"It gives {len(results)} results instead of {len(expected)}."
        for place in range(len(expected)):
            ours, theirs = results[place : place + 1], expected[place : place + 1]
            found = compare(ours, theirs, reference.tolerances[place])
            if not found.agrees:
                others = [
                    nudged[place] for nudged in reference.nudged(draw, interpreted=interpreted)
                ]
                explained = _explained(ours[0], theirs[0], others, reference.tolerances[place])
                if explained is False:
                    what = found.beyond.removeprefix("result 0, ")
                    where = f"draw {draw}" if isinstance(draw, int) else f"inputs of {draw!r}"
                    return f"On {where} result {place}, {what}."
                if explained is None:
                    continue
            if isinstance(draw, int):
                undecided.discard(place)
    if undecided:
        places = ", ".join(map(str, sorted(undecided)))
        return f"Result {places} is decided by rounding, and differs, on every draw."
    return ""


def _is_interpreted(reference: Program, answer: Program) -> bool:
    """Tells whether to interpret both.

    Most wrong answers fail on the first draw, which is quickest without compiling. After that it
    is known what a draw takes.
    """
    its, own = answer.interpreter, reference.interpreter
    return its is not None and own is not None and max(its.spent, own.spent) <= QUICK_COST


def _both(
    reference: Reference, answer: Program, draw: Draw, *, interpreted: bool
) -> tuple[list[Array], list[Array]]:
    expected = reference.results(draw, interpreted=interpreted)
    with no_longer_than(_LEAST_SECONDS + _SLOWER * reference.seconds):
        return expected, answer.run(reference.values(draw), interpreted=interpreted)


def _explained(
    ours: Array, theirs: Array, nudged: Sequence[Array], tolerance: float
) -> bool | None:
    """Tells whether rounding explains a difference; nothing where it explains any."""
    if not is_inexact(theirs.dtype):
        # An index or a flag that rounding decides: each element of its own.
        if ours.shape != theirs.shape or not moved(theirs, nudged)[ours != theirs].all():
            return False
        return None
    bound = tolerance + slack(theirs, nudged)
    if bound > LARGEST:
        return None
    return compare([ours], [theirs], bound).agrees
