from __future__ import annotations

import numpy as np
import pytest

from jax_ir_pairs.interpreter.operation import UnsupportedError
from jax_ir_pairs.quality.comparison import compare
from jax_ir_pairs.quality.execution import execute
from jax_ir_pairs.quality.inputs import ordinary_inputs
from jax_ir_pairs.quality.oracles import ORACLES, kept
from tests.quality.programs import CALLBACK, SHARDED, SYMBOLIC, TAKEN, compiled, confirmed

EVERYWHERE = {
    "elementwise": ("def f(x, y):\n    return jnp.tanh(x) + y, x > y", "f32[8]", "f32[8]"),
    "matmul": ("def f(x):\n    return jax.nn.softmax(x @ x.T)", "f32[8,4]"),
    "loop": ("def f(x):\n    return lax.scan(lambda c, y: (c * y, c), x[0], x)", "f32[5,3]"),
    "integers": ("def f(x):\n    return jnp.sort(x) // 3, jnp.cumsum(x)", "i32[9]"),
    "keys": ("def f(k):\n    return jax.random.normal(k, (4,)), jax.random.split(k)",
             "key<fry>[]"),
    "complex": ("def f(x):\n    return jnp.exp(x) * 1j, jnp.abs(x)", "c64[5]"),
    "mixed": ("def f(x, y):\n    return lax.dot(x, y, preferred_element_type=jnp.float32)",
              "bf16[3,8]", "bf16[8,16]"),
    "narrow": ("def f(x):\n    return x.astype(jnp.float32) * 2, x", "f8_e4m3fn[6]"),
    "unused": ("def f(x, y):\n    return y + 1", "f32[3]", "i32[2]"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_each_is_taken_for_what_those_before_cannot_run(name: str) -> None:
    found = confirmed(compiled(*TAKEN[name]), 3)
    half = "only optimized" in name  # only the StableHLO is interpreted
    assert found.checked_by == ("interpreter of stablehlo" if half else name.split(" ")[0])
    assert found.max_rel_error < 1e-5


@pytest.mark.parametrize("name", EVERYWHERE)
def test_all_agree(name: str) -> None:
    program = compiled(*EVERYWHERE[name])
    inputs = ordinary_inputs(program.traced.jaxpr.in_avals, 1)
    expected = execute(program, inputs)
    for oracle in ORACLES.values():
        assert compare(oracle(program, inputs), expected, 1e-5).beyond == ""


@pytest.mark.parametrize(
    ("body", "aval", "refusing"),
    [
        (SHARDED, "f32[4]", {"hlo"}),
        (CALLBACK, "f32[4]", {"interpreter of stablehlo", "hlo"}),
        (SYMBOLIC, "f32[4,2]", {"hlo"}),
        ("def f(x):\n    return lax.mulhi(x, x)", "i32[4]", {"hlo"}),
    ],
    ids=["devices", "callback", "symbolic", "none of StableHLO"],
)
def test_each_refuses_ahead_of_what_it_cannot_run(body: str, aval: str, refusing: set[str]) -> None:
    program = compiled(body, aval)
    inputs = ordinary_inputs(program.traced.jaxpr.in_avals, 1)
    expected = execute(program, inputs)
    for name, oracle in ORACLES.items():
        if name in refusing:
            with pytest.raises(UnsupportedError):
                oracle(program, inputs)
        else:
            assert compare(oracle(program, inputs), expected, 1e-5).agrees


@pytest.mark.parametrize("name", ["hlo", "stablehlo"])
def test_a_second_compilation_has_not_the_library_that_rounds_a_fused_conversion(name: str) -> None:
    program = compiled("def f(x):\n    return x.astype(jnp.uint8).max(axis=0)", "f32[1536,3]")
    [result] = ORACLES[name](program, [np.full((1536, 3), 2.6, np.float32)])
    assert result.tolist() == [2, 2, 2]


def test_the_inputs_that_the_modules_have() -> None:
    program = compiled(*EVERYWHERE["unused"])
    assert kept(program, ["x", "y"]) == ["y"]
