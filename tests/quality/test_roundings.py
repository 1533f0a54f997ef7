from __future__ import annotations

import pytest
from jax.interpreters.mlir import make_ir_context
from jaxlib.mlir import ir

from jax_ir_pairs.quality.roundings import num_roundings
from tests.quality.programs import stablehlo

LOOP = "def f(x):\n    return lax.fori_loop(0, {}, lambda i, y: jnp.sin(y), x)"


def counted(text: str) -> int:
    with make_ir_context():
        return num_roundings(ir.Module.parse(text))


def main(body: str, more: str = "") -> str:
    """Gives a module whose `main` squares nothing but does what `body` says to `%x`."""
    return (
        "module {\n  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {\n"
        f"    {body}\n    return %r : tensor<4x8xf32>\n  }}\n{more}\n}}"
    )


SINE = "%{} = stablehlo.sine %{} : tensor<4x8xf32>"
RETURN = 1
"""The return of a function is an op like others."""


def test_an_op_is_one() -> None:
    assert counted(main(SINE.format("r", "x"))) == 1 + RETURN
    chain = f"{SINE.format('a', 'x')}\n{SINE.format('r', 'a')}"
    assert counted(main(chain)) == 2 + RETURN


def test_a_call_is_what_it_calls_each_time() -> None:
    twice = "\n".join(
        f"%{to} = call @g(%{of}) : (tensor<4x8xf32>) -> tensor<4x8xf32>"
        for to, of in (("a", "x"), ("r", "a"))
    )
    function = (
        "func.func private @g(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {\n"
        f"{SINE.format('a', 'x')}\n{SINE.format('b', 'a')}\n{SINE.format('r', 'b')}\n"
        "return %r : tensor<4x8xf32>\n}"
    )
    assert counted(main(twice, function)) == 2 * (3 + RETURN) + RETURN


@pytest.mark.parametrize(
    ("body", "avals", "terms"),
    [
        ("x.sum()", ["f32[4,8]"], 32),
        ("x.sum(0)", ["f32[4,8]"], 4),
        ("x.sum(1)", ["f32[4,8]"], 8),
        ("lax.dot(x, y)", ["f32[4,8]", "f32[8,3]"], 8),
        ("jnp.einsum('ij,ij->', x, y)", ["f32[4,8]", "f32[4,8]"], 32),
        ("lax.conv(x, y, (1, 1), 'VALID')", ["f32[1,3,8,8]", "f32[5,3,2,2]"], 60),
        ("x.at[y].add(1.0)", ["f32[40]", "i32[7]"], 7),
    ],
)
def test_what_adds_up_is_each_of_its_terms(body: str, avals: list[str], terms: int) -> None:
    text = stablehlo(f"def f(x{', y' if len(avals) > 1 else ''}):\n    return {body}", *avals)
    counts = counted(text)
    # Beside it there is what prepares its operands: constants, reshapes, comparisons of indices.
    lines = [line for line in text.splitlines() if " = " in line or " return " in line]
    assert terms <= counts <= terms + len(lines)


def test_a_loop_is_its_ops_as_often_as_it_runs() -> None:
    few, more, many = (counted(stablehlo(LOOP.format(n), "f32[4]")) for n in (3, 4, 103))
    assert many - more == 99 * (more - few)
    assert more - few >= 2  # the sine and the counter


def test_loops_in_loops_multiply() -> None:
    nested = (
        "def f(x):\n    inner = lambda i, y: lax.fori_loop(0, 10, lambda j, z: jnp.sin(z), y)\n"
        "    return lax.fori_loop(0, {}, inner, x)"
    )
    few, more = (counted(stablehlo(nested.format(n), "f32[4]")) for n in (3, 4))
    assert more - few > 10 * 2
