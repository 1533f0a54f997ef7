"""Marks for derivatives and for the compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.ops.rows import same, unary
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS, Aval, Bounds


def _named(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    (x,) = operands
    if x.aval.dtype not in FLOATS:
        raise IllTyped("only activations are named")
    return x.aval, x.bounds


def _name(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
    var = scope.pick(FLOATS)
    name = scope.stream.choice(("hidden", "attn", "act", "logits", "residual"))
    return None if var is None else ((var,), {"label": name})


OPS = (
    unary("stop_gradient", FLOATS, same, "lax.stop_gradient({0})", group="mark", weight=1.5),
    unary("optimization_barrier", NUMBERS, same, "lax.optimization_barrier({0})", group="mark"),
    Op("checkpoint_name", "mark", spell("checkpoint_name({0}, {label})"), _named, _name, 0.7),
)
