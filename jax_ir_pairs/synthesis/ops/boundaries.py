"""Ops at the boundary of the compiler: placement, layouts, tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _same(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    return operands[0].aval, operands[0].bounds


def _draw_value(scope: Scope) -> Drawn:
    x = scope.pick(NUMBERS)
    return None if x is None else ((x,), {})


def _draw_outermost(scope: Scope) -> Drawn:
    """Draws only in the entry point: no transformation may go through the op."""
    return None if scope.depth or scope.reverse else _draw_value(scope)


def _infer_layout(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    if operands[0].aval.rank != 2:
        raise IllTyped("layout of a matrix")
    return _same(operands, params)


def _draw_layout(scope: Scope) -> Drawn:
    if scope.depth or scope.reverse:
        return None
    x = scope.pick(FLOATS, where=lambda v: v.aval.rank == 2)
    return None if x is None else ((x,), {})


def _draw_tag(scope: Scope) -> Drawn:
    drawn = _draw_outermost(scope)
    if drawn is None:
        return None
    return drawn[0], {"stage": scope.stream.choice(("encoder", "decoder", "loss", "head"))}


OPS = (
    Op("device_put", "boundary", spell("jax.device_put({0})"), _same, _draw_value),
    Op("copy", "boundary", spell("jnp.copy({0})"), _same, _draw_value),
    Op("layout_constraint", "boundary", spell("with_layout_constraint({0}, Layout((1, 0)))"),
       _infer_layout, _draw_layout, reverse=False),
    Op("set_xla_metadata", "boundary", spell("set_xla_metadata({0}{kw})"), _same, _draw_tag,
       reverse=False),
)  # fmt: skip
