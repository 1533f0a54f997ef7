"""Matrices with a pattern: Toeplitz, Vandermonde, block diagonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax_ir_pairs.synthesis.graph import Var
from jax_ir_pairs.synthesis.op import Op, Typed
from jax_ir_pairs.synthesis.ops.array_rows import COMPLEX_OF, Drawn, around, array_op
from jax_ir_pairs.synthesis.ops.matrices import (
    largest,
    matrix,
    vector,
)
from jax_ir_pairs.synthesis.scope import Scope
from jax_ir_pairs.synthesis.types import Aval

_SMALL = 8
"""Longest side where a result grows with the power of it."""


def _patterned(shape: Callable[[int], tuple[int, ...]]) -> Callable[..., Typed]:
    """Gives the typing of a matrix that only holds the elements of its vectors, and zeros."""

    def typed(*vectors: Var, **params: Any) -> Typed:
        c = vectors[0]
        sides = tuple(v.aval.size for v in vectors) if len(vectors) > 1 else shape(c.aval.size)
        low = min(0.0, *(v.bounds[0] for v in vectors))
        return c.aval.with_shape(*sides), (low, max(0.0, *(v.bounds[1] for v in vectors)))

    return typed


def _vander(x: Var, n: int, **params: Any) -> Typed:
    return x.aval.with_shape(x.aval.size, n), around(max(1.0, largest(x)) ** (n - 1))


def _block_diag(*blocks: Var) -> Typed:
    sides = (sum(b.aval.shape[0] for b in blocks), sum(b.aval.shape[1] for b in blocks))
    edges = (min(0.0, *(b.bounds[0] for b in blocks)), max(0.0, *(b.bounds[1] for b in blocks)))
    return Aval(blocks[0].aval.dtype, sides), edges


def _hilbert(n: int) -> Typed:
    return Aval("f32", (n, n)), (0.0, 1.0)


def _dft(n: int) -> Typed:
    return Aval(COMPLEX_OF["f32"], (n, n)), (-1.0, 1.0)


def _draw_vector(scope: Scope) -> Drawn:
    return (vector(scope, most=16),), {}


def _draw_vectors(scope: Scope) -> Drawn:
    c = vector(scope, most=16)
    return ((c,) if scope.stream.chance(0.6) else (c, vector(scope, most=16))), {}


def _draw_vander(scope: Scope) -> Drawn:
    params: dict[str, Any] = {"n": scope.stream.choice((2, 3, 4))}
    return (vector(scope, most=32),), params | (
        {"increasing": True} if scope.stream.chance(0.5) else {}
    )


def _draw_blocks(scope: Scope) -> Drawn:
    blocks = [matrix(scope, most=_SMALL) for _ in range(scope.stream.choice((2, 2, 3)))]
    return tuple(blocks), {}


def _draw_count(scope: Scope) -> Drawn:
    return (), {"n": scope.stream.choice((3, 4, 5, 8))}


def _row(name: str, templates: Any, draw: Any, typed: Any, weight: float = 1.0, **more: Any) -> Op:
    return array_op(name, "matrix", templates, draw, typed, weight, **more)


OPS = (
    _row("toeplitz", "jax.scipy.linalg.toeplitz({*0})", _draw_vectors,
         _patterned(lambda n: (n, n))),
    _row("hankel", "jax.scipy.linalg.hankel({0})", _draw_vector, _patterned(lambda n: (n, n)),
         0.6),
    _row("circulant", "jax.scipy.linalg.circulant({0})", _draw_vector,
         _patterned(lambda n: (n, n)), 0.6),
    _row("diagflat", "jnp.diagflat({0})", _draw_vector, _patterned(lambda n: (n, n)), 0.8),
    _row("vander", "jnp.vander({0}, {n}{kw})", _draw_vander, _vander),
    _row("block_diag", "jax.scipy.linalg.block_diag({*0})", _draw_blocks, _block_diag),
    _row("hilbert", "jax.scipy.linalg.hilbert({n})", _draw_count, _hilbert, 0.3, widens="all"),
    _row("dft", "jax.scipy.linalg.dft({n})", _draw_count, _dft, 0.3, widens="all"),
)  # fmt: skip
