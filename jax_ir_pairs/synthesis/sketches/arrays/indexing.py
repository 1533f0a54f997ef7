"""Indices: one-hot codes, scatters, positions, bits."""

import functools
import operator
from collections.abc import Sequence
from typing import Any, Optional

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import maybe, one_of, sketch

IntOrTuple = int | tuple[int, ...]


@sketch(
    takes={"labels": "labels i[n]"},
    sizes={"n": (2, 128)},
    also=("Encode integers as indicator vectors.",),
)
def one_hot(
    labels,
    num_classes: int = one_of(4, 5, 8),
    *,
    dtype: Any = jnp.float32,
    axis: int = one_of(-1, 0),
    on_value: float = 1.0,
    off_value: float = one_of(0.0, 0.1),
):
    """Turn class indices into one-hot vectors, with given values for on and off."""
    if num_classes < 1:
        raise ValueError(f"num_classes must be positive, got {num_classes}")
    labels = jnp.asarray(labels)
    output_axis = axis % (labels.ndim + 1)
    rhs_shape = [1] * labels.ndim
    rhs_shape.insert(output_axis, num_classes)
    classes = one_of(
        jnp.arange(num_classes).reshape(rhs_shape),
        jax.lax.broadcasted_iota(labels.dtype, tuple(rhs_shape), output_axis),
    )
    hits = jnp.expand_dims(labels, output_axis) == classes
    if maybe("values"):
        return jnp.where(hits, on_value, off_value).astype(dtype)
    return jnp.asarray(hits, dtype=dtype) * (on_value - off_value) + off_value


@sketch(
    takes={"params": "features f[n, d]: table", "indices": "ids i[m]"},
    gives="features f[m, d]",
    sizes={"n": (4, 64), "m": (2, 64), "d": (1, 32)},
    dtypes="f32 bf16",
    also=("Gather rows by index, in one of several ways.",),
)
def gather_rows(
    params,
    indices,
    mode: Optional[str] = one_of(None, "clip", "fill", "wrap"),
    unique: bool = False,
):
    """Look rows of a table up by their indices, which may be out of bounds."""
    if mode == "wrap":
        indices = indices % params.shape[0]
    elif mode == "clip":
        indices = jnp.clip(indices, 0, params.shape[0] - 1)
    if maybe("matmul", 0.3):
        codes = jax.nn.one_hot(indices, params.shape[0], dtype=params.dtype)
        return one_of(codes @ params, jnp.dot(codes, params))
    if mode == "fill":
        return params.at[indices].get(mode="fill", fill_value=one_of(0, 1), unique_indices=unique)
    return one_of(params[indices], jnp.take(params, indices, axis=0, mode="clip"))


@sketch(
    takes={"x": "features f[n, d]", "updates": "f[m, d]", "indices": "ids i[m]"},
    gives="features f[n, d]",
    sizes={"n": (4, 64), "m": (2, 32), "d": (1, 32)},
    also=("Scatter rows into an array.",),
)
def scatter_rows(
    x,
    updates,
    indices,
    mode: str = one_of("add", "max", "mean"),
    mask_empty: bool = one_of(True, False),
):
    """Write updates into the rows of an array that indices name."""
    if updates.shape[1:] != x.shape[1:]:
        raise ValueError(f"updates of shape {updates.shape} do not fit rows of {x.shape}")
    ref = x.at[indices]
    if mode == "add":
        return ref.add(updates)
    elif mode == "max":
        return ref.max(updates)
    elif mode != "mean":
        raise ValueError(f"Unsupported scatter mode: {mode}")
    total = jnp.zeros_like(x).at[indices].add(updates)
    count = jnp.zeros(x.shape[0], x.dtype).at[indices].add(1)[:, None]
    mean = total / jnp.maximum(count, 1)
    if mask_empty:
        return jnp.where(count > 0, mean, x)
    return mean


def _strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape)))


@sketch(
    takes={"rows": "ids i[n]", "columns": "ids i[n]"},
    gives="i[n]: flat indices",
    sizes={"n": (2, 256)},
    also=("Ravel a pair of indices.",),
)
def flat_index(
    rows,
    columns,
    dims: tuple[int, int] = one_of((4, 4), (5, 8), (4, 6)),
    mode: str = one_of("raise", "clip", "wrap"),
):
    """Convert coordinates into positions in a flattened array."""
    assert len(dims) == 2, f"expected two dims, got {dims}"
    multi_index = (rows, columns)
    if mode == "clip":
        multi_index = tuple(jnp.clip(i, 0, d - 1) for i, d in zip(multi_index, dims))
    elif mode == "wrap":
        multi_index = one_of(
            tuple(i % d for i, d in zip(multi_index, dims)),
            tuple(map(operator.mod, multi_index, dims)),
        )
    if maybe("strides"):
        strides = _strides_of(dims)
        return functools.reduce(operator.add, (i * s for i, s in zip(multi_index, strides)))
    result = jnp.zeros_like(rows)
    for i, d in zip(multi_index, dims):
        result = result * d + i
    return result


@sketch(
    takes={"x": "features f[n, d]"},
    sizes={"n": (2, 64), "d": (4, 64)},
    also=("Keep the largest entries of each row.",),
)
def top_k_mask(
    x, k: int = one_of(1, 2, 3), axis: int = one_of(-1, 1), largest: bool = one_of(True, False)
):
    """Mark the extreme entries along an axis."""
    if axis not in (-1, x.ndim - 1):
        x = jnp.swapaxes(x, axis, -1)
    values = x if largest else -x
    if maybe("threshold"):
        threshold = one_of(
            jax.lax.top_k(values, k)[0][..., -1:], jnp.sort(values, axis=-1)[..., -k, None]
        )
        mask = values >= threshold
    else:
        _, indices = jax.lax.top_k(values, k)
        mask = jax.nn.one_hot(indices, x.shape[-1], dtype=jnp.int32).sum(-2) > 0
    return one_of(mask, jnp.where(mask, x, 0), (mask, jnp.where(mask, x, 0.0)))


