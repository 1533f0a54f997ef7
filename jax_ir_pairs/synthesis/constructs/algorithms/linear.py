"""Iterations of linear algebra: eigenvectors, orthogonalization, systems of equations."""

from __future__ import annotations

from typing import Any

from jax_ir_pairs.synthesis.constructs.algorithms.loops import (
    applied,
    call,
    calls,
    carried,
    carry,
    fori,
    scan,
    until,
)
from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.growth import Mix, cast, leaves, scalar
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.matrices import (
    calm,
    matrix,
    plus_ridge,
    positive_definite,
    right_side,
    symmetric,
    vector,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval


def _grown_matrix(scope: Scope, budget: int, mix: Mix) -> Var:
    """Gives a positive definite matrix, now and then a kernel of what a family makes."""
    if scope.stream.chance(0.7):
        return positive_definite(scope)
    mix.fill(scope, max(2, budget // 2))
    made = [v for v in leaves(scope, 3) if v.aval.rank == 1 and 1 < v.aval.size <= 16]
    if not made:
        return positive_definite(scope)
    x = calm(scope, cast(scope, made[-1], scope.float_dtype), 1.0)
    return plus_ridge(scope, scope.let("outer", x, x), 1.0)


def _normalized(k: Any, v: Var, role: str = "") -> Var:
    size = k("add", k("norm", v, axis=-1), 1e-6, bounds=(1e-6, 50.0))
    return k("div", v, size, bounds=(-1.0, 1.0), role=role)  # type: ignore[no-any-return]


def power_iteration(scope: Scope, budget: int, mix: Mix) -> None:
    """The dominant eigenvector, and its Rayleigh quotient."""
    a = _grown_matrix(scope, budget, mix)
    n = a.aval.shape[0]
    v0 = scope.let("ones", shape=(n,)) if scope.stream.chance(0.5) else vector(scope, n)

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        return [_normalized(k, k("matmul", a, v[0]))]

    (v,) = fori(scope, scope.stream.choice((10, 20, 30)), [carried(v0, "v", (-1.0, 1.0))], step)
    call(scope, "matmul", v, call(scope, "matmul", a, v), role="eigenvalue")


def inverse_iteration(scope: Scope, budget: int, mix: Mix) -> None:
    """An eigenvector near a shift, with the factorization kept."""
    a = positive_definite(scope)
    lu, pivots = scope.let_all("lu_factor", a, roles=("lu", "piv"))
    v0 = scope.let("ones", shape=(a.aval.shape[0],))

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        return [_normalized(calls(body), call(body, "lu_solve", lu, pivots, v[0]))]

    fori(scope, scope.stream.choice((5, 8, 10)), [carried(v0, "v", (-1.0, 1.0))], step)


def qr_iteration(scope: Scope, budget: int, mix: Mix) -> None:
    """The eigenvalues by repeated QR factorization, or a subspace by orthogonal iteration."""
    a = symmetric(scope)
    subspace = scope.stream.chance(0.4) and a.aval.shape[0] > 2

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        target = k("matmul", a, v[0]) if subspace else v[0]
        q, r = body.let_all("qr", target, roles=("q", "r"))
        return [q] if subspace else [k("matmul", r, q)]

    count = scope.stream.choice((5, 8, 10, 20))
    if not subspace:
        (out,) = fori(scope, count, [carried(a, "a", a.bounds)], step)
        scope.let("diagonal", out)
        return
    q0 = part_of(scope, scope.let("eye", n=a.aval.shape[0]), slice(None), slice(None, 2))
    fori(scope, count, [carried(q0, "q", (-1.0, 1.0))], step)


def gram_schmidt(scope: Scope, budget: int, mix: Mix) -> None:
    """Orthonormal rows, one after the other."""
    a = matrix(scope)
    rows = a.aval.shape[0]

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        row = k("gather", a, i, role="v")
        along = k("matmul", k("matmul", v[0], row), v[0])
        new = _normalized(k, k("sub", row, along))
        return [k("at_rows", v[0], i, new, method="set", bounds=(-1.0, 1.0))]

    start = scope.let("array_zeros_like", a)
    fori(scope, rows, [carried(start, "q", (-1.0, 1.0))], step)


def conjugate_gradient(scope: Scope, budget: int, mix: Mix) -> None:
    """The method written out, by a fixed count or until the residual is small."""
    a = _grown_matrix(scope, budget, mix)
    b = right_side(scope, a)
    if b.aval.rank > 1:
        b = part_of(scope, b, slice(None), 0)
    x0 = scope.let("array_zeros_like", b)
    matvec_param = Var(b.type, (-50.0, 50.0), "v")
    body = scope.nested([matvec_param])
    matvec = body.close("matvec", call(body, "matmul", a, matvec_param))

    def step(body: Scope, v: list[Var]) -> list[Var]:
        k, (x, r, p) = calls(body), v[:3]
        ap = applied(body, matvec, p, role="Ap")
        rr = k("vdot", r, r)
        curvature = k("add", k("vdot", p, ap), 1e-6)
        alpha = k("div", rr, curvature, role="alpha")
        new_x = k("add", x, k("mul", alpha, p))
        new_r = k("sub", r, k("mul", alpha, ap), role="new_r")
        beta = k("div", k("vdot", new_r, new_r), k("add", rr, 1e-6), role="beta")
        return [new_x, new_r, k("add", new_r, k("mul", beta, p))]

    wide = (-50.0, 50.0)
    carries = [carried(x0, "x", wide), carried(b, "r", wide), carried(b, "p", wide)]
    if scope.stream.chance(0.5):
        fori(scope, scope.stream.choice((3, 5, 8)), carries, lambda s, i, v: step(s, v))
        return

    def test(body: Scope, v: list[Var]) -> Var:
        k = calls(body)
        return k("logical_and", k("greater", k("norm", v[1], axis=-1), 1e-4), k("less", v[3], 20))

    until(
        scope,
        [*carries, carry(Literal(0), Aval(scope.int_dtype), "k", (0, 20))],
        test,
        lambda s, v: [*step(s, v), s.let("add", v[3], Literal(1))],
    )


def krylov(scope: Scope, budget: int, mix: Mix) -> None:
    """A Krylov method of the library, given the product with the matrix or the matrix itself."""
    a = _grown_matrix(scope, budget, mix)
    b = right_side(scope, a)
    if b.aval.rank > 1:
        b = part_of(scope, b, slice(None), 0)
    v = Var(b.type, (-50.0, 50.0), "v")
    body = scope.nested([v])
    product = call(body, "matmul", a, v)
    if scope.stream.chance(0.3):
        product = call(body, "add", product, call(body, "mul", 0.1, v))
    matvec = body.close(scope.stream.choice(("matvec", "operator", "apply_a")), product)
    name = scope.stream.weighted(("cg", "gmres", "bicgstab"), (3, 1, 2))
    params: dict[str, Any] = {"maxiter": scope.stream.choice((5, 10, 20))}
    if name == "gmres":
        params = {"maxiter": 2, "restart": 4}
    x = Var(b.type, (-50.0, 50.0), "x")
    info = Var((), role="info")
    # The second result is None so far, for which there is no type.
    scope.bind(name, (matvec, b), params, (x, info))
    scope.unused.pop(info)


def jacobi(scope: Scope, budget: int, mix: Mix) -> None:
    """Jacobi's or the damped iteration for a system with a dominant diagonal."""
    base = calm(scope, matrix(scope, square=True), 4.0)
    a = plus_ridge(scope, base, 4.0 * base.aval.shape[0])
    b = vector(scope, a.aval.shape[0])
    d = scope.let("diagonal", a, role="d")
    rest = scope.let("sub", a, call(scope, "diagflat", d), role="rest")
    omega = scope.stream.choice((1.0, 0.8, 0.67))

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        new = k("div", k("sub", b, k("matmul", rest, v[0])), d)
        if omega != 1.0:
            new = k("add", k("mul", omega, new), k("mul", round(1 - omega, 2), v[0]))
        return [new]

    start = scope.let("array_zeros_like", b)
    fori(scope, scope.stream.choice((5, 10, 20)), [carried(start, "x")], step)


def gauss_seidel(scope: Scope, budget: int, mix: Mix) -> None:
    """One unknown after the other, each with the newest values of the others."""
    base = calm(scope, matrix(scope, square=True), 4.0)
    a = plus_ridge(scope, base, 4.0 * base.aval.shape[0])
    n = a.aval.shape[0]
    b = vector(scope, n)

    def inner(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        row = k("gather", a, i, role="row")
        r = k("sub", k("gather", b, i), k("matmul", row, v[0]), role="r")
        shift = k("div", r, k("gather", row, i))
        return [k("at_rows", v[0], i, shift, method="add")]

    start = carried(scope.let("array_zeros_like", b), "x")
    if scope.stream.chance(0.5):
        fori(scope, n, [start], inner)
        return
    fori(scope, scope.stream.choice((3, 5)), [start],
         lambda body, i, v: fori(body, n, [carried(v[0], "x")], inner, role="relax"),
         role="sweep")  # fmt: skip


def newton_schulz(scope: Scope, budget: int, mix: Mix) -> None:
    """The inverse of a matrix, or the nearest orthogonal one, by products alone."""
    a = matrix(scope, square=True)
    size = call(scope, "norm", call(scope, "ravel", a), axis=-1)
    scaled = call(scope, "div", a, call(scope, "add", size, 1e-6), bounds=(-1.0, 1.0))
    n = a.aval.shape[0]

    def step(body: Scope, i: Var, v: list[Var]) -> list[Var]:
        k = calls(body)
        flipped = k("matrix_transpose", v[0])
        inner = k("sub", k("mul", 1.5, body.let("eye", n=n)),
                  k("mul", 0.5, k("matmul", flipped, v[0])))  # fmt: skip
        return [k("matmul", v[0], inner, bounds=(-2.0, 2.0))]

    fori(scope, scope.stream.choice((3, 5, 8)), [carried(scaled, "x", (-2.0, 2.0))], step)


def recurrence_products(scope: Scope, budget: int, mix: Mix) -> None:
    """The products of a sequence of matrices, kept at every step."""
    n = scope.stream.choice((2, 3))
    xs = scope.pick((scope.float_dtype,), where=lambda v: v.aval.shape[1:] == (n, n))
    if xs is None:
        xs = scope.input(Aval(scope.float_dtype, (scope.stream.choice((4, 8)), n, n)), "mats")
    xs = scope.let("mul", calm(scope, xs, 1.0), Literal(0.5))
    if xs.aval.rank != 3 or xs.aval.shape[0] > 64:
        raise IllTyped("not a sequence of matrices")

    def step(body: Scope, v: list[Var], x: list[Var]) -> tuple[list[Var], list[Var]]:
        new = call(body, "matmul", x[0], v[0])
        return [new], [scalar(body) if scope.stream.chance(0.3) else new]

    scan(scope, [carried(scope.let("eye", n=n), "prod")], [(xs, "a")], step)
