"""Functions of matrices, and linear equations in matrices."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"a": "matrix f[n, n]", "scale?": "f[]"},
    gives="symmetric f[n, n]: symmetric",
    sizes={"n": (2, 128)},
    dtypes="f32 bf16 f64",
    also=("Split off the skew part of a square matrix.",),
)
def symmetric_part(a, scale=None):
    """Symmetrize a square matrix, and scale it if asked."""
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {a.shape}")
    sym = one_of((a + a.T) / 2, 0.5 * (a + a.T), 0.5 * (a + jnp.swapaxes(a, -1, -2)))
    if maybe("unit trace", 0.2):
        # Make the diagonal average to zero.
        sym = sym - jnp.trace(sym) / a.shape[0] * jnp.eye(a.shape[0], dtype=a.dtype)
    elif maybe("semicircle", 0.3):
        # Eigenvalues stay of order one however large the matrix is.
        sym = sym / a.shape[0] ** 0.5
    return sym if scale is None else scale * sym


@sketch(
    takes={"a": "positive_definite f[n, n]"},
    gives=("symmetric f[n, n]: root", "symmetric f[n, n]: inverse_root"),
    sizes={"n": (2, 24)},
    dtypes="f32 f64",
    also=("Find the square root of a positive definite matrix and its inverse.",),
)
def square_root_pair(a, num_iters=integer(5, 9)):
    """Take the square root of a positive definite matrix, and its inverse, by iteration."""
    n = a.shape[0]
    eye = jnp.eye(n, dtype=a.dtype)
    # Convergence needs a spectrum within (0, 1].
    scale = one_of(jnp.trace(a), jnp.linalg.norm(a)) + 1e-6
    normalized = a / scale
    if maybe("denman beavers", 0.4):

        def iterate(pair, _):
            root, inverse = pair
            mixed = (root + jnp.linalg.inv(inverse + 1e-6 * eye)) / 2
            return (mixed, (inverse + jnp.linalg.inv(root + 1e-6 * eye)) / 2), None

        (root, inverse), _ = jax.lax.scan(iterate, (normalized, eye), length=num_iters)
    else:
        # Newton-Schulz: products only.
        root, inverse = normalized, eye
        for _ in range(num_iters):
            correction = one_of((3 * eye - inverse @ root) / 2, 1.5 * eye - 0.5 * (inverse @ root))
            root, inverse = root @ correction, correction @ inverse
    return root * jnp.sqrt(scale), inverse / jnp.sqrt(scale)


@sketch(
    takes={"g": "matrix f[m, n]: matrix such as a gradient"},
    gives="matrix f[m, n]: orthogonalized",
    sizes={"m": (2, 64), "n": (2, 64)},
    dtypes="f32 bf16 f64",
    also=("Push the singular values of a matrix towards one.",),
)
def newton_schulz_orthogonalize(g, num_steps=integer(2, 6), eps=1e-6):
    """Orthogonalize a matrix approximately by an odd polynomial iteration."""
    a, b, c = one_of((3.4445, -4.7750, 2.0315), (2.0, -1.5, 0.5), (1.5, -0.5, 0.0))
    transposed = g.shape[0] > g.shape[1]
    x = g.T if transposed else g
    x = x / (jnp.linalg.norm(x) + eps)
    if maybe("loop"):
        for _ in range(num_steps):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
    else:

        def iterate(_, x):
            gram = jnp.einsum("ik,jk->ij", x, x)
            return a * x + b * gram @ x + c * gram @ (gram @ x)

        x = jax.lax.fori_loop(0, num_steps, iterate, x)
    if transposed:
        x = x.T
    if maybe("rescale", 0.4):
        # Keep the size of an update about the same for every aspect ratio.
        x = x * max(1, g.shape[0] / g.shape[1]) ** 0.5
    return x


def _taylor_exponential(a, order):
    eye = jnp.eye(a.shape[-1], dtype=a.dtype)
    # Horner's rule on the truncated series.
    result = eye
    for j in range(order, 0, -1):
        result = eye + a @ result / j
    return result


def _pade_exponential(a):
    """The [2/2] Pade approximant."""
    eye = jnp.eye(a.shape[-1], dtype=a.dtype)
    odd, even = a / 2, eye + a @ a / 12
    return jnp.linalg.solve(even - odd, even + odd)


@sketch(
    takes={"a": "matrix f[n, n]: generator", "x": "vector f[n]"},
    gives="vector f[n]: propagated",
    sizes={"n": (2, 40)},
    dtypes="f32 f64",
    also=("Propagate a linear system by the exponential of its generator.",),
)
def exponential_action(a, x, time=number(0.1, 1.0), squarings=integer(2, 4)):
    """Multiply a vector by a matrix exponential, by scaling and squaring."""
    n = x.shape[0]
    # Bounded growth: scale by the size and move the spectrum to the left.
    a = time * (a / n - jnp.eye(n, dtype=a.dtype))
    scaled = a / 2**squarings
    if maybe("pade"):
        propagator = _pade_exponential(scaled)
    else:
        propagator = _taylor_exponential(scaled, order=integer(3, 6))
    if maybe("squaring"):
        for _ in range(squarings):
            propagator = propagator @ propagator
        return propagator @ x
    # Repeated products with a vector are cheaper than squaring.
    return jax.lax.fori_loop(0, 2**squarings, lambda _, x: propagator @ x, x)


@sketch(
    takes={"a": "symmetric f[n, n]"},
    gives="symmetric f[n, n]: transformed",
    sizes={"n": (2, 48)},
    dtypes="f32 f64",
)
def spectral_function(a, sharpness=number(0.5, 3.0)):
    """Map the eigenvalues of a symmetric matrix through a scalar function."""
    n = a.shape[0]
    values, vectors = jnp.linalg.eigh(a / n**0.5)
    if maybe("filter"):
        mapped = one_of(
            jnp.exp(-sharpness * jnp.square(values)),
            1 / (1 + sharpness * jnp.square(values)),
            jax.nn.sigmoid(sharpness * values),
        )
    elif maybe("inverse"):
        # A resolvent off the real axis: never singular.
        mapped = values / (jnp.square(values) + 1 / sharpness)
    else:
        mapped = one_of(
            jnp.tanh(sharpness * values),
            jnp.log1p(sharpness * jax.nn.softplus(values)),
            jnp.maximum(values, 0) * sharpness,
        )
    result = one_of((vectors * mapped) @ vectors.T, vectors @ jnp.diag(mapped) @ vectors.T)
    return (result + result.T) / 2


@sketch(
    takes={"a": "matrix f[m, m]", "b": "matrix f[n, n]", "c": "matrix f[m, n]"},
    gives="matrix f[m, n]: solution",
    sizes={"m": (2, 9), "n": (2, 9)},
    dtypes="f32 f64",
)
def sylvester_solution(a, b, c, shift=number(3.0, 8.0)):
    """Solve the Sylvester equation A X + X B = C for spectra kept apart by shifts."""
    m, n = c.shape
    if a.shape != (m, m) or b.shape != (n, n):
        raise ValueError(f"a {a.shape} and b {b.shape} do not fit c {c.shape}")
    if maybe("symmetric"):
        # Both diagonalizable by rotations, so the equation is a division.
        lam, u = jnp.linalg.eigh((a + a.T) / (2 * m))
        mu, q = jnp.linalg.eigh((b + b.T) / (2 * n))
        rotated = u.T @ c @ q
        rotated = rotated / (lam[:, None] + mu[None, :] + 2 * shift)
        return u @ rotated @ q.T
    a = a / m**0.5 + shift * jnp.eye(m, dtype=a.dtype)
    b = b / n**0.5 + shift * jnp.eye(n, dtype=b.dtype)
    # Row-major vec: vec(A X + X B) = (A x I + I x B^T) vec(X).
    system = jnp.kron(a, jnp.eye(n, dtype=a.dtype)) + jnp.kron(jnp.eye(m, dtype=b.dtype), b.T)
    return jnp.linalg.solve(system, one_of(c.reshape(-1), jnp.ravel(c))).reshape(m, n)


@sketch(
    takes={"a": "matrix f[n, n]: dynamics", "q": "positive_definite f[n, n]: noise"},
    gives="positive_definite f[n, n]: stationary covariance",
    sizes={"n": (2, 32)},
    dtypes="f32 f64",
    also=("Sum the discrete Lyapunov series by doubling.",),
)
def discrete_lyapunov(a, q, radius=number(0.3, 0.8), num_doublings=integer(3, 6)):
    """Find the stationary covariance of a contracting linear recursion."""
    # The Frobenius norm bounds the spectral radius.
    a = radius * a / (jnp.linalg.norm(a) + 1e-3)
    if maybe("doubling", 0.6):
        total, power = q, a
        for _ in range(num_doublings):
            total = total + power @ total @ power.T
            power = power @ power
    else:

        def accumulate(cov, _):
            cov = a @ cov @ a.T + q
            return cov, one_of(jnp.trace(cov), None)

        total, _ = jax.lax.scan(accumulate, q, length=2**num_doublings)
    return (total + total.T) / 2


@sketch(
    takes={"a": "matrix f[n, n]"},
    gives="matrix f[n, n]: value",
    sizes={"n": (2, 40)},
    dtypes="f32 f64 bf16",
    also=("Evaluate a power series at a matrix.",),
)
def matrix_polynomial(a, scheme=one_of("horner", "powers")):
    """Evaluate a polynomial at a matrix scaled to unit norm."""
    coefficients = one_of(
        (1.0, 1.0, 0.5, 1 / 6), (1.0, -1.0, 1.0, -1.0, 1.0), (0.0, 2.0, 0.0, -1.0)
    )
    a = a / (one_of(jnp.linalg.norm(a), jnp.max(jnp.sum(jnp.abs(a), axis=0))) + 1e-3)
    eye = jnp.eye(a.shape[0], dtype=a.dtype)
    if scheme == "horner":
        return functools.reduce(
            lambda acc, c: a @ acc + c * eye, reversed(coefficients), jnp.zeros_like(a)
        )
    if scheme != "powers":
        raise ValueError(f"unknown scheme {scheme!r}")
    result, power = coefficients[0] * eye, eye
    for c in coefficients[1:]:
        power = power @ a
        if c:
            result = result + c * power
    return result
