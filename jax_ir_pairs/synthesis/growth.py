"""How a function body grows: which ops and families are drawn, and how its values end up used."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.ops import GROUPS
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import COMPLEX, FLOATS, KEY, TINY, Aval, Bounds

Grow: TypeAlias = "Callable[[Scope, int, Mix], None]"


@dataclass(frozen=True, slots=True)
class Family:
    """A generator of programs of one kind: adds about `budget` calls to a scope."""

    name: str
    grow: Grow


GROUP_WEIGHTS: Mapping[str, float] = {
    "unary": 4.0,
    "activation": 2.0,
    "binary": 6.0,
    "comparison": 0.6,
    "select": 1.5,
    "cast": 0.8,
    "reduction": 2.5,
    "along_axis": 1.2,
    "shape": 2.0,
    "indexing": 1.6,
    "update": 0.8,
    "gather": 1.1,
    "rearrange": 1.1,
    "window": 0.5,
    "convolution": 0.4,
    "creation": 0.4,
    "contraction": 2.0,
    "complex": 0.5,
    "random": 0.35,
    "narrow": 0.6,
    "lax": 0.5,
    "numpy": 0.5,
    "mark": 0.25,
    "linalg": 0.5,
    "solve": 0.25,
    "matrix": 0.35,
    "special": 0.6,
    "signal": 0.4,
    "statistics": 0.3,
    "curve": 0.25,
    "bits": 0.4,
    "ordering": 0.4,
}
_OTHER_GROUP = 0.8
_SWARM = (0.0, 0.1, 1 / 3, 1 / 3, 1.0)


class Mix:
    """What one program is drawn from: a random emphasis of the op table, and of the families.

    Each program mutes some ops and stresses others, so that rare ones meet (swarm testing,
    Groce et al., ISSTA 2012). The emphasis of an op is drawn when it first comes up.
    """

    def __init__(
        self, stream: Stream, families: Sequence[Family], weights: Sequence[float]
    ) -> None:
        self.families = tuple(families)
        self.weights = tuple(weights)
        self._groups = tuple(
            accumulate(weight * stream.choice((0.3, 1.0, 1.0, 2.0)) for weight in _GROUP_HEIGHTS)
        )
        self._emphasis: dict[Op, float] = {}

    def op(self, stream: Stream) -> Op:
        """Gives one op."""
        groups, emphases = self._groups, self._emphasis
        while True:
            ops, totals = _ROWS[_at(groups, stream)]
            op = ops[_at(totals, stream)]
            emphasis = emphases.get(op)
            if emphasis is None:
                emphasis = emphases[op] = stream.choice(_SWARM)
            if stream.chance(emphasis):
                return op

    def family(self, stream: Stream) -> Family:
        """Gives one family."""
        return stream.weighted(self.families, self.weights)

    def _nested(self, stream: Stream) -> Family:
        """Gives a family, another one than plain ops in two cases of three that would be those."""
        family = self.family(stream)
        for _ in range(2):
            if family.name == "expression":
                family = self.family(stream)
        return family

    def fill(self, scope: Scope, budget: int) -> None:
        """Grows a nested body: of plain ops, or of any family."""
        if scope.depth < 3 and scope.stream.chance(0.6 if budget >= 3 else 0.25):
            family = self._nested(scope.stream)
            if scope.attempt(lambda: family.grow(scope, budget, self)):
                return
        grow_ops(scope, budget, self)


def _at(totals: Sequence[float], stream: Stream) -> int:
    return bisect(totals, stream.uniform() * totals[-1], 0, len(totals) - 1)


_ROWS = tuple((ops, tuple(accumulate(op.weight for op in ops))) for ops in GROUPS.values())
_GROUP_HEIGHTS = tuple(GROUP_WEIGHTS.get(group, _OTHER_GROUP) for group in GROUPS)


def grow_ops(scope: Scope, budget: int, mix: Mix) -> None:
    """Adds about `budget` calls of ops that are drawn from the table."""
    start, attempts = len(scope.body), 0
    if not scope.values:
        scope.input(draw_aval(scope), "x")
    while len(scope.body) - start < budget and attempts < 4 * budget + 8:
        attempts += 1
        op = mix.op(scope.stream)
        if scope.reverse and not op.reverse:
            continue
        try:
            scope.draw(op)
        except IllTyped:
            continue


@dataclass(frozen=True, slots=True)
class Form:
    """One construct of a family."""

    grow: Grow
    weight: float = 1.0
    reverse: bool = True
    """Whether reverse-mode differentiation goes through it."""
    forward: bool = True
    """Whether forward-mode differentiation does."""


def one_of(*forms: Form) -> Grow:
    """Gives the `grow` of a family that adds some ops, one of these forms, and some more ops."""

    def grow(scope: Scope, budget: int, mix: Mix) -> None:
        stream = scope.stream
        before = stream.integer(0, max(1, budget // 4))
        grow_ops(scope, before, mix)
        fit = [
            form
            for form in forms
            if (form.reverse or not scope.reverse) and (form.forward or not scope.forward)
        ]
        if not fit:
            raise IllTyped("none of the constructs is differentiable")
        form = stream.weighted(fit, [form.weight for form in fit])
        form.grow(scope, max(2, budget - before - 2), mix)
        grow_ops(scope, stream.integer(0, max(1, budget // 5)), mix)

    return grow


def draw_aval(scope: Scope, rank: int | None = None) -> Aval:
    """Gives the aval of a new input, in the dtype and the sides that this program prefers."""
    stream = scope.stream
    if rank is None:
        rank = stream.weighted((0, 1, 2, 3, 4), (0.4, 3.0, 5.0, 2.0, 0.5))
    return Aval(scope.dtype, tuple(scope.side() for _ in range(rank)))


def float_value(scope: Scope, rank: int | None = None) -> Var:
    """Gives a floating value of the scope, of this rank if given, or a new input."""
    var = scope.pick(FLOATS, where=lambda v: rank is None or v.aval.rank == rank)
    if var is not None and scope.stream.chance(0.85):
        return var
    aval = draw_aval(scope, rank)
    if aval.dtype not in FLOATS:
        aval = Aval(scope.float_dtype, aval.shape)
    return scope.input(aval, scope.stream.choice(("x", "y", "z", "inputs")))


def as_real(scope: Scope, value: Var) -> Var:
    """Gives a value that plain ops take: the real part or magnitude, or a wider format."""
    if value.aval.dtype in COMPLEX:
        return scope.let(scope.stream.choice(("real", "magnitude", "imag")), value)
    if value.aval.dtype in TINY:
        return scope.let("astype", value, dtype="i32" if value.aval.dtype[0] in "iu" else "f32")
    return value


def cast(scope: Scope, value: Var, dtype: str) -> Var:
    """Gives the value in another dtype, or itself."""
    if value.aval.dtype == dtype:
        return value
    if dtype not in COMPLEX:
        value = as_real(scope, value)
    return value if value.aval.dtype == dtype else scope.let("astype", value, dtype=dtype)


def _average(scope: Scope, value: Var) -> Var:
    dtype = value.aval.dtype
    if dtype == "bool":
        return scope.let("any", value)
    return scope.let("mean" if dtype in (*FLOATS, *COMPLEX) else "max", value)


def conform(scope: Scope, value: Var, aval: Aval) -> Var:
    """Gives `value` brought to an aval: cast, reduced, reshaped or broadcast."""
    value = cast(scope, value, aval.dtype)
    if value.aval.shape == aval.shape:
        return value
    if value.aval.size == aval.size and aval.rank:
        return scope.let("reshape", value, shape=aval.shape)
    if value.aval.rank:
        value = _average(scope, value)
    return scope.let("broadcast_to", value, shape=aval.shape) if aval.rank else value


def absorb(scope: Scope, into: Var, value: Var) -> Var:
    """Gives a value of the aval of `into` that depends on both."""
    value = cast(scope, value, into.aval.dtype)
    if value.aval.shape != into.aval.shape and value.aval.rank:
        if value.aval.size == into.aval.size:
            value = scope.let("reshape", value, shape=into.aval.shape)
        else:
            value = _average(scope, value)
    if into.aval.dtype == "bool":
        return scope.let("logical_xor", into, value)
    try:
        return scope.let(scope.stream.choice(("add", "mul", "add", "sub")), into, value)
    except IllTyped:
        return scope.let("add", into, scope.let("tanh", value))


def use_all(scope: Scope, value: Var, params: Sequence[Var]) -> Var:
    """Gives a value of the same aval that depends on each of the parameters."""
    needed = {value}
    for call in reversed(scope.body):
        if any(var in needed for var in call.outs_flat):
            needed.update(call.used_vars)
    for param in params:
        if param not in needed:
            value = absorb(scope, value, param)
    return value


def within(scope: Scope, value: Var, bounds: Bounds) -> Var:
    """Gives a floating value held within bounds, so that a loop may feed it back to itself."""
    low, high = bounds
    if value.aval.dtype not in FLOATS or (value.bounds[0] >= low and value.bounds[1] <= high):
        return value
    way = scope.stream.choice(("tanh", "tanh", "clip", "soft_sign", "sin"))
    if way == "clip":
        return scope.let("clip", value, low=low, high=high)
    return scope.let(way, value)


def results(scope: Scope) -> list[Var]:
    """Gives what the calls of the scope have made and nothing uses yet: arrays and trees."""
    made = {var for call in scope.body for var in call.outs_flat}
    return [var for var in scope.unused if var in made]


def leaves(scope: Scope, most: int) -> list[Var]:
    """Gives the latest arrays of `results`, at most `most`, or the latest value if none is."""
    arrays = [v for v in results(scope) if isinstance(v.type, Aval) and v.type.dtype not in KEY]
    return arrays[-most:] or [v for v in scope.values if v.aval.dtype not in KEY][-1:]


def scalar(scope: Scope) -> Var:
    """Gives a floating scalar that depends on what the scope has made: a loss or an energy."""
    total: Var | None = None
    for leaf in leaves(scope, 3):
        value = as_real(scope, leaf)
        if value.aval.dtype not in FLOATS:
            value = cast(scope, value, scope.float_dtype)
        if value.aval.rank:
            name = scope.stream.choice(("mean", "sum", "mean"))
            value = try_let(scope, name, value) or scope.let("mean", value)
        value = cast(scope, value, scope.float_dtype)
        total = value if total is None else scope.let("add", total, value)
    assert total is not None
    if scope.stream.chance(0.15):
        total = scope.let("mul", total, Literal(0.5))
    return total


def try_let(scope: Scope, name: str, *operands: Var) -> Var | None:
    """Gives the result of an op, or None where it is ill typed."""
    try:
        return scope.let(name, *operands)
    except IllTyped:
        return None
