"""What is told to the compiler: barriers, layouts, memory, tags, calls into libraries."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Layout, with_layout_constraint
from jax.experimental.xla_metadata import set_xla_metadata

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

barrier_block = nested("(params: P, x: features f[b, d]) -> features f[b, d]")


@sketch(
    takes={"x": "f[n, d]: summands"},
    gives="f[d]: totals",
    sizes={"n": (2, 24), "d": (2, 64)},
    also=("Kahan summation that the compiler may not simplify.",),
    fills=False,
)
def compensated_sum(x):
    """Sum with a correction that a barrier keeps from being optimized away."""
    total = jnp.zeros(x.shape[1:], x.dtype)
    lost = jnp.zeros_like(total)
    if maybe("by scan"):

        def add(carry, row):
            total, lost = carry
            y = row - lost
            new = jax.lax.optimization_barrier(total + y)
            return (new, (new - total) - y), None

        (total, lost), _ = jax.lax.scan(add, (total, lost), x)
    else:
        for row in x[: one_of(4, 8)]:
            y = row - lost
            new = jax.lax.optimization_barrier(total + y)
            lost = (new - total) - y
            total = new
    if maybe("give what is lost", 0.3):
        return total - lost
    return total


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"b": (2, 16), "d": (4, 32)},
    also=("Residual branches that are not fused with each other.",),
    fills=False,
    weight=1.5,
)
def fenced_residual(params, x, scale=number(0.1, 1.0)):
    """Keep a residual branch and its input apart from what comes after."""
    y = barrier_block(params, x)
    if maybe("fence both"):
        x, y = jax.lax.optimization_barrier((x, y))
    else:
        y = jax.lax.optimization_barrier(y)
    out = x + scale * y
    if maybe("normalize after", 0.4):
        out = out / jnp.sqrt(jnp.mean(out**2, axis=-1, keepdims=True) + 1e-3)
    return out


@sketch(
    takes={"params": "f[n, d]", "grads": "f[n, d]", "momentum": "f[n, d]: buffer"},
    gives=("f[n, d]: params", "f[n, d]: momentum"),
    sizes={"n": (2, 32), "d": (2, 64)},
    also=("Optimizer state that waits in host memory.",),
    fills=False,
)
def offloaded_momentum(params, grads, momentum, rate=number(1e-3, 1e-1), beta=one_of(0.9, 0.5)):
    """Fetch momentum from host memory, use it, and put it back there."""
    waiting = jax.device_put(momentum, jax.memory.Space.Host)
    here = jax.device_put(waiting, jax.memory.Space.Device)
    if maybe("bounded grads"):
        grads = jnp.clip(grads, -1.0, 1.0)
    here = beta * here + one_of(grads, (1 - beta) * grads)
    update = here
    if maybe("look ahead"):
        update = beta * here + grads
    new_params = params - rate * update
    if maybe("sign update", 0.3):
        new_params = params - rate * jnp.sign(update)
    kept = jax.device_put(here, jax.memory.Space.Host)
    return new_params, jax.device_put(kept, jax.memory.Space.Device)


@sketch(
    takes={"left": "f[n, d]: first part", "right": "f[m, d]: second part"},
    gives="features f[n+m, d]",
    sizes={"n": (1, 16), "m": (1, 16), "d": (2, 32)},
    also=("Buffer without initial values that is written in parts.",),
    fills=False,
)
def filled_buffer(left, right):
    """Write parts into a buffer that nothing initializes."""
    split = left.shape[0]
    rows = split + right.shape[0]
    buffer = jax.lax.empty((rows, left.shape[1]), left.dtype)
    if maybe("by slices"):
        buffer = buffer.at[:split].set(left)
        buffer = buffer.at[split:].set(right)
    else:
        buffer = jax.lax.dynamic_update_slice(buffer, left, (0, 0))
        buffer = jax.lax.dynamic_update_slice(buffer, right, (split, 0))
    if maybe("scale parts", 0.4):
        weights = jnp.where(jnp.arange(rows) < split, 1.0, one_of(0.5, 2.0))
        buffer = buffer * weights[:, None]
    return buffer


@sketch(
    takes={"x": "f[n, d]: rows", "w": "f[d, h]: weights"},
    gives="f[n, h]: outputs",
    sizes={"n": (2, 32), "d": (2, 32), "h": (2, 32)},
    also=("Warm-up work for a benchmark, kept from dead code elimination.",),
    fills=False,
)
def warmed_up_product(x, w, repeats=integer(1, 3)):
    """Run work before the timed product that the compiler may not drop."""
    for k in range(repeats):
        warm = one_of(x * (k + 1.0), jnp.sin(x) + k)
        if maybe("warm product"):
            warm = warm @ w
        jax.lax.dce_sink(warm)
    y = x @ w
    if maybe("timed activation"):
        y = one_of(jnp.tanh, jax.nn.relu, jax.nn.silu)(y)
    return y


@sketch(
    takes={"x": "f[n, d]: activations", "w": "f[d, h]: weights", "b": "f[h]: bias"},
    gives="activations f[n, h]",
    sizes={"n": (2, 32), "d": (2, 32), "h": (2, 32)},
    dtypes="f32 bf16",
    also=("Layer with tags that a compiler pass can look for.",),
    fills=False,
    weight=1.5,
)
def tagged_layer(x, w, b):
    """Tag the operations of a layer for a pass of the compiler."""
    with set_xla_metadata(stage=one_of("encoder", "decoder", "head")):
        y = x @ w + b
    if maybe("tag the value"):
        y = set_xla_metadata(y, role=one_of("hidden", "logits"))
    y = one_of(jnp.tanh, jax.nn.relu, jax.nn.sigmoid)(y)
    if maybe("tagged mean", 0.4):
        mean = set_xla_metadata(jnp.mean(y, axis=0, keepdims=True), keep="true")
        y = y - mean
    return one_of(set_xla_metadata(y, fusion="last"), y)


@sketch(
    takes={"a": "f[n, k]: left", "b": "f[k, m]: right"},
    gives="matrix f[n, m]",
    sizes={"n": (2, 32), "k": (2, 32), "m": (2, 32)},
    dtypes="f32 bf16",
    also=("Product with one operand stored by columns.",),
    fills=False,
)
def column_major_product(a, b):
    """Store an operand by columns before a product that reads it so."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"cannot multiply {a.shape} by {b.shape}")
    by_columns = Layout((1, 0))
    if maybe("left by columns"):
        a = with_layout_constraint(a, by_columns)
    else:
        b = with_layout_constraint(b, by_columns)
    product = one_of(a @ b, jnp.einsum("nk,km->nm", a, b))
    if maybe("result by columns", 0.4):
        product = with_layout_constraint(jnp.tanh(product), by_columns)
    return product


