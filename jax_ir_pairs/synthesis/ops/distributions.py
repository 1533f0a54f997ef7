"""Distributions of `jax.random` that take a key and numbers: one row each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.keys import fresh, is_key
from jax_ir_pairs.synthesis.ops.rows import bounds_of, broadcast, guarded
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

HALVES = ("bf16", "f16")


def draw_shape(scope: Scope) -> tuple[int, ...]:
    """Gives a shape to draw numbers in: that of a value nearby, or a new one."""
    if scope.stream.chance(0.45):
        near = scope.pick(FLOATS, where=lambda v: v.aval.size <= 4096)
        if near is not None:
            return near.aval.shape
    rank = scope.stream.weighted((0, 1, 2, 3), (1, 4, 4, 1))
    return tuple(scope.side() for _ in range(rank))


def _free(
    name: str, bounds: Bounds, *, dtypes: Sequence[str] = HALVES, result: str = "f32",
    key: str = "", **drawn: tuple[Any, ...],
) -> Op:  # fmt: skip
    """Gives the row of a distribution without parameters, or with numbers given by keyword."""

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        if not is_key(operands[0]):
            raise IllTyped(name)
        low, high = params.get("minval", bounds[0]), params.get("maxval", bounds[1])
        return Aval(params.get("dtype", result), params["shape"]), (low, high)

    def draw(scope: Scope) -> Drawn:
        params: dict[str, Any] = {"shape": draw_shape(scope)}
        if dtypes and scope.stream.chance(0.2):
            params["dtype"] = scope.stream.choice(dtypes)
        if drawn and scope.stream.chance(0.6):
            rows = list(zip(*drawn.values(), strict=True))
            params |= zip(drawn, scope.stream.choice(rows), strict=True)
        return (fresh(scope, threefry=bool(key)),), params

    call = f"jax.random.{name}"
    spellings = spell(f"{call}({{0}}, {{shape}}{{kw}})", f"{call}({{0}}{{kw}})")
    return Op(f"random_{name}", "random", spellings, infer, draw, 1.5, widens="all")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A parameter of a distribution: the domain of an array, and the numbers people write."""

    needs: Bounds
    numbers: tuple[float, ...]
    array: float = 0.35
    """How often it is an array."""


_POSITIVE = _Slot((0.3, 50.0), (0.5, 1.0, 2.0, 3.0, 5.0))
_CHANCE = _Slot((0.02, 0.98), (0.1, 0.2, 0.3, 0.5, 0.5, 0.8, 0.9))


def _with(
    name: str,
    rule: Callable[..., Bounds],
    *slots: _Slot,
    result: str = "f32",
    threefry: bool = False,
    shaped: bool = False,
    weight: float = 1.0,
    dtypes: Sequence[str] = (),
) -> Op:
    """Gives the row of a distribution with parameters, which are numbers or arrays.

    `rule` takes the bounds of each. `shaped`: the shape is always said.
    """

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        key, *given = operands
        if not is_key(key) or len(given) != len(slots):
            raise IllTyped(name)
        for slot, item in zip(slots, given, strict=True):
            low, high = bounds_of(item)
            if isinstance(item, Var) and (
                item.aval.dtype not in FLOATS or not slot.needs[0] <= low <= high <= slot.needs[1]
            ):
                raise IllTyped(f"{name} outside its domain")
        own = broadcast(*(item.aval for item in given if isinstance(item, Var)))
        shape = params.get("shape", own)
        if broadcast(Aval("f32", own), Aval("f32", shape)) != shape:
            raise IllTyped(f"{name} of another shape")
        return Aval(params.get("dtype", result), shape), rule(*map(bounds_of, given))

    def draw(scope: Scope) -> Drawn:
        given: list[Operand] = []
        for slot in slots:
            found = None
            if scope.stream.chance(slot.array):
                found = guarded(scope, (scope.float_dtype,), slot.needs)
                if found is not None and found.bounds[1] > slot.needs[1]:
                    found = None
            given.append(Literal(scope.stream.choice(slot.numbers)) if found is None else found)
        arrays = [item.aval for item in given if isinstance(item, Var)]
        params: dict[str, Any] = {}
        if not arrays or shaped:
            params["shape"] = draw_shape(scope) if not arrays else broadcast(*arrays)
        elif name != "f" and scope.stream.chance(0.3):  # JAX 0.10 gives that one no further axes
            params["shape"] = (scope.side(), *broadcast(*arrays))
        if dtypes and scope.stream.chance(0.15):
            params["dtype"] = scope.stream.choice(dtypes)
        return (fresh(scope, threefry=threefry), *given), params

    spelling = spell(f"jax.random.{name}({{0}}, {{*1}}{{kw}})")
    widens: Any = "" if result == "bool" else "all"
    return Op(f"random_{name}", "random", spelling, infer, draw, weight, widens=widens)


