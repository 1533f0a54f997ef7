from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jax_ir_pairs.extraction.execution import Executable
from jax_ir_pairs.scoring.languages import optimized_hlo
from jax_ir_pairs.scoring.module import NotParsedError, NotRunnableError, NotValidError


def text_of(compiled: jax.stages.Compiled) -> str:
    text = compiled.as_text()  # with tables of where it is from
    assert text is not None
    return text


ROW = {"num_devices": 1}
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def transposes(x: jax.Array) -> jax.Array:
    return (x.T[:, :, None] * x[None]).transpose(2, 0, 1).reshape(12, 4) @ x.T


def loop(x: jax.Array) -> Any:
    return lax.fori_loop(0, 3, lambda i, c: (c[0] * 2 + i, c[1] + c[0].sum()), (x, x[0]))


def linear_algebra(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    matrix = x @ x.T + 4 * jnp.eye(3)
    return jnp.linalg.solve(matrix, x), jnp.linalg.cholesky(matrix)


def sorting(x: jax.Array) -> tuple[jax.Array, ...]:
    return *lax.top_k(jnp.sin(x), 2), jnp.sort(x, axis=0), jnp.argmax(x, axis=1)


@pytest.mark.parametrize("function", [transposes, loop, linear_algebra, sorting])
def test_what_the_compiler_gives_runs_again(function: Callable[..., Any]) -> None:
    compiled = jax.jit(function).lower(X).compile()
    module = optimized_hlo.read(text_of(compiled), ROW)
    expected = jax.tree.leaves(compiled(X))
    results = Executable(module.stablehlo)([X])
    assert len(results) == len(module.outputs)
    for result, value, (sides, dtype) in zip(results, expected, module.outputs, strict=True):
        assert (result.shape, result.dtype.name) == (sides, dtype)
        np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-6)


def of_one(x: str, root: str) -> str:
    body = f"  %x = {x} parameter(0)\n  ROOT %r = {root}\n"
    return f"HloModule m, is_scheduled=true\n\nENTRY %e {{\n{body}}}\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", NotParsedError),
        (of_one("f32[2]{0}", "f32[2]{0} bitcast(%y)"), NotParsedError),
        (of_one("f32[2]{0}", "f32[3]{0} abs(%x)"), NotValidError),
        (of_one("f32[2]{0}", "f32[2]{0} copy-start(%x)"), NotValidError),
        (
            of_one("f32[2]{0}", 'f32[] custom-call(), custom_call_target="GetRngSeed"'),
            NotRunnableError,
        ),
    ],
)
def test_what_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        optimized_hlo.read(text, ROW)


def test_the_size_is_that_of_the_executable() -> None:
    compiled = jax.jit(transposes).lower(X).compile()
    size = optimized_hlo.size_of(text_of(compiled))
    cost = compiled.cost_analysis()
    assert cost is not None
    assert (size.flops, size.bytes_accessed) == (cost["flops"], cost["bytes accessed"])
    assert size.fusions == text_of(compiled).count(" fusion(")
    assert size.instructions == text_of(compiled).count(" = ")


def test_what_xla_prints_for_gpus_and_does_not_read() -> None:
    start = (
        "((f32[2]{0}), f32[2]{0}) all-reduce-start(%x), to_apply=%s, "
        "output_to_operand_aliasing={{1}: (0, {})}"
    )
    add = "%s {\n a = f32[] parameter(0)\n b = f32[] parameter(1)\n ROOT c = f32[] add(a, b)\n}\n\n"
    text = of_one("f32[2]{0}", "f32[2]{0} all-reduce-done(%y)")
    text = text.replace("ENTRY", add + "ENTRY").replace("  ROOT %r", f"  %y = {start}\n  ROOT %r")
    optimized_hlo.hold_to_syntax(text)
    with pytest.raises(NotParsedError):
        optimized_hlo.hold_to_syntax(text.replace("to_apply", "calls"))


def test_a_sparse_core_ends_no_process() -> None:
    text = of_one("f32[2]{0}", "f32[2]{0} abs(%x)").rstrip() + ', execution_thread="sparsecore"\n'
    with pytest.raises(NotRunnableError, match="SparseCore"):
        optimized_hlo.hold_to_syntax(text)