@sketch(
    takes={"x": "f[n, d]: rows", "b": "f[d]: right side"},
    gives="f[d]: solution",
    sizes={"n": (2, 24), "d": (2, 16)},
    also=("Cholesky factor by a foreign call, then two substitutions.",),
    fills=False,
)
def lapack_cholesky_solve(x, b, ridge=number(0.1, 2.0)):
    """Solve normal equations with LAPACK's Cholesky factorization, called directly."""
    d = x.shape[1]
    gram = x.T @ x / x.shape[0] + ridge * jnp.eye(d)
    potrf = jax.ffi.ffi_call(
        "lapack_spotrf_ffi",
        (jax.ShapeDtypeStruct((d, d), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)),
        input_layouts=((0, 1),),
        output_layouts=((0, 1), ()),
    )
    factor, info = potrf(gram, uplo=np.uint8(ord("L")))
    lower = jnp.tril(factor)
    if maybe("check status"):
        lower = jnp.where(info == 0, lower, jnp.eye(d))
    half = jax.scipy.linalg.solve_triangular(lower, b, lower=True)
    if maybe("whitened only", 0.3):
        return half
    return jax.scipy.linalg.solve_triangular(lower.T, half, lower=False)


@sketch(
    takes={"x": "f[n, n]: matrix"},
    gives=("f[n]: eigenvalues", "f[n, n]: vectors"),
    sizes={"n": (2, 16)},
    also=("Symmetric eigenproblem by a foreign call.",),
    fills=False,
)
def lapack_symmetric_eigenvalues(x, shift=number(0.1, 1.0)):
    """Find eigenvalues with LAPACK's divide and conquer, called directly."""
    n = x.shape[0]
    sym = (x + x.T) / 2 + jnp.diag(shift * jnp.arange(n, dtype=x.dtype))
    eigenvectors = jax.ShapeDtypeStruct((n, n), jnp.float32)
    eigenvalues = jax.ShapeDtypeStruct((n,), jnp.float32)
    status = jax.ShapeDtypeStruct((), jnp.int32)
    syevd = jax.ffi.ffi_call(
        "lapack_ssyevd_ffi",
        (eigenvectors, eigenvalues, status),
        input_layouts=((0, 1),),
        output_layouts=((0, 1), (0,), ()),
    )
    v, w, _ = syevd(sym, mode=np.uint8(ord("V")), uplo=np.uint8(ord("L")))
    if maybe("clip spectrum"):
        w = jnp.maximum(w, one_of(0.0, 0.1))
    # The signs of eigenvectors are arbitrary.
    return w, one_of(jnp.abs(v), v * v)
