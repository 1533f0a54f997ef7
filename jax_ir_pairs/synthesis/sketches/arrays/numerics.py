"""Functions that stay finite, and dtypes that are what was asked for."""

import functools
from typing import Any, Literal, Optional

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"x": "vector f[n]: numerator", "y": "vector f[n]: denominator"},
    gives="vector f[n]",
    sizes={"n": (2, 512)},
    also=("Divide where the denominator is not too small.",),
)
def safe_divide(
    x, y, eps: Optional[float] = one_of(None, 0.1, 1.0), fill_value: float = one_of(0.0, 1.0)
):
    """Divide with finite values and gradients at zero."""
    if eps is None:
        is_zero = one_of(y == 0, jnp.abs(y) < 0.1)
        ratio = x / jnp.where(is_zero, jnp.ones_like(y), y)
        return jnp.clip(jnp.where(is_zero, fill_value, ratio), -30.0, 30.0)
    sign = one_of(jnp.where(y < 0, -1.0, 1.0), jnp.where(y >= 0, 1, -1).astype(y.dtype))
    if maybe("add", 0.4):
        return jnp.clip(x / (y + sign * eps), -30.0, 30.0)
    return jnp.clip(x / (sign * jnp.maximum(jnp.abs(y), eps)), -30.0, 30.0)


@sketch(
    takes={"x": "f[*s]: any values"},
    gives="f[*s]",
    dtypes="f32 f64 bf16",
    also=("Guard a function against arguments outside of its domain.",),
)
def guarded(
    x,
    kind: Literal["log", "sqrt", "reciprocal"] = one_of("log", "sqrt", "reciprocal"),
    *,
    floor=one_of(1e-2, 0.1),
):
    """Evaluate a function that is singular at zero, with the argument kept away from it."""
    if kind not in ("log", "sqrt", "reciprocal"):
        raise ValueError(f"Invalid kind: {kind}")
    safe = x > floor
    x = one_of(jnp.where(safe, x, floor), jax.lax.select(safe, x, jnp.full_like(x, floor)))
    if kind == "log":
        out = jnp.log(x)
    elif kind == "sqrt":
        out = jnp.sqrt(x)
    else:
        out = one_of(1 / x, jnp.reciprocal(x))
    if maybe("linear tail", 0.4):
        return out
    return jnp.where(safe, out, one_of(0.0, jnp.zeros_like(out)))


@sketch(
    takes={"x": "logits f[*s]"},
    gives="f[*s]",
    also=("Softplus with a sharpness and a shift.",),
)
def softplus_above(
    x, min_value: float | None = one_of(None, 1e-3, 0.1), beta: float = one_of(1.0, 2.0, 0.5)
):
    """Map any real number to a positive one without overflow."""
    if beta <= 0:
        raise ValueError(f"beta must be positive, was {beta}.")
    z = x if beta == 1.0 else beta * x
    if maybe("logaddexp", 0.4):
        y = jnp.logaddexp(z, 0.0)
    elif maybe("piecewise"):
        y = jnp.where(z > 20.0, z, jnp.log1p(jnp.exp(jnp.minimum(z, 20.0))))
    else:
        y = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
    if beta != 1.0:
        y = y / beta
    return y if min_value is None else y + min_value


@sketch(
    takes={"log_p": "logits f[n]", "log_q": "logits f[n]"},
    gives="f[n]",
    sizes={"n": (2, 256)},
    also=("Log of the absolute difference of two exponentials.",),
)
def log_difference(log_p, log_q):
    """Subtract in the space of logarithms without leaving it."""
    high = one_of(jnp.maximum(log_p, log_q), jnp.where(log_p > log_q, log_p, log_q))
    low = jnp.minimum(log_p, log_q)
    x = jnp.minimum(low - high, one_of(-1e-3, -1e-2))
    if maybe("one way"):
        return high + jnp.log1p(-jnp.exp(x))
    # Which of both loses fewer digits depends on the size of the difference.
    is_near = x > one_of(-jnp.log(2.0), -0.693)
    near = jnp.log(-jnp.expm1(jnp.where(is_near, x, -0.5)))
    far = jnp.log1p(-jnp.exp(jnp.where(is_near, -1.0, x)))
    return high + jnp.where(is_near, near, far)


