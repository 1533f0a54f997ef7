"""Linear maps with their transposes, and systems that are solved by products."""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import linear_call

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"x": "vector f[n]", "scales": "f[n]: scales", "targets": "vector f[n]"},
    gives=("loss f[]", "vector f[n]: gradient"),
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Diagonal preconditioner that states its own transpose.",),
    fills=False,
)
def preconditioned_gradient(x, scales, targets):
    """Differentiate through a linear map that comes with its transpose."""
    widths = one_of(1 + scales**2, 0.5 + jax.nn.softplus(scales))

    def whiten(width, v):
        if maybe("smooth after", 0.4):
            scaled = v / width
            return scaled + 0.5 * jnp.roll(scaled, 1)
        return v / width

    def whiten_transpose(width, ct):
        if maybe("smooth after", 0.4):
            return (ct + 0.5 * jnp.roll(ct, -1)) / width
        return ct / width

    def loss_of(v):
        white = linear_call(whiten, whiten_transpose, widths, v)
        if maybe("robust white", 0.4):
            return jnp.mean(jnp.sqrt(1 + (white - targets) ** 2))
        return jnp.mean((white - targets) ** 2)

    return jax.value_and_grad(loss_of)(x)


@sketch(
    takes={"signal": "signal f[n]", "kernel": "f[n]: response"},
    gives="signal f[n]: filtered",
    sizes={"n": (4, 256)},
    also=("Circular filter with an adjoint of its own.",),
    fills=False,
)
def filter_with_adjoint(signal, kernel, cutoff=number(0.05, 0.5)):
    """Filter a signal, and its residual by the adjoint of the filter."""
    n = signal.shape[0]
    response = jnp.exp(-((jnp.fft.rfftfreq(n) / cutoff) ** 2))
    if maybe("measured response"):
        response = response * jnp.fft.rfft(kernel / n)

    def apply(spectrum, v):
        return jnp.fft.irfft(spectrum * jnp.fft.rfft(v), n)

    def adjoint(spectrum, ct):
        return jnp.fft.irfft(jnp.conj(spectrum) * jnp.fft.rfft(ct), n)

    smooth = linear_call(apply, adjoint, response, signal)
    if maybe("residual pass"):
        _, pull = jax.vjp(lambda v: linear_call(apply, adjoint, response, v), signal)
        return smooth + pull(signal - smooth)[0]
    return smooth


@sketch(
    takes={"measured": "series f[m]: measured", "mask": "mask bool[2*m]"},
    gives={"image": "f[2*m]", "residual": "f[]"},
    sizes={"m": (2, 64)},
    dtypes="f32 f64",
    also=("Landweber iteration with a transposed operator.",),
)
def landweber_reconstruction(measured, mask, num_iters=integer(2, 6), rate=number(0.05, 0.3)):
    """Reconstruct a signal from coarse measurements by the transpose of the camera."""
    length = 2 * measured.shape[0]

    def camera(v):
        seen = jnp.where(mask, v, 0.0)
        if maybe("blur first"):
            seen = (seen + jnp.roll(seen, 1) + jnp.roll(seen, -1)) / 3
        if maybe("running sums", 0.3):
            seen = jnp.cumsum(seen) / length
        return one_of(seen.reshape(-1, 2).mean(axis=1), seen[::2])

    back = jax.linear_transpose(camera, jnp.zeros(length, measured.dtype))
    v = jnp.zeros(length, measured.dtype)
    for _ in range(num_iters):
        (step,) = back(measured - camera(v))
        v = v + rate * step
        if maybe("nonnegative", 0.4):
            v = jnp.maximum(v, 0.0)
    residual = measured - camera(v)
    return {"image": v, "residual": jnp.sqrt(jnp.mean(residual**2) + 1e-12)}


@sketch(
    takes={"w": "matrix f[n, r]: factors", "rhs": "vector f[n]", "targets": "vector f[n]"},
    gives=("loss f[]", "vector f[n]: gradient"),
    sizes={"n": (2, 48), "r": (1, 4)},
    dtypes="f32 f64",
    also=("Solution of a symmetric system as one step for its derivative.",),
)
def matrix_free_solve_gradient(w, rhs, targets, damping=number(1.0, 4.0), steps=integer(4, 12)):
    """Solve a symmetric system by products alone, and differentiate the solution."""
    factors = jnp.tanh(w) / w.shape[0] ** 0.5

    def product(v):
        return damping * v + factors @ (factors.T @ v)

    def solve(matvec, b):
        if maybe("steepest descent", 0.3):

            def descend(_, x):
                r = b - matvec(x)
                return x + (r @ r) / (r @ matvec(r) + 1e-6) * r

            return jax.lax.fori_loop(0, steps, descend, jnp.zeros_like(b))
        if maybe("library cg here"):
            return jax.scipy.sparse.linalg.cg(matvec, b, maxiter=steps)[0]
        # Richardson's iteration needs no inner products.
        bound = damping + w.shape[1]
        return jax.lax.fori_loop(0, steps, lambda _, x: x + (b - matvec(x)) / bound, b / bound)

    def loss_of(b):
        x = jax.lax.custom_linear_solve(product, b, solve, symmetric=True)
        return one_of(jnp.mean((x - targets) ** 2), jnp.mean(jnp.abs(x - targets)))

    if maybe("pushed rhs", 0.3):
        _, push = jax.linearize(loss_of, rhs)
        return loss_of(rhs), jax.vmap(push)(jnp.eye(rhs.shape[0], dtype=rhs.dtype))
    return jax.value_and_grad(loss_of)(rhs)


@sketch(
    takes={"lower": "matrix f[n, n]", "rhs": "vector f[n]"},
    gives="vector f[n]: sensitivity",
    sizes={"n": (2, 24)},
    dtypes="f32 f64",
    also=("Sensitivity of a triangular solve, forwards and backwards.",),
)
def substitution_sensitivity(lower, rhs):
    """State how a triangular system and its transpose are solved."""
    n = rhs.shape[0]
    matrix = jnp.tril(jnp.tanh(lower), -1) / n + jnp.diag(1 + jax.nn.sigmoid(jnp.diag(lower)))

    def forward(_, b):
        if maybe("by hand", 0.4):
            x = jnp.zeros_like(b)
            for i in range(min(n, 8)):
                x = x.at[i].set((b[i] - matrix[i] @ x) / matrix[i, i])
            return x
        return jax.scipy.linalg.solve_triangular(matrix, b, lower=True)

    def backward(_, b):
        return jax.scipy.linalg.solve_triangular(matrix, b, lower=True, trans=1)

    def solution(b):
        return jax.lax.custom_linear_solve(
            lambda v: matrix @ v, b, forward, transpose_solve=backward
        )

    if maybe("gradient of size"):
        return jax.grad(lambda b: one_of(jnp.sum, jnp.mean)(solution(b) ** 2))(rhs)
    x, pull = jax.vjp(solution, rhs)
    return pull(one_of(x, jnp.ones_like(x)))[0]
