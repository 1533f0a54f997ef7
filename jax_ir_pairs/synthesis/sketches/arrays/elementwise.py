"""Short functions of arrays that other functions are built from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"x": "f[*s]"},
    gives="f[*s]",
    dtypes="f32 bf16",
    also=("Squash values symmetrically.",),
)
def signed_transform(x):
    """Compress large values and keep the sign."""
    if maybe("hyperbolic", 0.4):
        return one_of(jnp.sign(x) * (jnp.sqrt(jnp.abs(x) + 1) - 1) + 1e-3 * x, jnp.arcsinh(x))
    if maybe("log"):
        return jnp.sign(x) * jnp.log1p(jnp.abs(x))
    return x / (1 + jnp.abs(x))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def clamped_sqrt(x, tol):
    return jnp.sqrt(jnp.maximum(x, tol))


def _clamped_sqrt_jvp(tol, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    root = clamped_sqrt(x, tol)
    return root, jnp.where(x > tol, x_dot / (2 * jnp.maximum(root, 1e-3)), 0.0)


clamped_sqrt.defjvp(_clamped_sqrt_jvp)


@sketch(
    takes={"x": "features f[n, d]", "y": "features f[n, d]"},
    gives="f[n]",
    sizes={"n": (2, 128), "d": (1, 32)},
    also=("Distance between rows.",),
)
def row_distance(x, y):
    """Measure how far paired rows are apart."""
    if x.shape != y.shape:
        raise ValueError(f"Incompatible shapes {x.shape} and {y.shape}")
    diff = x - y
    if maybe("manhattan", 0.3):
        return jnp.abs(diff).sum(axis=-1)
    if maybe("custom"):
        return clamped_sqrt(jnp.sum(diff**2, axis=-1), 1e-6)
    return jnp.sqrt(jnp.einsum("ij,ij->i", diff, diff) + one_of(1e-6, 1e-3))


def _last_axis(fn):
    """Map a function of vectors over all axes but the last."""

    @functools.wraps(fn)
    def wrapped(*args):
        return jnp.vectorize(fn, signature=",".join(["(n)"] * len(args)) + "->()")(*args)

    return wrapped


@sketch(
    takes={"x": "sequence f[b, t, d]", "y": "sequence f[b, t, d]"},
    gives="sequence f[b, t]",
    sizes={"b": (1, 8), "t": (2, 16), "d": (2, 16)},
    also=("Function of two vectors at each place.",),
)
def dot_last_axis(x, y):
    """Contract the last axis of two arrays."""
    if maybe("vectorize"):
        return _last_axis(jnp.vdot)(x, y)
    elif maybe("batched"):
        batch = tuple(range(x.ndim - 1))
        return jax.lax.dot_general(x, y, (((x.ndim - 1,), (y.ndim - 1,)), (batch, batch)))
    else:
        return one_of(jnp.einsum("...d,...d->...", x, y), jnp.sum(x * y, -1))


def _tiny(dtype):
    return jnp.finfo(dtype).tiny


@sketch(
    takes={"probs": "probabilities f[n, c]"},
    gives="f[n]",
    sizes={"n": (2, 64), "c": (2, 32)},
    also=("Entropy where 0 log 0 is 0.",),
)
def entropy_of(probs):
    """Compute the entropy of each row of probabilities."""
    if maybe("xlogy", 0.4):
        return -jnp.sum(jax.scipy.special.xlogy(probs, jnp.maximum(probs, 1e-9)), axis=-1)
    if maybe("tiny"):
        log_probs = jnp.log(probs.clip(_tiny(probs.dtype)))
    else:
        log_probs = jnp.log(jnp.where(probs > 0, probs, 1))
    return -(probs * log_probs).sum(-1)


@sketch(
    takes={"x": "vector f[n]"},
    sizes={"n": (2, 256)},
    also=("Split a number into mantissa and exponent.",),
)
def split_exponent(x):
    """Decompose floats into a mantissa and a power of two."""
    if maybe("frexp", 0.3):
        return jnp.frexp(x)
    mantissa_bits = jnp.finfo(x.dtype).nmant
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    exponent = (bits >> mantissa_bits) & 0xFF
    if maybe("fields"):
        mantissa = bits & ((1 << mantissa_bits) - 1)
        return mantissa, one_of(exponent, exponent - 127)
    return x * jnp.exp2(-(exponent - 127).astype(x.dtype)), exponent - 127


@sketch(
    takes={"x": "features f[n, d]"},
    gives="features f[n, d]",
    sizes={"n": (2, 64), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Pass a value on and stop or bound its gradient.",),
)
def gradient_gate(x):
    """Change how the gradient passes, and not the value."""
    if maybe("stop", 0.3):
        return jax.lax.stop_gradient(x)
    if maybe("straight through"):
        hard = one_of(jnp.round(x), jnp.sign(x), (x > 0).astype(x.dtype))
        return x + jax.lax.stop_gradient(hard - x)
    scale = number(0.1, 0.9)
    return x * scale + jax.lax.stop_gradient(x * (1 - scale))


@sketch(
    takes={"matrix": "matrix f[n, n]"},
    gives="symmetric f[n, n]",
    sizes={"n": (2, 48)},
    dtypes="f32 f64",
    also=("Make a matrix symmetric.",),
)
def symmetrize(matrix):
    """Keep the symmetric part of a matrix, or one of its triangles."""
    assert matrix.ndim == 2, matrix.shape
    assert matrix.shape[0] == matrix.shape[1], matrix.shape
    if maybe("lower", 0.4):
        lower = jnp.tril(matrix)
        return lower + one_of(
            jnp.tril(matrix, -1).T, jnp.swapaxes(lower - jnp.diag(jnp.diag(lower)), 0, 1)
        )
    return (
        (matrix + matrix.T) / 2 if maybe("half") else 0.5 * (matrix + jnp.matrix_transpose(matrix))
    )


@sketch(
    takes={"matrix": "matrix f[n, n]", "value": "f[]"},
    gives="matrix f[n, n]",
    sizes={"n": (2, 48)},
    dtypes="f32 bf16",
    also=("Shift the diagonal of a matrix.",),
)
def add_diagonal(matrix, value):
    """Add a multiple of the identity without building it."""
    n = matrix.shape[-1]
    idx = jnp.arange(n)
    if maybe("matrix", 0.3):
        return matrix + value * jnp.eye(n, dtype=matrix.dtype)
    if maybe("set"):
        return matrix.at[idx, idx].set(jnp.diagonal(matrix) + value)
    return one_of(matrix.at[idx, idx].add(value), matrix.at[jnp.diag_indices(n)].add(value))


def _tril_index(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.tril_indices(n, k)
    return rows, cols


@sketch(
    takes={"matrix": "matrix f[n, n]"},
    sizes={"n": (2, 32)},
    dtypes="f32 bf16",
    also=("Vectorize the lower triangle of a matrix.",),
)
def vech(matrix):
    """Stack the entries on and below the diagonal into a vector."""
    rows, cols = one_of(_tril_index(matrix.shape[0], 0), np.tril_indices(matrix.shape[0]))
    entries = matrix[rows, cols]
    if maybe("weights"):
        # The norm of the vector becomes that of the symmetric matrix.
        return entries * np.where(rows == cols, 1.0, np.sqrt(2.0)).astype(matrix.dtype)
    return entries


@sketch(
    takes={"x": "features f[n, d]", "limits": "vector f[d]"},
    gives="features f[n, d]",
    sizes={"n": (2, 64), "d": (1, 16)},
    also=("Bring values of the real line into an interval.",),
)
def to_interval(x, limits):
    """Map real numbers into an interval of which the half widths are given."""
    half = one_of(jnp.abs(limits), jax.nn.softplus(limits))
    if maybe("tanh"):
        return half * jnp.tanh(x)
    else:
        return half * (2 * jax.nn.sigmoid(x) - 1)