@sketch(
    takes={"a": "vector f[n]", "b": "vector f[n]"},
    sizes={"n": (2, 256)},
    also=("Compare arrays up to a tolerance that fits their dtype.",),
)
def almost_equal(
    a, b, rtol: Optional[float] = one_of(None, 1e-3), atol: float | None = one_of(None, 1e-5, 1.0)
):
    """Tell which entries agree, up to the rounding of their dtype."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    dtype = jnp.promote_types(a.dtype, b.dtype)
    eps = jnp.finfo(dtype).eps if jnp.issubdtype(dtype, jnp.inexact) else 0
    if rtol is None:
        rtol = one_of(10 * float(eps), float(eps) ** 0.5, float(np.sqrt(eps)))
    if atol is None:
        atol = rtol
    if maybe("numpy"):
        close = jnp.isclose(a, b, rtol=rtol, atol=atol, equal_nan=one_of(True, False))
    else:
        scale = one_of(jnp.abs(b), jnp.maximum(jnp.abs(a), jnp.abs(b)))
        close = jnp.abs(a - b) <= atol + rtol * scale
    return one_of(jnp.all(close), close, (close, jnp.mean(close)))


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]",
    sizes={"n": (2, 512)},
    dtypes="f32 bf16",
    also=("Replace what is not finite.",),
)
def replace_nonfinite(x, nan: float = 0.0, bound: float | None = one_of(None, 1e4, 30.0)):
    """Replace NaN and infinite values by finite ones."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    if bound is None:
        info = jnp.finfo(x.dtype)
        low, high = one_of((info.min, info.max), (float(info.min), float(info.max)))
    else:
        low, high = -bound, bound
    if maybe("nan to num", 0.4):
        return jnp.nan_to_num(x, nan=nan, posinf=high, neginf=low)
    x = jnp.where(one_of(jnp.isnan(x), x != x), jnp.asarray(nan, dtype=x.dtype), x)
    return jnp.clip(x, one_of(low, jnp.asarray(low, x.dtype)), high)


@sketch(
    takes={"x": "features f[n, d]"},
    gives="features f[n, d]: clipped",
    sizes={"n": (2, 128), "d": (2, 64)},
    also=("Scale vectors that are too long.",),
)
def clip_by_norm(
    x, max_norm: float = number(0.5, 5.0), axis: int | tuple[int, ...] | None = one_of(None, -1, 0)
):
    """Limit the norm of an array, or of its slices along an axis."""
    squared_sum = jnp.sum(jnp.square(x), axis=axis, keepdims=axis is not None)
    if maybe("careful"):
        positive = squared_sum > 0
        norm = jnp.sqrt(jnp.where(positive, squared_sum, 1.0))
        norm = jnp.where(positive, norm, 0.0)
    else:
        norm = jnp.sqrt(squared_sum + 1e-12)
    if maybe("min"):
        return x * jnp.minimum(1.0, max_norm / one_of(jnp.maximum(norm, 1e-6), (norm + 1e-6)))
    return jnp.where(norm <= max_norm, x, x * max_norm / jnp.maximum(norm, 1e-6))


def _canonical_float(dtype: Any, *args: Any) -> Any:
    """Infer an inexact dtype from arguments unless one is given."""
    if dtype is None:
        dtype = jnp.result_type(*[x for x in args if x is not None])
        if not jnp.issubdtype(dtype, jnp.inexact):
            dtype = jnp.promote_types(jnp.float32, dtype)
    elif not jnp.issubdtype(dtype, jnp.inexact):
        raise ValueError(f"Dtype must be inexact: {dtype}")
    return jnp.dtype(dtype)


