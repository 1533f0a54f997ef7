"""Reductions with masks, weights and segments."""

from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch

Axis = Union[int, Sequence[int], None]


def _broadcast_where(x, where):
    if where is None:
        return jnp.ones_like(x, dtype=bool)
    while where.ndim < x.ndim:
        where = where[..., None]
    return jnp.broadcast_to(where, x.shape)


@sketch(
    takes={"x": "features f[n, d]", "where?": "mask bool[n]: entries to include"},
    sizes={"n": (2, 128), "d": (2, 64)},
    dtypes="f32 f64",
    also=("Mean of the entries that count.",),
)
def masked_mean(x, where=None, axis: Axis = one_of(None, 0, (0,), (0, 1)), keepdims: bool = False):
    """Average over an axis, of the entries that a mask keeps."""
    if where is None:
        return jnp.mean(x, axis=axis, keepdims=keepdims)
    if where.ndim < x.ndim:
        where = where.reshape(where.shape + (1,) * (x.ndim - where.ndim))
    where = jnp.broadcast_to(where, x.shape)
    if maybe("builtin", 0.3):
        total = jnp.sum(x, axis=axis, where=where, keepdims=keepdims)
    else:
        total = jnp.sum(jnp.where(where, x, 0), axis=axis, keepdims=keepdims)
    count = jnp.sum(where, axis=axis, keepdims=keepdims)
    if maybe("default"):
        # Nothing counts: the mean is zero.
        return jnp.where(count > 0, total / jnp.maximum(count, 1), 0.0)
    return total / one_of(jnp.maximum(count, 1), jnp.clip(count, min=1))


@sketch(
    takes={"x": "samples f[n]", "weights?": "f[n]: raw weights"},
    gives="metric f[]: variance",
    sizes={"n": (2, 1024)},
    also=("Weighted variance about a mean that is known or not.",),
)
def masked_variance(
    x, weights=None, *, mean: Optional[float] = one_of(None, None, 0.0), ddof: int = one_of(0, 1)
):
    """Compute the variance, where not all entries count the same."""
    if weights is None:
        w = jnp.ones_like(x)
    else:
        w = one_of(jax.nn.sigmoid(weights), jnp.square(weights), jnp.abs(weights))
    total = jnp.sum(w)
    if mean is None:
        mean = jnp.sum(w * x) / (total + 1e-3)
    squared = one_of(jnp.square(x - mean), (x - mean) ** 2)
    denominator = jnp.maximum(total - ddof, one_of(0.5, 1.0, 1e-1))
    return jnp.sum(w * squared) / denominator


@sketch(
    takes={"x": "features f[n, d]: vectors"},
    gives="f[n]: norms",
    sizes={"n": (2, 256), "d": (2, 64)},
    also=("Norm whose gradient is finite everywhere.",),
)
def safe_norm(
    x,
    min_norm: float = one_of(1e-6, 1e-3, 0.0),
    ord: int | float | str | None = one_of(None, None, 1, 2),
    axis: int | tuple[int, ...] | None = one_of(-1, 1, (-1,)),
):
    """Return max(|x|, min_norm) with well-defined gradients."""
    if maybe("zero mask", 0.6):
        is_zero = jnp.all(x == 0, axis=axis, keepdims=True)
        masked = jnp.where(is_zero, jnp.ones_like(x), x)
        norm = jnp.linalg.norm(masked, ord=ord, axis=axis)
        is_zero = jnp.squeeze(is_zero, axis=axis)
        return jnp.where(is_zero, min_norm, jnp.maximum(norm, min_norm))
    if ord is None or ord == 2:
        squares = jnp.sum(jnp.square(x), axis=axis)
        return jnp.sqrt(jnp.maximum(squares, max(min_norm, 1e-6) ** 2))
    if ord == 1:
        return jnp.maximum(jnp.sum(jnp.abs(x), axis=axis), min_norm)
    raise NotImplementedError(f"ord={ord!r} is not supported")


