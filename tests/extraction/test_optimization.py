from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jax_ir_pairs.extraction import optimization
from jax_ir_pairs.extraction.environment import COMPILER_OPTIONS
from jax_ir_pairs.extraction.optimization import (
    compilation_attributes,
    kept_inputs,
    of_executable,
    optimized,
    with_attributes,
)
from tests.extraction.same_modules import differences

X = jax.ShapeDtypeStruct((8, 4), "float32")


def lowered(function: object, *avals: object) -> jax.stages.Lowered:
    return jax.jit(function).trace(*avals).lower()  # type: ignore[call-overload, no-any-return]


def test_the_modules_of_a_hundred_programs_are_those_that_machine_code_is_made_of() -> None:
    lines, outcomes = differences(100)
    assert not lines, "\n".join(lines)
    assert outcomes["stopped"] > 85
    assert outcomes["stopped"] + outcomes["whole"] >= 98


def test_no_machine_code_is_made_and_the_next_compilation_is_whole() -> None:
    program = lowered(lambda x: jnp.tanh(x) @ x.T, X)
    found = optimized(program, COMPILER_OPTIONS)
    assert found.executable is None
    assert found.text.startswith("HloModule jit__lambda, is_scheduled=true, ")
    assert jax.jit(lambda x: x + 1)(1) == 2


def test_a_module_that_a_later_pass_changes_is_compiled_whole() -> None:
    program = lowered(lambda x: lax.optimization_barrier(x * 2) + 1, X)
    found = optimized(program, COMPILER_OPTIONS)
    assert "opt-barrier" not in found.text
    assert found.text == of_executable(program.compile()).text
    # In JAX 0.10 the pass that takes the barrier out comes before the hook.
    assert (found.executable is None) == (jax.__version__ == "0.10.2")


def test_what_the_compiler_refuses_it_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    program = lowered(
        lambda x: jax.ffi.ffi_call("nowhere", jax.ShapeDtypeStruct((8, 4), "float32"))(x), X
    )
    # Nobody looks for what a module calls before there is machine code.
    assert "nowhere" in optimized(program, COMPILER_OPTIONS).text
    monkeypatch.setattr(optimization, "_BARRIER", b"")  # so that it is compiled whole
    with pytest.raises(jax.errors.JaxRuntimeError, match="nowhere"):
        optimized(program, COMPILER_OPTIONS)


def test_compilations_on_the_way_are_let_through() -> None:
    def drawn(x: jax.Array) -> jax.Array:
        return x + jax.random.normal(jax.random.key(0), x.shape)  # a key is made as it is traced

    assert optimized(lowered(drawn, X), COMPILER_OPTIONS).executable is None


def test_inputs_without_effect_are_dropped() -> None:
    assert kept_inputs(lowered(lambda x, y, z: (x, z), X, X, X)) == {0, 2}


def test_attributes_come_before_those_of_a_frontend() -> None:
    text = "HloModule m, is_scheduled=true, frontend_attributes={a=1}\n\nbody"
    assert with_attributes(text, ", b={true}") == (
        "HloModule m, is_scheduled=true, b={true}, frontend_attributes={a=1}\n\nbody"
    )
    assert with_attributes("HloModule m\n\nbody", ", b={true}") == "HloModule m, b={true}\n\nbody"
    assert compilation_attributes(lowered(lambda x: x, X)) == (
        ", allow_spmd_sharding_propagation_to_parameters={true}"
        ", allow_spmd_sharding_propagation_to_output={true}"
    )
