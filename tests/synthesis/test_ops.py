"""Every row of the op table, held against JAX."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jax_ir_pairs.extraction.levels import abstract_arguments, load
from jax_ir_pairs.synthesis.graph import Function, Var
from jax_ir_pairs.synthesis.growth import draw_aval
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.ops import GROUPS, TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import to_json
from tests.synthesis.tracing import out_avals, shown, traced

DRAWABLE = [op for rows in GROUPS.values() for op in rows]
DTYPES = ("f32", "f32", "bf16", "f16", "i32", "u8", "bool")


def uses(op: Op, count: int, ops: dict[str, Op] = TABLE) -> list[tuple[int, Function, Var]]:
    """Gives functions that use the op on operands that it drew, with the seeds they came from."""
    found: list[tuple[int, Function, Var]] = []
    for seed in range(40 * count):
        scope = Scope(Stream(op.name, seed), ops, sides=(1, 3, 4))
        scope.dtype = DTYPES[seed % len(DTYPES)]
        for role in "xyz"[: 1 + seed % 3]:
            scope.input(draw_aval(scope), role)
        try:
            result = scope.draw(op)
        except IllTyped:
            continue
        found.append((seed, scope.close("entry", result), result))
        if len(found) == count:
            break
    return found


def program(function: Function, seed: int) -> Program:
    source, names = render(function, "f", Stream("style", seed))
    types = [var.type for var in function.params]
    return Program(source, "f", to_json(list(zip(names, types, strict=True))), "", (), "")


@pytest.mark.parametrize("op", DRAWABLE, ids=lambda op: op.name)
def test_is_found_and_types_as_jax_does(op: Op) -> None:
    found = uses(op, 4)
    assert len(found) == 4
    for seed, function, result in found:
        source = program(function, seed)
        assert out_avals(traced(source, seed)) == [str(result.type)], shown(source, seed)


@pytest.mark.parametrize(
    "op", [op for op in DRAWABLE if len(op.spellings) > 1], ids=lambda op: op.name
)
def test_all_spellings_trace_to_one_jaxpr(op: Op) -> None:
    for seed, function, _ in uses(op, 3):
        texts = set()
        for spelling in op.spellings:
            only = replace(op, spellings=(spelling,))
            calls = tuple(replace(c, op=only) if c.op is op else c for c in function.body)
            source = program(replace(function, body=calls), seed)
            texts.add(str(traced(source, seed)))
        assert len(texts) == 1, shown(source, seed)


def ordinary(aval: Any, rng: np.random.Generator) -> Any:
    """Gives an ordinary input: floats standard normal, integers small."""
    if jnp.issubdtype(aval.dtype, jnp.floating):
        return jnp.asarray(rng.standard_normal(aval.shape), aval.dtype)
    return jnp.asarray(rng.integers(0, 2 if aval.dtype == bool else 4, aval.shape), aval.dtype)


@pytest.mark.parametrize("op", DRAWABLE, ids=lambda op: op.name)
def test_is_finite_and_within_its_bounds(op: Op) -> None:
    rng = np.random.default_rng(0)
    for seed, function, result in uses(op, 2):
        source = program(function, seed)
        inputs = [ordinary(aval, rng) for aval in abstract_arguments(source.inputs)]
        value = np.asarray(load(source.python, "f")(*inputs).astype(jnp.float32))
        low, high = result.bounds
        slack = 0.05 * max(abs(low), abs(high), 1.0)
        assert np.isfinite(value).all(), shown(source, seed)
        assert low - slack <= value.min(), (result.bounds, shown(source, seed))
        assert value.max() <= high + slack, (result.bounds, shown(source, seed))


def test_names_and_weights_of_the_table() -> None:
    assert all(name == op.name for name, op in TABLE.items())
    assert all(op.weight > 0 and op.spellings for op in TABLE.values())
    assert all(op.infer is not None for op in DRAWABLE)
