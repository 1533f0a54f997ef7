"""Ops that take functions or trees. Families type their results, so the rows only spell them."""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, group: str, *templates: str, reverse: bool = True) -> Op:
    return Op(name, group, spell(*templates), reverse=reverse)


OPS = (
    _row("scan", "control_flow", "lax.scan({0}, {1}, {2}{kw})"),
    _row("while_loop", "control_flow", "lax.while_loop({0}, {1}, {2})", reverse=False),
    _row("fori_loop", "control_flow", "lax.fori_loop({lower}, {upper}, {0}, {1})"),
    _row("fori_loop_dynamic", "control_flow", "lax.fori_loop({lower}, {0}, {1}, {2})",
         reverse=False),
    _row("cond", "control_flow", "lax.cond({0}, {1}, {2}, {*3})"),
    _row("switch", "control_flow", "lax.switch({0}, [{1}], {*2})"),
    _row("map", "control_flow", "lax.map({0}, {1}{kw})"),
    _row("apply", "call", "{0}({*1})"),
    _row("jvp", "transform", "jax.jvp({0}, {1}, {2})"),
    _row("vjp", "transform", "jax.vjp({0}, {*1})"),
    _row("linearize", "transform", "jax.linearize({0}, {*1})"),
    _row("item", "tree", "{0}[{key}]"),
    _row("field", "tree", "{0}.{field}"),
    _row("unpack", "tree", "{0}"),
)  # fmt: skip

TRANSFORMS = {
    "vmap": "jax.vmap",
    "grad": "jax.grad",
    "value_and_grad": "jax.value_and_grad",
    "hessian": "jax.hessian",
    "jacfwd": "jax.jacfwd",
    "jacrev": "jax.jacrev",
    "checkpoint": "jax.checkpoint",
    "jit": "jax.jit",
    "pmap": "jax.pmap",
}
"""Transformations of functions, and how they are written."""
