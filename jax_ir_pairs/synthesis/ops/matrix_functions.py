"""Functions of matrices: determinants, powers, norms, products."""

from __future__ import annotations

import math
from typing import Any

from jax_ir_pairs.synthesis.graph import Code, Literal, Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import Drawn, around, array_op
from jax_ir_pairs.synthesis.ops.contractions import product_bounds
from jax_ir_pairs.synthesis.ops.matrices import (
    calm,
    largest,
    matrix,
    positive_definite,
    require,
    vector,
    well_conditioned,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_SMALL = 8
"""Longest side where a result grows with the power of it."""


def _det(a: Var) -> Typed:
    n = a.aval.shape[-1]
    return a.aval.with_shape(*a.aval.shape[:-2]), around((largest(a) * math.sqrt(n)) ** n)


def _slogdet(a: Var) -> list[Typed]:
    n, batch = a.aval.shape[-1], a.aval.shape[:-2]
    edge = n * math.log(largest(a) * n + 2)
    return [(a.aval.with_shape(*batch), (-1.0, 1.0)), (a.aval.with_shape(*batch), around(edge))]


def _power(a: Var, n: int) -> Typed:
    side = a.aval.shape[-1]
    if n < 0:
        return a.aval, around(1.2)
    return a.aval, around((largest(a) * side) ** n / side)


def _expm(a: Var) -> Typed:
    return a.aval, around(math.exp(largest(a) * a.aval.shape[-1]) + 1.0)


def _trace(a: Var) -> Typed:
    require(a.aval.rank >= 2, "trace")
    n = min(a.aval.shape[:2])
    return a.aval.with_shape(*a.aval.shape[2:]), around(largest(a) * n)


def _kron(a: Var, b: Var) -> Typed:
    require(a.aval.rank == b.aval.rank and a.aval.dtype == b.aval.dtype, "kron")
    sides = (x * y for x, y in zip(a.aval.shape, b.aval.shape, strict=True))
    return Aval(a.aval.dtype, tuple(sides)), product_bounds(a, b, 1)


def _cross(a: Var, b: Var) -> Typed:
    require(a.aval == b.aval and a.aval.shape[-1:] == (3,), "cross")
    return a.aval, around(2 * largest(a) * largest(b))


def _vecdot(a: Var, b: Var) -> Typed:
    require(a.aval == b.aval and a.aval.rank > 0, "vecdot")
    return a.aval.with_shape(*a.aval.shape[:-1]), product_bounds(a, b, a.aval.shape[-1])


def _inner(a: Var, b: Var) -> Typed:
    require(a.aval.dtype == b.aval.dtype and a.aval.shape[-1:] == b.aval.shape[-1:], "inner")
    sides = (*a.aval.shape[:-1], *b.aval.shape[:-1])
    return Aval(a.aval.dtype, sides), product_bounds(a, b, a.aval.shape[-1])


def _tensordot(a: Var, b: Var, axes: int) -> Typed:
    shared = a.aval.shape[a.aval.rank - axes :]
    require(a.aval.dtype == b.aval.dtype and b.aval.shape[:axes] == shared, "tensordot")
    sides = (*a.aval.shape[: a.aval.rank - axes], *b.aval.shape[axes:])
    return Aval(a.aval.dtype, sides), product_bounds(a, b, math.prod(shared))


def _multi_dot(matrices: tuple[Var, ...]) -> Typed:
    first, last, edge = matrices[0], matrices[-1], 1.0
    for a in matrices:
        edge *= largest(a) * math.sqrt(a.aval.shape[0])
    return Aval(first.aval.dtype, (first.aval.shape[0], last.aval.shape[1])), around(edge)


def _matvec(a: Var, b: Var) -> Typed:
    require(a.aval.dtype == b.aval.dtype and b.aval.shape == a.aval.shape[1:], "matvec")
    return a.aval.with_shape(a.aval.shape[0]), product_bounds(a, b, b.aval.size)


def _matrix_norm(a: Var, **params: Any) -> Typed:
    n = math.prod(a.aval.shape[-2:])
    return a.aval.with_shape(*a.aval.shape[:-2]), (0.0, largest(a) * n)


def _vector_norm(a: Var, **params: Any) -> Typed:
    shape = a.aval.shape[:-1] if "axis" in params else ()
    return a.aval.with_shape(*shape), (0.0, largest(a) * a.aval.size)


def _condition(a: Var) -> Typed:
    return a.aval.with_shape(*a.aval.shape[:-2]), (0.0, largest(a) * a.aval.shape[-1] + 2.0)


def _rank(a: Var) -> Typed:
    return Aval("i32", a.aval.shape[:-2]), (0, min(a.aval.shape[-2:]))


def _symmetric_product(a: Var, c: Var) -> Typed:
    n, k = a.aval.shape
    require(c.aval.shape == (n, n) and a.aval.dtype == c.aval.dtype, "symmetric_product")
    return c.aval, around(largest(a) ** 2 * k + largest(c))


def _unit_matrix(scope: Scope, most: int = _SMALL) -> Var:
    return calm(scope, matrix(scope, square=True, batched=True, most=most), 1.0)


def _draw_det(scope: Scope) -> Drawn:
    return (_unit_matrix(scope),), {}


def _draw_safe(scope: Scope) -> Drawn:
    return (well_conditioned(scope),), {}


def _draw_power(scope: Scope) -> Drawn:
    if scope.stream.chance(0.2):
        return (well_conditioned(scope),), {"n": scope.stream.choice((-1, -2))}
    return (_unit_matrix(scope, 16),), {"n": scope.stream.choice((2, 3, 3))}


def _draw_expm(scope: Scope) -> Drawn:
    a = _unit_matrix(scope)
    return (scope.let("mul", Literal(scope.stream.choice((0.1, 0.25, 0.5))), a),), {}


def _draw_matrix(scope: Scope) -> Drawn:
    return (matrix(scope, batched=True),), {}


def _draw_square(scope: Scope) -> Drawn:
    return (matrix(scope, square=True),), {}


def _draw_kron(scope: Scope) -> Drawn:
    a = matrix(scope, most=_SMALL)
    b = scope.let("eye", n=2) if scope.stream.chance(0.4) else matrix(scope, most=_SMALL)
    return ((a, b) if scope.stream.chance(0.5) else (b, a)), {}


def _draw_cross(scope: Scope) -> Drawn:
    own = (scope.float_dtype,)
    a = scope.pick(own, where=lambda v: v.aval.shape[-1:] == (3,) and v.aval.rank < 3)
    a = a or scope.input(Aval(scope.float_dtype, (3,)), scope.stream.choice(("r", "p", "axis")))
    b = scope.pick(own, where=lambda v: v.aval == a.aval and v is not a)
    return (calm(scope, a), calm(scope, b or scope.input(a.aval, "q"))), {}


def _draw_alike(scope: Scope) -> Drawn:
    a = scope.pick((scope.float_dtype, "bf16"), where=lambda v: 0 < v.aval.rank < 4)
    if a is None:
        return None
    b = scope.pick((a.aval.dtype,), where=lambda v: v.aval == a.aval and v is not a)
    return (calm(scope, a), calm(scope, b or scope.input(a.aval, "y"))), {}


def _draw_inner(scope: Scope) -> Drawn:
    a = matrix(scope)
    b = scope.pick(where=lambda v: v.aval.dtype == a.aval.dtype and 0 < v.aval.rank < 3
                   and v.aval.shape[-1] == a.aval.shape[-1])  # fmt: skip
    return (a, calm(scope, b or a)), {}


def _draw_tensordot(scope: Scope) -> Drawn:
    a = scope.pick((scope.float_dtype,), where=lambda v: 1 < v.aval.rank < 4)
    if a is None:
        return None
    axes = scope.stream.choice((1, 2)) if a.aval.rank > 2 else 1
    shared = a.aval.shape[a.aval.rank - axes :]
    b = scope.pick(
        (a.aval.dtype,), where=lambda v: v.aval.rank >= axes and v.aval.shape[:axes] == shared
    )
    b = b or scope.input(Aval(a.aval.dtype, (*shared, scope.side())), "w")
    return (calm(scope, a), calm(scope, b)), {"axes": axes}


def _draw_chain(scope: Scope) -> Drawn:
    a = calm(scope, matrix(scope), 4.0)
    rows = a.aval.shape[1]
    fits = scope.pick((a.aval.dtype,), where=lambda v: v.aval.rank == 2 and v.aval.shape[0] == rows)
    b = fits or scope.input(Aval(a.aval.dtype, (rows, scope.stream.choice((2, 3, 5)))), "b")
    last = scope.let("matrix_transpose", b)
    return ((a, calm(scope, b, 4.0), calm(scope, last, 4.0)),), {}


def _draw_matvec(scope: Scope) -> Drawn:
    a = matrix(scope)
    return (a, vector(scope, a.aval.shape[1])), {}


def _draw_matrix_norm(scope: Scope) -> Drawn:
    order: Any = scope.stream.choice(("fro", "nuc", 1, 2, Code("jnp.inf"), -2))
    if scope.reverse and order in ("nuc", 2, -2):
        order = "fro"
    return (matrix(scope, batched=True),), {"ord": order}


def _draw_vector_norm(scope: Scope) -> Drawn:
    a = scope.pick((scope.float_dtype,), where=lambda v: 0 < v.aval.rank < 4)
    if a is None:
        return None
    params: dict[str, Any] = {"ord": scope.stream.choice((1, 3, Code("jnp.inf"), 2))}
    return (calm(scope, a),), params | ({"axis": -1} if scope.stream.chance(0.6) else {})


def _draw_symmetric_product(scope: Scope) -> Drawn:
    c = positive_definite(scope)
    n = c.aval.shape[0]
    a = scope.pick((c.aval.dtype,), where=lambda v: v.aval.rank == 2 and v.aval.shape[0] == n)
    return (calm(scope, a or scope.let("eye", n=n)), c), {}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "matrix", templates, draw, typed, weight, **more)


