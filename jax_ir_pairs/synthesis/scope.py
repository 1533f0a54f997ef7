"""A function under construction: the values that it has so far, and the calls that made them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import (
    Call,
    Function,
    Literal,
    Operand,
    Outs,
    Result,
    Var,
    vars_in,
)
from jax_ir_pairs.synthesis.op import IllTyped, Op
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import (
    ALL,
    ANYTHING,
    COMPLEX,
    FLOATS,
    LIMITS,
    WIDE,
    WIDER,
    Aval,
    Bounds,
    Pullback,
    Tree,
    input_bounds,
)

MAX_ELEMENTS = 1 << 14
MAX_INPUTS = 6
_NEAR = 40
"""Values that an op sees besides the unused ones: code uses what stands close to it."""


class Scope:
    """Grows a function body. Values are typed as they are made, so what is built is legal.

    A nested scope sees the values of the scopes around it only where a family hands them in as
    `captured`; a new input asked for in a nested scope becomes one of the entry point.
    """

    def __init__(
        self,
        stream: Stream,
        ops: dict[str, Op],
        *,
        params: Sequence[Var] = (),
        captured: Sequence[Var] = (),
        outer: Scope | None = None,
        reverse: bool = False,
        sides: tuple[int, ...] = (),
        sealed: bool = False,
    ) -> None:
        self.stream = stream
        self.ops = ops
        self.params = list(params)
        self.body: list[Call] = []
        self.outer = outer
        self.reverse: bool = reverse or (outer is not None and outer.reverse)
        self.sides: tuple[int, ...] = sides or (outer.sides if outer else (4, 8, 16))
        self.forward: bool = outer is not None and outer.forward
        """Whether forward-mode differentiation has to go through it."""
        self.sealed: bool = sealed or (outer is not None and outer.sealed)
        self.dtype: str = outer.dtype if outer else "f32"
        self.mesh: Any = None
        """On the entry point: the devices that the program runs on, once a family has chosen."""
        self.named_axes: Any = outer.named_axes if outer else None
        """The axes that collectives go over, inside a function that devices run side by side."""
        self.x64: bool = outer.x64 if outer else False
        self.values = [var for var in [*captured, *params] if isinstance(var.type, Aval)]
        self.unused: dict[Var, None] = dict.fromkeys(
            var for var in params if isinstance(var.type, Aval)
        )

    def nested(
        self,
        params: Sequence[Var],
        captured: Sequence[Var] = (),
        *,
        reverse: bool = False,
        sealed: bool = False,
    ) -> Scope:
        """Gives a scope for a function inside this one.

        `reverse`: it must be differentiable. `sealed`: it sees nothing of the entry point, not
        even a new input, as a function of the module's top level.
        """
        return Scope(
            self.stream,
            self.ops,
            params=params,
            captured=captured,
            outer=self,
            reverse=reverse,
            sealed=sealed,
        )

    @property
    def float_dtype(self) -> str:
        """JAX's default floating dtype in this program."""
        return "f64" if self.x64 else "f32"

    @property
    def int_dtype(self) -> str:
        """JAX's default integer dtype in this program."""
        return "i64" if self.x64 else "i32"

    @property
    def depth(self) -> int:
        """Number of functions around this one."""
        return 0 if self.outer is None else 1 + self.outer.depth

    def input(self, type: Tree, role: str = "", bounds: Bounds | None = None) -> Var:
        """Adds an input to the entry point and gives it; raises `IllTyped` past `MAX_INPUTS`."""
        root = self.root()
        if self.sealed or len(root.params) >= MAX_INPUTS:
            raise IllTyped("no room for another input")
        if bounds is None:
            bounds = input_bounds(type.dtype) if isinstance(type, Aval) else ANYTHING
        var = Var(type, bounds, role)
        root.params.append(var)
        for scope in dict.fromkeys((root, self)):
            if isinstance(type, Aval):
                scope.values.append(var)
                scope.unused[var] = None
        return var

    def side(self) -> int:
        """Gives a length for a new axis, from the few that this program uses."""
        return self.stream.choice(self.sides)

    def pick(
        self,
        dtypes: Sequence[str] = ALL,
        *,
        needs: Bounds = ANYTHING,
        where: Callable[[Var], bool] | None = None,
    ) -> Var | None:
        """Gives a value of these dtypes within these bounds, rather an unused and a recent one."""
        low, high = needs
        near = self.values
        if len(near) > 2 * _NEAR:
            near = [v for v in near[:-_NEAR] if v in self.unused] + near[-_NEAR:]
        fits = [
            var
            for var in near
            if var.type.dtype in dtypes  # type: ignore[union-attr]
            and var.bounds[0] >= low
            and var.bounds[1] <= high
            and (where is None or where(var))
        ]
        if not fits:
            return None
        fresh = [var for var in fits if var in self.unused]
        if fresh and self.stream.chance(0.8):
            return self.stream.choice(fresh[-4:])
        return self.stream.choice(fits)

    def let(self, name: str, *operands: Operand, role: str = "", **params: Any) -> Var:
        """Applies an op that types itself and gives its result; raises `IllTyped`."""
        (var,) = self.let_all(name, *operands, roles=(role,), **params)
        return var

    def let_all(
        self, name: str, *operands: Operand, roles: Sequence[str] = (), **params: Any
    ) -> tuple[Var, ...]:
        """Applies an op that types itself and gives its results; raises `IllTyped`."""
        op = self.ops[name]
        typed = op.typed(operands, params)
        several = isinstance(typed, list)
        made = []
        for place, (aval, bounds) in enumerate(typed if isinstance(typed, list) else [typed]):
            role = roles[place] if place < len(roles) else ""
            made.append(Var(*self._checked(op, aval, bounds, given="dtype" in params), role))
        self.bind(name, operands, params, tuple(made) if several else made[0])
        return tuple(made)

    def _checked(self, op: Op, aval: Aval, bounds: Bounds, *, given: bool) -> tuple[Aval, Bounds]:
        if self.x64:
            if op.widens and not given and (op.widens == "all" or aval.dtype not in FLOATS):
                aval = Aval(WIDER.get(aval.dtype, aval.dtype), aval.shape)
        elif aval.dtype in WIDE:
            raise IllTyped(f"{aval} needs 64 bits")
        if aval.size > MAX_ELEMENTS:
            raise IllTyped(f"{aval} is too large")
        if aval.dtype in LIMITS:
            limit = LIMITS[aval.dtype]
            if not (bounds[0] >= -limit and bounds[1] <= limit):
                raise IllTyped(f"{op.name} may leave the range of {aval.dtype}")
        elif not (math.isfinite(bounds[0]) and math.isfinite(bounds[1])):
            bounds = input_bounds(aval.dtype)
        return aval, bounds

    def bind(self, name: str, operands: tuple[Operand, ...], params: Any, outs: Outs) -> None:
        """Adds a call whose results the caller has typed."""
        call = Call(self.ops[name], operands, dict(params), outs)
        self.body.append(call)
        for var in call.used_vars:
            self.unused.pop(var, None)
        for var in call.outs_flat:
            if isinstance(var.type, Aval):
                self.values.append(var)
            if not isinstance(var.type, Pullback):
                self.unused[var] = None

    def draw(self, op: Op) -> tuple[Var, ...]:
        """Applies an op to operands that it draws itself; raises `IllTyped` where none fit."""
        drawn = op.draw(self) if op.draw is not None else None
        if drawn is None:
            raise IllTyped(f"nothing here for {op.name}")
        operands, params = drawn
        return self.let_all(op.name, *operands, **params)

    def attempt(self, grow: Callable[[], object]) -> bool:
        """Runs `grow`; where it is ill typed, takes back what it added and gives False."""
        # Whole lists, since `grow` takes values out of them too.
        before = [
            (scope, [*scope.body], [*scope.values], dict(scope.unused), [*scope.params])
            for scope in dict.fromkeys((self.root(), self))
        ]
        try:
            grow()
        except IllTyped:
            for scope, body, values, unused, params in before:
                scope.body[:], scope.values[:], scope.params[:] = body, values, params
                scope.unused = unused
            return False
        return True

    def root(self) -> Scope:
        """Gives the scope of the entry point."""
        return self if self.outer is None else self.outer.root()

    def close(self, role: str, result: Result) -> Function:
        """Gives the function, without the calls that its result does not need."""
        needed = set(vars_in(result))
        kept: list[Call] = []
        for call in reversed(self.body):
            if any(var in needed for var in call.outs_flat):
                needed.update(call.used_vars)
                kept.append(call)
        params = [var for var in self.params if var in needed or self.outer is not None]
        return Function(role, tuple(params), tuple(reversed(kept)), result)


def literal_for(var: Var, stream: Stream) -> Literal:
    """Gives a number that a person would write beside this value."""
    if var.aval.dtype in (*FLOATS, *COMPLEX):
        return Literal(stream.choice((0.1, 0.25, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0)))
    return Literal(stream.choice((1, 2, 3, 4, 5, 7)))
