"""Matrices with structure, as a person makes them: symmetric, positive definite, triangular."""

from __future__ import annotations

from jax_ir_pairs.synthesis.graph import Literal, Var
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_MOST = 16
"""Longest side: factorizations take the cube of it."""


def short_side(scope: Scope, most: int = _MOST) -> int:
    """Gives a length for an axis of a matrix."""
    short = [side for side in scope.sides if 1 < side <= most]
    return scope.stream.choice(short) if short else scope.stream.choice((3, 4, 5, 8))


def calm(scope: Scope, x: Var, edge: float = 10.0) -> Var:
    """Gives `x` small enough that products with it stay small."""
    return x if max(map(abs, x.bounds)) <= edge else scope.let("tanh", x)


def matrix(
    scope: Scope, *, square: bool = False, batched: bool = False, tall: bool = False, most: int = 16
) -> Var:
    """Gives a floating matrix of the scope, or a new input; a stack of them now and then."""

    def fits(var: Var) -> bool:
        shape = var.aval.shape
        if not (len(shape) == 2 or (batched and len(shape) == 3)) or max(shape) > most:
            return False
        rows, columns = shape[-2:]
        if 1 in (rows, columns):
            return False
        return columns == rows if square else rows > columns if tall else True

    x = scope.pick((scope.float_dtype,), where=fits)
    if x is None or scope.stream.chance(0.1):
        sides = [short_side(scope, most)]
        sides.append(sides[0] if square else short_side(scope, most))
        if tall:
            sides[0] = sides[1] + scope.stream.choice((2, 4, 6))
        if batched and scope.stream.chance(0.15):
            sides.insert(0, scope.stream.choice((2, 3, 4)))
        role = scope.stream.choice(("a", "mat", "A", "matrix"))
        x = scope.input(Aval(scope.float_dtype, tuple(sides)), role)
    return calm(scope, x)


def vector(scope: Scope, size: int = 0, most: int = 64) -> Var:
    """Gives a floating vector, of this many elements if given, or a new input."""

    def fits(var: Var) -> bool:
        return var.aval.rank == 1 and (var.aval.size == size if size else var.aval.size <= most)

    x = scope.pick((scope.float_dtype,), where=fits)
    if x is None:
        role = scope.stream.choice(("b", "v", "x", "y"))
        side = size or max(2, min(scope.side(), most))
        x = scope.input(Aval(scope.float_dtype, (side,)), role)
    return calm(scope, x)


def _transposed(scope: Scope, x: Var) -> Var:
    return scope.let("matrix_transpose", x)


def gram(scope: Scope) -> Var:
    """Gives `a @ a.T` or `a.T @ a`."""
    a = matrix(scope)
    flipped = _transposed(scope, a)
    pair = (a, flipped) if scope.stream.chance(0.6) else (flipped, a)
    return scope.let("matmul", *pair)


def symmetric(scope: Scope) -> Var:
    """Gives a symmetric matrix: a sum with the transpose, or a Gram matrix."""
    if scope.stream.chance(0.3):
        return gram(scope)
    a = matrix(scope, square=True)
    total = scope.let("add", a, _transposed(scope, a))
    return scope.let("mul", total, Literal(0.5)) if scope.stream.chance(0.4) else total


def plus_ridge(scope: Scope, a: Var, ridge: float) -> Var:
    """Gives `a + ridge * jnp.eye(n)`."""
    eye = scope.let("eye", n=a.aval.shape[-1])
    scaled = eye if ridge == 1.0 else scope.let("mul", Literal(ridge), eye)
    return scope.let("add", a, scaled)


def positive_definite(scope: Scope) -> Var:
    """Gives a Gram matrix with a ridge, whose least eigenvalue is at least 1."""
    a = gram(scope)
    return plus_ridge(scope, a, scope.stream.choice((1.0, 1.0, float(a.aval.shape[-1]))))


def well_conditioned(scope: Scope) -> Var:
    """Gives a matrix that can be inverted: positive definite, or with a dominant diagonal."""
    if scope.stream.chance(0.5):
        return positive_definite(scope)
    a = calm(scope, matrix(scope, square=True), 4.0)
    return plus_ridge(scope, a, 4.0 * a.aval.shape[-1])


def triangular(scope: Scope, *, lower: bool = True) -> Var:
    """Gives a triangular matrix whose diagonal is away from zero."""
    if lower and scope.stream.chance(0.4):
        return scope.let("cholesky", positive_definite(scope))
    a = calm(scope, matrix(scope, square=True), 4.0)
    return plus_ridge(scope, scope.let("tril" if lower else "triu", a), 8.0)


def right_side(scope: Scope, a: Var) -> Var:
    """Gives a vector or matrix to solve a system with `a` for."""
    rows = a.aval.shape[-2]

    def fits(var: Var) -> bool:
        return 0 < var.aval.rank < 3 and var.aval.shape[0] == rows and var.aval.size <= 512

    b = scope.pick((scope.float_dtype,), where=fits)
    if b is None or b is a:
        more = (short_side(scope),) if scope.stream.chance(0.4) else ()
        b = scope.input(Aval(scope.float_dtype, (rows, *more)), scope.stream.choice(("b", "rhs")))
    return calm(scope, b)


def largest(x: Var) -> float:
    """Gives the greatest magnitude of a value."""
    return max(map(abs, x.bounds))


def require(holds: bool, what: str) -> None:
    """Raises `IllTyped` unless `holds`."""
    if not holds:
        raise IllTyped(what)