@sketch(
    takes={"x": "features f[n, d]", "kernel": "f[d, h]", "bias?": "f[h]"},
    sizes={"n": (2, 64), "d": (2, 64), "h": (2, 32)},
    also=("Multiply by weights in a dtype of choice.",),
)
def promoted_dot(
    x,
    kernel,
    bias=None,
    dtype: Any = one_of(None, jnp.bfloat16, jnp.float32),
    precision: Any = None,
):
    """Contract the last axis with a kernel, after all were promoted to one dtype."""
    if maybe("canonical"):
        dtype = _canonical_float(dtype, x, kernel, bias)
    else:
        dtype = one_of(dtype or jnp.result_type(x, kernel), x.dtype if dtype is None else dtype)
    x, kernel = (jnp.asarray(v, dtype) for v in (x, kernel))
    dims = (((x.ndim - 1,), (0,)), ((), ()))
    if maybe("preferred", 0.4):
        y = jax.lax.dot_general(x, kernel, dims, preferred_element_type=jnp.float32)
        y = y.astype(dtype)
    else:
        y = jax.lax.dot_general(x, kernel, dims, precision=precision)
    if bias is not None:
        y = y + one_of(
            jnp.reshape(bias, (1,) * (y.ndim - 1) + (-1,)).astype(dtype), bias.astype(dtype)
        )
    return y


@sketch(
    takes={"x": "features f[n, d]"},
    gives="features f[n, d]",
    sizes={"n": (2, 64), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Run a computation in higher precision and cast back.",),
)
def in_float32(x, axis: int = one_of(-1, 1), fn: Any = one_of(jax.nn.softmax, jax.nn.log_softmax)):
    """Evaluate a function in 32 bits and return the dtype of the input."""
    dtype = x.dtype
    needs_cast = one_of(dtype in (jnp.bfloat16, jnp.float16), jnp.finfo(dtype).bits < 32)
    if needs_cast:
        x = x.astype(jnp.float32)
    if maybe("wrapped"):

        @functools.wraps(fn)
        def wrapped(*args, **kwargs):
            return jax.tree.map(lambda y: y.astype(dtype), fn(*args, **kwargs))

        return wrapped(x, axis=axis)
    out = fn(x, axis=axis)
    return out.astype(dtype) if needs_cast else out


@sketch(
    takes={"x": "vector f[n]", "key?": "key"},
    sizes={"n": (2, 512)},
    also=("Quantize to integers of few bits.",),
)
def quantize(x, key=None, num_bits: int = one_of(8, 4, 6), symmetric: bool = one_of(True, False)):
    """Round values to integers, at random where a key is given; returns what undoes it."""
    if not 2 <= num_bits <= 8:
        raise ValueError(f"num_bits must be between 2 and 8, got {num_bits}")
    if symmetric:
        bound = 2 ** (num_bits - 1) - 1
        low, high, zero = -bound, bound, 0.0
        scale = jnp.max(jnp.abs(x)) / bound
    else:
        low, high, zero = 0, 2**num_bits - 1, jnp.min(x)
        scale = (jnp.max(x) - zero) / high
    scale = one_of(jnp.maximum(scale, 1e-6), jnp.where(scale == 0, 1.0, scale))
    scaled = (x - zero) / scale
    if key is None:
        rounded = jnp.round(scaled)
    else:
        rounded = jnp.floor(scaled + jax.random.uniform(key, x.shape, x.dtype))
    codes = jnp.clip(rounded, low, high).astype(jnp.int8 if symmetric else jnp.uint8)
    return (codes, scale) if symmetric else (codes, scale, zero)


@sketch(
    takes={"x": "f[*s]"},
    gives="f[*s]",
    dtypes="f32 bf16",
    also=("Piecewise function with a smooth middle.",),
)
def smooth_step(
    x, low: float = number(-2.0, -0.5), high: float = number(0.5, 2.0), order: int = integer(1, 2)
):
    """Go from one level to another between two edges, with slopes that vanish at both."""
    if high <= low:
        raise ValueError("`high` must be larger than `low`, "
                         f"but got {high} <= {low}")  # fmt: skip
    t = jnp.clip((x - low) / (high - low), 0.0, 1.0)
    if order == 1:
        y = t * t * (3.0 - 2.0 * t)
    elif order == 2:
        y = t**3 * (t * (6.0 * t - 15.0) + 10.0)
    else:
        y = t
    return one_of(y, 1.0 - y, 2.0 * y - 1.0)
