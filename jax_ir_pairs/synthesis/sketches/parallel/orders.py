"""Scans, sorts and exchanges over the parts of an array."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch

PART_AXIS = one_of("parts", "x", "i", "p")
part_mesh = one_of(
    jax.make_mesh((size("devices"),), (PART_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (PART_AXIS,)),
)


@sketch(
    takes={"x": "series f[devices*n]"},
    gives="series f[devices*n]",
    sizes={"devices": {2, 4, 8}, "n": (2, 64)},
    also=("Accumulate on each device, and add what comes before it.",),
)
def sharded_prefix_sum(x):
    """Compute running sums of an array that is divided over devices."""

    def scan(x):
        sums = jnp.cumsum(x)
        rank = jax.lax.axis_index(PART_AXIS)
        count = jax.lax.axis_size(PART_AXIS)
        if maybe("doubling"):
            # Each round adds what lies twice as far before.
            offset, distance = sums[-1], 1
            while distance < count:
                pairs = [(i, i + distance) for i in range(count - distance)]
                offset = offset + jax.lax.ppermute(offset, PART_AXIS, pairs)
                distance *= 2
            offset = offset - sums[-1]
        else:
            totals = jax.lax.all_gather(sums[-1], PART_AXIS)
            offset = one_of(
                jnp.sum(jnp.where(jnp.arange(count) < rank, totals, 0)),
                (jnp.cumsum(totals) - totals)[rank],
            )
        result = sums + offset
        if maybe("exclusive", 0.4):
            result = result - x
        return result / (count * x.size) if maybe("scale", 0.3) else result

    specs = P(PART_AXIS)
    return jax.shard_map(scan, mesh=part_mesh, in_specs=specs, out_specs=specs)(x)


@sketch(
    takes={"x": "vector f[devices*n]"},
    gives="vector f[devices*n]",
    sizes={"devices": {2, 4, 8}, "n": (2, 32)},
    also=("Merge blocks with the neighbours' until all are in order.",),
)
def odd_even_block_sort(x):
    """Sort an array across devices by merging and splitting neighbouring blocks."""

    def sort(block):
        count = jax.lax.axis_size(PART_AXIS)
        rank = jax.lax.axis_index(PART_AXIS)
        block = jnp.sort(block)
        for round_number in range(count):
            first = round_number % 2
            pairs = [(i, i + 1) for i in range(first, count - 1, 2)]
            pairs = [*pairs, *((j, i) for i, j in pairs)]
            other = jax.lax.ppermute(block, PART_AXIS, pairs)
            merged = jnp.sort(jnp.concatenate([block, other]))
            is_left = (rank - first) % 2 == 0
            has_partner = (rank >= first) & (rank - first < (count - first) // 2 * 2)
            half = jnp.where(is_left, merged[: block.size], merged[block.size :])
            block = jnp.where(has_partner, half, block)
        return block

    specs = P(PART_AXIS)
    result = jax.shard_map(sort, mesh=part_mesh, in_specs=specs, out_specs=specs)(x)
    if maybe("descending", 0.3):
        return result[::-1]
    if maybe("trim", 0.4):
        # Pull the extremes in to the values next to them.
        return jnp.clip(result, result[1], result[-2])
    return result


@sketch(
    takes={"x": "vector f[devices*n]"},
    gives="vector f[devices*n]: ranks",
    sizes={"devices": {2, 4, 8}, "n": (2, 24)},
    also=("Count for each value how many others are smaller, block by block.",),
)
def sharded_ranks(x):
    """Rank the values of a sharded array while its blocks go around a ring."""

    @functools.partial(jax.shard_map, mesh=part_mesh, in_specs=P(PART_AXIS), out_specs=P(PART_AXIS))
    def rank_values(x):
        count = jax.lax.axis_size(PART_AXIS)
        visitor, smaller = x, jnp.zeros_like(x)
        for _ in range(count):
            below = visitor[None, :] < x[:, None]
            ties = visitor[None, :] == x[:, None]
            if maybe("mid ranks"):
                smaller = smaller + jnp.sum(below + 0.5 * ties, axis=1)
            else:
                smaller = smaller + jnp.sum(below, axis=1)
            ring = [(i, (i + one_of(1, 1, 3)) % count) for i in range(count)]
            visitor = jax.lax.ppermute(visitor, PART_AXIS, ring)
        total = count * x.size
        if maybe("centered", 0.4):
            return smaller / total - 0.5
        return one_of(smaller, smaller / total, (smaller + 0.5) / total)

    return rank_values(x)


@sketch(
    takes={"x": "matrix f[devices*n, devices*m]"},
    gives="matrix f[devices*m, devices*n]",
    sizes={"devices": {2, 4, 8}, "n": (1, 8), "m": (1, 8)},
    also=("Exchange blocks with all devices, and transpose each of them.",),
)
def sharded_transpose(x):
    """Transpose a matrix whose rows are divided over devices."""

    def transpose(rows):
        if maybe("tiled", 0.6):
            columns = jax.lax.all_to_all(rows, PART_AXIS, split_axis=1, concat_axis=0, tiled=True)
        else:
            blocks = rows.reshape(rows.shape[0], jax.lax.axis_size(PART_AXIS), -1)
            received = jax.lax.all_to_all(blocks, PART_AXIS, split_axis=1, concat_axis=0)
            columns = received.reshape(-1, received.shape[-1])
        if maybe("standardize"):
            # Each device has whole columns now.
            centered = columns - jnp.mean(columns, axis=0)
            columns = centered / (jnp.std(columns, axis=0) + one_of(1e-3, 1e-2))
        elif maybe("accumulate", 0.3):
            columns = jnp.cumsum(columns, axis=0)
        return columns.T

    specs = P(PART_AXIS, None)
    return jax.shard_map(transpose, mesh=part_mesh, in_specs=specs, out_specs=specs)(x)


@sketch(
    takes={"x": "signal f[devices*n, devices*m]"},
    gives="spectrum c[devices*n, devices*m]",
    sizes={"devices": {2, 4, 8}, "n": (1, 6), "m": (1, 6)},
    also=("Transform the columns first, and the rows after an exchange.",),
)
def sharded_fft2(x):
    """Compute a two-dimensional Fourier transform with one exchange in the middle."""

    def transform(rows):
        spectrum = jnp.fft.fft(rows, axis=1)
        columns = jax.lax.all_to_all(spectrum, PART_AXIS, split_axis=1, concat_axis=0, tiled=True)
        columns = jnp.fft.fft(columns, axis=0)
        if maybe("filter"):
            # Keep only slow waves along the first axis.
            frequency = jnp.fft.fftfreq(columns.shape[0])
            columns = jnp.where(jnp.abs(frequency)[:, None] < one_of(0.25, 0.1), columns, 0)
        return jax.lax.all_to_all(columns, PART_AXIS, split_axis=0, concat_axis=1, tiled=True)

    specs = P(PART_AXIS)
    spectrum = jax.shard_map(transform, mesh=part_mesh, in_specs=specs, out_specs=specs)(x)
    if maybe("norm"):
        spectrum = spectrum / one_of(x.size, x.size**0.5)
    return spectrum


@sketch(
    takes={"keys": "ids i[devices*n]", "values": "values f[devices*n]"},
    gives="values f[devices*k]: one total per key",
    sizes={"devices": {2, 4, 8}, "n": (4, 32), "k": (1, 8)},
    also=("Reduce by key on each device, and scatter the totals to their owners.",),
)
def sharded_group_sum(keys, values, keys_per_device=size("k")):
    """Sum values by key, with the keys divided over devices as well."""

    def reduce(keys, values):
        num_keys = keys_per_device * jax.lax.axis_size(PART_AXIS)
        if maybe("hash", 0.4):
            keys = (keys * one_of(7, 31, 101)) % num_keys
        else:
            keys = jnp.minimum(keys, num_keys - 1)
        if maybe("one hot"):
            hits = jax.nn.one_hot(keys, num_keys, dtype=values.dtype)
            local = values @ hits
        else:
            local = jnp.zeros(num_keys, values.dtype).at[keys].add(values)
        totals = jax.lax.psum_scatter(local, PART_AXIS, tiled=True)
        if maybe("mean"):
            ones = jnp.zeros(num_keys, values.dtype).at[keys].add(1)
            counts = jax.lax.psum_scatter(ones, PART_AXIS, tiled=True)
            return totals / jnp.maximum(counts, 1)
        return totals

    specs = P(PART_AXIS)
    return jax.shard_map(reduce, mesh=part_mesh, in_specs=(specs, specs), out_specs=specs)(
        keys, values
    )


@sketch(
    takes={"x": "vector f[devices*n]", "threshold?": "f[]"},
    gives=("vector f[devices*n]", "i32[]: count"),
    sizes={"devices": {2, 4, 8}, "n": (2, 16)},
    also=("Move what is kept to the front, at places that all devices agree on.",),
)
def sharded_compaction(x, threshold=None):
    """Compact the values of all devices that exceed a threshold."""
    threshold = 0.0 if threshold is None else threshold

    def compact(x):
        is_kept = jnp.abs(x) > threshold if maybe("by magnitude", 0.4) else x > threshold
        place = jnp.cumsum(is_kept) - 1
        counts = jax.lax.all_gather(jnp.sum(is_kept), PART_AXIS)
        rank = jax.lax.axis_index(PART_AXIS)
        before = jnp.sum(jnp.where(jnp.arange(counts.size) < rank, counts, 0))
        total = x.size * counts.size
        target = jnp.where(is_kept, before + place, total)
        whole = jnp.zeros(total, x.dtype).at[target].set(x, mode="drop")
        if maybe("scatter back"):
            mine = jax.lax.psum_scatter(whole, PART_AXIS, tiled=True)
        else:
            whole = jax.lax.psum(whole, PART_AXIS)
            mine = jax.lax.dynamic_slice_in_dim(whole, rank * x.size, x.size)
        return mine, jnp.sum(counts).astype(jnp.int32)

    specs = P(PART_AXIS)
    return jax.shard_map(
        compact, mesh=part_mesh, in_specs=specs, out_specs=(specs, P()), check_vma=False
    )(x)