OPS = (
    _row("det", "jnp.linalg.det({0})", _draw_det, _det, reverse=False, forward=False),
    _row("slogdet", "jnp.linalg.slogdet({0})", _draw_safe, _slogdet),
    _row("matrix_power", "jnp.linalg.matrix_power({0}, {n})", _draw_power, _power),
    _row("expm", "jax.scipy.linalg.expm({0})", _draw_expm, _expm, 0.6),
    _row("trace", ("jnp.trace({0})",), _draw_square, _trace, 1.2),
    _row("kron", "jnp.kron({0}, {1})", _draw_kron, _kron),
    _row("cross", "jnp.cross({0}, {1})", _draw_cross, _cross),
    _row("vecdot", ("jnp.vecdot({0}, {1})",), _draw_alike, _vecdot),
    _row("inner", "jnp.inner({0}, {1})", _draw_inner, _inner),
    _row("dot", "jnp.dot({0}, {1})", _draw_matvec, _matvec),
    _row("tensordot", "jnp.tensordot({0}, {1}, axes={axes})", _draw_tensordot, _tensordot),
    _row("multi_dot", "jnp.linalg.multi_dot([{0}])", _draw_chain, _multi_dot),
    _row("matvec", "jnp.matvec({0}, {1})", _draw_matvec, _matvec, 0.6),
    _row("matrix_norm", "jnp.linalg.matrix_norm({0}{kw})", _draw_matrix_norm, _matrix_norm,
         reverse=False, forward=False),
    _row("vector_norm", "jnp.linalg.vector_norm({0}{kw})", _draw_vector_norm, _vector_norm,
         reverse=False, forward=False),
    _row("cond_number", "jnp.linalg.cond({0})", _draw_safe, _condition, 0.6, reverse=False),
    _row("matrix_rank", "jnp.linalg.matrix_rank({0})", _draw_matrix, _rank, 0.6, reverse=False,
         widens="all"),
    _row("symmetric_product", "lax.linalg.symmetric_product({0}, {1}, symmetrize_output=True)",
         _draw_symmetric_product, _symmetric_product, reverse=False, forward=False),
)  # fmt: skip
