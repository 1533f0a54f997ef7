"""Factorizations and eigenvalues of matrices."""

from __future__ import annotations

import math
from typing import Any

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import (
    COMPLEX_OF,
    Drawn,
    alike,
    around,
    array_op,
)
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.matrices import (
    largest,
    matrix,
    positive_definite,
    require,
    symmetric,
    vector,
    well_conditioned,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_UNIT = (-1.0, 1.0)
Results = list[Typed]


def _thin(a: Var) -> tuple[tuple[int, ...], int, int, int]:
    """Gives the batch sides, rows, columns, and the lesser of the two."""
    require(a.aval.rank >= 2, "not a matrix")
    *batch, rows, columns = a.aval.shape
    return tuple(batch), rows, columns, min(rows, columns)


def _square(a: Var) -> int:
    _, rows, columns, _ = _thin(a)
    require(rows == columns, "not square")
    return rows


def _qr(a: Var, mode: str = "reduced") -> Results:
    batch, rows, columns, least = _thin(a)
    inner = rows if mode == "complete" else least
    edge = around(largest(a) * math.sqrt(rows))
    return alike(a.aval.dtype, ((*batch, rows, inner), _UNIT), ((*batch, inner, columns), edge))


def _qr_pivoted(a: Var, **params: Any) -> Results:
    _, _, columns, _ = _thin(a)
    require(a.aval.rank == 2, "pivots of a stack")
    return [*_qr(a), (Aval("i32", (columns,)), (0, columns - 1))]


def _svd(a: Var, full_matrices: bool) -> Results:
    batch, rows, columns, least = _thin(a)
    left = rows if full_matrices else least
    right = columns if full_matrices else least
    scale = (0.0, largest(a) * math.sqrt(rows * columns))
    return alike(
        a.aval.dtype,
        ((*batch, rows, left), _UNIT),
        ((*batch, least), scale),
        ((*batch, right, columns), _UNIT),
    )


def _eigh(a: Var) -> Results:
    n = _square(a)
    edge = around(largest(a) * n)
    return alike(a.aval.dtype, (a.aval.shape[:-1], edge), (a.aval.shape, _UNIT))


def _eig(a: Var) -> Results:
    n = _square(a)
    require(a.aval.dtype in COMPLEX_OF, "eig")
    edge = around(largest(a) * n)
    dtype = COMPLEX_OF[a.aval.dtype]
    return alike(dtype, (a.aval.shape[:-1], edge), (a.aval.shape, _UNIT))


def _cholesky(a: Var, **params: Any) -> Typed:
    _square(a)
    return a.aval, around(math.sqrt(largest(a)) + 0.1)


def _lu(a: Var) -> Results:
    _, rows, columns, least = _thin(a)
    growth = around(largest(a) * rows)
    return alike(a.aval.dtype, ((rows, rows), (0.0, 1.0)), ((rows, least), _UNIT),
                 ((least, columns), growth))  # fmt: skip


def _lu_factor(a: Var) -> Results:
    batch, rows, _, least = _thin(a)
    return [
        (a.aval, around(max(1.0, largest(a) * rows))),
        (Aval("i32", (*batch, least)), (0, rows - 1)),
    ]


def _lax_lu(a: Var) -> Results:
    batch, rows, _, _ = _thin(a)
    return [*_lu_factor(a), (Aval("i32", (*batch, rows)), (0, rows - 1))]


def _hessenberg(a: Var) -> Results:
    n = _square(a)
    edge = around(largest(a) * n)
    return alike(a.aval.dtype, (a.aval.shape, edge), ((*a.aval.shape[:-2], n - 1), (0.0, 2.0)))


def _hessenberg_alone(a: Var) -> Typed:
    return a.aval, around(largest(a) * _square(a))


def _reflected(v: Var, taus: Var, c: Var | None = None, **params: Any) -> Typed:
    if c is None:
        return v.aval, _UNIT
    return c.aval, around(largest(c) * math.sqrt(v.aval.shape[0]))


def _schur(a: Var) -> Results:
    n = _square(a)
    return alike(a.aval.dtype, (a.aval.shape, around(largest(a) * n)), (a.aval.shape, _UNIT))


def _tridiagonal(a: Var) -> Results:
    n = _square(a)
    edge, batch = around(largest(a) * n), a.aval.shape[:-2]
    return alike(a.aval.dtype, (a.aval.shape, edge), ((*batch, n), edge), ((*batch, n - 1), edge),
                 ((*batch, n - 1), (0.0, 2.0)))  # fmt: skip


def _updated(r: Var, w: Var) -> Typed:
    require(r.aval.shape == w.aval.shape * 2, "cholesky_update")
    return r.aval, around(math.hypot(largest(r), largest(w)) * math.sqrt(w.aval.size))


def _qr_multiply(a: Var, c: Var, **params: Any) -> Results:
    _, rows, columns, _ = _thin(a)
    require(rows >= columns and c.aval.shape[1:] == (rows,), "qr_multiply")
    edge = around(largest(c) * math.sqrt(rows))
    product = (Aval(c.aval.dtype, (c.aval.shape[0], columns)), edge)
    r = (Aval(a.aval.dtype, (columns, columns)), around(largest(a) * math.sqrt(rows)))
    return [product, r, *([_qr_pivoted(a)[2]] if params.get("pivoting") else [])]


def _on_matrix(scope: Scope) -> Drawn:
    return (matrix(scope, batched=True),), {}


def _on_one(scope: Scope) -> Drawn:
    return (matrix(scope),), {}


def _on_square(scope: Scope) -> Drawn:
    return (matrix(scope, square=True, batched=True),), {}


def _on_symmetric(scope: Scope) -> Drawn:
    return (symmetric(scope),), {}


def _on_definite(scope: Scope) -> Drawn:
    return (positive_definite(scope),), {}


def _on_safe(scope: Scope) -> Drawn:
    return (well_conditioned(scope),), {}


def _draw_qr(scope: Scope) -> Drawn:
    params = {"mode": "complete"} if scope.stream.chance(0.2) else {}
    return (matrix(scope, batched=True),), params


def _draw_svd(scope: Scope) -> Drawn:
    return (matrix(scope, batched=True),), {"full_matrices": scope.stream.chance(0.15)}


def _reflectors(scope: Scope) -> tuple[Var, Var]:
    a = matrix(scope, square=True)
    require(a.aval.shape[0] > 2, "reflectors")
    h, taus = scope.let_all("hessenberg", a, roles=("h", "taus"))
    return part_of(scope, h, slice(1, None), slice(None, -1)), taus


def _draw_product(scope: Scope) -> Drawn:
    return _reflectors(scope), {}


def _draw_ormqr(scope: Scope) -> Drawn:
    v, taus = _reflectors(scope)
    c = scope.input(Aval(v.aval.dtype, (v.aval.shape[0], scope.stream.choice((2, 3, 4)))), "c")
    return (v, taus, c), {"transpose": True} if scope.stream.chance(0.4) else {}


def _draw_update(scope: Scope) -> Drawn:
    if scope.outer is not None:
        # It has no batching rule, and a nested function may be under vmap.
        return None
    chol = scope.let("cholesky", positive_definite(scope))
    upper = scope.let("matrix_transpose", chol, role="r")
    return (upper, vector(scope, upper.aval.shape[0])), {}


def _draw_qr_multiply(scope: Scope) -> Drawn:
    a = matrix(scope, tall=True)
    c = scope.input(Aval(a.aval.dtype, (scope.stream.choice((2, 3)), a.aval.shape[0])), "c")
    return (a, c), {"pivoting": True} if scope.stream.chance(0.4) else {}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "linalg", templates, draw, typed, weight, **more)


