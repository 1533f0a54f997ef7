"""Numbers taken apart and compared as NumPy does it, and reductions that leave out NaN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.reductions import draw_axis, reduced_shape
from jax_ir_pairs.synthesis.ops.rows import guarded
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, Aval, Bounds

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _infer_pair(rule: Callable[[Any, Any], list[Bounds]]) -> Any:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
        x, y = operands
        if x.aval.dtype not in FLOATS or isinstance(y, Var):
            raise IllTyped("divmod")
        return [(x.aval, bounds) for bounds in rule(x, y)]

    return infer


def _draw_divmod(scope: Scope) -> Drawn:
    if (x := scope.pick((*FLOATS,), needs=(-1e3, 1e3))) is None:
        return None
    return (x, Literal(scope.stream.choice((0.5, 2.0, 3.0)))), {}


def _divided(x: Var, y: Literal) -> list[Bounds]:
    low, high = (b / y.value for b in x.bounds)
    return [(low - 1.0, high + 1.0), (0.0, y.value)]


def _infer_modf(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (x,) = operands
    if x.aval.dtype not in FLOATS:
        raise IllTyped("modf")
    return [(x.aval, (-1.0, 1.0)), (x.aval, x.bounds)]


def _infer_frexp(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (x,) = operands
    if x.aval.dtype not in ("f32", "f64"):
        raise IllTyped("frexp")
    return [(x.aval, (-1.0, 1.0)), (Aval("i32", x.aval.shape), (-150, 130))]


def _draw_float(scope: Scope) -> Drawn:
    x = guarded(scope, ("f32", "f64"), (-1e4, 1e4))
    return None if x is None else ((x,), {})


def _infer_close(total: bool) -> Any:
    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        x, y = operands
        if x.aval != y.aval or x.aval.dtype not in FLOATS:
            raise IllTyped("isclose")
        return Aval("bool", () if total else x.aval.shape), (0, 1)

    return infer


def _draw_close(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS)) is None:
        return None
    y = scope.pick(FLOATS, where=lambda v: v.aval == x.aval and v is not x)
    y = y or scope.let("round", x)
    return (x, y), {"atol": scope.stream.choice((1e-3, 1e-2, 0.1))} if scope.stream.chance(
        0.5
    ) else {}


def _infer_same(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in FLOATS:
        raise IllTyped("nan_to_num")
    return x.aval, (min(0.0, x.bounds[0]), max(0.0, x.bounds[1]))


def _draw_nan_to_num(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS)
    fill = {"nan": 0.0} if scope.stream.chance(0.4) else {}
    return None if x is None else ((x,), fill)


def _nan(name: str, weight: float = 1.0) -> Op:
    """Gives the row of a reduction that leaves out what is not a number."""

    def infer(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
        (x,) = operands
        if x.aval.dtype not in FLOATS or not x.aval.shape:
            raise IllTyped(name)
        shape = reduced_shape(x.aval.shape, params.get("axis"), False)
        low, high = x.bounds
        if name == "nansum":
            low, high = low * x.aval.size, high * x.aval.size
        elif name in ("nanstd", "nanvar"):
            width = (high - low) / 2
            low, high = 0.0, width if name == "nanstd" else width * width + 1e-6
        return Aval(x.aval.dtype, shape), (low, high)

    def draw(scope: Scope) -> Drawn:
        if (x := scope.pick(FLOATS, where=lambda v: v.aval.rank > 0)) is None:
            return None
        axis = {"axis": draw_axis(scope, x.aval.rank)} if scope.stream.chance(0.6) else {}
        return (x,), axis

    return Op(name, "numpy", spell(f"jnp.{name}({{0}}{{kw}})"), infer, draw, weight,
              reverse=name not in ("nanstd", "nanmax", "nanmin"))  # fmt: skip


def _op(name: str, template: str, infer: Any, draw: Any, weight: float, **more: Any) -> Op:
    return Op(name, "numpy", spell(template), infer, draw, weight, **more)


OPS = (
    _op("divmod", "jnp.divmod({0}, {1})", _infer_pair(_divided), _draw_divmod, 0.7,
        reverse=False),
    _op("modf", "jnp.modf({0})", _infer_modf, _draw_float, 0.5, reverse=False),
    _op("frexp", "jnp.frexp({0})", _infer_frexp, _draw_float, 0.5, reverse=False),
    _op("isclose", "jnp.isclose({0}, {1}{kw})", _infer_close(False), _draw_close, 0.7),
    _op("allclose", "jnp.allclose({0}, {1}{kw})", _infer_close(True), _draw_close, 0.6),
    _op("nan_to_num", "jnp.nan_to_num({0}{kw})", _infer_same, _draw_nan_to_num, 1.0),
    _nan("nanmean"), _nan("nansum"), _nan("nanmax"), _nan("nanmin", 0.7), _nan("nanstd", 0.6),
    _nan("nanvar", 0.5),
)  # fmt: skip
