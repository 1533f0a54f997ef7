"""Models of the family `neural`: each of its forms traces as it is typed, and runs finite."""

from __future__ import annotations

from collections import Counter

import jax
import numpy as np
import pytest

from jax_ir_pairs.synthesis.constructs.layers import models, optimizers
from jax_ir_pairs.synthesis.constructs.layers.net import Net
from jax_ir_pairs.synthesis.families import family
from jax_ir_pairs.synthesis.families.neural import FORMS
from jax_ir_pairs.synthesis.graph import Function, walk
from jax_ir_pairs.synthesis.growth import Form, Mix, results
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops import TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import MAX_INPUTS, Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import Aval, leaves, to_json
from tests.synthesis.tracing import (
    only,
    out_avals,
    primitives_of,
    run,
    shown,
    traced,
    traced_as_built,
)


def grown(form: Form, seed: int, budget: int, *, x64: bool = False) -> Function:
    """Gives an entry point of one form; other seeds are tried where the form has no use."""
    for number in range(seed * 100, seed * 100 + 20):
        stream = Stream("neural", number)
        scope = Scope(stream, TABLE, sides=(4, 8, 16))
        scope.x64 = x64
        families = [family("expression")]
        try:
            form.grow(scope, budget, Mix(stream, families, [1.0]))
        except IllTyped:
            continue
        made = tuple(results(scope))
        return scope.close("entry", made if len(made) > 1 else made[0])
    raise AssertionError("no program")


def written(entry: Function, seed: int, *, x64: bool = False) -> Program:
    source, names = render(entry, "f", Stream("style", seed), x64=x64)
    types = [var.type for var in entry.params]
    inputs = to_json(list(zip(names, types, strict=True)))
    return Program(source, "f", inputs, "neural", (), "")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.grow.__name__.strip("_"))
def test_a_form_types_as_jax_does_and_stays_finite(form: Form) -> None:
    for seed in range(4):
        x64 = seed == 3
        entry = grown(form, seed, 4 + 5 * seed, x64=x64)
        program = written(entry, seed, x64=x64)
        traced_as_built(program, entry, seed)
        assert len(entry.params) <= MAX_INPUTS
        if seed < 2:
            for value in run(program, seed):
                finite = value.dtype.kind not in "fc" or np.isfinite(value).all()
                assert finite, shown(program, seed)
    jax.clear_caches()


def test_programs_of_the_family_type_as_jax_does() -> None:
    found = primitives_of(only("neural"), 40)
    for name in ("dot_general", "scan", "conv_general_dilated", "gather", "scatter-add", "split"):
        assert found[name], name


def test_a_long_budget_makes_a_model_of_several_functions() -> None:
    form = next(form for form in FORMS if form.grow.__name__ == "_step")
    counts = [len(list(walk(grown(form, seed, 60)))) for seed in range(8)]
    assert max(counts) > 100


def test_a_stack_is_unrolled_or_scanned() -> None:
    ways: Counter[str] = Counter()
    kind = models.KINDS[0]
    for seed in range(60):
        scope = Scope(Stream("stack", seed), TABLE, sides=(8,))
        net = Net(scope, "f32")
        x = scope.input(models.draw_input(scope, kind, "f32"), "x")
        try:
            models.repeated(net, x, kind, 12)
        except IllTyped:
            continue
        ops = Counter(call.op.name for call in scope.body)
        ways["scan" if ops["scan"] else "unrolled"] += 1
    assert ways["scan"] > 3
    assert ways["unrolled"] > 3


@pytest.mark.parametrize("name", sorted(optimizers.SLOTS))
def test_an_optimizer_keeps_the_type_of_the_parameters(name: str) -> None:
    scope = Scope(Stream(name, 0), TABLE, sides=(4,))
    net = Net(scope, "bf16")
    net.weight("w", 4, 8)
    net.weight("b", 8)
    params, grads = (scope.input(net.weights.type(), role) for role in ("params", "grads"))
    slots = {slot: scope.input(params.type, slot) for slot in optimizers.SLOTS[name]}
    step = scope.input(Aval("i32"), "step", (0, 3))
    rate = optimizers.schedule(scope, step)
    new = optimizers.optimize(scope, name, params, grads, slots, rate, step)
    entry = scope.close("entry", new)
    program = written(entry, 0)
    assert out_avals(traced(program)) == [str(aval) for aval in leaves(new.type)]
    for value in run(program, 0):
        assert np.isfinite(value).all(), shown(program, name)
