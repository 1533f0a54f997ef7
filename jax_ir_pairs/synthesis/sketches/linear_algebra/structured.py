"""Linear systems with structure: bands, circulants, Kronecker products, low rank."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={
        "lower": "vector f[n]: entries below the diagonal",
        "upper": "vector f[n]: entries above the diagonal",
        "rhs": "vector f[n]: right-hand side",
    },
    gives="vector f[n]: solution",
    sizes={"n": (4, 1024)},
    dtypes="f32 f64 bf16",
    also=("Solve a tridiagonal system by the Thomas algorithm.",),
)
def thomas_solve(lower, upper, rhs, margin=number(0.5, 2.0)):
    """Eliminate forwards and substitute backwards in a tridiagonal system."""
    lower = lower.at[0].set(0)
    upper = upper.at[-1].set(0)
    # A dominant diagonal needs no pivoting.
    diagonal = jnp.abs(lower) + jnp.abs(upper) + margin

    def eliminate(carry, row):
        ratio, reduced = carry
        low, diag, up, right = row
        pivot = diag - low * ratio
        ratio, reduced = up / pivot, (right - low * reduced) / pivot
        return (ratio, reduced), (ratio, reduced)

    def substitute(following, row):
        ratio, reduced = row
        value = reduced - ratio * following
        return value, value

    zero = jnp.zeros((), rhs.dtype)
    _, factors = jax.lax.scan(eliminate, (zero, zero), (lower, diagonal, upper, rhs))
    if maybe("flip"):
        flipped = jax.tree.map(lambda f: f[::-1], factors)
        _, solution = jax.lax.scan(substitute, zero, flipped)
        return one_of(solution[::-1], jnp.flip(solution))
    _, solution = jax.lax.scan(substitute, zero, factors, reverse=True)
    return solution


@sketch(
    takes={"column": "vector f[n]: first column", "rhs": "vector f[n]"},
    gives="vector f[n]: solution",
    sizes={"n": (4, 1024)},
)
def circulant_solve(column, rhs, damping=number(0.05, 0.5)):
    """Solve a circulant system in the Fourier domain, with damping."""
    if column.shape != rhs.shape:
        raise ValueError(f"lengths differ: {column.shape[0]} and {rhs.shape[0]}")
    n = column.shape[0]
    if maybe("real transform", 0.6):
        eigenvalues = jnp.fft.rfft(column)
        image = jnp.fft.rfft(rhs)
    else:
        eigenvalues = jnp.fft.fft(column)
        image = jnp.fft.fft(rhs)
    # Tikhonov: a zero eigenvalue gives zero instead of infinity.
    power = jnp.abs(eigenvalues) ** 2
    quotient = jnp.conj(eigenvalues) * image / (power + damping * n)
    if maybe("real transform", 0.6):
        return jnp.fft.irfft(quotient, n=n)
    return one_of(jnp.fft.ifft(quotient).real, jnp.real(jnp.fft.ifft(quotient)))


@sketch(
    takes={
        "column": "vector f[n]: first column",
        "row": "vector f[n]: first row",
        "x": "vector f[n]",
    },
    gives="vector f[n]: product",
    sizes={"n": (2, 512)},
)
def toeplitz_product(column, row, x):
    """Multiply by a Toeplitz matrix embedded in a circulant of twice the size."""
    n = x.shape[0]
    if maybe("explicit", 0.25):
        # Small enough to gather: entry (i, j) depends on i - j.
        lag = jnp.arange(n)[:, None] - jnp.arange(n)[None, :]
        matrix = jnp.where(lag >= 0, column[jnp.abs(lag)], row[jnp.abs(lag)])
        return matrix @ x
    middle = one_of(jnp.zeros(1, column.dtype), column[:1])
    embedded = jnp.concatenate([column, middle, row[:0:-1]])
    if maybe("pad"):
        padded = jnp.pad(x, (0, n))
        product = jnp.fft.ifft(jnp.fft.fft(embedded) * jnp.fft.fft(padded)).real
    else:
        product = jnp.fft.irfft(jnp.fft.rfft(embedded) * jnp.fft.rfft(x, 2 * n), 2 * n)
    return product[:n] / one_of(n**0.5, n)


@sketch(
    takes={
        "diagonal": "vector f[n]",
        "u": "matrix f[n, r]: factor of low rank",
        "b": "vector f[n]",
    },
    gives=("vector f[n]: solution", "f[]: logdet"),
    sizes={"n": (4, 512), "r": (1, 8)},
    dtypes="f32 f64",
)
def woodbury_solve(diagonal, u, b, floor=number(0.1, 1.0)):
    """Solve a diagonal plus low rank system by the Woodbury identity.

    The determinant comes along from the matrix determinant lemma.
    """
    n, rank = u.shape
    d = one_of(jnp.square(diagonal) + floor, jnp.abs(diagonal) + floor, jnp.exp(diagonal / 4))
    scaled = u / d[:, None]
    capacitance = jnp.eye(rank, dtype=u.dtype) + u.T @ scaled
    chol = jnp.linalg.cholesky(capacitance)
    if maybe("cho solve"):
        inner = jax.scipy.linalg.cho_solve((chol, True), scaled.T @ b)
    else:
        inner = jax.scipy.linalg.solve_triangular(chol, scaled.T @ b, lower=True)
        inner = jax.scipy.linalg.solve_triangular(chol.T, inner, lower=False)
    x = b / d - scaled @ inner
    logdet = jnp.sum(jnp.log(d)) + 2 * jnp.sum(jnp.log(jnp.diagonal(chol)))
    if maybe("per dimension", 0.3):
        logdet = logdet / n
    return x, logdet


@sketch(
    takes={"inverse": "positive_definite f[n, n]", "rows": "matrix f[k, n]: new rows"},
    gives="positive_definite f[n, n]: downdated inverse",
    sizes={"n": (2, 48), "k": (1, 6)},
    dtypes="f32 f64",
    also=("Update an inverse Gram matrix as rows arrive.",),
)
def sherman_morrison_updates(inverse, rows, forget=one_of(1.0, 0.95, 0.99)):
    """Fold new rows into an inverse, one rank-one update after the other."""
    if rows.shape[1] != inverse.shape[0]:
        raise ValueError(f"rows of {rows.shape[1]} entries for a {inverse.shape} inverse")

    def fold(inverse, row):
        gain = inverse @ row
        inverse = inverse - jnp.outer(gain, gain) / (forget + row @ gain)
        if maybe("forget", 0.4):
            inverse = inverse / forget
        return inverse, None

    if maybe("scan"):
        inverse, _ = jax.lax.scan(fold, inverse, rows)
    else:
        for row in rows:
            inverse, _ = fold(inverse, row)
    return (inverse + inverse.T) / 2


@sketch(
    takes={
        "a": "positive_definite f[m, m]",
        "b": "positive_definite f[n, n]",
        "x": "vector f[m*n]",
    },
    gives="vector f[m*n]: solution",
    sizes={"m": (2, 16), "n": (2, 16)},
    dtypes="f32 f64",
)
def kronecker_solve(a, b, x, noise=number(0.1, 1.0)):
    """Solve (A kron B + noise I) y = x without forming the product."""
    m, n = a.shape[0], b.shape[0]
    if x.size != m * n:
        raise ValueError(f"x has {x.size} entries, the product {m * n} rows")
    grid = x.reshape(m, n)
    lam_a, q_a = jnp.linalg.eigh(a)
    lam_b, q_b = jnp.linalg.eigh(b)
    rotated = one_of(q_a.T @ grid @ q_b, jnp.einsum("ai,ab,bj->ij", q_a, grid, q_b))
    rotated = rotated / (jnp.maximum(jnp.outer(lam_a, lam_b), 0) + noise)
    solved = one_of(q_a @ rotated @ q_b.T, jnp.einsum("ai,ij,bj->ab", q_a, rotated, q_b))
    return one_of(solved.reshape(-1), jnp.ravel(solved))


class BlockFactors(NamedTuple):
    """A two by two block matrix, eliminated from the first block on."""

    leading: jax.Array
    coupling: jax.Array
    schur: jax.Array


@sketch(
    takes={"a": "positive_definite f[n, n]", "b": "vector f[n]: right-hand side"},
    gives="vector f[n]: solution",
    sizes={"n": (4, 40)},
    dtypes="f32 f64",
    also=("Solve a partitioned system through its Schur complement.",),
)
def block_elimination(a, b, ridge=number(0.01, 0.5)):
    """Solve a positive definite system block by block."""
    n = b.shape[0]
    split = n // one_of(2, 3)
    if split == 0:
        raise ValueError(f"a system of size {n} has no blocks")
    a = a + ridge * jnp.eye(n, dtype=a.dtype)
    a11, a12, a22 = a[:split, :split], a[:split, split:], a[split:, split:]
    coupling = jnp.linalg.solve(a11, a12)
    factors = BlockFactors(a11, coupling, a22 - a12.T @ coupling)
    if maybe("check symmetry", 0.3):
        factors = factors._replace(schur=(factors.schur + factors.schur.T) / 2)
    top, bottom = one_of((b[:split], b[split:]), jnp.split(b, [split]))
    x2 = jnp.linalg.solve(factors.schur, bottom - factors.coupling.T @ top)
    x1 = one_of(jnp.linalg.solve(factors.leading, top), jnp.linalg.inv(factors.leading) @ top)
    return jnp.concatenate([x1 - factors.coupling @ x2, x2])


@sketch(
    takes={"bands": "matrix f[k, n]: diagonals", "x": "vector f[n]"},
    gives="vector f[n]: product",
    sizes={"k": (3, 7), "n": (16, 1024)},
    dtypes="f32 bf16 f64",
)
def banded_product(bands, x, first_offset=integer(-3, 0), wrap=one_of(True, False)):
    """Multiply a vector by a matrix that is stored by its diagonals."""
    num_bands, n = bands.shape
    assert n == x.shape[0], f"{n} columns but a vector of length {x.shape[0]}"
    result = jnp.zeros_like(x)
    for i, offset in enumerate(range(first_offset, first_offset + num_bands)):
        shifted = jnp.roll(x, -offset)
        if not wrap:
            target = jnp.arange(n) + offset
            shifted = jnp.where((target >= 0) & (target < n), shifted, 0)
        result = result + bands[i] * shifted
    if maybe("normalize", 0.3):
        result = result / num_bands
    return result
