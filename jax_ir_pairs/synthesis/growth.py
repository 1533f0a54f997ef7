"""How a function body grows: which ops and families are drawn, and how its values end up used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.ops import GROUPS
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds

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
    "indexing": 2.0,
    "creation": 0.3,
    "contraction": 2.0,
}
_SWARM = (0.0, 0.3, 1.0, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class Mix:
    """What one program is drawn from: a random emphasis of the op table, and of the families.

    Each program mutes some ops and stresses others, so that rare ones meet (swarm testing,
    Groce et al., ISSTA 2012).
    """

    families: tuple[Family, ...]
    weights: tuple[float, ...]
    ops: tuple[Op, ...]
    totals: tuple[float, ...]

    @classmethod
    def of(cls, stream: Stream, families: Sequence[Family], weights: Sequence[float]) -> Mix:
        """Gives the mix of one program."""
        ops: list[Op] = []
        heights: list[float] = []
        for group, rows in GROUPS.items():
            share = GROUP_WEIGHTS[group] * stream.choice((0.3, 1.0, 1.0, 2.0))
            total = sum(op.weight for op in rows)
            for op in rows:
                if weight := op.weight * stream.choice(_SWARM):
                    ops.append(op)
                    heights.append(share * weight / total)
        return cls(tuple(families), tuple(weights), tuple(ops), tuple(accumulate(heights)))

    def op(self, stream: Stream) -> Op:
        """Gives one op."""
        mark = stream.uniform(0.0, self.totals[-1])
        low, high = 0, len(self.totals) - 1
        while low < high:
            middle = (low + high) // 2
            if mark < self.totals[middle]:
                high = middle
            else:
                low = middle + 1
        return self.ops[low]

    def family(self, stream: Stream) -> Family:
        """Gives one family."""
        return stream.weighted(self.families, self.weights)

    def fill(self, scope: Scope, budget: int) -> None:
        """Grows a nested body: of plain ops, or of any family."""
        if scope.depth < 3 and budget >= 3 and scope.stream.chance(0.6):
            family = self.family(scope.stream)
            if scope.attempt(lambda: family.grow(scope, budget, self)):
                return
        grow_ops(scope, budget, self)


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
        aval = Aval("f32", aval.shape)
    return scope.input(aval, scope.stream.choice(("x", "y", "z", "inputs")))


def conform(scope: Scope, value: Var, aval: Aval) -> Var:
    """Gives `value` brought to an aval: cast, reduced, reshaped or broadcast."""
    if value.aval.dtype != aval.dtype:
        value = scope.let("astype", value, dtype=aval.dtype)
    if value.aval.shape == aval.shape:
        return value
    if value.aval.size == aval.size and aval.rank:
        return scope.let("reshape", value, shape=aval.shape)
    if value.aval.rank:
        value = scope.let("mean" if aval.dtype in FLOATS else "max", value)
    return scope.let("broadcast_to", value, shape=aval.shape) if aval.rank else value


def absorb(scope: Scope, into: Var, value: Var) -> Var:
    """Gives a value of the aval of `into` that depends on both."""
    if value.aval.dtype != into.aval.dtype:
        value = scope.let("astype", value, dtype=into.aval.dtype)
    if value.aval.shape != into.aval.shape and value.aval.rank:
        if value.aval.size == into.aval.size:
            value = scope.let("reshape", value, shape=into.aval.shape)
        elif value.aval.dtype in (*FLOATS, "i32"):
            value = scope.let("mean" if value.aval.dtype in FLOATS else "max", value)
        else:
            value = scope.let("any" if value.aval.dtype == "bool" else "max", value)
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
        if any(var in needed for var in call.outs_flat()):
            needed.update(call.used_vars())
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
    made = {var for call in scope.body for var in call.outs_flat()}
    return [var for var in scope.unused if var in made]


def leaves(scope: Scope, most: int) -> list[Var]:
    """Gives the latest arrays of `results`, at most `most`, or the latest value if none is."""
    arrays = [var for var in results(scope) if isinstance(var.type, Aval)]
    return arrays[-most:] if arrays else scope.values[-1:]


def scalar(scope: Scope) -> Var:
    """Gives a floating scalar that depends on what the scope has made: a loss or an energy."""
    total: Var | None = None
    for leaf in leaves(scope, 3):
        value = leaf
        if value.aval.dtype not in FLOATS:
            value = scope.let("astype", value, dtype="f32")
        if value.aval.rank:
            name = scope.stream.choice(("mean", "sum", "mean"))
            value = try_let(scope, name, value) or scope.let("mean", value)
        if value.aval.dtype != "f32":
            value = scope.let("astype", value, dtype="f32")
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
