"""What people write with `lax` itself where `jax.numpy` would do: select, clamp, iota, split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.rows import guarded, spread
from jax_ir_pairs.synthesis.scope import Scope, literal_for
from jax_ir_pairs.synthesis.types import (
    ANYTHING,
    FLOATS,
    INTEGERS,
    NUMBERS,
    Aval,
    Bounds,
)

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _twin(scope: Scope, x: Var) -> Var | None:
    """Gives another value of the aval of `x`."""
    found = scope.pick(NUMBERS, where=lambda v: v.aval == x.aval and v is not x)
    if found is None and x.aval.dtype in FLOATS:
        found = scope.let(scope.stream.choice(("tanh", "negative", "sin")), x)
    return found


def _infer_select(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    mask, x, y = operands
    if mask.aval != Aval("bool", x.aval.shape) or x.aval != y.aval:
        raise IllTyped("select")
    return x.aval, spread(x.bounds, y.bounds)


def _draw_select(scope: Scope) -> Drawn:
    if (x := scope.pick(NUMBERS)) is None or (y := _twin(scope, x)) is None:
        return None
    mask = scope.let("greater", x, literal_for(x, scope.stream))
    return (mask, x, y), {}


def _infer_select_n(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    which, *cases = operands
    shape = cases[0].aval.shape
    few = which.aval.dtype == "i32" and 0 <= which.bounds[0] <= which.bounds[1] < len(cases)
    if which.aval.shape not in ((), shape) or any(c.aval != cases[0].aval for c in cases):
        raise IllTyped("select_n")
    if not few and not (which.aval.dtype == "bool" and len(cases) == 2):
        raise IllTyped("select_n")
    low = min(c.bounds[0] for c in cases)
    return cases[0].aval, (low, max(c.bounds[1] for c in cases))


def _draw_select_n(scope: Scope) -> Drawn:
    if (x := scope.pick(FLOATS)) is None:
        return None
    cases = [x, *(scope.let(name, x) for name in scope.stream.sample(("tanh", "abs", "sin"), 2))]
    which = scope.pick(("i32",), where=lambda v: v.aval.shape in ((), x.aval.shape))
    if which is None:
        which = scope.input(Aval("i32"), "which", (0, 3))
    which = scope.let("clip", which, low=0, high=2)
    return (which, *cases), {}


def _infer_clamp(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), low, high = operands, params["low"], params["high"]
    if x.aval.dtype not in ("f32", "f64"):
        raise IllTyped("clamp")
    return x.aval, (min(max(x.bounds[0], low), high), max(min(x.bounds[1], high), low))


def _draw_clamp(scope: Scope) -> Drawn:
    if (x := scope.pick((scope.float_dtype,))) is None:
        return None
    low, high = scope.stream.choice(((-1.0, 1.0), (0.0, 1.0), (-2.0, 2.0), (0.0, 6.0)))
    return (x,), {"low": low, "high": high}


def _infer_rem(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    if x.aval != y.aval or y.bounds[0] <= 0 or x.aval.dtype not in (*FLOATS, "i32", "i64"):
        raise IllTyped("rem")
    return x.aval, (min(x.bounds[0], 0), max(x.bounds[1], 0))


def _draw_rem(scope: Scope) -> Drawn:
    y = guarded(scope, FLOATS, (0.1, math.inf))
    if y is None or (x := _twin(scope, y)) is None:
        return None
    return (x, y), {}


def _infer_power(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,), y = operands, params["y"]
    if x.aval.dtype not in FLOATS:
        raise IllTyped("integer_pow")
    edge = max(map(abs, x.bounds)) ** y
    return x.aval, (0.0 if y % 2 == 0 else -edge, edge)


def _draw_power(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS)
    return None if x is None else ((x,), {"y": scope.stream.choice((2, 3, 3, 4, 5))})


def _infer_shift(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    x, y = operands
    if x.aval != y.aval or x.aval.dtype not in INTEGERS or y.bounds[0] < 0 or y.bounds[1] > 7:
        raise IllTyped("shift")
    return x.aval, ANYTHING


def _draw_shift(scope: Scope) -> Drawn:
    if (x := scope.pick(INTEGERS)) is None:
        return None
    amount = scope.let("full_like", x, value=scope.stream.choice((1, 2, 3)))
    return (x, amount), {}


_REDUCERS: tuple[tuple[str, str, Bounds], ...] = (
    ("lax.add", "0.0", ANYTHING),
    ("lax.max", "-jnp.inf", ANYTHING),
    ("lax.min", "jnp.inf", ANYTHING),
    ("lax.mul", "1.0", (-1.3, 1.3)),
    ("lambda a, b: jnp.maximum(jnp.abs(a), jnp.abs(b))", "0.0", ANYTHING),
    ("lambda a, b: jnp.sqrt(a * a + b * b)", "0.0", (-1e3, 1e3)),
    ("lambda a, b: jnp.where(jnp.abs(a) > jnp.abs(b), a, b)", "0.0", ANYTHING),
    ("lambda a, b: a + b - a * b", "0.0", (0.0, 1.0)),
    ("jnp.logaddexp", "-jnp.inf", (-1e3, 1e3)),
)
"""How two elements become one, what starts it, and the bounds that it needs."""


def _infer_reduce(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (x,) = operands
    if x.aval.dtype not in ("f32", "f64") or max(params["dimensions"]) >= x.aval.rank:
        raise IllTyped("reduce")
    gone = params["dimensions"]
    shape = tuple(side for place, side in enumerate(x.aval.shape) if place not in gone)
    count = x.aval.size // math.prod(shape)
    edge = max(1.0, *map(abs, x.bounds))
    edge = edge**count if params["computation"].text == "lax.mul" else edge * count
    return Aval(x.aval.dtype, shape), (-edge, edge)


def _draw_reduce(scope: Scope) -> Drawn:
    computation, init, needs = scope.stream.choice(_REDUCERS)
    x = scope.pick((scope.float_dtype,), needs=needs, where=lambda v: 0 < v.aval.rank < 4)
    if x is None:
        return None
    last = x.aval.rank - 1
    gone = scope.stream.choice(((0,), (last,), tuple(range(x.aval.rank))))
    return (x,), {
        "init": Code(init), "computation": Code(computation), "dimensions": gone,
    }  # fmt: skip


def _infer_bits(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    (state,) = operands
    if state.aval != Aval("u32", (4,)):
        raise IllTyped("rng_bit_generator")
    return [(state.aval, ANYTHING), (Aval("u32", params["shape"]), ANYTHING)]


def _draw_bits(scope: Scope) -> Drawn:
    state = scope.input(Aval("u32", (4,)), "rng_state")
    shape = tuple(scope.side() for _ in range(scope.stream.integer(1, 2)))
    algorithm = scope.stream.choice(("DEFAULT", "PHILOX"))
    chosen = {"algorithm": Code(f"lax.RandomAlgorithm.RNG_{algorithm}")}
    return (state,), {"shape": shape, **({} if scope.stream.chance(0.5) else chosen)}


def _op(name: str, template: str, infer: Any, draw: Any, weight: float, **more: Any) -> Op:
    return Op(name, "lax", spell(f"lax.{template}"), infer, draw, weight, **more)


OPS = (
    _op("lax_select", "select({0}, {1}, {2})", _infer_select, _draw_select, 1.0),
    _op("select_n", "select_n({*0})", _infer_select_n, _draw_select_n, 1.0),
    _op("clamp", "clamp({low}, {0}, {high})", _infer_clamp, _draw_clamp, 1.0),
    _op("lax_rem", "rem({0}, {1})", _infer_rem, _draw_rem, 0.7),
    _op("integer_pow", "integer_pow({0}, {y})", _infer_power, _draw_power, 0.7),
    _op("lax_shift_left", "shift_left({0}, {1})", _infer_shift, _draw_shift, 0.5),
    _op("shift_right_logical", "shift_right_logical({0}, {1})", _infer_shift, _draw_shift, 0.7),
    _op("shift_right_arithmetic", "shift_right_arithmetic({0}, {1})", _infer_shift, _draw_shift,
        0.7),
    _op("lax_reduce", "reduce({0}, {init}, {computation}, {dimensions})", _infer_reduce,
        _draw_reduce, 1.2, reverse=False),
    _op("rng_bit_generator", "rng_bit_generator({0}, {shape}{kw})", _infer_bits, _draw_bits, 0.6,
        reverse=False),
)  # fmt: skip
