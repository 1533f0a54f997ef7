"""Says of a mutant whether it is wrong: it is run, and so is the true text, on the same inputs.

The module that a child runs, and nothing of the verifier: an own comparison, by plain NumPy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from jax_ir_pairs.extraction.worker import main

DRAWS = 3
_SEEDS_APART = 10**9  # from the seeds of any config, so that the inputs are not the verifier's


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    kind: str
    """`changed` beyond tolerance, `signature` where it takes or gives something else, `same`, or
    `invalid`; `unrunnable` where the true text does not run."""
    detail: str = ""


def judge(
    level: str,
    text: str,
    row: Mapping[str, Any],
    lap: Callable[[str], None] = lambda stage: None,
) -> Verdict:
    """Gives the verdict on a text of a level, against the row's own."""
    import jax

    from mutation.running import running

    try:
        reference = _reference(level, json.dumps(row))
    except Exception as error:
        return Verdict("unrunnable", _short(error))
    jax.clear_caches()
    inputs, avals, outputs, expected, tolerances = reference
    try:
        mutant = running(level, text, row)
        if [(a.shape, a.dtype) for a in mutant.inputs] != avals:
            return Verdict("signature", "takes something else")
        if mutant.outputs is not None and list(mutant.outputs) != list(outputs):
            return Verdict("signature", "gives something else")
        for values, wanted in zip(inputs, expected, strict=True):
            if why := difference(mutant.run(values), wanted, tolerances):
                return Verdict("changed", why)
    except Exception as error:
        return Verdict("invalid", _short(error))
    return Verdict("same")


@lru_cache(maxsize=2)
def _reference(level: str, row_text: str) -> Any:
    from jax_ir_pairs.quality.inputs import ordinary_inputs
    from jax_ir_pairs.quality.roundings import tolerances
    from mutation.running import running

    row = json.loads(row_text)
    true = running(level, row[level], row)
    seed = row["seed"] + _SEEDS_APART
    drawn = [ordinary_inputs(true.inputs, seed, draw) for draw in range(DRAWS)]
    avals = [(aval.shape, aval.dtype) for aval in true.inputs]
    expected = [true.run(values) for values in drawn]
    return drawn, avals, true.outputs, expected, tolerances(row["stablehlo"])


def difference(results: Sequence[Any], expected: Sequence[Any], tolerances: Sequence[float]) -> str:
    """Says what differs by more than its tolerance of the greatest magnitude; else nothing."""
    for place, (ours, theirs, tolerance) in enumerate(
        zip(results, expected, tolerances, strict=True)
    ):
        if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            return f"result {place} has another type"
        if ours.dtype.kind in "biu" or ours.dtype.name.startswith(("int", "uint")):
            if not np.array_equal(ours, theirs):
                return f"result {place}: other numbers"
            continue
        wide = np.complex128 if ours.dtype.kind == "c" else np.float64
        a, b = ours.astype(wide), theirs.astype(wide)
        usual = np.isfinite(a) & np.isfinite(b)
        if not np.array_equal(a[~usual], b[~usual], equal_nan=True):
            return f"result {place}: other infinities or NaNs"
        if usual.any():
            apart = float(np.abs(a[usual] - b[usual]).max())
            size = float(max(np.abs(a[usual]).max(), np.abs(b[usual]).max()))
            if apart > tolerance * size:
                return f"result {place}: off by {apart / size:.3g} of its greatest magnitude"
    return ""


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


if __name__ == "__main__":
    main(int(sys.argv[1]), extract=judge)
