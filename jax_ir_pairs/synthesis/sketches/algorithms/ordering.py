"""Sorting, ranking, deduplication and compaction with fixed sizes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch


class RunLengths(NamedTuple):
    """Runs of equal values, padded to as many as there may be."""

    symbols: jax.Array
    extents: jax.Array
    num_runs: jax.Array


@sketch(
    takes={"tokens": "tokens i[n]"},
    gives=("i[n]: symbols", "tally i[n]: extents", "i[]: num_runs"),
    sizes={"n": (4, 2048)},
    dtypes="f32 f64",
    also=("Compress a sequence into values and the lengths of their runs.",),
)
def run_length_encode(tokens, pad_value=one_of(-1, 0)):
    """Encode a sequence by its runs of equal values."""
    (n,) = tokens.shape
    if maybe("concatenate"):
        changed = jnp.concatenate([jnp.ones(1, bool), tokens[1:] != tokens[:-1]])
    else:
        changed = jnp.diff(tokens, prepend=tokens[:1] - 1) != 0
    run_of = jnp.cumsum(changed) - 1
    num_runs = run_of[-1] + 1
    extents = one_of(
        jnp.bincount(run_of, length=n),
        jnp.zeros(n, run_of.dtype).at[run_of].add(1),
        jax.ops.segment_sum(jnp.ones_like(run_of), run_of, num_segments=n),
    )
    if maybe("starts"):
        # A run ends where the next one starts.
        starts = jnp.nonzero(changed, size=n, fill_value=0)[0]
        symbols = tokens[starts]
    else:
        symbols = jnp.zeros_like(tokens).at[run_of].set(tokens)
    symbols = jnp.where(jnp.arange(n) < num_runs, symbols, pad_value)
    return RunLengths(symbols, extents, num_runs)


@sketch(
    takes={"x": "i[n]"},
    gives=("i[k]: unique", "tally i[k]: multiplicity", "i[n]: inverse"),
    sizes={"n": (4, 1024), "k": (4, 16)},
    dtypes="f32 f64",
    also=("Find the distinct values of an array, with how often each occurs.",),
)
def unique_with_counts(x, max_unique=size("k"), fill_value=-1):
    """Deduplicate integers into a fixed number of slots."""
    n = x.shape[0]
    if maybe("sorted", 0.6):
        order = jnp.argsort(x)
        ordered = x[order]
        first = jnp.ones(n, bool).at[1:].set(ordered[1:] != ordered[:-1])
        slot = jnp.cumsum(first) - 1
        unique = jnp.full(max_unique, fill_value, x.dtype).at[slot].set(ordered, mode="drop")
        counts = jnp.zeros(max_unique, slot.dtype).at[slot].add(1, mode="drop")
        inverse = jnp.zeros(n, slot.dtype).at[order].set(slot)
        return unique, counts, inverse
    # The value's first position decides who represents it.
    same = x[:, None] == x[None, :]
    representative = jnp.argmax(same, axis=1)
    is_first = representative == jnp.arange(n)
    slots = jnp.nonzero(is_first, size=max_unique, fill_value=n)[0]
    padded = jnp.append(x, fill_value)
    unique = padded[slots]
    counts = jnp.sum(unique[:, None] == x[None, :], axis=1)
    inverse = (jnp.cumsum(is_first) - 1)[representative]
    return unique, counts, inverse


@sketch(
    takes={"values": "scores f[b, n]", "mask?": "mask bool[b, n]"},
    gives=("scores f[b, k]: best", "i[b, k]: indices"),
    sizes={"b": (1, 64), "n": (8, 256), "k": (1, 8)},
    dtypes="f32 bf16 f64",
    also=("Select the largest entries of each row.",),
)
def masked_top_k(values, mask=None, k=size("k")):
    """Pick the best allowed entries of each row, best first."""
    if k > values.shape[-1]:
        raise ValueError(f"cannot take {k} of {values.shape[-1]} entries")
    if mask is not None:
        values = jnp.where(mask, values, one_of(-100, -30))
    if maybe("library", 0.4):
        return jax.lax.top_k(values, k)
    if maybe("sorting"):
        order = jnp.argsort(-values, axis=-1)[:, :k]
        return jnp.take_along_axis(values, order, axis=-1), order
    # Repeated selection, which is cheap for few.
    rows = jnp.arange(values.shape[0])
    remaining = values
    found = []
    for _ in range(k):
        winner = jnp.argmax(remaining, axis=-1)
        found.append((values[rows, winner], winner))
        remaining = remaining.at[rows, winner].set(-jnp.inf)
    best, indices = (jnp.stack(parts, axis=-1) for parts in zip(*found))
    return best, indices


@sketch(
    takes={"x": "samples f[n]"},
    gives="samples f[n]: ordered",
    sizes={"n": (4, 64)},
    dtypes="f32 bf16 f64",
    also=("Sort by a network of compare-and-exchange steps.",),
)
def sorting_network(x, descending=one_of(False, True)):
    """Sort a short array with a fixed network of comparators."""
    n = x.shape[0]
    if maybe("odd even", 0.4):
        # Neighbors, alternately from even and odd positions; n rounds are enough.
        index = jnp.arange(n)

        def compare(i, x):
            partner = jnp.where((index + i) % 2 == 0, index + 1, index - 1)
            inside = (partner >= 0) & (partner < n)
            other = x[jnp.clip(partner, 0, n - 1)]
            exchanged = jnp.where(partner > index, jnp.minimum(x, other), jnp.maximum(x, other))
            return jnp.where(inside, exchanged, x)

        ordered = jax.lax.fori_loop(0, n, compare, x)
    else:
        # Bitonic: pad to a power of two with values that stay at the end.
        width = 1 << max(n - 1, 1).bit_length()
        ordered = jnp.pad(x, (0, width - n), constant_values=jnp.inf)
        index = jnp.arange(width)
        block = 2
        while block <= width:
            distance = block // 2
            while distance >= 1:
                partner = index ^ distance
                other = ordered[partner]
                ascending = (index & block) == 0
                keep_small = (partner > index) == ascending
                ordered = jnp.where(
                    keep_small, jnp.minimum(ordered, other), jnp.maximum(ordered, other)
                )
                distance //= 2
            block *= 2
        ordered = ordered[:n]
    return ordered[::-1] if descending else ordered


@sketch(
    takes={"left": "i[n]", "right": "i[m]"},
    gives="i[n+m]: merged",
    sizes={"n": (2, 1024), "m": (2, 1024)},
    dtypes="f32 f64",
)
def merge_sorted(left, right):
    """Merge two arrays that are sorted after a running sum makes them so."""
    # Steps of 0 to 3 add up to sorted keys.
    left, right = jnp.cumsum(left), jnp.cumsum(right)
    n, m = left.shape[0], right.shape[0]
    if maybe("ranks", 0.6):
        # An element's place: its own index and how many of the others come before.
        place_left = jnp.arange(n) + jnp.searchsorted(right, left, side="left")
        place_right = jnp.arange(m) + jnp.searchsorted(left, right, side="right")
        merged = jnp.zeros(n + m, left.dtype)
        return merged.at[place_left].set(left).at[place_right].set(right)

    def take_smaller(heads, _):
        i, j = heads
        a = jnp.where(i < n, left[jnp.minimum(i, n - 1)], jnp.iinfo(left.dtype).max)
        b = jnp.where(j < m, right[jnp.minimum(j, m - 1)], jnp.iinfo(right.dtype).max)
        from_left = a <= b
        heads = (i + from_left, j + ~from_left)
        return heads, jnp.where(from_left, a, b)

    _, merged = jax.lax.scan(
        take_smaller, one_of((0, 0), (jnp.int32(0), jnp.int32(0))), length=n + m
    )
    return merged


@sketch(
    takes={"x": "features f[n, d]", "keep": "mask bool[n]"},
    gives=("features f[n, d]: packed", "i[]: num_kept"),
    sizes={"n": (4, 512), "d": (1, 32)},
    dtypes="f32 bf16 f64",
    also=("Move the rows that are kept to the front.",),
)
def compact_rows(x, keep, fill=0):
    """Pack the selected rows to the front of an array of the same size."""
    n, d = x.shape
    if keep.shape != (n,):
        raise ValueError(f"keep must have {n} entries, got shape {keep.shape}")
    num_kept = jnp.sum(keep)
    if maybe("scatter"):
        # Exclusive prefix sum: the destination of each kept row.
        destination = jnp.where(keep, jnp.cumsum(keep) - 1, n)
        packed = jnp.full((n, d), fill, x.dtype).at[destination].set(x, mode="drop")
    elif maybe("stable sort"):
        order = jnp.argsort(~keep, stable=True)
        packed = jnp.where(jnp.arange(n)[:, None] < num_kept, x[order], fill)
    else:
        (source,) = jnp.nonzero(keep, size=n, fill_value=n - 1)
        packed = jnp.where((jnp.arange(n) < num_kept)[:, None], x[source], fill)
    return packed, num_kept


@sketch(
    takes={"x": "signal f[n]"},
    gives="signal f[n-w+1]: extremes",
    sizes={"n": (24, 1024), "w": (2, 16)},
    dtypes="f32 bf16 f16 f64",
    also=("Slide a window over a sequence and take its largest value.",),
)
def sliding_window_maximum(x, width=size("w")):
    """Find the maximum of every window of a sequence."""
    n = x.shape[0]
    if not 0 < width <= n:
        raise ValueError(f"window of {width} does not fit a sequence of {n}")
    if maybe("doubling"):
        # Windows of powers of two; two overlapping ones cover any width.
        reach, best = 1, x
        while 2 * reach <= width:
            best = jnp.maximum(best[:-reach], best[reach:])
            reach *= 2
        rest = width - reach
        return jnp.maximum(best[: n - width + 1], best[rest : rest + n - width + 1])
    if maybe("reduce window"):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (width,), (1,), "VALID")
    windows = x[jnp.arange(n - width + 1)[:, None] + jnp.arange(width)]
    return jnp.max(windows, axis=one_of(1, -1))


@sketch(
    takes={"starts": "i[n]", "lengths": "counts i[n]"},
    gives=("mask bool[n, n]: overlaps", "i[]: busiest"),
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Schedule-like checks: which intervals collide, and how many at once.",),
)
def interval_overlaps(starts, lengths, gap=one_of(0, 1)):
    """Detect which intervals overlap and the largest number at one time."""
    if starts.shape != lengths.shape:
        raise ValueError(f"{starts.shape[0]} starts but {lengths.shape[0]} lengths")
    n = starts.shape[0]
    # Spread out, so that not everything meets near zero.
    starts = starts * one_of(2, 3) + jnp.arange(n)
    ends = starts + lengths + 1
    overlaps = (starts[:, None] < ends[None, :] + gap) & (starts[None, :] < ends[:, None] + gap)
    overlaps = overlaps & ~jnp.eye(n, dtype=bool)
    if maybe("sweep"):
        # Events in time order; an end comes before a start at the same time.
        times = jnp.concatenate([ends, starts])
        changes = jnp.concatenate([jnp.full(n, -1), jnp.full(n, 1)])
        order = jnp.argsort(times, stable=True)
        busiest = jnp.max(jnp.cumsum(changes[order]))
    else:
        active = (starts[:, None] <= starts[None, :]) & (starts[None, :] < ends[:, None])
        busiest = jnp.max(jnp.sum(active, axis=0))
    return overlaps, busiest


@sketch(
    takes={"primary": "labels i[n]", "secondary": "samples f[n]"},
    gives="permutation i[n]: order",
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
    also=("Find the order of records that are sorted by two columns.",),
)
def lexicographic_order(primary, secondary, descending=one_of(False, True)):
    """Order records by a group and, within each group, by a value."""
    if primary.shape != secondary.shape:
        raise ValueError(f"columns of {primary.shape[0]} and {secondary.shape[0]} records")
    if descending:
        secondary = -secondary
    if maybe("lexsort"):
        # The last key counts first.
        return jnp.lexsort((secondary, primary))
    by_value = jnp.argsort(secondary)
    if maybe("counting sort", 0.4):
        # A stable counting sort of the groups on top of it.
        groups = primary[by_value]
        sizes = jnp.bincount(groups, length=4)
        starts = jnp.cumsum(sizes) - sizes
        hot = groups[:, None] == jnp.arange(4)[None, :]
        within = jnp.sum(jnp.where(hot, jnp.cumsum(hot, axis=0), 0), axis=1) - 1
        return jnp.zeros_like(by_value).at[starts[groups] + within].set(by_value)
    return by_value[jnp.argsort(primary[by_value], stable=True)]
