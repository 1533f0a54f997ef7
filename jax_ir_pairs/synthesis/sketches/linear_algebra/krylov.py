"""Iterative solvers of linear systems, written out by hand."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class ConjugateGradientState(NamedTuple):
    """What one iteration of conjugate gradients hands to the next."""

    solution: jax.Array
    remainder: jax.Array
    direction: jax.Array
    rho: jax.Array


@sketch(
    takes={
        "a": "positive_definite f[n, n]",
        "b": "vector f[n]: right-hand side",
        "x0?": "vector f[n]: initial guess",
    },
    gives="vector f[n]: solution",
    sizes={"n": (3, 96)},
    dtypes="f32 f64",
    also=("Minimize a quadratic by conjugate gradients.",),
)
def conjugate_gradients(a, b, x0=None, num_iters=integer(3, 10), eps=1e-10):
    """Solve a positive definite system by preconditioned conjugate gradients."""
    if maybe("jacobi preconditioner"):
        inverse_diagonal = 1 / (jnp.diagonal(a) + eps)

    def precondition(r):
        if maybe("jacobi preconditioner"):
            return inverse_diagonal * r
        else:
            return r

    x = jnp.zeros_like(b) if x0 is None else x0
    r = b - a @ x
    z = precondition(r)
    state = ConjugateGradientState(x, r, z, jnp.vdot(r, z))

    def iterate(state):
        image = a @ state.direction
        alpha = state.rho / (jnp.vdot(state.direction, image) + eps)
        x = state.solution + alpha * state.direction
        residual = state.remainder - alpha * image
        z = precondition(residual)
        rho = jnp.vdot(residual, z)
        beta = rho / (state.rho + eps)
        return ConjugateGradientState(x, residual, z + beta * state.direction, rho)

    if maybe("scan"):
        state, _ = jax.lax.scan(lambda s, _: (iterate(s), None), state, length=num_iters)
    else:
        state = jax.lax.fori_loop(0, num_iters, lambda i, s: iterate(s), state)
    return state.solution


@sketch(
    takes={"a": "matrix f[n, n]", "b": "vector f[n]: right-hand side"},
    gives=("vector f[n]: solution", "f[]: residual_norm"),
    sizes={"n": (4, 64)},
    dtypes="f32 f64",
)
def gmres_cycle(a, b, *, krylov_dim=integer(2, 4), shift=number(4.0, 10.0)):
    """Run one cycle of GMRES on a shifted system, from a zero start.

    Arnoldi builds an orthonormal basis of the Krylov space; the small least squares
    problem in it gives the combination of least residual.
    """
    n = b.shape[0]
    a = a / n**0.5 + shift * jnp.eye(n, dtype=a.dtype)
    start_norm = jnp.sqrt(jnp.vdot(b, b) + 1e-8)
    basis = [b / start_norm]
    hessenberg = jnp.zeros((krylov_dim + 1, krylov_dim), b.dtype)
    for j in range(krylov_dim):
        image = a @ basis[j]
        if maybe("classical"):
            # All overlaps at once, from the same vector.
            span = jnp.stack(basis)
            overlaps = span @ image
            hessenberg = hessenberg.at[: j + 1, j].set(overlaps)
            image = image - overlaps @ span
        else:
            for i, q in enumerate(basis):
                overlap = one_of(jnp.vdot(q, image), q @ image)
                hessenberg = hessenberg.at[i, j].set(overlap)
                image = image - overlap * q
        remaining = jnp.sqrt(jnp.sum(image**2) + 1e-8)
        hessenberg = hessenberg.at[j + 1, j].set(remaining)
        basis.append(image / remaining)
    rhs = jnp.zeros(krylov_dim + 1, b.dtype).at[0].set(start_norm)
    if maybe("normal equations"):
        small = hessenberg.T @ hessenberg + 1e-6 * jnp.eye(krylov_dim, dtype=b.dtype)
        coefficients = jnp.linalg.solve(small, hessenberg.T @ rhs)
    else:
        q, r = jnp.linalg.qr(hessenberg)
        coefficients = jax.scipy.linalg.solve_triangular(r, q.T @ rhs)
    x = jnp.stack(basis[:-1], axis=1) @ coefficients
    residual = one_of(b - a @ x, a @ x - b)
    return x, jnp.sqrt(jnp.vdot(residual, residual))


@sketch(
    takes={"a": "matrix f[n, n]: only its symmetric part counts", "key?": "key"},
    gives="f[k]: Ritz values",
    sizes={"n": (16, 128), "k": (2, 6)},
    dtypes="f32 f64",
    also=("Approximate the ends of a symmetric spectrum from a Krylov space.",),
)
def lanczos_ritz_values(a, key=None, num_steps=size("k")):
    """Tridiagonalize a symmetric matrix by Lanczos steps and take the Ritz values."""
    n = a.shape[0]
    a = (a + a.T) / (2 * n**0.5)
    if key is None:
        start = jnp.ones(n, a.dtype)
    else:
        start = jax.random.normal(key, (n,), a.dtype)
    q = start / jnp.linalg.norm(start)
    if maybe("three terms"):

        def recur(carry, _):
            # Few steps need no reorthogonalization.
            previous, q, coupling = carry
            image = a @ q - coupling * previous
            alpha = jnp.vdot(q, image)
            image = image - alpha * q
            length = jnp.sqrt(jnp.sum(image**2) + 1e-10)
            return (q, image / length, length), (alpha, length)

        start = (jnp.zeros_like(q), q, jnp.zeros((), q.dtype))
        _, (diagonal, couplings) = jax.lax.scan(recur, start, length=num_steps)
        off_diagonal = couplings[:-1]
    else:
        diagonal, couplings, vectors = [], [], [q]
        for step in range(num_steps):
            image = a @ q
            diagonal.append(jnp.vdot(q, image))
            for earlier in vectors:  # full reorthogonalization
                image = image - jnp.vdot(earlier, image) * earlier
            if step < num_steps - 1:
                coupling = jnp.sqrt(jnp.sum(image**2) + 1e-10)
                q = image / coupling
                couplings.append(coupling)
                vectors.append(q)
        off_diagonal = jnp.stack(couplings)
        diagonal = jnp.stack(diagonal)
    tridiagonal = jnp.diag(diagonal) + jnp.diag(off_diagonal, 1) + jnp.diag(off_diagonal, -1)
    if maybe("largest first", 0.4):
        return jnp.linalg.eigvalsh(tridiagonal)[::-1]
    return jnp.linalg.eigvalsh(tridiagonal)


@sketch(
    takes={"a": "matrix f[n, n]", "b": "vector f[n]"},
    gives=("vector f[n]: solution", "f[r]: history"),
    sizes={"n": (3, 64), "r": (2, 6)},
    dtypes="f32 f64",
)
def bicgstab_solution(a, b, num_iters=size("r"), shift=number(5.0, 12.0), eps=1e-8):
    """Solve a nonsymmetric system by the stabilized biconjugate gradient method."""
    n = b.shape[0]
    a = a / n**0.5 + shift * jnp.eye(n, dtype=a.dtype)
    shadow = b

    def iterate(carry, _):
        x, r, p, rho = carry
        image = a @ p
        alpha = rho / (shadow @ image + eps)
        s = r - alpha * image
        image_of_s = a @ s
        omega = one_of(
            jnp.vdot(image_of_s, s) / (jnp.vdot(image_of_s, image_of_s) + eps),
            (image_of_s @ s) / (image_of_s @ image_of_s + eps),
        )
        x = x + alpha * p + omega * s
        r = s - omega * image_of_s
        new_rho = shadow @ r
        ratio = jnp.clip(new_rho / (rho + eps) * (alpha / (omega + eps)), -1, 1)
        p = r + ratio * (p - omega * image)
        return (x, r, p, new_rho), one_of(jnp.sqrt(r @ r + eps), jnp.max(jnp.abs(r)))

    start = (jnp.zeros_like(b), b, b, b @ b)
    (x, *_), history = jax.lax.scan(iterate, start, length=num_iters)
    return x, history


@sketch(
    takes={"a": "matrix f[n, n]", "b": "vector f[n]: right-hand side"},
    gives="vector f[n]: iterate",
    sizes={"n": (3, 64)},
    dtypes="f32 f64 bf16",
    also=("Iterate a stationary method on a diagonally dominant system.",),
)
def stationary_iteration(a, b, num_sweeps=integer(4, 20), omega=number(0.5, 1.0)):
    """Relax a diagonally dominant system by sweeps of a stationary method."""
    off_diagonal = a - jnp.diag(jnp.diagonal(a))
    # A diagonal that dominates its row, so that every splitting converges.
    diagonal = 1 + jnp.sum(jnp.abs(off_diagonal), axis=1)
    if maybe("gauss seidel", 0.2):

        def sweep(_, x):
            def update(i, x):
                value = (b[i] - off_diagonal[i] @ x) / diagonal[i]
                return x.at[i].set((1 - omega) * x[i] + omega * value)

            return jax.lax.fori_loop(0, b.shape[0], update, x)

    elif maybe("richardson", 0.4):
        rate = 1 / jnp.max(diagonal)

        def sweep(_, x):
            return x + rate * omega * (b - diagonal * x - off_diagonal @ x)

    else:

        def sweep(_, x):
            jacobi = (b - off_diagonal @ x) / diagonal
            return x + omega * (jacobi - x)

    return jax.lax.fori_loop(0, num_sweeps, sweep, jnp.zeros_like(b))


@sketch(
    takes={"a": "positive_definite f[n, n]", "b": "vector f[n]"},
    gives="vector f[n]: solution",
    sizes={"n": (3, 96)},
    dtypes="f32 f64",
)
def chebyshev_iteration(a, b, degree=integer(3, 12), smallest=number(0.05, 0.5)):
    """Damp the error of a positive definite system by Chebyshev polynomials.

    Needs bounds of the spectrum but no inner products.
    """
    largest = one_of(jnp.max(jnp.sum(jnp.abs(a), axis=1)), jnp.trace(a)) + smallest
    center = (largest + smallest) / 2
    radius = (largest - smallest) / 2
    x = jnp.zeros_like(b)
    r = b
    p = r / center
    alpha = 1 / center
    for step in range(degree):
        if step > 0:
            beta = (radius * alpha / 2) ** 2 if step > 1 else (radius * alpha) ** 2 / 2
            alpha = 1 / (center - beta / alpha)
            p = alpha * r + beta * p
        x = x + p
        if maybe("recurrence"):
            r = r - a @ p
        else:
            r = b - a @ x
    return x


@sketch(
    takes={"x": "vector f[n]: values at grid points"},
    gives="vector f[n]",
    sizes={"n": (4, 1024)},
    dtypes="f32 bf16 f64",
    also=("Multiply by a shifted discrete Laplacian without forming it.",),
)
def screened_laplacian(x, shift=number(0.1, 2.0)):
    """Apply the second-difference operator plus a positive shift to a grid function."""
    if maybe("dirichlet"):
        # Zero outside of the grid.
        padded = jnp.pad(x, 1)
        neighbors = padded[:-2] + padded[2:]
    elif maybe("neumann"):
        padded = jnp.pad(x, 1, mode="edge")
        neighbors = padded[:-2] + padded[2:]
    else:
        neighbors = jnp.roll(x, 1) + jnp.roll(x, -1)
    return one_of((2 + shift) * x - neighbors, 2 * x - neighbors + shift * x)
