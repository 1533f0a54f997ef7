"""Systems of linear equations, inverses, and least squares."""

from __future__ import annotations

import math
from typing import Any

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import (
    Drawn,
    around,
    array_op,
)
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.matrices import (
    largest,
    matrix,
    positive_definite,
    require,
    right_side,
    triangular,
    vector,
    well_conditioned,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def _permutation(pivots: Var, size: int) -> Typed:
    require(pivots.aval.rank == 1, "pivots")
    return Aval("i32", (size,)), (0, size - 1)


def _solution(a: Var, b: Var, **params: Any) -> Typed:
    n = a.aval.shape[-1]
    require(a.aval.shape == (n, n) and b.aval.shape[:1] == (n,), "solve")
    return b.aval, around(largest(b) * math.sqrt(n))


def _lu_solution(lu: Var, pivots: Var, b: Var) -> Typed:
    return _solution(lu, b)


def _inverse(a: Var) -> Typed:
    return a.aval, around(1.1)


def _pinv(a: Var) -> Typed:
    *batch, rows, columns = a.aval.shape
    return Aval(a.aval.dtype, (*batch, columns, rows)), around(100.0)


def _lstsq(a: Var, b: Var) -> Typed:
    *_, rows, columns = a.aval.shape
    require(b.aval.shape[:1] == (rows,) and a.aval.rank == 2, "lstsq")
    return Aval(b.aval.dtype, (columns, *b.aval.shape[1:])), around(100.0 * largest(b))


def _tridiagonal_solution(dl: Var, d: Var, du: Var, b: Var) -> Typed:
    require(b.aval.rank == 2 and d.aval.shape == b.aval.shape[:1], "tridiagonal")
    return b.aval, around(largest(b))


def _on_safe(scope: Scope) -> Drawn:
    return (well_conditioned(scope),), {}


def _draw_solve(scope: Scope) -> Drawn:
    a = well_conditioned(scope)
    return (a, right_side(scope, a)), {}


def _draw_definite_solve(scope: Scope) -> Drawn:
    a = positive_definite(scope)
    return (a, right_side(scope, a)), {}


def _draw_with_factor(scope: Scope) -> Drawn:
    a = scope.let("cholesky", positive_definite(scope), role=scope.stream.choice(("L", "chol")))
    return (a, right_side(scope, a)), {}


def _draw_lu_solve(scope: Scope) -> Drawn:
    a = well_conditioned(scope)
    lu, pivots = scope.let_all("lu_factor", a, roles=("lu", "piv"))
    return (lu, pivots, right_side(scope, a)), {}


def _draw_pivots(scope: Scope) -> Drawn:
    a = matrix(scope)
    _, pivots = scope.let_all("lu_factor", a, roles=("lu", "pivots"))
    return (pivots,), {"size": a.aval.shape[0]}


def _draw_triangular(scope: Scope) -> Drawn:
    lower = scope.stream.chance(0.7)
    a = triangular(scope, lower=lower)
    params: dict[str, Any] = {"lower": True} if lower else {}
    if scope.stream.chance(0.25):
        params["trans"] = 1
    return (a, right_side(scope, a)), params


def _draw_triangular_lax(scope: Scope) -> Drawn:
    lower = scope.stream.chance(0.7)
    a = triangular(scope, lower=lower)
    b = right_side(scope, a)
    if b.aval.rank == 1:
        b = part_of(scope, b, slice(None), None)
    params: dict[str, Any] = {"left_side": True, "lower": lower}
    if scope.stream.chance(0.25):
        params["transpose_a"] = True
    return (a, b), params


def _draw_triangular_half(scope: Scope) -> Drawn:
    """A system in a short float format, which LAPACK has not and XLA solves itself."""
    dtype = scope.stream.choice(("bf16", "f16"))
    x = scope.pick((dtype,), needs=(-8, 8), where=lambda v: v.aval.rank == 2)
    side = min(x.aval.shape) if x else min(scope.side(), 8)
    if x is None or x.aval.shape != (side, side) or side > 16:
        side = min(side, 16)
        x = scope.input(Aval(dtype, (side, side)), scope.stream.choice(("l", "chol")))
    a = scope.let("mul", x, Literal(0.1))
    b = scope.pick((dtype,), needs=(-8, 8), where=lambda v: v.aval.shape == (side, side))
    b = b or scope.input(a.aval, "b")
    params: dict[str, Any] = {"left_side": True, "lower": True, "unit_diagonal": True}
    return (a, b), params


def _draw_triangular_complex(scope: Scope) -> Drawn:
    """A system with the conjugate of a complex matrix."""
    a = triangular(scope)
    b = right_side(scope, a)
    if b.aval.rank == 1:
        b = part_of(scope, b, slice(None), None)
    a = scope.let("complex", a, scope.let("sin", a))
    b = scope.let("complex", b, scope.let("cos", b))
    params: dict[str, Any] = {"left_side": True, "lower": True, "conjugate_a": True}
    if scope.stream.chance(0.5):
        params["transpose_a"] = True
    return (a, b), params


def _draw_tall(scope: Scope) -> Drawn:
    return (matrix(scope, tall=True),), {}


def _draw_lstsq(scope: Scope) -> Drawn:
    a = matrix(scope, tall=True)
    return (a, right_side(scope, a)), {}


def _draw_tridiagonal(scope: Scope) -> Drawn:
    x = vector(scope)
    n = x.aval.size
    lower = scope.let("tanh", x)
    upper = scope.let("sin", vector(scope, n))
    diagonal = scope.let("add", scope.let("square", vector(scope, n)), Literal(2.5))
    b = scope.pick((scope.float_dtype,), where=lambda v: v.aval.rank == 2 and v.aval.shape[0] == n)
    b = b or part_of(scope, vector(scope, n), slice(None), None)
    return (lower, diagonal, upper, b), {}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "solve", templates, draw, typed, weight, **more)