@sketch(
    takes={"x": "samples f[n]"},
    gives="i[n]: bins",
    sizes={"n": (2, 512)},
    also=("Assign values to bins.",),
)
def digitize(
    x,
    num_bins: int = one_of(8, 16, 32),
    range: tuple[float, float] | None = one_of(None, (-3.0, 3.0)),
    *,
    right: bool = one_of(False, True),
):
    """Find the bin that each value falls into, of bins of equal width."""
    low, high = (jnp.min(x), jnp.max(x)) if range is None else range
    if maybe("arithmetic"):
        width = (high - low) / num_bins
        position = (x - low) / (width + 1e-6)
        index = jnp.ceil(position) - 1 if right else jnp.floor(position)
        return jnp.clip(index, 0, num_bins - 1).astype(jnp.int32)
    edges = jnp.linspace(low, high, num_bins + 1)
    side = "left" if right else "right"
    index = jnp.searchsorted(edges, x, side=side) - 1
    return jnp.clip(index, 0, num_bins - 1).astype(jnp.int32)


@sketch(
    takes={"x": "samples f[n]"},
    sizes={"n": (2, 256)},
    also=("Rank entries and invert the order.",),
)
def ranks(
    x,
    axis: int = one_of(-1, 0),
    descending: bool = one_of(False, True),
    normalize: bool = one_of(False, True),
):
    """Give each entry its place in the sorted order."""
    order = jnp.argsort(-x if descending else x, axis=axis)
    if maybe("twice", 0.4):
        rank = jnp.argsort(order, axis=axis)
    elif maybe("scatter"):
        rank = jnp.zeros_like(order).at[order].set(jnp.arange(x.shape[axis]))
    else:
        rank = jnp.empty_like(order).at[order].set(jnp.arange(order.size), unique_indices=True)
    if normalize:
        rank = rank / max(1, x.shape[axis] - 1)
    return one_of(rank, (rank, order), rank + 1)


@sketch(
    takes={"flags": "mask bool[n, 8*m]"},
    gives="u8[n, m]: packed bits",
    sizes={"n": (1, 32), "m": (1, 16)},
    also=("Store eight flags in a byte.",),
)
def pack_flags(flags, bitorder: str = one_of("big", "little")):
    """Pack booleans along the last axis into bytes."""
    if bitorder not in ("little", "big"):
        raise ValueError("'order' must be either 'little' or 'big'")
    if flags.shape[-1] % 8:
        raise ValueError(f"{flags.shape[-1]} flags do not fill whole bytes")
    bits = flags.reshape(*flags.shape[:-1], -1, 8).astype(jnp.uint8)
    if maybe("shifts"):
        shifts = jnp.arange(8, dtype=jnp.uint8)
        if bitorder == "big":
            shifts = shifts[::-1]
        return jnp.sum(bits << shifts, axis=-1, dtype=jnp.uint8)
    powers = np.uint8(1) << np.arange(8, dtype=np.uint8)
    if bitorder == "big":
        powers = powers[::-1]
    return one_of(
        jnp.einsum("...mk,k->...m", bits, powers),
        jnp.sum(bits * jnp.asarray(powers), axis=-1, dtype=jnp.uint8),
    )


@sketch(
    takes={"packed": "u8[n, m]: bytes"},
    sizes={"n": (1, 32), "m": (1, 16)},
    also=("Unpack the fields of a word.",),
)
def unpack_fields(
    packed, bits: int = one_of(1, 2, 4), dtype: Any = one_of(jnp.uint8, jnp.float32, bool)
):
    """Split each byte into fields of a few bits."""
    if 8 % bits != 0:
        raise ValueError(f"fields of {bits} bits do not fill a byte")
    shifts = one_of(
        jnp.arange(0, 8, bits, dtype=packed.dtype), jnp.arange(8 // bits, dtype=packed.dtype) * bits
    )
    mask = one_of((1 << bits) - 1, 2**bits - 1)
    fields = jnp.right_shift(packed[..., None], shifts) & jnp.asarray(mask, packed.dtype)
    fields = fields.reshape(packed.shape[:-1] + (-1,))
    return fields.astype(dtype)


@sketch(
    takes={"x": "features f[n, d]", "index": "counts i[]"},
    sizes={"n": (4, 64), "d": (4, 32)},
    dtypes="f32 bf16",
    also=("Slice along one axis from a position that may be traced.",),
)
def slice_along_axis(
    x, index, size: Optional[int] = one_of(None, 1, 2, 3), axis: IntOrTuple = one_of(0, -1, (0,), 1)
):
    """Take a slice of an array along an axis, or one entry where no size is given."""
    if isinstance(axis, tuple):
        (axis,) = axis
    if size is None:
        return one_of(
            jax.lax.dynamic_index_in_dim(x, index, axis, keepdims=False),
            jnp.take(x, index, axis=axis, mode="clip"),
        )
    if not 0 < size <= x.shape[axis]:
        raise ValueError(f"cannot slice {size} entries of an axis of size {x.shape[axis]}")
    if maybe("starts"):
        starts, sizes = [0] * x.ndim, list(x.shape)
        starts[axis], sizes[axis] = index, size
        return jax.lax.dynamic_slice(x, starts, sizes)
    return jax.lax.dynamic_slice_in_dim(x, index, size, axis)
