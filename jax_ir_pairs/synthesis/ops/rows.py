"""How elementwise ops type, bound and draw their operands: the makers of their rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Operand, Var
from jax_ir_pairs.synthesis.op import Draw, IllTyped, Op, spell
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    COMPLEX,
    INTEGERS,
    Aval,
    Bounds,
    input_bounds,
)

POSITIVE: Bounds = (1e-3, math.inf)
UNIT: Bounds = (-0.99, 0.99)


def bounds_of(operand: Var | Literal) -> Bounds:
    """Gives the bounds of a value or of a number."""
    if isinstance(operand, Literal):
        return (operand.value, operand.value)
    return operand.bounds


def of_parts(bounds: Bounds) -> Bounds:
    """Gives the bounds of a complex result's parts, given the rule for real operands.

    A part of a product or a square is the sum of two real ones.
    """
    edge = 2 * max(map(abs, bounds))
    return (-edge, edge)


def broadcast(*avals: Aval) -> tuple[int, ...]:
    """Gives the shape that these broadcast to by NumPy's rules; raises `IllTyped`."""
    first = avals[0].shape if avals else ()
    if all(aval.shape == first for aval in avals):
        return first
    shape: list[int] = []
    for aval in avals:
        own = aval.shape
        shape = [1] * (len(own) - len(shape)) + shape
        for place in range(1, len(own) + 1):
            if shape[-place] == 1:
                shape[-place] = own[-place]
            elif own[-place] not in (1, shape[-place]):
                raise IllTyped("shapes do not broadcast")
    return tuple(shape)


def guarded(scope: Scope, dtypes: Sequence[str], needs: Bounds) -> Var | None:
    """Gives a value within `needs`, bringing one there as a person would where none is."""
    low, high = needs
    if (var := scope.pick(dtypes, needs=needs)) is not None and scope.stream.chance(0.8):
        return var
    if (var := scope.pick(dtypes)) is None:
        return None
    if needs == ANYTHING or (var.bounds[0] >= low and var.bounds[1] <= high):
        return var
    if low >= -1.0 and high <= 1.0:
        unit = scope.let(scope.stream.choice(("tanh", "sin", "soft_sign")), var)
        return scope.let("mul", unit, Literal(0.9))
    if low >= 1.0:
        return scope.let("add", scope.let("square", var), Literal(1.0 if low == 1.0 else 1.5))
    if low >= 0.0:
        shape = scope.stream.choice(("abs", "square", "softplus"))
        offset = scope.stream.choice((0.1, 0.5, 1.0))
        return scope.let("add", scope.let(shape, var), Literal(offset))
    if scope.stream.chance(0.5):
        return scope.let("tanh", var)
    edge = min(high, -low, 4.0)
    return scope.let("clip", var, low=-edge, high=edge)


def _unary_draw(dtypes: Sequence[str], needs: Bounds) -> Draw:
    def draw(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
        var = guarded(scope, dtypes, needs)
        return None if var is None else ((var,), {})

    return draw


def unary(
    name: str,
    dtypes: Sequence[str],
    bounds: Callable[[float, float], Bounds],
    *spellings: str,
    needs: Bounds = ANYTHING,
    result: str = "",
    group: str = "unary",
    weight: float = 1.0,
) -> Op:
    """Gives a row for an op of one argument; `result` is its dtype if not the operand's."""

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        (x,) = operands
        if x.aval.dtype not in dtypes:
            raise IllTyped(name)
        low, high = x.bounds
        if not (low >= needs[0] and high <= needs[1]):
            raise IllTyped(f"{name} outside its domain")
        inside = bounds(low, high)
        if x.aval.dtype in COMPLEX:
            inside = of_parts(inside)
        return Aval(result or x.aval.dtype, x.aval.shape), inside

    draw = _unary_draw(dtypes, needs)
    return Op(name, group, spell(*spellings), infer, draw, weight)


def same(low: float, high: float) -> Bounds:
    """Bounds of an op that keeps them."""
    return (low, high)


def widest(low: float, high: float) -> float:
    """Gives the greatest magnitude within the bounds."""
    return max(abs(low), abs(high))


def absolute(low: float, high: float) -> Bounds:
    """Bounds of the magnitude."""
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high)), widest(low, high))


