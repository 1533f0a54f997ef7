"""Draws of `jax.random` from arrays and into arrays of their own shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Literal, Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.ops.distributions import draw_shape
from jax_ir_pairs.synthesis.ops.keys import fresh, is_key
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import FLOATS, MOVABLE, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None


def _keyed(operands: Sequence[Any]) -> None:
    if not is_key(operands[0]):
        raise IllTyped("no key")


def probabilities(scope: Scope, count: int | None = None) -> Var:
    """Gives a vector of probabilities: a softmax of logits."""

    def fits(var: Var) -> bool:
        return var.aval.rank == 1 and var.aval.shape[0] > 1 and count in (None, var.aval.shape[0])

    logits = scope.pick((scope.float_dtype,), where=fits)
    if logits is None:
        logits = scope.input(Aval(scope.float_dtype, (count or scope.side(),)), "logits")
    return scope.let("softmax", logits, axis=-1, role="probs")


def _infer_randint(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    bounds = (params["minval"], params["maxval"] - 1)
    return Aval(params.get("dtype", "i32"), params["shape"]), bounds


def _draw_randint(scope: Scope) -> Drawn:
    low, high = scope.stream.choice(((0, 10), (0, 2), (0, 100), (-5, 6), (1, 7), (0, 64)))
    params = {"shape": draw_shape(scope), "minval": low, "maxval": high}
    if low >= 0 and scope.stream.chance(0.2):
        params["dtype"] = scope.stream.choice(("u8", "i8", "i16", "u16"))
    return (fresh(scope),), params


def _rows(scope: Scope) -> Var | None:
    return scope.pick(FLOATS, where=lambda v: 0 < v.aval.rank < 4 and v.aval.shape[-1] > 1)


def _infer_categorical(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    logits = operands[1]
    if logits.aval.dtype not in FLOATS or not logits.aval.shape:
        raise IllTyped("categorical")
    shape = logits.aval.shape[:-1]
    if "shape" in params:
        shape = params["shape"]
        if logits.aval.rank != 1 or (params.get("replace") is False and (
                shape[-1] > logits.aval.shape[-1] or len(shape) != 1)):  # fmt: skip
            raise IllTyped("categorical")
    return Aval("i32", shape), (0, logits.aval.shape[-1] - 1)


def _draw_categorical(scope: Scope) -> Drawn:
    if (logits := _rows(scope)) is None:
        return None
    params: dict[str, Any] = {}
    if logits.aval.rank == 1 and scope.stream.chance(0.5):
        params["shape"] = (scope.side(),)
    elif scope.stream.chance(0.3):
        params["axis"] = -1
    return (fresh(scope), logits), params


def _draw_without_replacement(scope: Scope) -> Drawn:
    logits = scope.pick(FLOATS, where=lambda v: v.aval.rank == 1 and v.aval.size > 2)
    if logits is None:
        return None
    shape = (scope.stream.integer(1, logits.aval.shape[0] - 1),)
    return (fresh(scope), logits), {"shape": shape, "replace": False}


def _infer_dirichlet(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    alpha = operands[1]
    low, high = alpha.bounds
    if alpha.aval.dtype not in FLOATS or alpha.aval.rank != 1 or not 0.1 <= low <= high <= 50.0:
        raise IllTyped("dirichlet")
    return Aval("f32", (*params.get("shape", ()), *alpha.aval.shape)), (0.0, 1.0)


def _draw_dirichlet(scope: Scope) -> Drawn:
    if scope.stream.chance(0.4):
        alpha = scope.let("ones", shape=(scope.stream.choice((2, 3, 4, 5, 8)),), role="alpha")
    else:
        x = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 1, needs=(-30, 30))
        if x is None:
            return None
        alpha = scope.let("add", scope.let("sigmoid", x), Literal(0.5), role="alpha")
    shape = {"shape": (scope.side(),)} if scope.stream.chance(0.4) else {}
    return (fresh(scope), alpha), shape


def _infer_multinomial(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    probs = operands[1]
    if probs.aval.dtype not in FLOATS or probs.aval.rank != 1:
        raise IllTyped("multinomial")
    return Aval("f32", probs.aval.shape), (0.0, params["n"])


def _draw_multinomial(scope: Scope) -> Drawn:
    probs = probabilities(scope)
    return (fresh(scope), probs), {"n": scope.stream.choice((5, 10, 20, 100))}


def _infer_choice_of_range(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    n, shape = params["n"], params["shape"]
    if params.get("replace") is False and math.prod(shape) > n:
        raise IllTyped("choice")
    if len(operands) > 1:
        raise IllTyped("choice")
    return Aval("i32", shape), (0, n - 1)


def _draw_choice_of_range(scope: Scope) -> Drawn:
    n = scope.stream.choice((5, 10, 16, 32, 100))
    params: dict[str, Any] = {"n": n, "shape": (scope.stream.integer(2, min(n, 16)),)}
    if params["shape"][0] <= n and scope.stream.chance(0.5):
        params["replace"] = False
    return (fresh(scope),), params


def _infer_choice(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    x, *rest = operands[1:]
    if x.aval.dtype not in MOVABLE or not x.aval.shape:
        raise IllTyped("choice")
    count, shape = x.aval.shape[0], params["shape"]
    if rest and rest[0].aval.shape != (count,):
        raise IllTyped("choice of other probabilities")
    if params.get("replace") is False and math.prod(shape) > count:
        raise IllTyped("choice")
    return Aval(x.aval.dtype, (*shape, *x.aval.shape[1:])), x.bounds


def _draw_choice(scope: Scope) -> Drawn:
    x = scope.pick(FLOATS, where=lambda v: 0 < v.aval.rank < 3 and v.aval.shape[0] > 2)
    if x is None:
        return None
    params: dict[str, Any] = {"shape": (scope.stream.integer(1, x.aval.shape[0] - 1),)}
    if scope.stream.chance(0.5):
        params["replace"] = False
    return (fresh(scope), x), params


def _draw_weighted_choice(scope: Scope) -> Drawn:
    if (drawn := _draw_choice(scope)) is None:
        return None
    (key, x), params = drawn
    assert isinstance(x, Var)
    return (key, x, probabilities(scope, x.aval.shape[0])), params


def _infer_permutation(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    x = operands[1]
    if x.aval.dtype not in MOVABLE or x.aval.rank <= params.get("axis", 0):
        raise IllTyped("permutation")
    return x.aval, x.bounds


def _draw_permutation(scope: Scope) -> Drawn:
    x = scope.pick(MOVABLE, where=lambda v: v.aval.rank > 0 and v.aval.shape[0] > 1)
    if x is None:
        return None
    params: dict[str, Any] = {}
    if x.aval.rank > 1 and scope.stream.chance(0.4):
        params["axis"] = 1
        if scope.stream.chance(0.5):
            params["independent"] = True
    return (fresh(scope), x), params


def _infer_permuted_range(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    return Aval("i32", (params["n"],)), (0, params["n"] - 1)


def _infer_orthogonal(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    return Aval("f32", (*params.get("shape", ()), params["n"], params["n"])), (-1.0, 1.0)


def _draw_orthogonal(scope: Scope) -> Drawn:
    shape = {"shape": (scope.stream.choice((2, 3, 4)),)} if scope.stream.chance(0.25) else {}
    return (fresh(scope),), {"n": scope.stream.choice((2, 3, 4, 8, 16)), **shape}


def _infer_ball(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    return Aval("f32", (*params.get("shape", ()), params["d"])), (-1.0, 1.0)


def _draw_ball(scope: Scope) -> Drawn:
    params: dict[str, Any] = {"d": scope.stream.choice((2, 3, 4))}
    if scope.stream.chance(0.3):
        params["p"] = scope.stream.choice((1, 3))
    if scope.stream.chance(0.7):
        params["shape"] = (scope.side(),)
    return (fresh(scope),), params


def _infer_multivariate(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    _keyed(operands)
    mean, cov = operands[1:]
    side = cov.aval.shape[-1]
    if mean.aval.shape != (side,) or cov.aval.shape != (side, side):
        raise IllTyped("multivariate_normal")
    edge = 6.0 * math.sqrt(max(abs(cov.bounds[0]), abs(cov.bounds[1])) * side) + 1.0
    return Aval("f32", (*params.get("shape", ()), side)), (
        mean.bounds[0] - edge,
        mean.bounds[1] + edge,
    )


def covariance(scope: Scope, side: int) -> Var:
    """Gives a covariance matrix, as people make one out of any square matrix."""
    eye = scope.let("eye", n=side)
    if scope.stream.chance(0.4):
        return scope.let("mul", eye, Literal(scope.stream.choice((0.1, 0.5, 2.0))))
    a = scope.input(Aval(scope.float_dtype, (side, side)), "a")
    square = scope.let("matmul", a, scope.let("matrix_transpose", a))
    return scope.let("add", square, eye, role="cov")


def _draw_multivariate(scope: Scope) -> Drawn:
    mean = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 1 and v.aval.size <= 16)
    if mean is None:
        mean = scope.let("zeros", shape=(scope.stream.choice((2, 3, 4)),), role="mean")
    cov = covariance(scope, mean.aval.shape[0])
    params: dict[str, Any] = {"shape": (scope.side(),)} if scope.stream.chance(0.5) else {}
    if scope.stream.chance(0.25):
        params["method"] = Code(scope.stream.choice(('"eigh"', '"svd"')))
    return (fresh(scope), mean, cov), params


def _op(name: str, infer: Any, draw: Any, template: str, weight: float, widens: Any = "all") -> Op:
    return Op(f"random_{name}", "random", spell(f"jax.random.{template}"), infer, draw, weight,
              widens=widens)  # fmt: skip


DRAWN = (
    _op("randint", _infer_randint, _draw_randint,
        "randint({0}, {shape}, {minval}, {maxval}{kw})", 2.0),
    _op("categorical", _infer_categorical, _draw_categorical, "categorical({0}, {1}{kw})", 2.0),
    _op("categorical_distinct", _infer_categorical, _draw_without_replacement,
        "categorical({0}, {1}{kw})", 0.6, widens=""),
    _op("dirichlet", _infer_dirichlet, _draw_dirichlet, "dirichlet({0}, {1}{kw})", 1.0),
    _op("multinomial", _infer_multinomial, _draw_multinomial, "multinomial({0}, {n}, {1})", 0.6),
    _op("choice_of_range", _infer_choice_of_range, _draw_choice_of_range,
        "choice({0}, {n}, {shape}{kw})", 0.8),
    _op("choice", _infer_choice, _draw_choice, "choice({0}, {1}, {shape}{kw})", 1.0, widens=""),
    _op("weighted_choice", _infer_choice, _draw_weighted_choice,
        "choice({0}, {1}, {shape}, p={2}{kw})", 0.6, widens=""),
    _op("permutation", _infer_permutation, _draw_permutation, "permutation({0}, {1}{kw})", 1.0,
        widens=""),
    _op("permuted_range", _infer_permuted_range,
        lambda scope: ((fresh(scope),), {"n": scope.side()}), "permutation({0}, {n})", 0.7),
    _op("orthogonal", _infer_orthogonal, _draw_orthogonal, "orthogonal({0}, {n}{kw})", 0.6),
    _op("ball", _infer_ball, _draw_ball, "ball({0}, {d}{kw})", 0.7),
    _op("multivariate_normal", _infer_multivariate, _draw_multivariate,
        "multivariate_normal({0}, {1}, {2}{kw})", 0.8),
)  # fmt: skip

OPS = DRAWN
