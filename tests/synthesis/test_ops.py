"""Every row of the op table, held against JAX."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pytest

from jax_ir_pairs.synthesis.graph import Function, Var
from jax_ir_pairs.synthesis.growth import draw_aval
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.ops import GROUPS, TABLE
from jax_ir_pairs.synthesis.program import Program
from jax_ir_pairs.synthesis.render import render
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import WIDE, to_json
from tests.synthesis.tracing import out_avals, run, shown, traced

DRAWABLE = [op for rows in GROUPS.values() for op in rows]
DTYPES = ("f32", "f32", "bf16", "f64", "i32", "u8", "c64", "i64", "bool", "f16", "c128")


@dataclass(frozen=True)
class Use:
    """A function that uses an op on operands that it drew."""

    seed: int
    function: Function
    results: tuple[Var, ...]
    x64: bool

    def program(self, function: Function | None = None) -> Program:
        function = function or self.function
        source, names = render(function, "f", Stream("style", self.seed), x64=self.x64)
        types = [var.type for var in function.params]
        return Program(source, "f", to_json(list(zip(names, types, strict=True))), "", (), "")


def uses(op: Op, count: int) -> list[Use]:
    """Gives functions that use the op, in programs of all dtypes."""
    found: list[Use] = []
    for seed in range(60 * count):
        scope = Scope(Stream(op.name, seed), TABLE, sides=(1, 3, 4))
        scope.dtype = DTYPES[seed % len(DTYPES)]
        scope.x64 = scope.dtype in WIDE
        for role in "xyz"[: 1 + seed % 3]:
            scope.input(draw_aval(scope), role)
        if seed % 5 == 4:  # some ops take what was made, and no input
            with suppress(IllTyped):
                scope.let("copy", scope.values[0])
        try:
            results = scope.draw(op)
        except IllTyped:
            continue
        result = results if len(results) > 1 else results[0]
        found.append(Use(seed, scope.close("entry", result), results, scope.x64))
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("op", DRAWABLE, ids=lambda op: op.name)
def test_is_found_and_types_as_jax_does(op: Op) -> None:
    found = uses(op, 3)
    assert len(found) == 3
    for use in found:
        program = use.program()
        expected = [str(result.type) for result in use.results]
        assert out_avals(traced(program, use.seed)) == expected, shown(program, use.seed)


@pytest.mark.parametrize(
    "op", [op for op in DRAWABLE if len(op.spellings) > 1], ids=lambda op: op.name
)
def test_all_spellings_trace_to_one_jaxpr(op: Op) -> None:
    for use in uses(op, 2):
        texts = set()
        for spelling in op.spellings:
            only = replace(op, spellings=(spelling,))
            calls = tuple(replace(c, op=only) if c.op is op else c for c in use.function.body)
            program = use.program(replace(use.function, body=calls))
            texts.add(str(traced(program, use.seed)))
        assert len(texts) == 1, shown(program, use.seed)


@pytest.mark.parametrize("op", DRAWABLE, ids=lambda op: op.name)
def test_is_finite_and_within_its_bounds(op: Op) -> None:
    for use in uses(op, 1):
        program = use.program()
        values = run(program, use.seed)
        for value, result in zip(values, use.results, strict=True):
            if value.dtype == bool or np.issubdtype(value.dtype, np.integer):
                continue
            parts = (value.real, value.imag) if np.iscomplexobj(value) else (value,)
            low, high = result.bounds
            slack = 0.05 * max(abs(low), abs(high), 1.0)
            for part in parts:
                assert np.isfinite(part).all(), shown(program, use.seed)
                assert low - slack <= part.min(), (result.bounds, shown(program, use.seed))
                assert part.max() <= high + slack, (result.bounds, shown(program, use.seed))


def test_names_and_weights_of_the_table() -> None:
    assert all(name == op.name for name, op in TABLE.items())
    assert all(op.weight > 0 and op.spellings for op in TABLE.values())
    assert all(op.infer is not None for op in DRAWABLE)
