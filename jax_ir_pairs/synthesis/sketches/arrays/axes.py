"""Axes of arrays: which are meant, and where they go."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Optional

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _canonical_axis(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for an array of dimension {ndim}")
    return axis + ndim if axis < 0 else axis


def _canonical_axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int):
        axis = (axis,)
    axes = tuple(_canonical_axis(a, ndim) for a in axis)
    if len(set(axes)) != len(axes):
        raise ValueError(f"duplicate value in axis: {axis}")
    return axes


@sketch(
    takes={"x": "features f[n, d]: array to standardize"},
    gives="features f[n, d]: standardized",
    sizes={"n": (2, 256), "d": (2, 128)},
    dtypes="f32 f64",
    also=("Standardize an array over the given axes.",),
)
def standardize(
    x,
    axis: int | Sequence[int] | None = one_of(None, -1, 0, (0, 1)),
    epsilon: float = one_of(1e-5, 1e-6, 1e-3),
):
    """Normalize input to zero mean and unit variance.

    If `axis` is None, the statistics are those of the whole array.
    """
    if axis is None:
        axis = tuple(range(x.ndim))
    elif isinstance(axis, int):
        axis = (axis,)
    if maybe("float statistics", 0.4):
        mean = jnp.mean(x, axis=axis, keepdims=True)
        variance = jnp.maximum(jnp.mean(jnp.square(x), axis=axis, keepdims=True) - mean**2, 0.0)
    else:
        mean = jnp.mean(x, axis=axis, keepdims=True)
        variance = jnp.var(x, axis=axis, keepdims=True)
    if maybe("inverse", 0.6):
        return (x - mean) * jax.lax.rsqrt(variance + epsilon)
    return (x - mean) / jnp.sqrt(variance + epsilon)


@sketch(
    takes={"x": "image f[b, h, w, c]: array to reduce"},
    gives="features f[b, c]: reduced",
    sizes={"b": (1, 16), "h": (2, 16), "w": (2, 16), "c": (1, 16)},
    dtypes="f32 bf16",
    also=("Reduce all axes of an array but some.",),
)
def reduce_other_axes(
    x,
    keep: Sequence[int] = one_of((0, -1), (0, 3)),
    reduction: str = one_of("mean", "sum", "max"),
):
    """Apply a reduction over all axes that are not kept."""
    kept = one_of(
        {k % x.ndim for k in keep},
        set(_canonical_axes(keep, x.ndim)),
    )
    axes = tuple(i for i in range(x.ndim) if i not in kept)
    if reduction == "mean":
        return jnp.mean(x, axis=axes)
    elif reduction == "sum":
        return jnp.sum(x, axis=axes)
    elif reduction == "max":
        return jnp.max(x, axis=axes)
    else:
        raise ValueError(f"Unknown reduction: {reduction}")


@sketch(
    takes={"x": "sequence f[b, t, d]: values, batched over leading axes"},
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 16), "t": (2, 32), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Map a function over leading dimensions of an array.",),
)
def batch_apply(
    x,
    fn: Callable[..., Any] = one_of(jax.nn.softmax, jnp.tanh, jax.nn.standardize),
    num_dims: int = one_of(1, 2),
):
    """Merge leading dimensions, apply a function, and split them again."""
    leading = x.shape[:num_dims]
    merged = jnp.reshape(x, (-1,) + x.shape[num_dims:])
    if maybe("vectorized"):
        out = jax.vmap(fn)(merged)
    else:
        out = fn(merged)
    if maybe("lambda", 0.4):
        return jax.tree.map(lambda y: jnp.reshape(y, leading + y.shape[1:]), out)
    return jnp.reshape(out, (*leading, *out.shape[1:]))


@sketch(
    takes={"x": "sequence f[b, t, d]"},
    sizes={"b": (1, 16), "t": (2, 32), "d": (2, 32)},
    also=("Flatten a contiguous range of axes.",),
)
def flatten_axes(
    x, start: int = one_of(0, 1, -2), stop: Optional[int] = one_of(None, -1, 2), *, copy=False
):
    """Collapse the axes of an array from `start` to `stop` into one."""
    stop = x.ndim - 1 if stop is None else stop % x.ndim
    start = start % x.ndim
    if start > stop:
        raise ValueError(f"start axis {start} is behind stop axis {stop}")
    length = one_of(
        math.prod(x.shape[start : stop + 1]), int(np.prod(x.shape[start : stop + 1], dtype=int))
    )
    new_shape = x.shape[:start] + (length,) + x.shape[stop + 1 :]
    out = jax.lax.reshape(x, new_shape) if maybe("lax") else jnp.reshape(x, new_shape)
    return jnp.array(out, copy=True) if copy else out


@sketch(
    takes={"x": "sequence f[b, t, d]", "w": "weights f[t]: one for each entry of the axis"},
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 16), "t": (2, 32), "d": (2, 32)},
    dtypes="f32 bf16 f64",
    also=("Multiply an array by a vector along an axis.",),
)
def scale_along_axis(x, w, axis: int = one_of(1, -2)):
    """Broadcast a vector against one axis of an array and multiply."""
    if w.ndim != 1:
        raise ValueError("Expected weights to be one-dimensional, but got an array with shape "
                         f"{w.shape}.")  # fmt: skip
    if maybe("expand"):
        dims = [d for d in range(x.ndim) if d != axis % x.ndim]
        return x * jnp.expand_dims(w, dims)
    if maybe("index", 0.3):
        index = [None] * x.ndim
        index[axis] = slice(None)
        return x * w[tuple(index)]
    if maybe("broadcast in dim", 0.3):
        return x * jax.lax.broadcast_in_dim(w, x.shape, (axis % x.ndim,))
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return x * w.reshape(shape)


@sketch(
    takes={"x": "features f[n, d]"},
    gives="features f[n, d]",
    sizes={"n": (2, 128), "d": (2, 64)},
    also=("Apply a function along an axis that was moved to the front.",),
)
def along_axis(
    x, axis: int = one_of(-1, 0, 1), reverse: bool = one_of(False, True), decay=number(0.1, 0.9)
):
    """Accumulate along an axis, which may be any of the array's."""
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis={axis} is out of range for an array of rank {x.ndim}")
    moved = one_of(jnp.moveaxis(x, axis, 0), jnp.swapaxes(x, axis, 0))

    def body(carry, value):
        carry = one_of(decay * carry + value, carry + decay * (value - carry))
        return carry, carry

    init = one_of(jnp.zeros_like(moved[0]), jnp.zeros(moved.shape[1:], moved.dtype))
    _, out = jax.lax.scan(body, init, moved, reverse=reverse)
    return one_of(jnp.swapaxes(out, 0, axis), jnp.swapaxes(out, axis, 0))


