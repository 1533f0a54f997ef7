"""Alignments of two sequences."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"first": "series f[n]", "second": "series f[m]"},
    gives="f[]: cost",
    sizes={"n": (3, 40), "m": (3, 40)},
    also=("Align two series that run at different speeds.",),
)
def dynamic_time_warping(first, second, smoothing=number(0.1, 1.0), band=one_of(None, 24)):
    """Warp two series onto each other at the least total cost."""
    if first.ndim != 1 or second.ndim != 1:
        raise ValueError(f"expected two series, got {first.shape} and {second.shape}")
    rows, columns = first.shape[0], second.shape[0]
    if maybe("standardize"):
        first = (first - jnp.mean(first)) / (jnp.std(first) + 0.1)
        second = (second - jnp.mean(second)) / (jnp.std(second) + 0.1)
    cost = one_of(
        (first[:, None] - second[None, :]) ** 2, jnp.abs(first[:, None] - second[None, :])
    )
    if band is not None:
        # Paths stay near the diagonal.
        i, j = jnp.arange(rows)[:, None], jnp.arange(columns)[None, :]
        away = jnp.abs(i * columns - j * rows) > band * max(rows, columns)
        cost = jnp.where(away, 1e4, cost)
    # Row i is delayed by i, so that a column of the result is an anti-diagonal.
    if maybe("gather_diagonals"):
        index = jnp.arange(rows + columns - 1)[None, :] - jnp.arange(rows)[:, None]
        inside = (index >= 0) & (index < columns)
        taken = jnp.take_along_axis(cost, jnp.clip(index, 0, columns - 1), axis=1)
        skewed = jnp.where(inside, taken, 1e6)
    else:
        delayed = []
        for delay, row in enumerate(cost):
            delayed.append(jnp.pad(row, (delay, rows - 1 - delay), constant_values=1e6))
        skewed = jnp.stack(delayed)

    def least(*ways):
        stacked = jnp.stack(ways)
        if maybe("soft"):
            return -smoothing * jax.nn.logsumexp(-stacked / smoothing, axis=0)
        return jnp.min(stacked, axis=0)

    def step(carry, diagonal):
        before_last, last = carry
        above = jnp.pad(last[:-1], (1, 0), constant_values=1e6)
        across = jnp.pad(before_last[:-1], (1, 0), constant_values=1e6)
        new = diagonal + least(last, above, across)
        new = jnp.minimum(new, 1e6)
        return (last, new), None

    far = jnp.full(rows, 1e6, cost.dtype)
    start = far.at[0].set(cost[0, 0])
    (_, final), _ = jax.lax.scan(step, (far, start), skewed.T[1:])
    return final[-1] / one_of(1, rows + columns)
