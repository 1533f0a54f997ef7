"""Ops that contract axes: matrix products and einsums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import COMPLEX, FLOATS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

TYPES = (*FLOATS, *COMPLEX, "i32")


def product_bounds(x: Var, y: Var, terms: int) -> Bounds:
    """Gives the bounds of a sum of `terms` products, as for independent terms of mean zero.

    Four standard deviations: the worst case of ordinary inputs, not of all inputs.
    """
    corners = [a * b for a in x.bounds for b in y.bounds]
    mixed = min(corners) < 0 < max(corners)
    scale = math.sqrt(terms) if mixed else terms
    if x.aval.dtype in COMPLEX:
        scale *= 2
    return (min(corners) * scale, max(corners) * scale)


def _infer_matmul(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, y = operands
    a, b = x.aval.shape, y.aval.shape
    if x.aval.dtype != y.aval.dtype or not a or not b or x.aval.dtype not in TYPES:
        raise IllTyped("matmul")
    inner = b[-2] if len(b) > 1 else b[0]
    if a[-1] != inner or (len(a) > 2 and len(b) > 2 and a[:-2] != b[:-2]):
        raise IllTyped("matmul")
    batch = a[:-2] if len(a) >= len(b) else b[:-2]
    shape = (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    return Aval(x.aval.dtype, shape), product_bounds(x, y, inner)


def _draw_matmul(scope: Scope) -> Drawn:
    if (x := scope.pick(TYPES, where=lambda v: v.aval.rank > 0)) is None:
        return None
    inner = x.aval.shape[-1]

    def fits(var: Var) -> bool:
        return 0 < var.aval.rank <= 2 and var.aval.shape[0] == inner and var is not x

    y = scope.pick((x.aval.dtype,), where=fits)
    if y is None or scope.stream.chance(0.3):
        aval = x.aval.with_shape(inner, scope.side())
        y = scope.input(aval, scope.stream.choice(("w", "weights", "kernel", "proj")))
    return (x, y), {}


def _infer_outer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, y = operands
    if x.aval.rank != 1 or y.aval.rank != 1 or x.aval.dtype != y.aval.dtype:
        raise IllTyped("outer")
    return Aval(x.aval.dtype, x.aval.shape + y.aval.shape), product_bounds(x, y, 1)


def _draw_outer(scope: Scope) -> Drawn:
    if (x := scope.pick(TYPES, where=lambda v: v.aval.rank == 1)) is None:
        return None
    y = scope.pick((x.aval.dtype,), where=lambda v: v.aval.rank == 1)
    return None if y is None else ((x, y), {})


def _infer_vdot(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    x, y = operands
    if x.aval != y.aval or not x.aval.shape or x.aval.dtype not in TYPES:
        raise IllTyped("vdot")
    return Aval(x.aval.dtype), product_bounds(x, y, x.aval.size)


def _draw_vdot(scope: Scope) -> Drawn:
    if (x := scope.pick(TYPES, where=lambda v: v.aval.rank > 0)) is None:
        return None
    y = scope.pick(where=lambda v: v.aval == x.aval)
    return None if y is None else ((x, y), {})


PATTERNS = (
    "ij,jk->ik", "ij,kj->ik", "ij,ij->i", "ij,ij->", "ij,j->i", "ij,i->ij", "i,j->ij", "i,i->",
    "bij,bjk->bik", "bij,bkj->bik", "bij,bij->b", "bij,jk->bik", "bij,bi->bj", "bij,j->bi",
    "bhqd,bhkd->bhqk", "bhqk,bhkd->bhqd", "bqhd,bkhd->bhqk", "bihd,hde->bie", "ijk,ijk->ik",
    "ij->ji", "ij->j", "ii->i", "ii->", "bij->bj", "bij->ijb", "bii->b",
)  # fmt: skip
"""Einsum patterns as they stand in model code."""


def _infer_einsum(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
    pattern: str = params["pattern"]
    inputs, output = pattern.split("->")
    sides: dict[str, int] = {}
    for letters, var in zip(inputs.split(","), operands, strict=True):
        if len(letters) != var.aval.rank or var.aval.dtype not in TYPES:
            raise IllTyped("einsum")
        for letter, side in zip(letters, var.aval.shape, strict=True):
            if sides.setdefault(letter, side) != side:
                raise IllTyped("einsum")
    if len({var.aval.dtype for var in operands}) > 1:
        raise IllTyped("einsum")
    terms = math.prod(side for letter, side in sides.items() if letter not in output)
    aval = Aval(operands[0].aval.dtype, tuple(sides[letter] for letter in output))
    if len(operands) == 2:
        return aval, product_bounds(operands[0], operands[1], terms)
    low, high = operands[0].bounds
    return aval, (min(low, low * terms), max(high, high * terms))


def _draw_einsum(scope: Scope) -> Drawn:
    pattern = scope.stream.choice(PATTERNS)
    first, *rest = pattern.split("->")[0].split(",")

    def fits(var: Var) -> bool:
        if var.aval.rank != len(first):
            return False
        return all(var.aval.shape[i] == var.aval.shape[first.index(c)] for i, c in enumerate(first))

    if (x := scope.pick(TYPES, where=fits)) is None:
        return None
    if not rest:
        return (x,), {"pattern": pattern}
    sides = dict(zip(first, x.aval.shape, strict=True))
    new = {c: scope.side() for c in rest[0] if c not in sides}

    def pairs(var: Var) -> bool:
        return var.aval.rank == len(rest[0]) and all(
            sides.get(c, side) == side for c, side in zip(rest[0], var.aval.shape, strict=True)
        )

    y = scope.pick((x.aval.dtype,), where=pairs)
    if y is None:
        y = scope.input(x.aval.with_shape(*((sides | new)[c] for c in rest[0])), "w")
    return (x, y), {"pattern": pattern}


OPS = (
    Op("matmul", "contraction", spell("{0} @ {1}", "jnp.matmul({0}, {1})"), _infer_matmul,
       _draw_matmul, 4.0),
    Op("einsum", "contraction", spell("jnp.einsum({pattern}, {*0})"), _infer_einsum,
       _draw_einsum, 2.0),
    Op("outer", "contraction", spell("jnp.outer({0}, {1})"), _infer_outer, _draw_outer, 0.7),
    Op("vdot", "contraction", spell("jnp.vdot({0}, {1})"), _infer_vdot, _draw_vdot, 0.7),
)  # fmt: skip