@sketch(
    takes={"a": "logits f[n, c]", "b?": "f[n, c]: scale factors"},
    gives="f[n]",
    sizes={"n": (2, 64), "c": (2, 64)},
    also=("Log of a sum of exponentials, some of which may be left out.",),
)
def weighted_logsumexp(a, b=None, axis: int = one_of(-1, 1), where: Any = None):
    """Compute the log of a weighted sum of exponentials in a stable way."""
    if where is not None:
        a = jnp.where(where, a, -jnp.inf)
    amax = jnp.max(a, axis=axis, keepdims=True)
    amax = jax.lax.stop_gradient(jnp.where(jnp.isfinite(amax), amax, 0))
    out = jnp.exp(a - amax)
    if b is not None:
        out = out * one_of(jax.nn.sigmoid(b), jnp.exp(-jnp.abs(b)))
    out = jnp.sum(out, axis=axis)
    if maybe("floor"):
        out = jnp.maximum(out, jnp.finfo(a.dtype).tiny)
    else:
        out = out + 1e-12
    return jnp.log(out) + jnp.squeeze(amax, axis=axis)


@sketch(
    takes={"data": "features f[n, d]", "segment_ids": "ids i[n]"},
    gives="f[4, d]",
    sizes={"n": (4, 128), "d": (1, 32)},
    also=("Reduce the rows of each segment.",),
)
def segment_reduce(
    data,
    segment_ids,
    num_segments: Optional[int] = 4,
    reduction: str = one_of("mean", "max", "std", "normalize"),
    indices_are_sorted: bool = False,
):
    """Reduce the rows that belong to one segment; an empty segment gets zeros."""
    if num_segments is None:
        raise ValueError("`num_segments` is needed for tracing")
    kwargs = dict(num_segments=num_segments, indices_are_sorted=indices_are_sorted)
    if reduction == "max":
        out = jax.ops.segment_max(data, segment_ids, **kwargs)
        return jnp.where(jnp.isfinite(out), out, 0)
    counts = jax.ops.segment_sum(jnp.ones_like(segment_ids), segment_ids, **kwargs)
    counts = one_of(jnp.maximum(counts, 1), jnp.where(counts == 0, 1, counts))[:, None]
    mean = jax.ops.segment_sum(data, segment_ids, **kwargs) / counts
    if reduction == "mean":
        return mean
    squares = jax.ops.segment_sum((data - mean[segment_ids]) ** 2, segment_ids, **kwargs)
    std = jnp.sqrt(squares / counts + 1e-6)
    return std if reduction == "std" else mean / std


@sketch(
    takes={"logits": "logits f[n]", "segment_ids": "ids i[n]"},
    gives="weights f[n]",
    sizes={"n": (4, 512)},
    also=("Softmax within each segment.",),
)
def segment_softmax(logits, segment_ids, num_segments: int = one_of(4, 8, 5)):
    """Normalize logits over the entries that share a segment."""
    maxs = jax.ops.segment_max(logits, segment_ids, num_segments)
    if maybe("finite", 0.4):
        maxs = jnp.where(jnp.isfinite(maxs), maxs, 0.0)
    if maybe("stop"):
        maxs = jax.lax.stop_gradient(maxs)
    unnormalized = jnp.exp(logits - one_of(maxs[segment_ids], jnp.take(maxs, segment_ids)))
    normalizers = jax.ops.segment_sum(unnormalized, segment_ids, num_segments)
    return unnormalized / normalizers[segment_ids]


