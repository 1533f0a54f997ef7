"""Iterations for the eigenvalues of symmetric matrices."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def rayleigh_ritz(a, basis):
    """Project `a` onto an orthonormal basis and diagonalize the small matrix."""
    small = basis.T @ a @ basis
    values, vectors = jnp.linalg.eigh((small + small.T) / 2)
    return values[::-1], (basis @ vectors)[:, ::-1]


@sketch(
    takes={"a": "matrix f[n, n]: symmetric matrix", "key": "key"},
    gives={"values": "f[k]", "vectors": "f[n, k]", "residual": "f[k]"},
    sizes={"n": (6, 64), "k": (1, 5)},
    also=("Approximate the largest eigenvalues of `a` and their eigenvectors.",),
)
def leading_eigenpairs(a, key, k=size("k"), num_iters=integer(5, 40)):
    """Subspace iteration for the leading eigenpairs of a symmetric matrix."""
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {a.shape}")
    n = a.shape[0]
    # Only the symmetric part has real eigenvalues.
    a = (a + a.T) / 2
    basis = jax.random.normal(key, (n, k), dtype=a.dtype)

    def step(basis, _):
        basis, r = jnp.linalg.qr(a @ basis)
        return basis, jnp.abs(jnp.diag(r))

    if maybe("history", 0.4):
        basis, history = jax.lax.scan(step, basis, length=num_iters)
    else:
        basis = jax.lax.fori_loop(0, num_iters, lambda i, b: step(b, None)[0], basis)
    values, vectors = rayleigh_ritz(a, basis)
    residual = one_of(
        jnp.linalg.norm(a @ vectors - vectors * values, axis=0),
        jnp.max(jnp.abs(a @ vectors - vectors * values), axis=0),
    )
    return {"values": values, "vectors": vectors, "residual": residual}


@sketch(
    takes={"a": "matrix f[n, n]", "x": "vector f[n]: starting vector"},
    gives=("f[]", "vector f[n]"),
    sizes={"n": (3, 128)},
)
def power_iteration(a, x, num_iters=integer(4, 100), eps=number(1e-12, 1e-6)):
    """Estimate the dominant eigenvalue of a matrix by power iteration."""
    a = a @ a.T

    def body(i, x):
        x = a @ x
        return x / (jnp.linalg.norm(x) + eps)

    x = jax.lax.fori_loop(0, num_iters, body, x)
    return x @ (a @ x), x
