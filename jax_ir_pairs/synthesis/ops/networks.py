"""Ops that only models use: attention as a library function, and functions with a flag."""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, *templates: str) -> Op:
    return Op(name, "network", spell(*templates))


OPS = (
    _row("dot_product_attention", "jax.nn.dot_product_attention({0}, {1}, {2}{kw})"),
    _row("dot_product_attention_masked",
         "jax.nn.dot_product_attention({0}, {1}, {2}, mask={3}{kw})"),
    _row("apply_flag", "{0}({*1}, train={train})"),
)  # fmt: skip
