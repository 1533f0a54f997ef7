"""The algorithms of the family `numerics`: each traces as built, and stays finite."""

from __future__ import annotations

import numpy as np
import pytest

from jax_ir_pairs.synthesis.families import family
from jax_ir_pairs.synthesis.families.numerics import FORMS
from jax_ir_pairs.synthesis.graph import Function
from jax_ir_pairs.synthesis.growth import Form, Mix, results
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import to_json
from tests.synthesis.tracing import run, shown, traced_as_built

COUNT = 4


def _program(form: Form, seed: int) -> tuple[Program, Function] | None:
    """Gives a program that is one algorithm, or None where it does not fit."""
    stream = Stream(form.grow.__name__, seed)
    scope = Scope(stream, TABLE, sides=(3, 4, 8))
    scope.x64 = seed % 3 == 2
    scope.dtype = "f64" if scope.x64 else "f32"
    mix = Mix(stream, [family("expression"), family("control_flow")], [3.0, 1.0])
    try:
        form.grow(scope, 8, mix)
    except IllTyped:
        return None
    made = results(scope)
    function = scope.close("entry", made[0] if len(made) == 1 else tuple(made))
    source, names = render(function, "f", Stream("style", seed), x64=scope.x64)
    types = [var.type for var in function.params]
    inputs = to_json(list(zip(names, types, strict=True)))
    return Program(source, "f", inputs, "", (), ""), function


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.grow.__name__)
def test_traces_as_built_and_stays_finite(form: Form) -> None:
    found = 0
    for seed in range(3 * COUNT):
        drawn = _program(form, seed)
        if drawn is None:
            continue
        program, function = drawn
        traced_as_built(program, function, seed)
        for value in run(program, seed):
            if np.issubdtype(value.dtype, np.inexact):
                assert np.isfinite(value).all(), shown(program, seed)
        found += 1
        if found == COUNT:
            break
    assert found == COUNT


def test_there_are_many_forms() -> None:
    names = [form.grow.__name__ for form in FORMS]
    assert len(set(names)) == len(names) >= 25
