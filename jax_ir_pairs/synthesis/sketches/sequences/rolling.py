"""Series and sequences: differences, windows, gates, reservoirs."""

import functools
import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"series": "series f[n]"},
    gives="series f[n-1]",
    sizes={"n": (4, 2048)},
    dtypes="f32 bf16 f64",
    also=("Make a series stationary by taking differences.",),
)
def difference_series(series, seasonal_lag=one_of(None, 2)):
    """Difference a series once, without its slow season where a lag is given."""
    if series.ndim != 1 or series.shape[0] < 3:
        raise ValueError(f"expected a series of three values or more, got {series.shape}")
    if seasonal_lag is not None and series.shape[0] > seasonal_lag:
        series = series - jnp.roll(series, seasonal_lag).at[:seasonal_lag].set(0)
    return one_of(jnp.diff(series), series[1:] - series[:-1])


@sketch(
    takes={"series": "series f[n]"},
    gives=("series f[n]: returns", "f[n]: volatility"),
    sizes={"n": (4, 1024)},
    dtypes="f32 f64",
    also=("Track the volatility of a series by an exponentially weighted variance.",),
)
def standardize_by_volatility(series, decay=number(0.8, 0.97), floor=number(0.01, 0.2)):
    """Divide a series by a running estimate of its volatility."""
    squares = series * series

    def step(variance, square):
        variance = decay * variance + (1 - decay) * square
        return variance, variance

    if maybe("start_from_mean"):
        start = jnp.mean(squares)
    else:
        start = squares[0]
    _, variances = jax.lax.scan(step, start, squares)
    volatility = jnp.sqrt(variances + floor * floor)
    if maybe("lagged"):
        # Each value is judged by what was known before it.
        previous = jnp.concatenate([volatility[:1], volatility[:-1]])
        return series / previous, volatility
    return series / volatility, volatility


@sketch(
    takes={"sequence": "sequence f[b, t, d]", "gate": "f[d]"},
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 16), "t": (2, 128), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Blend each position with the one before it.",),
)
def token_shift(sequence, gate):
    """Mix every step of a sequence with its predecessor by a learned gate."""
    if maybe("concatenate"):
        start = jnp.zeros_like(sequence[:, :1])
        previous = jnp.concatenate([start, sequence[:, :-1]], axis=1)
    else:
        previous = jnp.pad(sequence, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    mix = one_of(jax.nn.sigmoid(gate), jnp.clip(gate, 0.0, 1.0))
    return one_of(mix * sequence + (1 - mix) * previous, previous + mix * (sequence - previous))


@sketch(
    takes={"series": "series f[n]"},
    gives="frames f[n-w+1, w]",
    sizes={"n": (16, 512), "w": (3, 8)},
    dtypes="f32 bf16 f64",
    also=("Cut a series into overlapping windows, one row each.",),
)
def sliding_windows(series, length=size("w"), center=one_of(True, False)):
    """Lay the windows of a series out as rows of a matrix."""
    num_windows = series.shape[0] - length + 1
    if num_windows < 1:
        raise ValueError(f"windows of {length} do not fit into {series.shape[0]} values")
    if maybe("dynamic_slices", 0.4):
        cut = functools.partial(jax.lax.dynamic_slice_in_dim, series, slice_size=length)
        windows = jax.vmap(cut)(jnp.arange(num_windows))
    elif maybe("stack_columns"):
        columns = [series[lag : lag + num_windows] for lag in range(length)]
        windows = jnp.stack(columns, axis=1)
    else:
        windows = series[jnp.arange(num_windows)[:, None] + jnp.arange(length)[None, :]]
    return windows - jnp.mean(windows, axis=1, keepdims=True) if center else windows


@sketch(
    takes={"x": "sequence f[b, t, d]", "query": "f[d]"},
    gives="features f[b, d]",
    sizes={"b": (1, 16), "t": (2, 64), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Summarize sequences, with more weight on later steps.",),
)
def recency_weighted_pooling(x, query, half_life=number(2, 20)):
    """Pool sequences over time with weights that halve into the past."""
    seq_len, width = x.shape[1:]
    age = jnp.arange(seq_len)[::-1]
    log_weights = (-math.log(2.0) / half_life * age).astype(x.dtype)
    if maybe("content"):
        relevance = x @ query / math.sqrt(width)
        weights = jax.nn.softmax(log_weights + relevance, axis=-1)
        return one_of(jnp.einsum("bt,btd->bd", weights, x), jnp.sum(weights[..., None] * x, axis=1))
    weights = jax.nn.softmax(log_weights)
    return jnp.tensordot(x, weights, axes=(1, 0))


@sketch(
    takes={"key": "key", "sequence": "sequence f[b, t, d]"},
    gives=("sequence f[b, t, d]", "mask bool[b, t]"),
    sizes={"b": (1, 16), "t": (4, 64), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Hide spans of time from sequences, for training.",),
)
def mask_time_spans(key, sequence, max_span=integer(2, 4)):
    """Augment sequences by blanking out one span of time in each."""
    batch_size, seq_len, _ = sequence.shape
    start_key, length_key = jax.random.split(key)
    start = jax.random.randint(start_key, (batch_size, 1), 0, seq_len)
    length = jax.random.randint(length_key, (batch_size, 1), 1, min(max_span, seq_len) + 1)
    steps = jnp.arange(seq_len)[None, :]
    hidden_steps = (steps >= start) & (steps < start + length)
    if maybe("fill_with_mean"):
        filler = jnp.mean(sequence, axis=1, keepdims=True)
    else:
        filler = jnp.zeros_like(sequence)
    return jnp.where(hidden_steps[..., None], filler, sequence), jnp.logical_not(hidden_steps)


@sketch(
    takes={
        "key": "key",
        "inputs": "series f[t, d]: what drives the reservoir",
        "targets": "targets f[t]",
    },
    gives=("predictions f[t]", "f[m]: readout"),
    sizes={"t": (20, 128), "d": (1, 6), "m": (6, 24)},
    also=("Train the linear readout of a random recurrent network.",),
)
def fit_echo_state_network(
    key, inputs, targets, num_units=size("m"), leak=number(0.2, 0.7), ridge=number(1e-2, 1.0)
):
    """Fit a ridge regression on the states of a fixed random reservoir."""
    num_steps, num_inputs = inputs.shape
    if len(targets) != num_steps:
        raise ValueError(f"{num_steps} inputs but {len(targets)} targets")
    in_key, rec_key = jax.random.split(key)
    w_in = jax.random.uniform(in_key, (num_inputs, num_units), minval=-0.5, maxval=0.5)
    w_rec = jax.random.normal(rec_key, (num_units, num_units))
    # Bounded above by the Frobenius norm, so that the reservoir forgets.
    w_rec = one_of(0.9, 0.8, 0.95) * w_rec / jnp.linalg.norm(w_rec)

    def advance(state, u):
        state = (1 - leak) * state + leak * jnp.tanh(u @ w_in + state @ w_rec)
        return state, state

    _, states = jax.lax.scan(advance, jnp.zeros(num_units, inputs.dtype), inputs)
    washout = integer(2, 6)
    kept, wanted = states[washout:], targets[washout:]
    gram = kept.T @ kept + ridge * jnp.eye(num_units, dtype=kept.dtype)
    if maybe("cholesky"):
        cholesky = jax.scipy.linalg.cho_factor(gram)
        readout = jax.scipy.linalg.cho_solve(cholesky, kept.T @ wanted)
    else:
        readout = jnp.linalg.solve(gram, kept.T @ wanted)
    return states @ readout, readout