OPS = (
    _row("cho_solve", "jax.scipy.linalg.cho_solve(({0}, True), {1})", _draw_with_factor, _solution),
    _row("lu_solve", "jax.scipy.linalg.lu_solve(({0}, {1}), {2})", _draw_lu_solve, _lu_solution,
         0.7),
    _row("lu_pivots_to_permutation", "lax.linalg.lu_pivots_to_permutation({0}, {size})",
         _draw_pivots, _permutation, 0.7, reverse=False),
    _row("solve", "jnp.linalg.solve({0}, {1})", _draw_solve, _solution, 2.0),
    _row("solve_positive", 'jax.scipy.linalg.solve({0}, {1}, assume_a="pos")',
         _draw_definite_solve, _solution, 0.6),
    _row("solve_triangular", "jax.scipy.linalg.solve_triangular({0}, {1}{kw})", _draw_triangular,
         _solution, 1.2),
    _row("triangular_solve", "lax.linalg.triangular_solve({0}, {1}{kw})", _draw_triangular_lax,
         _solution),
    _row("triangular_solve_half", "lax.linalg.triangular_solve({0}, {1}{kw})",
         _draw_triangular_half, _solution, 0.5, reverse=False),
    _row("triangular_solve_complex", "lax.linalg.triangular_solve({0}, {1}{kw})",
         _draw_triangular_complex, _solution, 0.5, reverse=False),
    _row("tridiagonal_solve", "lax.linalg.tridiagonal_solve({*0})", _draw_tridiagonal,
         _tridiagonal_solution),
    _row("inv", "jnp.linalg.inv({0})", _on_safe, _inverse, 1.5),
    _row("pinv", "jnp.linalg.pinv({0})", _draw_tall, _pinv, 0.7, reverse=False),
    _row("lstsq", "jnp.linalg.lstsq({0}, {1})[0]", _draw_lstsq, _lstsq, 0.8, reverse=False),
)  # fmt: skip