def squared(low: float, high: float) -> Bounds:
    """Bounds of the square."""
    low, high = absolute(low, high)
    return (low * low, high * high)


def within(low: float, high: float) -> Callable[[float, float], Bounds]:
    """Gives the rule of an op whose results always lie within these bounds."""
    return lambda _low, _high: (low, high)


def monotone(function: Callable[[float], float]) -> Callable[[float, float], Bounds]:
    """Gives the rule of an increasing function."""
    return lambda low, high: (function(low), function(high))


def odd(low: float, high: float) -> Bounds:
    """Bounds of an odd function that never grows a magnitude."""
    return (-widest(low, high), widest(low, high))


def partner(scope: Scope, x: Var, needs: Bounds, literals: float) -> Var | Literal | None:
    """Gives a second operand for `x`: a number, a value that broadcasts, or a new bias."""
    if scope.stream.chance(literals):
        number = literal_for(x, scope.stream)
        return number if needs[0] <= number.value <= needs[1] else None

    def fits(var: Var) -> bool:
        shape, own = x.aval.shape, var.aval.shape
        near = shape == own or (len(own) <= len(shape) and shape[len(shape) - len(own) :] == own)
        return near or (len(own) == len(shape) and all(
            s == o or 1 in (s, o) for s, o in zip(shape, own, strict=True)))  # fmt: skip

    found = scope.pick((x.aval.dtype,), needs=needs, where=fits)
    if found is None or found is x:
        if literals and (needs != ANYTHING or scope.stream.chance(0.5)):
            return literal_for(x, scope.stream)
        if needs != ANYTHING:
            return found
        return scope.input(x.aval, role=scope.stream.choice(("y", "z", "other")))
    return found


def binary(
    name: str,
    dtypes: Sequence[str],
    bounds: Callable[[Bounds, Bounds], Bounds],
    *spellings: str,
    needs: tuple[Bounds, Bounds] = (ANYTHING, ANYTHING),
    literals: float = 0.25,
    result: str = "",
    group: str = "binary",
    weight: float = 1.0,
) -> Op:
    """Gives a row for an op of two arguments; `literals` is how often the second is a number."""

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> tuple[Aval, Bounds]:
        arrays = [x for x in operands if isinstance(x, Var)]
        if not arrays:
            raise IllTyped(name)
        avals = [x.aval for x in arrays]
        dtype = avals[0].dtype
        if dtype not in dtypes or any(aval.dtype != dtype for aval in avals):
            raise IllTyped(f"{name} of two dtypes, or of one that it does not take")
        x, y = map(bounds_of, operands)
        for (low, high), (least, most) in zip((x, y), needs, strict=True):
            if not (low >= least and high <= most):
                raise IllTyped(f"{name} outside its domain")
        shape = broadcast(*avals)
        inside = bounds(x, y)
        if dtype in COMPLEX:
            inside = of_parts(inside)
        if not result and dtype in INTEGERS:
            low, high = input_bounds(dtype)
            inside = inside if low <= inside[0] and inside[1] <= high else ANYTHING
        return Aval(result or dtype, shape), inside

    def draw(scope: Scope) -> tuple[tuple[Operand, ...], dict[str, Any]] | None:
        if (x := guarded(scope, dtypes, needs[0])) is None:
            return None
        y = partner(scope, x, needs[1], literals)
        return None if y is None else ((x, y), {})

    return Op(name, group, spell(*spellings), infer, draw, weight)


def spread(x: Bounds, y: Bounds) -> Bounds:
    """Bounds of whichever of the two."""
    return (min(x[0], y[0]), max(x[1], y[1]))