@sketch(
    takes={"x": "features f[n, d]", "y": "features f[m, d]"},
    gives="matrix f[n, m]",
    sizes={"n": (2, 64), "m": (2, 64), "d": (2, 32)},
    dtypes="f32 f64",
    also=("Evaluate a function of two vectors at all pairs.",),
)
def all_pairs(
    x,
    y,
    metric: str | Callable[..., Any] = one_of("cosine", "l1", "rbf"),
    *,
    gamma: float = number(0.01, 1.0),
):
    """Compare every row of one array with every row of another."""
    if callable(metric):
        fn = metric
    elif metric == "cosine":

        def fn(a, b):
            scale = jnp.sqrt(jnp.vdot(a, a) * jnp.vdot(b, b) + 1e-6)
            return jnp.vdot(a, b) / scale

    elif metric == "l1":
        fn = lambda a, b: jnp.sum(jnp.abs(a - b))
    else:
        fn = lambda a, b: jnp.exp(-gamma * jnp.sum((a - b) ** 2))
    if maybe("nested"):
        return jax.vmap(lambda a: jax.vmap(lambda b: fn(a, b))(y))(x)
    return jax.vmap(jax.vmap(fn, in_axes=(None, 0)), in_axes=(0, None))(x, y)


@sketch(
    takes={"x": "vector f[d]", "y": "features f[n, d]"},
    gives=("features f[n, d]", "features f[n, d]"),
    sizes={"n": (2, 64), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Bring arrays to a common shape and dtype.",),
)
def promote_and_broadcast(x, y, dtype: Any = None, min_ndim: int = one_of(1, 2)):
    """Promote arrays to one dtype and broadcast them against each other."""
    args = one_of((x, y), tuple(map(jnp.asarray, (x, y))))
    if dtype is None:
        dtype = jnp.result_type(*args)
    args = tuple(a.astype(dtype) if a.dtype != dtype else a for a in args)
    shape = jnp.broadcast_shapes(*(a.shape for a in args))
    if len(shape) < min_ndim:
        shape = (1,) * (min_ndim - len(shape)) + shape
    if maybe("generator"):
        return tuple(jnp.broadcast_to(a, shape) for a in args)
    return tuple(map(functools.partial(jnp.broadcast_to, shape=shape), args))


@sketch(
    takes={"xs": ("l", "features f[n, d]")},
    gives="f[l, n, d]",
    sizes={"l": (2, 4), "n": (2, 32), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Join arrays along a new or an existing axis.",),
)
def stack_promoted(xs, axis: int = one_of(0, -3), dtype: Any = None):
    """Stack arrays of one shape, which are cast where they differ in dtype."""
    if len(xs) == 0:
        raise ValueError("Need at least one array to stack.")
    shapes = {jnp.shape(x) for x in xs}
    if len(shapes) != 1:
        raise ValueError(f"All input arrays must have the same shape, got {sorted(shapes)}")
    dtype = dtype or jnp.result_type(*xs)
    if maybe("expand"):
        xs = [jnp.expand_dims(jnp.asarray(x, dtype), axis) for x in xs]
        return jnp.concatenate(xs, axis=axis)
    return jnp.stack([x.astype(dtype) for x in xs], axis=axis)