_FIXED: dict[str, Any] = {"reverse": False, "forward": False}

OPS = (
    _row("qr", "jnp.linalg.qr({0}{kw})", _draw_qr, _qr, 1.5, reverse=False),
    _row("qr_r", 'jnp.linalg.qr({0}, mode="r")', _on_matrix, lambda a: _qr(a)[1], 0.5,
         reverse=False),
    _row("qr_pivoted", 'jax.scipy.linalg.qr({0}, mode="economic", pivoting=True)', _on_one,
         _qr_pivoted, 0.7, **_FIXED),
    _row("qr_multiply", "jax.scipy.linalg.qr_multiply({0}, {1}{kw})", _draw_qr_multiply,
         _qr_multiply, 2.5, **_FIXED),
    _row("svd", "jnp.linalg.svd({0}{kw})", _draw_svd, _svd, 1.5, reverse=False),
    _row("svdvals", ("jnp.linalg.svd({0}, compute_uv=False)",), _on_matrix,
         lambda a: _svd(a, False)[1], 0.7, reverse=False),
    _row("eigh", "jnp.linalg.eigh({0})", _on_symmetric, _eigh, 1.5, reverse=False),
    _row("lax_eigh", "lax.linalg.eigh({0})", _on_symmetric, lambda a: _eigh(a)[::-1], 0.5,
         reverse=False),
    _row("eigvalsh", "jnp.linalg.eigvalsh({0})", _on_symmetric, lambda a: _eigh(a)[0], 0.8,
         reverse=False),
    _row("eig", "jnp.linalg.eig({0})", _on_square, _eig, 1.0, **_FIXED),
    _row("eigvals", "jnp.linalg.eigvals({0})", _on_square, lambda a: _eig(a)[0], 0.7, **_FIXED),
    _row("cholesky", "jnp.linalg.cholesky({0}{kw})", _on_definite, _cholesky, 1.5),
    _row("lax_cholesky", "lax.linalg.cholesky({0})", _on_definite, _cholesky, 0.5),
    _row("cholesky_lower", "jax.scipy.linalg.cholesky({0}, lower=True)", _on_definite, _cholesky,
         0.6),
    _row("lu", "jax.scipy.linalg.lu({0})", _on_one, _lu, 1.0, reverse=False),
    _row("lu_factor", "jax.scipy.linalg.lu_factor({0})", _on_safe, _lu_factor),
    _row("lax_lu", "lax.linalg.lu({0})", _on_safe, _lax_lu, 0.5),
    _row("hessenberg", "lax.linalg.hessenberg({0})", _on_square, _hessenberg, 0.7, **_FIXED),
    _row("hessenberg_form", "jax.scipy.linalg.hessenberg({0})", _on_square, _hessenberg_alone, 0.4,
         **_FIXED),
    _row("householder_product", "lax.linalg.householder_product({0}, {1})", _draw_product,
         _reflected, 1.0, **_FIXED),
    _row("ormqr", "lax.linalg.ormqr({0}, {1}, {2}{kw})", _draw_ormqr, _reflected, 1.5, **_FIXED),
    _row("schur", ("jax.scipy.linalg.schur({0})",), _on_square, _schur, 1.0, **_FIXED),
    _row("tridiagonal", "lax.linalg.tridiagonal({0})", _on_symmetric, _tridiagonal, 1.0, **_FIXED),
    _row("cholesky_update", "lax.linalg.cholesky_update({0}, {1})", _draw_update, _updated, 2.0,
         **_FIXED),
)  # fmt: skip
