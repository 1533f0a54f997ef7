"""Batching: vmap with varied axes, nested, and over derivatives."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.families.autodiff import GRADIENT
from jax_ir_pairs.synthesis.families.control_flow import captured
from jax_ir_pairs.synthesis.graph import Callee, Transformed, Var
from jax_ir_pairs.synthesis.growth import Family, Form, Mix, leaves, one_of, scalar, use_all
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, NUMBERS, Aval

_NAMES = ("f", "fn", "per_example", "single", "score", "apply_one")


def _without(var: Var, axis: int) -> Var:
    """Gives the parameter that stands for one element of a value along an axis."""
    shape = list(var.aval.shape)
    shape.pop(axis)
    return Var(Aval(var.aval.dtype, tuple(shape)), var.bounds, var.role)


def _batched(scope: Scope, rank: int) -> Var:
    x = scope.pick(FLOATS, where=lambda v: v.aval.rank >= rank and max(v.aval.shape) <= 64)
    if x is None or scope.stream.chance(0.15):
        sides = tuple(scope.side() for _ in range(rank + scope.stream.integer(0, 1)))
        dtype = scope.dtype if scope.dtype in FLOATS else scope.float_dtype
        x = scope.input(Aval(dtype, sides), scope.stream.choice(("xs", "batch", "x")))
    return x


def _name(parameters: list[Var]) -> list[Var]:
    names = {0: "x", 1: "y", 2: "z"}
    return [Var(v.type, v.bounds, names.get(n, "")) for n, v in enumerate(parameters)]


def _vmap(scope: Scope, budget: int, mix: Mix) -> None:
    stream = scope.stream
    x = _batched(scope, 1)
    axis = stream.weighted(range(x.aval.rank), [3.0] + [1.0] * (x.aval.rank - 1))
    size = x.aval.shape[axis]
    arguments, axes = [x], [axis]
    parameters = [_without(x, axis)]
    for _ in range(stream.weighted((0, 1, 2), (5, 4, 1))):
        other = scope.pick(NUMBERS, where=lambda v: v not in arguments)
        if other is None:
            other = scope.input(Aval(scope.float_dtype, (scope.side(),)), "w")
        places = [p for p, side in enumerate(other.aval.shape) if side == size]
        if places and stream.chance(0.7):
            axes.append(stream.choice(places))
            parameters.append(_without(other, axes[-1]))
        else:
            axes.append(-1)
            parameters.append(Var(other.type, other.bounds, other.role))
        arguments.append(other)
    shown = tuple(None if a < 0 else a for a in axes)
    in_axes: Any = shown[0] if len(set(shown)) == 1 else shown

    differentiate = stream.chance(0.25) and parameters[0].aval.dtype == scope.float_dtype
    body = scope.nested(_name(parameters), captured(scope, 1), reverse=differentiate)
    mix.fill(body, budget)
    callee: Callee
    if differentiate:
        loss = use_all(body, scalar(body), body.params)
        callee = Transformed("grad", body.close(stream.choice(("loss", "energy")), loss))
        y = Var(parameters[0].type, GRADIENT)
    else:
        y = use_all(body, leaves(body, 1)[0], body.params)
        callee = body.close(stream.choice(_NAMES), y)
    params: dict[str, Any] = {} if in_axes == 0 else {"in_axes": in_axes}
    shape = (size, *y.aval.shape)
    if y.aval.rank and stream.chance(0.15):
        params["out_axes"] = 1
        shape = (y.aval.shape[0], size, *y.aval.shape[1:])
    out = Var(Aval(y.aval.dtype, shape), y.bounds)
    if out.aval.size > MAX_ELEMENTS:
        raise IllTyped("batched result is too large")
    scope.bind("apply", (Transformed("vmap", callee, params), *arguments), {}, out)


def _pairwise(scope: Scope, budget: int, mix: Mix) -> None:
    """Every element of one array with every element of another: a Gram or distance matrix."""
    x = _batched(scope, 1)

    def alike(var: Var) -> bool:
        rest, own = x.aval.shape[1:], var.aval.shape
        return var.aval.dtype == x.aval.dtype and len(own) > 0 and own[1:] == rest

    y = scope.pick(where=alike)
    if y is None or (y is x and scope.stream.chance(0.5)):
        y = scope.input(Aval(x.aval.dtype, (scope.side(), *x.aval.shape[1:])), "ys")
    body = scope.nested(_name([_without(x, 0), _without(y, 0)]), captured(scope, 1))
    if body.params[0].aval.rank:
        delta = body.let(scope.stream.choice(("sub", "mul")), *body.params)
        body.let("sum", body.let("square", delta))
    else:
        body.let("sub", *body.params)
    mix.fill(body, max(1, budget // 2))
    value = use_all(body, leaves(body, 1)[0], body.params)
    function = body.close(scope.stream.choice(("kernel", "distance", "pair")), value)
    out = Aval(value.aval.dtype, (x.aval.shape[0], y.aval.shape[0], *value.aval.shape))
    if out.size > MAX_ELEMENTS:
        raise IllTyped("pairwise result is too large")
    inner = Transformed("vmap", function, {"in_axes": (None, 0)})
    outer = Transformed("vmap", inner, {"in_axes": (0, None)})
    scope.bind("apply", (outer, x, y), {}, Var(out, value.bounds, ""))


def _nested(scope: Scope, budget: int, mix: Mix) -> None:
    x = _batched(scope, 2)
    axes = scope.stream.choice(((0, 0), (0, 0), (1, 0), (0, 1 if x.aval.rank > 2 else 0)))
    once = _without(x, axes[0])
    parameter = _without(once, axes[1])
    body = scope.nested(_name([parameter]), captured(scope, 1))
    mix.fill(body, budget)
    value = use_all(body, leaves(body, 1)[0], body.params)
    function = body.close(scope.stream.choice(_NAMES), value)
    sides = (x.aval.shape[axes[0]], once.aval.shape[axes[1]])
    out = Aval(value.aval.dtype, (*sides, *value.aval.shape))
    if out.size > MAX_ELEMENTS:
        raise IllTyped("batched result is too large")
    params = [{"in_axes": axis} if axis else {} for axis in axes]
    callee = Transformed("vmap", Transformed("vmap", function, params[1]), params[0])
    scope.bind("apply", (callee, x), {}, Var(out, value.bounds))


FAMILY = Family(
    "batching",
    one_of(
        Form(_vmap, 5.0),
        Form(_pairwise, 1.5),
        Form(_nested, 2.0),
    ),
)