FREE = (
    _free("normal", (-5.0, 5.0)),
    _free("uniform", (0.0, 1.0), minval=(-1.0, -0.1, 0.5), maxval=(1.0, 0.1, 2.0)),
    _free("exponential", (0.0, 17.0)),
    _free("gumbel", (-5.0, 17.0)),
    _free("laplace", (-17.0, 17.0)),
    _free("logistic", (-90.0, 18.0)),
    _free("cauchy", (-2e4, 2e4), dtypes=()),
    _free("maxwell", (0.0, 7.0)),
    _free("rademacher", (-1, 1), result="i32", dtypes=("i8", "bf16", "f16")),
    _free("bits", (0, math.inf), result="u32", dtypes=("u8", "u16")),
)


def _scaled(factor: float, offset: float = 0.0) -> Callable[..., Bounds]:
    """Gives the rule of a positive distribution: a multiple of its last parameter."""
    return lambda *bounds: (0.0, factor * bounds[-1][1] + offset)


WITH_PARAMETERS = (
    _with("bernoulli", lambda p: (0, 1), _CHANCE, result="bool", weight=2.0),
    _with("gamma", _scaled(4.0, 25.0), _POSITIVE),
    _with("loggamma", lambda a: (-70.0, math.log(4 * a[1] + 25)), _POSITIVE, weight=0.6),
    _with("beta", lambda a, b: (0.0, 1.0), _POSITIVE, _POSITIVE),
    _with("chisquare", _scaled(4.0, 40.0), _POSITIVE, weight=0.7),
    _with("t", lambda df: (-1e3, 1e3), _Slot((2.0, 50.0), (2.0, 3.0, 5.0, 10.0)), weight=0.7),
    _with("f", lambda a, b: (0.0, 1e3), _Slot((1.0, 50.0), (2.0, 3.0, 5.0)),
          _Slot((4.0, 50.0), (4.0, 5.0, 8.0), 0.0), weight=0.5),
    _with("poisson", _scaled(4.0, 20.0), _Slot((0.1, 50.0), (0.5, 1.0, 3.0, 5.0)), result="i32",
          threefry=True),
    _with("pareto", lambda b: (1.0, math.exp(17 / b[0])), _Slot((2.0, 50.0), (2.0, 3.0, 5.0)),
          weight=0.7),
    _with("rayleigh", _scaled(6.0), _Slot((0.1, 20.0), (0.5, 1.0, 2.0)), weight=0.7),
    _with("wald", lambda m: (0.0, 40 * m[1] ** 2 + 30), _Slot((0.2, 5.0), (0.5, 1.0, 2.0)),
          weight=0.7),
    _with("lognormal", lambda s: (0.0, math.exp(5.5 * s[1])), _Slot((0.05, 1.5), (0.1, 0.5, 1.0)),
          weight=0.7),
    _with("geometric", lambda p: (1, 18 / p[0]), _CHANCE, result="i32", weight=0.7),
    _with("binomial", lambda n, p: (0.0, n[1]), _Slot((1.0, 50.0), (5, 10, 20), 0.0), _CHANCE,
          weight=0.7),
    _with("generalized_normal", lambda p: (-25.0, 25.0), _Slot((1.0, 5.0), (1.5, 2.0, 3.0), 0.0),
          weight=0.6),
    _with("truncated_normal", lambda a, b: (a[0], b[1]), _Slot((-3.0, 0.0), (-2.0, -2.0, -1.0), 0),
          _Slot((0.0, 3.0), (2.0, 2.0, 1.0), 0.0), dtypes=HALVES),
    _with("triangular", lambda a, m, b: (a[0], b[1]), _Slot((-9, 0), (0.0, -1.0), 0.0),
          _Slot((0, 1), (0.25, 0.5), 0.0), _Slot((1, 9), (1.0, 2.0), 0.0), weight=0.6),
    _with("weibull_min", lambda s, c: (0.0, 18 * s[1]), _Slot((0.1, 9.0), (0.5, 1.0, 2.0), 0.2),
          _Slot((1.0, 9.0), (1.5, 2.0), 0.0), shaped=True, weight=0.6),
    _with("double_sided_maxwell", lambda m, s: (m[0] - 8 * s[1], m[1] + 8 * s[1]),
          _Slot((-4.0, 4.0), (0.0, 0.0, 1.0), 0.0), _Slot((0.1, 9.0), (0.5, 1.0, 2.0), 0.0),
          shaped=True, weight=0.6),
)  # fmt: skip

OPS = (*FREE, *WITH_PARAMETERS)
EVERY = tuple(op for op in OPS if op.name != "random_bits")
"""What a form draws from that takes any distribution."""
