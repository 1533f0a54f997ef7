"""Factorizations of matrices, and what they are computed for."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"a": "matrix f[m, n]: data with one row per sample"},
    gives="positive_definite f[n, n]: gram",
    sizes={"m": (4, 512), "n": (2, 40)},
    dtypes="f32 f64 bf16",
    also=("Form a Gram matrix that is safe to factor.",),
)
def ridged_gram_matrix(a, ridge=number(0.1, 1.0), center=one_of(True, False)):
    """Average the outer products of the rows, with a ridge on the diagonal."""
    num_rows, dim = a.shape
    if center:
        a = a - jnp.mean(a, axis=0, keepdims=True)
    gram = one_of(a.T @ a, jnp.einsum("mi,mj->ij", a, a)) / num_rows
    if maybe("indices"):
        diagonal = jnp.arange(dim)
        return gram.at[diagonal, diagonal].add(ridge)
    return gram + ridge * jnp.eye(dim, dtype=a.dtype)


@sketch(
    takes={"a": "matrix f[m, n]: design matrix", "b": "vector f[m]: right-hand side"},
    gives="vector f[n]: solution",
    sizes={"m": (8, 512), "n": (2, 24)},
    dtypes="f32 f64",
    also=("Solve a regularized least squares problem.",),
)
def ridge_least_squares(a, b, ridge=number(1e-2, 1.0)):
    """Fit coefficients by least squares with a penalty on their squares."""
    num_rows, num_cols = a.shape
    if b.shape != (num_rows,):
        raise ValueError(f"expected {num_rows} values in b, got shape {b.shape}")
    if maybe("scale columns", 0.4):
        # Columns of one length make one ridge fair to all of them.
        lengths = jnp.sqrt(jnp.sum(a * a, axis=0) + 1e-3)
        a = a / lengths
    if maybe("augmented"):
        # The penalty as more rows, so that the condition number is not squared.
        tall = jnp.concatenate([a, ridge**0.5 * jnp.eye(num_cols, dtype=a.dtype)])
        q, r = jnp.linalg.qr(tall)
        x = jax.scipy.linalg.solve_triangular(r, q[:num_rows].T @ b)
    elif maybe("singular values"):
        u, s, vt = jnp.linalg.svd(a, full_matrices=False)
        x = vt.T @ (s / (s**2 + ridge) * (u.T @ b))
    else:
        normal = a.T @ a + ridge * jnp.eye(num_cols, dtype=a.dtype)
        x = one_of(
            jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(normal), a.T @ b),
            jax.scipy.linalg.solve(normal, a.T @ b, assume_a="pos"),
        )
    if maybe("scale columns", 0.4):
        return x / lengths
    return x


def _reflector_for_column(column, j):
    """Unit vector whose reflection zeroes `column` below entry j."""
    rows = jnp.arange(column.shape[0])
    tail = jnp.where(rows >= j, column, 0)
    norm = jnp.sqrt(jnp.sum(tail**2) + 1e-12)
    # The sign that adds, as the other one cancels.
    shift = jnp.where(column[j] < 0, -norm, norm)
    normal = tail.at[j].add(shift)
    return normal / jnp.sqrt(jnp.sum(normal**2) + 1e-12)


@sketch(
    takes={"a": "matrix f[m, n]"},
    gives="triangular f[n, n]: upper factor",
    sizes={"m": (14, 48), "n": (2, 12)},
    dtypes="f32 f64",
)
def householder_triangle(a, normalize_signs=one_of(True, False)):
    """Triangularize a tall matrix by Householder reflections, column by column."""
    m, n = a.shape
    if m < n:
        raise ValueError(f"need at least as many rows as columns, got {m} x {n}")
    if maybe("unrolled", 0.6):
        for j in range(n):
            normal = _reflector_for_column(a[:, j], j)
            a = a - 2 * jnp.outer(normal, normal @ a)
    else:

        def eliminate(j, work):
            normal = _reflector_for_column(work[:, j], j)
            return work - 2 * normal[:, None] * (normal @ work)[None, :]

        a = jax.lax.fori_loop(0, n, eliminate, a)
    r = jnp.triu(a[:n])
    if normalize_signs:
        # Rows flipped so that the diagonal is not negative.
        r = r * jnp.where(jnp.diagonal(r) < 0, -1, 1)[:, None]
    return r


@sketch(
    takes={"vectors": "matrix f[m, n]: columns to orthogonalize"},
    gives="orthogonal f[m, n]: basis",
    sizes={"m": (16, 256), "n": (2, 8)},
    dtypes="f32 f64",
    also=("Build an orthonormal basis of the columns' span.",),
)
def gram_schmidt_basis(vectors, eps=number(1e-8, 1e-5)):
    """Orthonormalize columns by Gram-Schmidt, from left to right."""
    basis = []
    for j in range(vectors.shape[1]):
        column = vectors[:, j]
        if maybe("twice", 0.4):
            # Twice is enough.
            for _ in range(2):
                for q in basis:
                    column = column - one_of(jnp.dot(q, column), q @ column) * q
        elif maybe("modified"):
            for q in basis:
                column = column - jnp.vdot(q, column) * q
        else:
            if basis:
                done = jnp.stack(basis, axis=1)
                column = column - done @ (done.T @ column)
        basis.append(
            column / one_of(jnp.sqrt(jnp.sum(column**2) + eps), jnp.sqrt(column @ column + eps))
        )
    return one_of(jnp.stack(basis, axis=1), jnp.stack(basis, axis=-1))


@sketch(
    takes={"a": "positive_definite f[n, n]"},
    gives="triangular f[n, n]: lower factor",
    sizes={"n": (2, 14)},
    dtypes="f32 f64",
)
def cholesky_by_columns(a, jitter=number(1e-6, 1e-3)):
    """Factor a positive definite matrix into a lower triangle times its transpose."""
    n = a.shape[0]
    lower = jnp.zeros_like(a)
    if maybe("right looking"):
        rest = a
        for j in range(n):
            pivot = jnp.sqrt(jnp.maximum(rest[j, j], jitter))
            column = jnp.where(jnp.arange(n) >= j, rest[:, j] / pivot, 0)
            lower = lower.at[:, j].set(column)
            # Schur complement of what is still to be factored.
            rest = rest - jnp.outer(column, column)
        return lower
    for j in range(n):
        row = lower[j, :j]
        pivot = jnp.sqrt(jnp.maximum(a[j, j] - one_of(row @ row, jnp.sum(row**2)), jitter))
        lower = lower.at[j, j].set(pivot)
        if j + 1 < n:
            below = a[j + 1 :, j] - lower[j + 1 :, :j] @ row
            lower = lower.at[j + 1 :, j].set(below / pivot)
    return lower


@sketch(
    takes={"a": "matrix f[m, n]", "key": "key"},
    gives="matrix f[m, n]: approximation",
    sizes={"m": (12, 128), "n": (12, 64)},
    dtypes="f32 f64",
    also=("Compress a matrix by a randomized singular value decomposition.",),
)
def randomized_low_rank(
    a, key, rank=integer(2, 6), oversampling=integer(2, 5), power_iters=integer(1, 2)
):
    """Approximate a matrix by one of low rank from a sketch of its range.

    A Gaussian test matrix samples the column space; a few multiplications by the
    matrix and its transpose sharpen the spectrum.
    """
    m, n = a.shape
    width = min(rank + oversampling, m, n)
    omega = jax.random.normal(key, (n, width), dtype=a.dtype)
    y = a @ omega
    for _ in range(power_iters):
        if maybe("orthonormalize"):
            y, _ = jnp.linalg.qr(y)
            y = a @ (a.T @ y) / n
        else:
            y = a @ (a.T @ y) / max(m, n)
    q, _ = jnp.linalg.qr(y)
    small = q.T @ a
    if maybe("truncate", 0.6):
        u, s, vt = jnp.linalg.svd(small, full_matrices=False)
        keep = min(rank, s.shape[0])
        return one_of(
            (q @ u[:, :keep] * s[:keep]) @ vt[:keep],
            q @ ((u[:, :keep] * s[:keep]) @ vt[:keep]),
        )
    return q @ small


@sketch(
    takes={"a": "matrix f[m, n]"},
    gives="matrix f[n, m]: pseudo-inverse",
    sizes={"m": (2, 32), "n": (2, 32)},
    dtypes="f32 f64",
)
def damped_pseudo_inverse(a, damping=number(0.05, 0.5)):
    """Invert a rectangular matrix with small singular values damped."""
    if maybe("from the smaller side"):
        m, n = a.shape
        identity = jnp.eye(min(m, n), dtype=a.dtype)
        if m <= n:
            return a.T @ jnp.linalg.inv(a @ a.T + damping**2 * identity)
        return jnp.linalg.solve(a.T @ a + damping**2 * identity, a.T)
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    if maybe("relative"):
        damping = damping * jnp.max(s) + 1e-3
    inverted = s / (s**2 + damping**2)
    return one_of((vt.T * inverted) @ u.T, jnp.einsum("kn,k,mk->nm", vt, inverted, u))


@sketch(
    takes={"a": "matrix f[n, n]", "b": "matrix f[n, r]: right-hand sides"},
    gives="matrix f[n, r]: solutions",
    sizes={"n": (3, 48), "r": (1, 16)},
    dtypes="f32 f64",
)
def solve_by_lu(a, b, shift=number(3.0, 12.0), refine=one_of(True, False)):
    """Solve a shifted linear system by LU with partial pivoting."""
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {a.shape}")
    if a.shape[0] != b.shape[0]:
        raise ValueError(f"a is {a.shape}, so b needs {a.shape[0]} rows, not {b.shape[0]}")
    n = a.shape[0]
    shifted = a / n**0.5 + shift * jnp.eye(n, dtype=a.dtype)
    if maybe("permutation", 0.4):
        p, lower, upper = jax.scipy.linalg.lu(shifted)
        y = jax.scipy.linalg.solve_triangular(lower, p.T @ b, lower=True, unit_diagonal=True)
        x = jax.scipy.linalg.solve_triangular(upper, y)
        if refine:
            y = jax.scipy.linalg.solve_triangular(
                lower, p.T @ (b - shifted @ x), lower=True, unit_diagonal=True
            )
            x = x + jax.scipy.linalg.solve_triangular(upper, y)
        return x
    factors = jax.scipy.linalg.lu_factor(shifted)
    x = jax.scipy.linalg.lu_solve(factors, b)
    if refine:
        # One step of iterative refinement reuses the factors.
        x = x + jax.scipy.linalg.lu_solve(factors, b - shifted @ x)
    return x


@sketch(
    takes={"a": "matrix f[m, n]"},
    gives={"rank": "f[]", "condition": "f[]", "effective": "f[]"},
    sizes={"m": (3, 64), "n": (3, 48)},
    dtypes="f32 f64",
)
def spectrum_summary(a, threshold=number(0.02, 0.2), order=size("n")):
    """Summarize the singular values: rank above a threshold, condition, entropy rank."""
    s = jnp.linalg.svd(a, compute_uv=False)
    top = s[0] + 1e-6
    relative = s / top
    # A soft count instead of a jump at the threshold.
    rank = jnp.sum(jax.nn.sigmoid((relative - threshold) / one_of(0.05, 0.1, 0.02)))
    condition = 1 / (relative[-1] + one_of(1e-2, 1e-3))
    weights = one_of(relative / (jnp.sum(relative) + 1e-6), s**2 / (jnp.sum(s**2) + 1e-6))
    entropy = -jnp.sum(weights * jnp.log(weights + 1e-9))
    effective = jnp.exp(entropy)
    if maybe("fraction", 0.4):
        effective = effective / min(order, s.shape[0])
    return {"rank": rank, "condition": condition, "effective": effective}