@sketch(
    takes={"x": "samples f[n]", "weights?": "f[n]"},
    gives="metric f[]",
    sizes={"n": (3, 512)},
    also=("Quantile of values that carry weights.",),
)
def weighted_quantile(
    x, weights=None, q: float = number(0.1, 0.9), method: str = one_of("lower", "linear")
):
    """Find a quantile of a sample, by its sorted weights where there are any."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"quantiles must be in the range [0, 1], got {q}")
    if weights is None:
        return jnp.quantile(x, q, method=method)
    order = jnp.argsort(x)
    x = one_of(x[order], jnp.take(x, order))
    weights = one_of(jnp.abs(weights), jax.nn.softplus(weights))[order] + 1e-3
    mass = jnp.cumsum(weights)
    if method == "linear":
        positions = (mass - 0.5 * weights) / mass[-1]
        return jnp.interp(q, positions, x)
    index = jnp.searchsorted(mass, q * mass[-1])
    return x[jnp.minimum(index, x.shape[0] - 1)]


@sketch(
    takes={"loss": "f[b, t]: one for each entry", "mask?": "mask bool[b, t]"},
    sizes={"b": (1, 32), "t": (2, 32)},
    dtypes="f32 bf16",
    also=("Reduce losses by name, with a mask.",),
)
def apply_reduction(
    loss,
    mask=None,
    reduction: str | Callable[..., Any] | None = one_of("mean", "sum", "none", jnp.max),
    axis: Axis = one_of(None, -1),
):
    """Reduce an array of losses as asked for, by a name or by a function."""
    if mask is not None:
        loss = one_of(jnp.where(mask, loss, 0.0), loss * mask)
    if reduction is None or reduction == "none":
        return loss
    if callable(reduction):
        return reduction(loss, axis=axis)
    if reduction == "sum":
        return jnp.sum(loss, axis=axis)
    if reduction == "mean":
        if mask is None:
            return jnp.mean(loss, axis=axis)
        return jnp.sum(loss, axis=axis) / jnp.maximum(jnp.sum(mask, axis=axis), 1)
    raise ValueError(f"Unsupported reduction: {reduction!r}")


@sketch(
    takes={"x": "sequence f[b, t]"},
    gives="sequence f[b, t]",
    sizes={"b": (1, 16), "t": (2, 64)},
    also=("Reduce what came before each entry.",),
)
def cumulative(
    x,
    op: str = one_of("sum", "max", "mean"),
    *,
    axis: int = one_of(-1, 1),
    exclusive: bool = one_of(False, True),
    reverse: bool = one_of(False, False, True),
):
    """Reduce all entries up to each one, in either direction."""
    axis = axis % x.ndim
    if reverse:
        x = jnp.flip(x, axis)
    out = jax.lax.cummax(x, axis=axis) if op == "max" else jnp.cumsum(x, axis=axis)
    if op == "mean":
        counts = jnp.arange(1, x.shape[axis] + 1, dtype=x.dtype)
        out = out / jnp.expand_dims(counts, [d for d in range(x.ndim) if d != axis])
    if exclusive:
        # The first entry has nothing before it.
        first = jnp.zeros_like(jax.lax.slice_in_dim(out, 0, 1, axis=axis))
        out = jnp.concatenate([first, jax.lax.slice_in_dim(out, 0, -1, axis=axis)], axis)
    return jnp.flip(out, axis) if reverse else out


@sketch(
    takes={"x": "features f[n, d]", "where": "mask bool[n, d]"},
    gives=("f[d]: largest", "i[d]: where"),
    sizes={"n": (2, 64), "d": (1, 32)},
    also=("Find the largest entry that a mask keeps.",),
)
def masked_argmax(x, where, axis: int = one_of(0, -2), fill: float | None = one_of(None, -100.0)):
    """Find the largest of the valid entries along an axis, and where it is."""
    where = _broadcast_where(x, where)
    if fill is None:
        info = jnp.finfo(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype)
        fill = info.min
    masked = one_of(jnp.where(where, x, fill), jax.lax.select(where, x, jnp.full_like(x, fill)))
    index = jnp.argmax(masked, axis=axis)
    if maybe("take"):
        largest = jnp.take_along_axis(masked, jnp.expand_dims(index, axis), axis=axis)
        return jnp.squeeze(largest, axis), index
    return jnp.max(masked, axis=axis), index
