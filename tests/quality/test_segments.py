"""Modules in segments against the same interpreted whole, with each sine run by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.comparison import Array
from jax_ir_pairs.quality.interpreter import Interpreter, interpret
from jax_ir_pairs.quality.segments import Run, Segmented
from tests.quality.programs import stablehlo

CALL = "@jax.jit\ndef g(x, y):\n    return jnp.sin(x) * y + jnp.cos(y)\n\n\ndef f(x):\n"
PROGRAMS = {
    "none of them": ("def f(x):\n    return jnp.cos(x), x", 0),
    "nothing but one": ("def f(x):\n    return jnp.sin(x)", 1),
    "between others": ("def f(x):\n    y = jnp.cos(x)\n    return jnp.sin(y) + y, x", 1),
    "one after another": ("def f(x):\n    return jnp.sin(jnp.sin(x)) * x", 2),
    "twice in a call": (f"{CALL}    return g(x, x) - g(x + 1, x)", 2),
    "in a loop": ("def f(x):\n    return lax.fori_loop(0, 4, lambda i, y: jnp.sin(y) * i, x)", 4),
    "in a loop that takes more": (
        "def f(x):\n    z = jnp.cos(x)\n"
        "    return lax.fori_loop(0, 3, lambda i, y: jnp.sin(y + z) - z, x) + z",
        3,
    ),
    "in a call in a loop": (f"{CALL}    return lax.fori_loop(0, 3, lambda i, y: g(y, x), x)", 3),
    "in the condition": (
        "def f(x):\n    return lax.while_loop(lambda y: jnp.sin(y)[0] > 0.5, lambda y: y / 2, x)",
        2,
    ),
    "in a loop in a loop": (
        "def f(x):\n    def step(y, z):\n"
        "        return lax.fori_loop(0, 2, lambda i, v: jnp.sin(v) + z, y), y * z\n\n"
        "    return lax.scan(step, x, jnp.stack([x, x, x]))",
        6,
    ),
    "two loops": (
        "def f(x):\n    y = lax.fori_loop(0, 2, lambda i, v: jnp.sin(v), x)\n"
        "    return lax.fori_loop(0, 3, lambda i, v: jnp.sin(v) + y, y * x), y",
        5,
    ),
    "no turn": ("def f(x):\n    return lax.fori_loop(2, 2, lambda i, y: jnp.sin(y), x) + x", 0),
    "in a branch": ("def f(x):\n    return lax.cond(x[0] > 0, jnp.sin, jnp.cos, x) + x", 0),
    "in a reduction": (
        "def f(x):\n    return lax.reduce(x, np.float32(1), lambda a, b: jnp.sin(a) + b, (0,)), x",
        0,
    ),
}  # fmt: skip
"""Programs, and how often a sine is run by itself for `VALUE`."""

VALUE = np.array([1.0, -0.5, 0.25], np.float32)


def in_segments(text: str, values: Sequence[Array]) -> tuple[list[Array], int]:
    """Gives the results, and how many times a module of one sine was run."""
    runs = 0

    def alone(part: ir.Module) -> Run:
        assert [op.operation.name for op in part.body.operations] == ["func.func"]
        [sine, _] = part.body.operations[0].regions[0].blocks[0].operations
        assert sine.operation.name == "stablehlo.sine"
        interpreter = Interpreter(part)

        def run(inputs: Sequence[Array]) -> list[Array]:
            nonlocal runs
            runs += 1
            return interpreter(inputs)

        return run

    with make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        segmented = Segmented(module, lambda op: op.name == "stablehlo.sine", alone, Interpreter)
        return segmented(values), runs


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_results_are_those_of_the_whole(name: str) -> None:
    body, expected_runs = PROGRAMS[name]
    text = stablehlo(f"import numpy as np\n\n\n{body}", "f32[3]")
    expected = interpret(text, [VALUE])
    found, runs = in_segments(text, [VALUE])
    assert [value.tobytes() for value in found] == [value.tobytes() for value in expected]
    assert runs == expected_runs


def test_it_runs_again() -> None:
    body, _ = PROGRAMS["in a loop in a loop"]
    text = stablehlo(body, "f32[3]")
    with make_ir_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        segmented = Segmented(
            module, lambda op: op.name == "stablehlo.sine", Interpreter, Interpreter
        )
        for value in (VALUE, VALUE * 2, VALUE):
            expected = interpret(text, [value])
            assert [x.tobytes() for x in segmented([value])] == [x.tobytes() for x in expected]
