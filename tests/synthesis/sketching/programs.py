"""Programs of one sketch, for tests and for who writes one.

`python -m tests.synthesis.sketching.programs power_spectrum 5 --print` draws five of a sketch, or
of each sketch of a file, of a theme or of `all`, and prints them; it traces all and runs a third.
Its status is 1 where one fails.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import jax
import numpy as np

from jax_ir_pairs.extraction.environment import ENVIRONMENT
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.sketching.draft import SketchDraft, draw_from
from jax_ir_pairs.synthesis.sketching.fit import Unfit
from jax_ir_pairs.synthesis.sketching.library import library, library_for
from jax_ir_pairs.synthesis.sketching.roles import ROLES
from jax_ir_pairs.synthesis.sketching.source import Sketch
from jax_ir_pairs.synthesis.sketching.types import Array
from jax_ir_pairs.synthesis.stream import Stream
from tests.synthesis.tracing import (
    at_edges,
    ordinary,
    out_avals,
    primitives,
    run,
    shown,
    traced,
)

_TRIES = 30
_SLACK = 0.02
"""Of bounds, for rounding in narrow formats."""


def drawn(sketch: Sketch, seed: int, *, alone: bool = False) -> SketchDraft:
    """Gives a program that begins with a sketch; other streams are tried where nothing fits."""
    for number in range(_TRIES):
        stream = Stream("sketch", sketch.name, seed, number)
        style = Stream("style", sketch.name, seed)
        try:
            return draw_from(library_for(sketch.file.theme), sketch, stream, style, alone=alone)
        except Unfit as error:
            reason = error
    raise AssertionError(f"{sketch.name} makes no program: {reason}")


def checked(draft: SketchDraft, seed: int, *, runs: bool = True) -> tuple[Program, Any]:
    """Gives a program and its jaxpr: its results have the types that it states.

    On ordinary inputs and at the edges of what inputs are, they are finite, and within the bounds
    of their roles.
    """
    program = draft.program()
    jaxpr = traced(program, seed)
    if draft.results is not None:
        assert out_avals(jaxpr) == list(map(str, draft.results)), shown(program, seed)
    roles = _roles(draft)
    for value in (ordinary, at_edges) if runs else ():
        results = run(program, seed, value)
        for result, role in zip(results, roles or [""] * len(results), strict=True):
            finite = result.dtype.kind not in "fc" or np.isfinite(result).all()
            assert finite, f"not finite, {value.__name__}\n{shown(program, seed)}"
            low, high = ROLES[role].low - _SLACK, ROLES[role].high + _SLACK
            within = result.dtype.kind not in "fiu" or ((low <= result) & (result <= high)).all()
            assert within, f"no {role}, {value.__name__}\n{result}\n{shown(program, seed)}"
    return program, jaxpr


def _roles(draft: SketchDraft) -> list[str]:
    """Gives the role of each result, where a program is one sketch that gives arrays."""
    gives = None if draft.story.steps else draft.drawing.signatures[draft.entry.name].gives
    parts = gives if isinstance(gives, tuple) else (gives,)
    roles = [part.role for part in parts if isinstance(part, Array)]
    return roles if len(roles) == len(parts) else []


def _main(what: str, count: int, *, shown: bool) -> int:
    every, failed = library().sketches.values(), 0
    chosen = [s for s in every if what in (s.name, s.file.stem, s.file.theme, "all")]
    assert chosen, f"no sketch, file or theme is named {what}"
    for sketch in chosen:
        for seed in range(count):
            start = time.perf_counter()
            try:
                draft = drawn(sketch, seed, alone=seed % 3 < 2)
                program, jaxpr = checked(draft, seed, runs=seed % 3 == 0)
            except Exception as error:
                print(f"\n!!! {sketch.name}, seed {seed}: {error}")
                failed += 1
                continue
            lines = f"{len(program.python.splitlines())} lines"
            equations = f"{len(list(primitives(jaxpr)))} equations"
            took = f"{time.perf_counter() - start:.1f} s"
            said = f"{draft.transforms()} held out: {draft.held_out}"
            print(f"# {sketch.name}, seed {seed}: {lines}, {equations}, {took} {said}")
            if shown:
                print(f"# {program.inputs}\n{program.python}")
        jax.clear_caches()
    return int(failed > 0)


if __name__ == "__main__":
    os.environ |= ENVIRONMENT  # before JAX looks for devices
    arguments = [argument for argument in sys.argv[1:] if argument != "--print"]
    count = int(arguments[1]) if len(arguments) > 1 else 3
    sys.exit(_main(arguments[0], count, shown="--print" in sys.argv))
