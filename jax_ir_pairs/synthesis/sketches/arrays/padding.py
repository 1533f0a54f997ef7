"""Padding, windows and blocks of arrays."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

import jax
import jax.numpy as jnp
import numpy as np

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, sketch

Padding = str | int | Sequence[tuple[int, int]]


@sketch(
    takes={"x": "sequence f[b, n]: rows of any length"},
    sizes={"b": (1, 16), "n": (3, 100)},
    dtypes="f32 bf16",
    also=("Pad an axis so that blocks of one size fill it.",),
)
def pad_to_multiple(
    x,
    multiple: int = one_of(8, 16, 32, 128),
    axis: int = one_of(-1, 0, 1),
    value: float = one_of(0.0, -1.0),
):
    """Pad an axis at its end up to a multiple of a given size."""
    size = x.shape[axis]
    pad = one_of(-size % multiple, (multiple - size % multiple) % multiple)
    if pad == 0:
        return x
    if maybe("lax pad", 0.4):
        config = [(0, 0, 0)] * x.ndim
        config[axis] = (0, pad, 0)
        return jax.lax.pad(x, jnp.asarray(value, x.dtype), config)
    if maybe("array of widths"):
        pad_width = np.zeros((x.ndim, 2), dtype=np.int32)
        pad_width[axis, 1] = pad
        return jnp.pad(x, pad_width.tolist(), constant_values=value)
    pad_width = [(0, 0)] * x.ndim
    pad_width[axis] = (0, pad)
    return jnp.pad(x, pad_width, mode="constant", constant_values=value)


def _same_padding(in_dim: int, kernel_size: int, stride: int, dilation: int) -> tuple[int, int]:
    effective = (kernel_size - 1) * dilation + 1
    out_dim = (in_dim + stride - 1) // stride
    total = max((out_dim - 1) * stride + effective - in_dim, 0)
    return total // 2, total - total // 2


@sketch(
    takes={"x": "image f[b, h, w, c]"},
    sizes={"b": (1, 4), "h": (6, 24), "w": (6, 24), "c": (1, 4)},
    also=("Pool over windows whose padding may be given in several ways.",),
)
def pool(
    x,
    window_shape: int | Sequence[int] = one_of(2, 3, (2, 2), (3, 2)),
    strides: int | Sequence[int] | None = one_of(None, 1, 2),
    padding: Padding = one_of("VALID", "SAME", 1, "same"),
):
    """Reduce windows of an image to their mean or maximum."""
    if isinstance(window_shape, int):
        window_shape = (window_shape, window_shape)
    if strides is None:
        strides = window_shape
    elif isinstance(strides, int):
        strides = (strides,) * len(window_shape)
    if isinstance(padding, int):
        padding = [(padding, padding)] * len(window_shape)
    if isinstance(padding, str):
        padding = padding.upper()
        if padding not in ("SAME", "VALID"):
            raise ValueError(f"Unknown padding type: {padding}.")
    else:
        padding = [(0, 0), *padding, (0, 0)]
    dims = (1, *window_shape, 1)
    strides = (1, *strides, 1)
    if maybe("maximum"):
        init = one_of(-jnp.inf, jnp.finfo(x.dtype).min)
        return jax.lax.reduce_window(x, init, jax.lax.max, dims, strides, padding)
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, dims, strides, padding)
    if maybe("include padding"):
        return total / np.prod(dims)
    ones = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
    return total / jax.lax.reduce_window(ones, 0.0, jax.lax.add, dims, strides, padding)


@sketch(
    takes={"x": "signal f[n]", "kernel": "kernel f[k]"},
    gives="signal f[n]",
    sizes={"n": (16, 256), "k": (2, 8)},
    also=("Filter a sequence and keep its length.",),
)
def causal_or_same_filter(
    x, kernel, padding: str = one_of("causal", "same"), rhs_dilation: int = one_of(1, 2)
):
    """Convolve a sequence with a kernel, padded so that the length stays."""
    if padding == "causal":
        pads = ((kernel.shape[0] - 1) * rhs_dilation, 0)
    elif padding == "same":
        pads = _same_padding(x.shape[0], kernel.shape[0], 1, rhs_dilation)
    else:
        raise ValueError(f"`padding` must be 'causal' or 'same', got {padding!r}.")
    if maybe("flip", 0.4):
        kernel = one_of(kernel[::-1], jnp.flip(kernel))
    if maybe("extend", 0.4):
        # Zeros at the ends would show as steps; a causal filter still sees only the past.
        mode = "edge" if padding == "causal" else one_of("reflect", "edge", "wrap")
        x = jnp.pad(x, pads, mode=mode)
        pads = (0, 0)
    out = jax.lax.conv_general_dilated(
        x[None, None, :],
        kernel[None, None, :],
        window_strides=(1,),
        padding=(pads,),
        rhs_dilation=(rhs_dilation,),
    )
    return out[0, 0] if maybe("index") else jnp.squeeze(out, axis=(0, 1))


@sketch(
    takes={"x": "signal f[n]"},
    sizes={"n": (32, 512)},
    dtypes="f32 bf16 f64",
    also=("Cut a sequence into overlapping frames.",),
)
def frame(
    x,
    frame_length: int = integer(4, 16),
    hop_length: Optional[int] = one_of(None, 2, 4),
    pad_end: bool = one_of(False, True),
):
    """Slice an array along its last axis into frames of a fixed length."""
    if hop_length is None:
        hop_length = frame_length // 2
    length = x.shape[-1]
    if pad_end:
        num_frames = -(-length // hop_length)
        missing = max(0, frame_length + hop_length * (num_frames - 1) - length)
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    else:
        num_frames = 1 + (length - frame_length) // hop_length
    if maybe("dynamic slices", 0.4):
        starts = hop_length * jnp.arange(num_frames)
        cut = functools.partial(jax.lax.dynamic_slice_in_dim, x, slice_size=frame_length, axis=-1)
        return one_of(jax.vmap(cut)(starts), jax.lax.map(cut, starts))
    starts = np.arange(num_frames) * hop_length
    if maybe("transposed", 0.3):
        return x[..., np.arange(frame_length)[:, None] + starts[None, :]]
    return x[..., starts[:, None] + np.arange(frame_length)]


@sketch(
    takes={"frames": "frames f[n, w]: overlapping frames"},
    sizes={"n": (2, 32), "w": (4, 16)},
    also=("Rebuild a signal out of frames by adding where they overlap.",),
)
def overlap_and_add(
    frames, frame_step: int = one_of(1, 2, 3), normalize: bool = one_of(False, True)
):
    """Add overlapping frames into one signal."""
    num_frames, frame_length = frames.shape
    if frame_step > frame_length:
        raise ValueError("frame_step must not exceed the frame length")
    size = (num_frames - 1) * frame_step + frame_length
    idx = np.arange(num_frames)[:, None] * frame_step + np.arange(frame_length)
    if maybe("segments", 0.4):
        out = jax.ops.segment_sum(frames.ravel(), idx.ravel(), num_segments=size)
    else:
        out = jnp.zeros(size, frames.dtype).at[idx].add(frames)
    if not normalize:
        return out
    counts = np.bincount(idx.ravel(), minlength=size)
    return out / one_of(np.maximum(counts, 1), counts.clip(min=1)).astype(frames.dtype)


@sketch(
    takes={"x": "image f[b, 4*m, 4*n, c]"},
    sizes={"b": (1, 4), "m": (1, 6), "n": (1, 6), "c": (1, 4)},
    gives="f[b, 4*m, 4*n, c]",
    dtypes="f32 bf16",
    also=("Apply a function to each block of an image.",),
)
def blockwise(
    x,
    block_size: int | tuple[int, int] = one_of(2, 4, (2, 4), (4, 1)),
    fn: Optional[Callable[..., Any]] = None,
):
    """Split images into blocks, transform each block, and put them together again."""
    if isinstance(block_size, int):
        block_size = (block_size, block_size)
    batch, height, width, channels = x.shape
    rows, cols = height // block_size[0], width // block_size[1]
    if rows * block_size[0] != height or cols * block_size[1] != width:
        raise ValueError(f"blocks of {block_size} do not tile an image of {height} x {width}")
    blocks = x.reshape(batch, rows, block_size[0], cols, block_size[1], channels)
    blocks = one_of(blocks.transpose(0, 1, 3, 2, 4, 5), jnp.swapaxes(blocks, 2, 3))
    if fn is not None:
        blocks = fn(blocks)
    elif maybe("center blocks"):
        blocks = blocks - jnp.mean(blocks, axis=(3, 4), keepdims=True)
    else:
        largest = jnp.max(jnp.abs(blocks), axis=(3, 4), keepdims=True)
        blocks = blocks / (largest + one_of(1e-2, 1.0))
    blocks = one_of(jnp.swapaxes(blocks, 2, 3), jnp.transpose(blocks, (0, 1, 3, 2, 4, 5)))
    return blocks.reshape(x.shape)


@sketch(
    takes={"x": "field f[h, w]"},
    gives="field f[h, w]",
    sizes={"h": (4, 48), "w": (4, 48)},
    dtypes="f32 f64",
    also=("Shift without wrapping around.",),
)
def shift(
    x,
    offset: int | Sequence[int] = one_of(1, -1, (1, 0), (-1, 2)),
    fill_value: Union[float, None] = one_of(0.0, None, 1.0),
):
    """Move the entries of an array, and fill in what was outside of it.

    The entries wrap around where `fill_value` is None.
    """
    if isinstance(offset, int):
        offset = (offset,) * x.ndim
    assert len(offset) == x.ndim
    rolled = jnp.roll(x, offset, axis=tuple(range(x.ndim)))
    if fill_value is None:
        return rolled
    inside = True
    for axis, shift_by in enumerate(offset):
        position = jax.lax.broadcasted_iota(jnp.int32, x.shape, axis) - shift_by
        inside = inside & (position >= 0) & (position < x.shape[axis])
    return jnp.where(inside, rolled, one_of(fill_value, jnp.asarray(fill_value, x.dtype)))


@sketch(
    takes={"x": "image f[h, w, c]"},
    sizes={"h": (8, 40), "w": (8, 40), "c": (1, 4)},
    dtypes="f32 bf16",
    also=("Crop or pad to a fixed size around the center.",),
)
def center_crop_or_pad(
    x, size: int | tuple[int, int] = one_of(16, 12, (8, 24)), mode=one_of("constant", "edge")
):
    """Bring an image to a target size, by cropping where it is larger and padding elsewhere."""
    target = (size, size) if isinstance(size, int) else tuple(size)
    pads, starts = [], []
    for have, want in zip(x.shape[:2], target):
        missing = max(want - have, 0)
        pads.append((missing // 2, missing - missing // 2))
        starts.append(max(have - want, 0) // 2)
    if any(itertools.chain.from_iterable(pads)):
        x = jnp.pad(x, [*pads, (0, 0)], mode=mode)
    if maybe("dynamic"):
        return jax.lax.dynamic_slice(x, (*starts, 0), (*target, x.shape[-1]))
    return x[starts[0] : starts[0] + target[0], starts[1] : starts[1] + target[1]]
