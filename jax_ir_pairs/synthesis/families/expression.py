"""Expressions: typed random graphs over the op table."""

from __future__ import annotations

from jax_ir_pairs.synthesis.growth import Family, Mix, draw_aval, grow_ops
from jax_ir_pairs.synthesis.scope import Scope

_ROLES = ("x", "y", "z", "a", "b", "inputs", "data")


def _grow(scope: Scope, budget: int, mix: Mix) -> None:
    if scope.outer is None and not scope.values:
        for role in scope.stream.sample(_ROLES, scope.stream.weighted((1, 2, 3), (4, 4, 1))):
            scope.input(draw_aval(scope), role)
    grow_ops(scope, budget, mix)


FAMILY = Family("expression", _grow)
