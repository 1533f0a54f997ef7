"""The maker of rows for ops on whole arrays, which type each use from the operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from jax_ir_pairs.synthesis.graph import Operand
from jax_ir_pairs.synthesis.op import Draw, Infer, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None
Params = Mapping[str, Any]

REAL = {"c64": "f32", "c128": "f64"}
COMPLEX_OF = {real: dtype for dtype, real in REAL.items()}


def real(dtype: str) -> str:
    """Gives the dtype of the magnitude."""
    return REAL.get(dtype, dtype)


def around(edge: float) -> Bounds:
    """Gives bounds of magnitude `edge` around zero."""
    return (-edge, edge)


def alike(dtype: str, *typed: tuple[tuple[int, ...], Bounds]) -> list[Typed]:
    """Gives several results of one dtype."""
    return [(Aval(dtype, shape), bounds) for shape, bounds in typed]


def array_op(
    name: str,
    group: str,
    templates: str | Sequence[str],
    draw: Draw,
    typed: Callable[..., Typed | list[Typed]],
    weight: float = 1.0,
    *,
    reverse: bool = True,
    forward: bool = True,
    widens: Literal["", "integers", "all"] = "",
) -> Op:
    """Gives a row whose `typed` takes the operands, then the parameters by name.

    `forward` tells whether forward-mode differentiation goes through it.
    """

    def infer(operands: Sequence[Any], params: Params) -> Typed | list[Typed]:
        return typed(*operands, **params)

    def drawn(scope: Scope) -> Drawn:
        return draw(scope) if forward or not scope.forward else None

    spellings = spell(*((templates,) if isinstance(templates, str) else templates))
    checked: Infer = infer
    return Op(name, group, spellings, checked, drawn, weight, reverse=reverse, widens=widens)


def not_differentiated(op: Op) -> Op:
    """Gives the row of an op that is drawn only where nothing is differentiated."""
    draw = op.draw
    assert draw is not None, op.name

    def drawn(scope: Scope) -> Drawn:
        return None if scope.forward else draw(scope)

    return replace(op, draw=drawn, reverse=False)
