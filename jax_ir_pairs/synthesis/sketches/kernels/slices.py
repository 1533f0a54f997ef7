"""Kernels whose programs find their own slices: stencils, lookups, segments, for Pallas."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _own_rows(rows_per_program):
    """Gives the slice of rows that the program has to itself."""
    start = pl.multiple_of(pl.program_id(0) * rows_per_program, rows_per_program)
    return pl.ds(start, rows_per_program)


def _scale_rows(x_ref, out_ref, *, rows):
    mine = _own_rows(rows)
    block = x_ref[mine]
    first = pl.broadcast_to(block[:1], block.shape)
    if maybe("against first row"):
        block = block - first
    else:
        block = block * jax.nn.sigmoid(first)
    if maybe("unit rows", 0.4):
        block = block / (jnp.sqrt(jnp.sum(block**2, axis=-1, keepdims=True)) + 1e-2)
    out_ref[mine] = block


@sketch(
    takes={"x": "f[g*r, d]: groups of rows"},
    gives="features f[g*r, d]",
    sizes={"g": (1, 6), "r": (2, 8), "d": (2, 32)},
    also=("Rows of a group against the first one.",),
    fills=False,
    weight=2.0,
)
def leading_row_kernel(x, rows=size("r")):
    """Relate the rows of each group to its first row, a group for each program."""
    num_rows = x.shape[0]
    if num_rows % rows != 0:
        raise ValueError(f"{num_rows} rows do not make groups of {rows}")
    return pl.pallas_call(
        functools.partial(_scale_rows, rows=rows),
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(num_rows // rows,),
        interpret=True,
    )(x)


@sketch(
    takes={"u": "f[g*r, w]: grid"},
    gives="field f[g*r, w]",
    sizes={"g": (1, 4), "r": (4, 12), "w": (4, 32)},
    also=("Five-point stencil with a band of rows for each program.",),
    fills=False,
)
def heat_stencil_kernel(u, rows=size("r"), rate=number(0.05, 0.24)):
    """Diffuse heat over a grid by a kernel that reads one more row on each side."""
    height, width = u.shape
    padded = jnp.pad(u, 1, mode=one_of("edge", "constant", "wrap"))

    def block_kernel(u_ref, out_ref):
        top = pl.program_id(0) * rows
        block = u_ref[pl.ds(top, rows + 2), :]
        center = block[1:-1, 1:-1]
        neighbors = block[:-2, 1:-1] + block[2:, 1:-1] + block[1:-1, :-2] + block[1:-1, 2:]
        if maybe("nine points", 0.35):
            corners = block[:-2, :-2] + block[:-2, 2:] + block[2:, :-2] + block[2:, 2:]
            laplacian = (4 * neighbors + corners - 20 * center) / 6
        else:
            laplacian = neighbors - 4 * center
        change = rate * laplacian
        if maybe("reaction", 0.4):
            change = change + 0.05 * center * (1 - center)
        out_ref[...] = center + change

    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((height, width), u.dtype),
        grid=(height // rows,),
        out_specs=pl.BlockSpec((rows, width), lambda i: (i, 0)),
        interpret=True,
    )(padded)


@sketch(
    takes={"signal": "f[n]: samples", "taps": "f[k]: filter"},
    gives="signal f[n]",
    sizes={"n": (8, 256), "k": (2, 7)},
    also=("One-dimensional convolution as shifted reads of a reference.",),
    fills=False,
)
def convolution_kernel(signal, taps):
    """Filter a signal by shifted slices of one padded array."""
    (n,), (width,) = signal.shape, taps.shape
    if maybe("causal filter"):
        padded = jnp.pad(signal, (width - 1, 0))
    else:
        padded = jnp.pad(signal, ((width - 1) // 2, width // 2), mode=one_of("edge", "reflect"))

    def block_kernel(x_ref, taps_ref, out_ref):
        total = jnp.zeros_like(out_ref)
        for k in range(width):
            shifted = x_ref[k : k + n]
            if maybe("flip taps"):
                total = total + taps_ref[width - 1 - k] * shifted
            else:
                total = total + taps_ref[k] * shifted
        if maybe("rectified", 0.3):
            total = jnp.abs(total)
        out_ref[...] = total

    return pl.pallas_call(
        block_kernel, out_shape=jax.ShapeDtypeStruct((n,), signal.dtype), interpret=True
    )(padded, taps)  # fmt: skip


@sketch(
    takes={"table": "f[v, d]: embeddings", "ids": "i[n]: rows to look up"},
    gives="embeddings f[n, d]",
    sizes={"v": (4, 64), "d": (4, 32), "n": (2, 32)},
    dtypes="f32 bf16",
    also=("Embedding lookup with one dynamic row per step.",),
    fills=False,
)
def embedding_lookup_kernel(table, ids):
    """Copy rows of a table that integers name, one after the other."""
    (count,) = ids.shape
    width = table.shape[1]

    def block_kernel(table_ref, ids_ref, out_ref):
        def copy_row(i, _):
            row = table_ref[ids_ref[i], :]
            if maybe("scaled rows"):
                row = row * width**0.5
            out_ref[i, :] = row
            return _

        jax.lax.fori_loop(0, count, copy_row, None)

    rows = pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((count, width), table.dtype),
        interpret=True,
    )(table, ids)
    if maybe("blank padding id"):
        rows = jnp.where((ids == 0)[:, None], 0.0, rows).astype(table.dtype)
    return rows


@sketch(
    takes={"data": "f[n, d]: rows", "segments": "i[n]: segment of each row"},
    gives="f[k, d]: totals",
    sizes={"n": (4, 48), "d": (2, 32), "k": (4, 12)},
    also=("Segment reduction by read-modify-write.",),
    fills=False,
)
def segment_sum_kernel(data, segments, num_segments=size("k")):
    """Add up the rows of each segment in place, in the order in which they come."""
    rows, width = data.shape

    def block_kernel(data_ref, segment_ref, out_ref):
        if maybe("maximum instead", 0.3):
            out_ref[...] = jnp.full_like(out_ref, -10.0)
        else:
            out_ref[...] = jnp.zeros_like(out_ref)

        def add_row(i, count):
            here = segment_ref[i]
            if maybe("maximum instead", 0.3):
                out_ref[here, :] = jnp.maximum(out_ref[here, :], data_ref[i, :])
            else:
                out_ref[here, :] += data_ref[i, :]
            return count + 1

        jax.lax.fori_loop(0, rows, add_row, 0)

    totals = pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((num_segments, width), data.dtype),
        interpret=True,
    )(data, segments)
    if maybe("by root of size"):
        sizes = jnp.bincount(segments, length=num_segments)
        totals = totals / jnp.sqrt(jnp.maximum(sizes, 1))[:, None]
    return totals


@sketch(
    takes={"x": "f[n]: samples"},
    gives="i32[k]: histogram",
    sizes={"n": (8, 256), "k": (4, 16)},
    also=("Counts of samples in equal bins.",),
    fills=False,
)
def histogram_kernel(x, num_bins=size("k"), low=number(-4.0, -1.0), high=number(1.0, 4.0)):
    """Count samples in equal bins by comparing all samples with all bins at once."""
    width = (high - low) / num_bins

    def block_kernel(x_ref, count_ref):
        place = jnp.floor((x_ref[...] - low) / width).astype(jnp.int32)
        if maybe("outside to ends"):
            place = jnp.clip(place, 0, num_bins - 1)
        bins = jax.lax.iota(jnp.int32, num_bins)
        hits = place[:, None] == bins[None, :]
        count_ref[...] = jnp.sum(hits.astype(jnp.int32), axis=0)

    counts = pl.pallas_call(
        block_kernel, out_shape=jax.ShapeDtypeStruct((num_bins,), jnp.int32), interpret=True
    )(x)  # fmt: skip
    if maybe("running counts", 0.35):
        counts = jnp.cumsum(counts)
    return counts


@sketch(
    takes={"image": "f[p*k, q*k]: pixels"},
    gives="f[p, q]: pooled",
    sizes={"p": (2, 16), "q": (2, 16), "k": (2, 3)},
    dtypes="f32 bf16",
    also=("Pooling of windows that do not overlap.",),
    fills=False,
)
def pooling_kernel(image, window=size("k")):
    """Pool square windows with strided reads of a reference."""
    height, width = image.shape

    def block_kernel(image_ref, out_ref):
        parts = []
        for i in range(window):
            for j in range(window):
                parts.append(image_ref[i::window, j::window])
        pooled = parts[0]
        for part in parts[1:]:
            if maybe("averaged", 0.4):
                pooled = pooled + part
            else:
                pooled = one_of(jnp.maximum(pooled, part), jnp.minimum(pooled, part))
        if maybe("averaged", 0.4):
            pooled = pooled / window**2
        out_ref[...] = pooled

    out_shape = jax.ShapeDtypeStruct((height // window, width // window), image.dtype)
    return pl.pallas_call(block_kernel, out_shape=out_shape, interpret=True)(image)


@sketch(
    takes={"x": "f[n, d]: starting points"},
    gives="f[n, d]: points",
    sizes={"n": (2, 32), "d": (2, 16)},
    also=("Fixed-point iteration inside of one kernel.",),
    fills=False,
)
def iterate_in_scratch_kernel(x, num_steps=integer(2, 8), rate=number(0.05, 0.5)):
    """Iterate a map on a scratch buffer and write only the last state."""

    def block_kernel(x_ref, out_ref):
        def iterate(scratch_ref):
            scratch_ref[...] = x_ref[...]

            @pl.loop(0, num_steps)
            def step(_):
                state = scratch_ref[...]
                slope = one_of(jnp.sin(state), state - jnp.tanh(2 * state), state / (1 + state**2))
                if maybe("coupled points"):
                    slope = slope + state - jnp.mean(state, axis=0, keepdims=True)
                scratch_ref[...] = state - rate * slope

            out_ref[...] = scratch_ref[...]

        pl.run_scoped(iterate, pl.MemoryRef(jax.core.ShapedArray(x.shape, x.dtype), pl.ANY))

    return pl.pallas_call(
        block_kernel, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype), interpret=True
    )(x)  # fmt: skip
