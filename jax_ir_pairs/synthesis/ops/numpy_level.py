"""What people know from NumPy: select, piecewise, vectorize, ufuncs, nan-aware reductions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Function, Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, MOVABLE, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _conditions(scope: Scope, x: Var) -> tuple[Var, ...]:
    """Gives two masks over `x`."""
    low, high = scope.stream.choice(((-1.0, 1.0), (0.0, 0.5), (-0.5, 0.5)))
    return scope.let("less", x, Literal(low)), scope.let("greater", x, Literal(high))


def _infer_select(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    masks, cases = operands
    aval = cases[0].aval
    if any(c.aval != aval for c in cases) or any(m.aval.shape != aval.shape for m in masks):
        raise IllTyped("select")
    default = params["default"]
    low, high = min(c.bounds[0] for c in cases), max(c.bounds[1] for c in cases)
    return aval, (min(low, default), max(high, default))


def _draw_select(scope: Scope) -> Drawn:
    if (x := scope.pick((scope.float_dtype,))) is None:
        return None
    names = scope.stream.sample(("tanh", "negative", "abs", "sin"), 2)
    cases = tuple(scope.let(name, x) for name in names)
    return (_conditions(scope, x), cases), {"default": scope.stream.choice((0.0, 1.0))}


_PIECES = (
    "[lambda v: -v, lambda v: v * v, 0.0]",
    "[-1.0, 1.0, 0.0]",
    "[jnp.sin, jnp.cos, lambda v: 0.5 * v]",
    "[lambda v: 0.1 * v, jnp.tanh, lambda v: v]",
)


def _infer_piecewise(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, masks = operands
    if x.aval.dtype not in FLOATS or any(m.aval.shape != x.aval.shape for m in masks):
        raise IllTyped("piecewise")
    edge = max(1.0, *map(abs, x.bounds)) ** 2
    return x.aval, (-edge, edge)


def _draw_piecewise(scope: Scope) -> Drawn:
    if (x := scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank > 0)) is None:
        return None
    return (x, _conditions(scope, x)), {"functions": Code(scope.stream.choice(_PIECES))}


def _infer_choose(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    which, cases = operands
    aval = cases[0].aval
    if which.aval.dtype not in ("i32", "i64") or which.aval.shape not in ((), aval.shape):
        raise IllTyped("choose")
    if any(c.aval != aval for c in cases):
        raise IllTyped("choose")
    return aval, (min(c.bounds[0] for c in cases), max(c.bounds[1] for c in cases))


def _draw_choose(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS, where=lambda v: v.aval.rank > 0)) is None:
        return None
    names = scope.stream.sample(("tanh", "negative", "abs", "sin"), 2)
    cases = (x, *(scope.let(name, x) for name in names))
    which = scope.pick(("i32",), where=lambda v: v.aval.shape == x.aval.shape)
    if which is None:
        which = scope.input(Aval("i32", x.aval.shape), "which", (0, 3))
    return (which, cases), {"mode": scope.stream.choice(("clip", "wrap"))}


def _of_row(scope: Scope, row: Aval, *names: str) -> tuple[Function, Var]:
    """Gives a small function of a vector, and its result."""
    body = scope.nested([Var(row, (-50.0, 50.0), "v")])
    h = body.params[0]
    for name in names:
        params: dict[str, Any] = {"axis": -1} if name in ("softmax", "cumsum", "sort") else {}
        h = body.let(name, h, **params)
    return body.close(scope.stream.choice(("f", "per_row", "stat")), h), h


_STATISTICS = (("square", "sum"), ("abs", "max"), ("tanh", "mean"), ("square", "mean"))
_MAPS = (("tanh", "softmax"), ("tanh", "cumsum"), ("square", "sort"), ("sin", "softmax"))


def _infer_vectorized(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    function, x = operands
    row, result = function.params[0], function.result
    if x.aval.rank < 1 or row.aval != Aval(x.aval.dtype, x.aval.shape[-1:]):
        raise IllTyped("vectorize")
    return Aval(x.aval.dtype, (*x.aval.shape[:-1], *result.aval.shape)), result.bounds


def _draw_vectorized(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, needs=(-50, 50), where=lambda v: 1 < v.aval.rank < 4)
    if x is None:
        return None
    row = Aval(x.aval.dtype, x.aval.shape[-1:])
    if scope.stream.chance(0.5):
        function, _ = _of_row(scope, row, *scope.stream.choice(_STATISTICS))
        return (function, x), {"signature": "(n)->()"}
    function, _ = _of_row(scope, row, *scope.stream.choice(_MAPS))
    return (function, x), {"signature": "(n)->(n)"}


def _infer_along(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (function, x), axis = operands, params["axis"]
    if x.aval.rank <= axis or function.params[0].aval != Aval(x.aval.dtype, (x.aval.shape[axis],)):
        raise IllTyped("apply_along_axis")
    result = function.result
    shape = (*x.aval.shape[:axis], *result.aval.shape, *x.aval.shape[axis + 1 :])
    return Aval(x.aval.dtype, shape), result.bounds


def _draw_along(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, needs=(-50, 50), where=lambda v: 1 < v.aval.rank < 4)
    if x is None:
        return None
    axis = scope.stream.integer(0, x.aval.rank - 1)
    row = Aval(x.aval.dtype, (x.aval.shape[axis],))
    names = scope.stream.choice(_STATISTICS + _MAPS)
    function, _ = _of_row(scope, row, *names)
    return (function, x), {"axis": axis}


_UFUNCS = (
    "lambda a, b: jnp.maximum(a, b) + 0.1 * jnp.minimum(a, b)",
    "lambda a, b: jnp.hypot(a, b)",
    "lambda a, b: 0.9 * a + 0.1 * b",
)


def _infer_ufunc(method: str) -> Any:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        x = operands[0]
        if (
            x.aval.dtype not in FLOATS
            or x.aval.rank != 1
            or operands[-1].aval.dtype != x.aval.dtype
        ):
            raise IllTyped("ufunc")
        own = x.aval.shape
        shape = own if method == "accumulate" else () if method == "reduce" else (
            *own, *operands[-1].aval.shape)  # fmt: skip
        edge = 2 * own[0] * max(1.0, *(abs(b) for o in operands for b in o.bounds))
        return Aval(x.aval.dtype, shape), (-edge, edge)

    return infer


def _draw_ufunc(method: str) -> Any:
    def draw(scope: Scope) -> Drawn:
        dtype = scope.float_dtype
        if (x := scope.pick((dtype,), where=lambda v: v.aval.rank == 1)) is None:
            return None
        params = {"function": Code(scope.stream.choice(_UFUNCS))}
        if method != "outer":
            return (x,), params
        y = scope.pick((dtype,), where=lambda v: v.aval.rank == 1)
        return (x, y or x), params

    return draw


def _infer_mesh(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, rows, columns = operands
    if x.aval.rank < 2 or any(i.aval.rank != 1 or i.aval.dtype != "i32" for i in (rows, columns)):
        raise IllTyped("ix_")
    shape = (*rows.aval.shape, *columns.aval.shape, *x.aval.shape[2:])
    return Aval(x.aval.dtype, shape), x.bounds


def _draw_mesh(scope: Scope) -> Drawn:
    if (x := scope.pick(MOVABLE, where=lambda v: v.aval.rank == 2)) is None:
        return None
    indices = []
    for role in ("rows", "cols"):
        found = scope.pick(("i32",), where=lambda v: v.aval.rank == 1 and v.aval.size < 64)
        count = scope.stream.choice((2, 3, 4))
        indices.append(found or scope.input(Aval("i32", (count,)), role, (0, 3)))
    return (x, *indices), {}


def _infer_unstack(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (x,) = operands
    if not x.aval.shape or not 2 <= x.aval.shape[0] <= 5:
        raise IllTyped("unstack")
    return [(Aval(x.aval.dtype, x.aval.shape[1:]), x.bounds)] * x.aval.shape[0]


def _draw_unstack(scope: Scope) -> Drawn:
    x = scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and 1 < v.aval.shape[0] < 6)
    return None if x is None else ((x,), {})


def _op(name: str, template: str, infer: Any, draw: Any, weight: float, **more: Any) -> Op:
    return Op(name, "numpy", spell(template), infer, draw, weight, **more)


OPS = (
    _op("select", "jnp.select([{0}], [{1}], {default})", _infer_select, _draw_select, 1.0),
    _op("piecewise", "jnp.piecewise({0}, [{1}], {functions})", _infer_piecewise, _draw_piecewise,
        1.0),
    _op("choose", "jnp.choose({0}, [{1}]{kw})", _infer_choose, _draw_choose, 0.7),
    _op("vectorize", "jnp.vectorize({0}{kw})({1})", _infer_vectorized, _draw_vectorized, 1.0),
    _op("apply_along_axis", "jnp.apply_along_axis({0}, {axis}, {1})", _infer_along, _draw_along,
        0.8),
    *(_op(f"frompyfunc_{method}", f"jnp.frompyfunc({{function}}, 2, 1).{method}({{*0}})",
          _infer_ufunc(method), _draw_ufunc(method), 0.4, reverse=False)
      for method in ("reduce", "accumulate", "outer")),
    _op("ix", "{0}[jnp.ix_({1}, {2})]", _infer_mesh, _draw_mesh, 0.7),
    _op("unstack", "jnp.unstack({0})", _infer_unstack, _draw_unstack, 0.8),
)  # fmt: skip
