"""How tightly the source of an op binds: parentheses where they are needed, and only there."""

from __future__ import annotations

import ast

import pytest

from jax_ir_pairs.synthesis.op import ATOM, LOOSEST, UNARY, Slot, spell
from jax_ir_pairs.synthesis.ops import TABLE


@pytest.mark.parametrize(
    ("template", "binding"),
    [
        ("jnp.sum({0}{kw})", ATOM),
        ("{0} < {1}", 30),
        ("jnp.arange({n}) < {0}[:, None]", 30),
        ("lax.reduce_window({0}, 0.0, lax.add) / {count}", 70),
        ("~{0}", UNARY),
        ("{0} if {1} else {2}", LOOSEST),
        ("jnp.concatenate([{0}]{kw})", ATOM),
    ],
)
def test_a_spelling_binds_as_its_outermost_operator(template: str, binding: int) -> None:
    assert spell(template)[0].binding == binding


def test_no_spelling_of_the_table_binds_tighter_than_python_parses_it() -> None:
    wrong = []
    for op in TABLE.values():
        for spelling in op.spellings:
            text = "".join("x" if isinstance(part, Slot) else part for part in spelling.parts)
            try:
                node = ast.parse(text, mode="eval").body
            except SyntaxError:
                continue
            loose = isinstance(node, ast.BinOp | ast.Compare | ast.UnaryOp | ast.IfExp | ast.Lambda)
            if loose and spelling.binding == ATOM:
                wrong.append(spelling.template)
    assert not wrong
