"""Dynamic programming over sequences and grids."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch


@sketch(
    takes={"source": "tokens i[n]", "target": "tokens i[m]"},
    gives="metric f[]",
    sizes={"n": (2, 48), "m": (2, 48)},
    also=("Count the edits that turn one sequence into another.",),
)
def edit_distance(source, target, substitution=one_of(1, 2, 1.5), normalize=one_of(False, True)):
    """Measure the weighted edit distance of two token sequences."""
    n, m = source.shape[0], target.shape[0]
    columns = jnp.arange(m + 1, dtype=jnp.float32)

    def next_row(previous, token):
        cost = jnp.where(token == target, 0.0, substitution)
        diagonal = previous[:-1] + cost
        best = jnp.concatenate([previous[:1] + 1, jnp.minimum(diagonal, previous[1:] + 1)])
        # Insertions run along the row: a running minimum of what is left after their cost.
        return jax.lax.cummin(best - columns) + columns, None

    if maybe("unrolled", 0.2):
        row = columns
        for i in range(n):
            row, _ = next_row(row, source[i])
    else:
        row, _ = jax.lax.scan(next_row, columns, source)
    distance = row[-1]
    if normalize:
        distance = distance / max(n, m)
    return distance


@sketch(
    takes={"a": "tokens i[n]", "b": "tokens i[m]"},
    gives="i[]: length",
    sizes={"n": (2, 64), "m": (2, 64)},
    dtypes="f32 f64",
    also=("Find how long the longest common part of two sequences is.",),
)
def longest_common_length(a, b):
    """Find the length of what two sequences have in common."""
    m = b.shape[0]
    if maybe("contiguous", 0.4):

        def extend(diagonal, token):
            # Substrings: a run along a diagonal breaks at each mismatch.
            shifted = jnp.concatenate([jnp.zeros_like(diagonal[:1]), diagonal[:-1]])
            runs = jnp.where(token == b, shifted + 1, 0)
            return runs, jnp.max(runs)

        _, longest = jax.lax.scan(extend, jnp.zeros(m, int), a)
        return jnp.max(longest)

    def advance(row, token):
        # Subsequences: either both advance, or one of them skips.
        matched = jnp.where(token == b, row[:-1] + 1, 0)
        candidates = jnp.maximum(matched, row[1:])
        row = jnp.concatenate([row[:1], jax.lax.cummax(candidates)])
        return row, one_of(None, row[-1])

    row, _ = jax.lax.scan(advance, jnp.zeros(m + 1, int), a)
    return one_of(row[-1], jnp.max(row))


@sketch(
    takes={"values": "values f[n]", "weights": "counts i[n]"},
    gives=("values f[]: best", "mask bool[n]: chosen"),
    sizes={"n": (2, 24)},
    dtypes="f32 f64",
    also=("Fill a knapsack of limited capacity as well as possible.",),
)
def knapsack(values, weights, capacity=integer(5, 30)):
    """Choose items of largest value whose weights stay within a capacity."""
    n = values.shape[0]
    if weights.shape != (n,):
        raise ValueError(f"{n} values but weights of shape {weights.shape}")
    values = one_of(jax.nn.softplus(values), jnp.abs(values) + 0.1)
    weights = weights + 1  # nothing is weightless
    loads = jnp.arange(capacity + 1)

    def consider(table, item):
        value, weight = item
        without = table
        before = loads - weight
        with_item = jnp.where(before >= 0, table[jnp.maximum(before, 0)] + value, -jnp.inf)
        taken = with_item > without
        return jnp.where(taken, with_item, without), taken

    start = jnp.zeros(capacity + 1, values.dtype)
    table, taken = jax.lax.scan(consider, start, (values, weights))

    def trace_back(load, item):
        taken_at, weight = item
        chosen = taken_at[load]
        return jnp.where(chosen, load - weight, load), chosen

    if maybe("reverse"):
        _, chosen = jax.lax.scan(
            trace_back, jnp.asarray(capacity, weights.dtype), (taken, weights), reverse=True
        )
    else:
        load = jnp.asarray(capacity, weights.dtype)
        picks = []
        for i in reversed(range(n)):
            load, pick = trace_back(load, (taken[i], weights[i]))
            picks.append(pick)
        chosen = jnp.stack(picks[::-1])
    return table[-1], chosen


@sketch(
    takes={"x": "i[n]"},
    gives=("i[]: length", "i[n]: best_ending_here"),
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Measure the longest increasing subsequence.",),
)
def longest_increasing_subsequence(x, strict=one_of(True, False)):
    """Find the length of the longest subsequence that only goes up."""
    n = x.shape[0]
    # A trend, so that the values are not all small.
    x = x + one_of(jnp.arange(n) // 4, jnp.arange(n) % 7)
    if maybe("patience", 0.4):
        # tails[k]: the least end of a subsequence of length k + 1.
        largest = jnp.iinfo(x.dtype).max

        def place(tails, value):
            k = jnp.searchsorted(tails, value, side="left" if strict else "right")
            return tails.at[k].set(value), k + 1

        tails, ending = jax.lax.scan(place, jnp.full(n, largest, x.dtype), x)
        return jnp.sum(tails < largest), ending.astype(int)

    def extend(best, i):
        smaller = x < x[i] if strict else x <= x[i]
        earlier = jnp.arange(n) < i
        here = 1 + jnp.max(jnp.where(smaller & earlier, best, 0))
        return best.at[i].set(here), None

    best, _ = jax.lax.scan(extend, jnp.zeros(n, int), jnp.arange(n))
    return jnp.max(best), best


@sketch(
    takes={"costs": "field f[n, m]: cost of each cell"},
    gives=("metric f[]: total", "i[n]: path"),
    sizes={"n": (3, 64), "m": (3, 64)},
    dtypes="f32 f64",
    also=("Find the cheapest path from the top row to the bottom row.",),
)
def minimum_seam(costs, moves=one_of((-1, 0, 1), (0, 1), (-2, -1, 0, 1, 2))):
    """Trace the path of least total cost through a grid, row by row."""
    if costs.ndim != 2:
        raise ValueError(f"expected a grid of costs, got shape {costs.shape}")
    num_rows, num_cols = costs.shape
    if maybe("magnitude", 0.4):
        costs = jnp.abs(costs)
    if not maybe("padded"):
        columns = jnp.arange(num_cols)

    def descend(total, row):
        if maybe("padded"):
            reach = max(abs(move) for move in moves)
            padded = jnp.pad(total, reach, constant_values=1e6)
            stacked = jnp.stack([padded[reach + m : reach + m + num_cols] for m in moves])
        else:
            candidates = []
            for move in moves:
                source = columns + move
                inside = (source >= 0) & (source < num_cols)
                nearest = total[jnp.clip(source, 0, num_cols - 1)]
                candidates.append(jnp.where(inside, nearest, 1e6))
            stacked = jnp.stack(candidates)
        choice = jnp.argmax(-stacked, axis=0)
        return row + jnp.min(stacked, axis=0), choice

    total, choices = jax.lax.scan(descend, costs[0], costs[1:])
    end = jnp.argmax(-total)
    offsets = jnp.array(moves)

    def climb(column, choice):
        above = column + offsets[choice[column]]
        return above, column

    start, rest = jax.lax.scan(climb, end, choices, reverse=True)
    return total[end], jnp.concatenate([start[None], rest])


@sketch(
    takes={"coins": "counts i[k]: denominations less one"},
    gives="i[n]: ways",
    sizes={"k": (1, 6), "n": (8, 64)},
    dtypes="f32 f64",
    also=("Tabulate in how many ways amounts can be paid.",),
)
def coin_change_table(coins, amounts=size("n"), modulus=one_of(1009, 10007, None)):
    """Count the ways, or the fewest coins, to pay each amount."""
    coins = coins + one_of(1, 2)
    index = jnp.arange(amounts)
    if maybe("fewest"):
        # A relaxation for every coin at once, as long as it can improve.
        unreachable = amounts

        def relax(_, fewest):
            source = index[None, :] - coins[:, None]
            via = jnp.where(source >= 0, fewest[jnp.maximum(source, 0)] + 1, unreachable)
            return jnp.minimum(fewest, jnp.min(via, axis=0))

        start = jnp.where(index == 0, 0, unreachable)
        return jax.lax.fori_loop(0, amounts // one_of(1, 2), relax, start)

    def pay(ways, amount):
        source = amount - coins
        total = jnp.sum(jnp.where(source >= 0, ways[jnp.maximum(source, 0)], 0))
        total = jnp.where(amount == 0, 1, total)
        if modulus is not None:
            total = total % modulus
        else:
            total = jnp.minimum(total, 1_000_000)
        return ways.at[amount].set(total), None

    ways, _ = jax.lax.scan(pay, jnp.zeros(amounts, int), index)
    return ways
