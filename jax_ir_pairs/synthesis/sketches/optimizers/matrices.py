"""Optimizers that treat a weight as a matrix."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def orthogonalized(g, steps):
    """Drive the singular values of a matrix towards 1 by a Newton-Schulz iteration."""
    is_tall = g.shape[0] > g.shape[1]
    x = g.T if is_tall else g
    x = x / (jnp.sqrt(jnp.sum(x**2)) + 1e-3)
    if maybe("quintic"):
        a, b, c = 15 / 8, -10 / 8, 3 / 8
        for _ in range(steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
    else:
        for _ in range(steps):
            x = 1.5 * x - 0.5 * (x @ x.T) @ x
    return x.T if is_tall else x


@sketch(
    takes={"params": "P", "grads": "P", "momentum": "P"},
    gives=("P", "P"),
    sizes={"d": (4, 48), "h": (2, 48), "c": (2, 48)},
    also=("Muon-like step for all matrices of a model.",),
)
def orthogonal_momentum(
    params, grads, momentum, learning_rate=number(1e-3, 1e-1), beta=0.95, steps=integer(2, 5)
):
    """Step along orthogonalized momentum for matrices, and along its sign for vectors."""
    momentum = jax.tree.map(lambda m, g: beta * m + g, momentum, grads)

    def direction(m, g):
        ahead = g + beta * m if maybe("nesterov matrix") else m
        if ahead.ndim != 2:
            return one_of(jnp.sign(ahead), jnp.tanh(ahead))
        rows, columns = ahead.shape
        gain = one_of(max(1.0, rows / columns) ** 0.5, 0.2 * max(rows, columns) ** 0.5)
        return gain * orthogonalized(ahead, steps)

    updates = jax.tree.map(direction, momentum, grads)
    params = jax.tree.map(lambda p, u: p - learning_rate * u, params, updates)
    return params, momentum


def _inverse_root(matrix, power, ridge):
    """Raise a positive semidefinite matrix to -1/power by its eigenvalues."""
    n = matrix.shape[0]
    symmetric = (matrix + matrix.T) / 2
    scale = jnp.trace(symmetric) / n + ridge
    values, vectors = jnp.linalg.eigh(symmetric / scale + ridge * jnp.eye(n, dtype=matrix.dtype))
    roots = jnp.maximum(values, ridge) ** (-1.0 / power)
    return (vectors * roots) @ vectors.T * scale ** (-1.0 / power)


class KroneckerStatistics(NamedTuple):
    """Gram matrices of gradients, over rows and over columns."""

    left: jax.Array
    right: jax.Array


@sketch(
    takes={
        "w": "matrix f[n, m]",
        "g": "f[n, m]: gradient",
        "left": "f[n, n]: root of the statistics of rows",
        "right": "f[m, m]: root of the statistics of columns",
    },
    gives=("matrix f[n, m]: weight", "f[n, n]", "f[m, m]"),
    sizes={"n": (2, 24), "m": (2, 24)},
    dtypes="f32 f64",
    also=("Shampoo-like update of one weight matrix.",),
)
def kronecker_preconditioned_step(
    w, g, left, right, learning_rate=number(1e-3, 1e-1), decay=one_of(0.9, 0.95), ridge=0.05
):
    """Precondition the gradient of a matrix from both sides."""
    if w.shape != g.shape:
        raise ValueError(f"weight {w.shape} and gradient {g.shape} differ")
    statistics = KroneckerStatistics(
        left=decay * left @ left.T + (1 - decay) * g @ g.T,
        right=decay * right @ right.T + (1 - decay) * g.T @ g,
    )
    if maybe("one side", 0.3):
        # The smaller side is cheaper and does most of the work.
        if g.shape[0] <= g.shape[1]:
            update = _inverse_root(statistics.left, 2, ridge) @ g
        else:
            update = g @ _inverse_root(statistics.right, 2, ridge)
    else:
        roots = [_inverse_root(s, 4, ridge) for s in statistics]
        update = roots[0] @ g @ roots[1]
    if maybe("graft"):
        # Take the direction from here and the length from plain gradient descent.
        g_norm, u_norm = (jnp.sqrt(jnp.sum(z**2) + 1e-8) for z in (g, update))
        update = update * (g_norm / u_norm)
    return w - learning_rate * update, *statistics


@sketch(
    takes={
        "w": "matrix f[n, m]",
        "g": "f[n, m]: gradient",
        "row": "f[n]: squares by row",
        "column": "f[m]: squares by column",
    },
    gives=("matrix f[n, m]: weight", "f[n]: row", "f[m]: column"),
    sizes={"n": (2, 256), "m": (2, 128)},
    also=("Adafactor step for a matrix.",),
)
def factored_moment_step(w, g, row, column, learning_rate=number(1e-3, 1e-1), decay=0.8, eps=1e-3):
    """Keep second moments of a matrix as one vector for rows and one for columns."""
    squares = g**2 + eps
    row = decay * jnp.abs(row) + (1 - decay) * jnp.mean(squares, axis=1)
    column = decay * jnp.abs(column) + (1 - decay) * jnp.mean(squares, axis=0)
    # Rank one: v_ij = row_i column_j / mean(row).
    if maybe("outer moment"):
        v = jnp.outer(row, column) / jnp.mean(row)
        update = g * jax.lax.rsqrt(v + eps)
    else:
        row_factor = jax.lax.rsqrt(row / jnp.mean(row) + eps)[:, None]
        update = g * row_factor * jax.lax.rsqrt(column + eps)[None, :]
    if maybe("clip rms", 0.7):
        rms = jnp.sqrt(jnp.mean(update**2) + 1e-12)
        update = update / jnp.maximum(1.0, rms / one_of(1.0, 2.0))
    if maybe("relative rate"):
        learning_rate = learning_rate * jnp.maximum(jnp.sqrt(jnp.mean(w**2) + 1e-12), 1e-3)
    return w - learning_rate * update, row, column


@sketch(
    takes={
        "w": "matrix f[d, h]",
        "inputs": "features f[b, d]: inputs of the layer",
        "deltas": "f[b, h]: derivatives by the outputs of the layer",
    },
    gives="matrix f[d, h]: weight",
    sizes={"d": (2, 32), "h": (2, 32), "b": (4, 64)},
    dtypes="f32 f64",
    also=("K-FAC step for one dense layer.",),
)
def kronecker_factored_natural_step(
    w, inputs, deltas, learning_rate=number(1e-3, 0.3), damping=one_of(0.1, 0.03, 0.3)
):
    """Take a natural-gradient step for a dense layer with a factored Fisher matrix."""
    batch_size = inputs.shape[0]
    grad_w = inputs.T @ deltas / batch_size
    a = inputs.T @ inputs / batch_size
    s = deltas.T @ deltas / batch_size
    if maybe("balanced damping"):
        # Share the damping by the average eigenvalues of both factors.
        pi = jnp.sqrt((jnp.trace(a) / a.shape[0] + 1e-3) / (jnp.trace(s) / s.shape[0] + 1e-3))
        a_damping, s_damping = pi * damping**0.5, damping**0.5 / pi
    else:
        a_damping = s_damping = damping**0.5
    a = a + a_damping * jnp.eye(a.shape[0], dtype=a.dtype)
    s = s + s_damping * jnp.eye(s.shape[0], dtype=s.dtype)
    if maybe("cholesky solves"):
        left = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a), grad_w)
        natural = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(s), left.T).T
    else:
        natural = jnp.linalg.solve(s, jnp.linalg.solve(a, grad_w).T).T
    if maybe("trust", 0.4):
        # Rescale so that the quadratic model of the loss changes by a bounded amount.
        change = learning_rate**2 * jnp.sum(natural * grad_w)
        natural = natural * jnp.minimum(1.0, jnp.sqrt(0.01 / (jnp.abs(change) + 1e-8)))
    return w - learning_rate * natural


@sketch(
    takes={"w": "matrix f[n, k]: frame", "g": "f[n, k]: gradient"},
    gives="orthogonal f[n, k]",
    sizes={"n": (8, 64), "k": (2, 8)},
    dtypes="f32 f64",
    also=("Riemannian gradient step on the Stiefel manifold.",),
)
def stiefel_gradient_step(w, g, learning_rate=number(1e-3, 0.1)):
    """Move an orthonormal frame along the manifold and retract it."""
    n, k = w.shape
    if n < k:
        raise ValueError(f"{k} orthonormal columns do not fit into {n} dimensions")
    q, _ = jnp.linalg.qr(w)
    product = q.T @ g
    if maybe("canonical metric", 0.4):
        tangent = g - q @ product.T
    else:
        tangent = g - q @ ((product + product.T) / 2)
    moved = q - learning_rate * tangent
    if maybe("polar retraction"):
        gram = moved.T @ moved
        values, vectors = jnp.linalg.eigh((gram + gram.T) / 2)
        return moved @ (vectors * jax.lax.rsqrt(jnp.maximum(values, 1e-6))) @ vectors.T
    frame, r = jnp.linalg.qr(moved)
    # A unique factor: no negative entries on the diagonal of R.
    return frame * jnp.where(jnp.diagonal(r) < 0, -1.0, 1.0)
