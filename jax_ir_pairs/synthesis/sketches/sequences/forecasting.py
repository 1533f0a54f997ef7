"""Time series: smoothing, autoregression, decomposition, alignment."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def lagged_matrix(series, order):
    """Put the `order` values before each time into a row, the latest one first."""
    n = series.shape[0]
    if maybe("gather_lags"):
        index = jnp.arange(order, n)[:, None] - jnp.arange(1, order + 1)[None, :]
        return series[index]
    return jnp.stack([series[order - lag : n - lag] for lag in range(1, order + 1)], axis=1)


@sketch(
    takes={"series": "series f[n]"},
    gives=("vector f[p]: coefficients", "series f[n-p]: residuals"),
    sizes={"n": (16, 1024), "p": (1, 6)},
    dtypes="f32 f64",
    also=("Regress a series on its own past.",),
)
def fit_autoregression(series, order=size("p"), ridge=number(1e-3, 1e-1)):
    """Estimate an autoregressive model by regularized least squares."""
    if order < 1 or series.shape[0] <= 2 * order:
        raise ValueError(f"{series.shape[0]} values are too few for order {order}")
    if maybe("center"):
        series = series - jnp.mean(series)
    design = lagged_matrix(series, order)
    targets = series[order:]
    if maybe("discount", 0.35):
        # Old rows count less.
        age = jnp.arange(targets.shape[0])[::-1]
        weight = jnp.sqrt(one_of(0.98, 0.99) ** age.astype(series.dtype))
        design, targets = design * weight[:, None], targets * weight
    gram = design.T @ design + ridge * jnp.eye(order, dtype=series.dtype)
    moment = design.T @ targets
    if maybe("cholesky"):
        lower = jnp.linalg.cholesky(gram)
        half = jax.scipy.linalg.solve_triangular(lower, moment, lower=True)
        coefficients = jax.scipy.linalg.solve_triangular(lower.T, half, lower=False)
    else:
        coefficients = jnp.linalg.solve(gram, moment)
    if maybe("refine", 0.4):
        # One step of iterative refinement.
        correction = moment - gram @ coefficients
        coefficients = coefficients + jnp.linalg.solve(gram, correction)
    return coefficients, targets - design @ coefficients


@sketch(
    takes={"series": "series f[n]", "coefficients": "vector f[p]"},
    gives="series f[k]: forecast",
    sizes={"n": (12, 256), "p": (1, 6), "k": (2, 12)},
    also=("Extend a series by feeding forecasts back into the model.",),
)
def forecast_autoregression(series, coefficients, horizon=size("k"), damping=0.9):
    """Forecast an autoregressive series several steps ahead."""
    order = coefficients.shape[0]
    # Coefficients whose absolute sum is below one make a stable model.
    coefficients = damping * coefficients / jnp.maximum(jnp.sum(jnp.abs(coefficients)), 1.0)
    mean = jnp.mean(series)
    recent = (series - mean)[-order:][::-1]
    if maybe("host_loop"):
        forecasts = []
        for _ in range(horizon):
            value = coefficients @ recent
            forecasts.append(value)
            recent = jnp.concatenate([value[None], recent[:-1]])
        return mean + jnp.stack(forecasts)

    def step(recent, _):
        value = jnp.dot(coefficients, recent)
        recent = one_of(
            jnp.roll(recent, 1).at[0].set(value), jnp.concatenate([value[None], recent[:-1]])
        )
        return recent, value

    _, forecasts = jax.lax.scan(step, recent, length=horizon)
    return mean + forecasts


@sketch(
    takes={"series": "series f[*s, n]"},
    gives="series f[*s, n]",
    sizes={"n": (4, 512), "s": (1, 16)},
    dtypes="f32 f64",
    also=("Smooth series with weights that decay exponentially into the past.",),
)
def exponential_smoothing(series, smoothing=number(0.1, 0.6)):
    """Follow the level of series by exponential smoothing."""
    if not 0 < smoothing <= 1:
        raise ValueError(f"smoothing must be in (0, 1], got {smoothing}")
    if maybe("associative", 0.4):

        def compose(first, second):
            return first[0] * second[0], second[0] * first[1] + second[1]

        decay = jnp.full_like(series, 1 - smoothing).at[..., 0].set(0)
        drive = (smoothing * series).at[..., 0].set(series[..., 0])
        _, levels = jax.lax.associative_scan(compose, (decay, drive), axis=-1)
        return levels

    def step(level, value):
        level = one_of(
            smoothing * value + (1 - smoothing) * level, level + smoothing * (value - level)
        )
        return level, level

    by_time = jnp.moveaxis(series, -1, 0)
    if maybe("start_with_mean", 0.3):
        start = jnp.mean(by_time[:3], axis=0)
    else:
        start = by_time[0]
    _, levels = jax.lax.scan(step, start, by_time)
    return jnp.moveaxis(levels, 0, -1)


class HoltState(NamedTuple):
    """Level and slope of a series."""

    level: jax.Array
    trend: jax.Array


@sketch(
    takes={"series": "series f[n]"},
    gives={"fitted": "series f[n]", "forecast": "series f[k]"},
    sizes={"n": (8, 512), "k": (2, 12)},
    also=("Extrapolate a series by Holt's method.",),
)
def holt_linear_trend(
    series,
    horizon=size("k"),
    level_rate=number(0.2, 0.8),
    trend_rate=number(0.05, 0.4),
    damping=0.95,
):
    """Track level and trend of a series and project them ahead."""

    def step(state, value):
        predicted = state.level + damping * state.trend
        level = level_rate * value + (1 - level_rate) * predicted
        trend = trend_rate * (level - state.level) + (1 - trend_rate) * damping * state.trend
        return HoltState(level, trend), predicted

    if maybe("start_flat"):
        start = HoltState(series[0], jnp.zeros((), series.dtype))
    else:
        start = HoltState(level=series[0], trend=series[1] - series[0])
    last, fitted = jax.lax.scan(step, start, series)
    steps = jnp.arange(1, horizon + 1, dtype=series.dtype)
    if maybe("damped_sum"):
        # The trend dies out geometrically.
        reach = damping * (1 - damping**steps) / (1 - damping)
    else:
        reach = steps
    return {"fitted": fitted, "forecast": last.level + reach * last.trend}


@sketch(
    takes={"series": "series f[n]"},
    gives={"fitted": "series f[n]", "forecast": "series f[k]", "seasonal": "f[p]"},
    sizes={"n": (24, 256), "p": (3, 8), "k": (2, 8)},
    also=("Forecast a seasonal series by triple exponential smoothing.",),
)
def holt_winters(series, period=size("p"), horizon=size("k"), *, rates=(0.3, 0.1, 0.2)):
    """Smooth level, trend and season of a series together."""
    n = series.shape[0]
    if period < 2 or n < 2 * period:
        raise ValueError(f"need two periods of {period}, got {n} values")
    level_rate, trend_rate, season_rate = rates
    first, second = jnp.mean(series[:period]), jnp.mean(series[period : 2 * period])
    level, trend = first, (second - first) / period
    seasonal = series[:period] - first

    def step(carry, value):
        level, trend, seasonal = carry
        # The season that is due stands first.
        predicted = level + trend + seasonal[0]
        new_level = level_rate * (value - seasonal[0]) + (1 - level_rate) * (level + trend)
        trend = trend_rate * (new_level - level) + (1 - trend_rate) * trend
        if maybe("center_seasons", 0.35):
            seasonal = seasonal - jnp.mean(seasonal)
        season = season_rate * (value - new_level) + (1 - season_rate) * seasonal[0]
        if maybe("roll"):
            seasonal = jnp.roll(seasonal.at[0].set(season), -1)
        else:
            seasonal = jnp.concatenate([seasonal[1:], season[None]])
        return (new_level, trend, seasonal), predicted

    (level, trend, seasonal), fitted = jax.lax.scan(step, (level, trend, seasonal), series)
    ahead = jnp.arange(horizon)
    if maybe("tile"):
        repeats = -(-horizon // period)
        seasons = jnp.tile(seasonal, repeats)[:horizon]
    else:
        seasons = seasonal[ahead % period]
    if maybe("damp_trend", 0.4):
        reach = jnp.cumsum(0.9 ** (ahead + 1.0))
    else:
        reach = ahead + 1
    forecast = level + reach.astype(series.dtype) * trend + seasons
    return {"fitted": fitted, "forecast": forecast, "seasonal": seasonal}


@sketch(
    takes={"series": "series f[n]"},
    gives={"trend": "series f[n]", "seasonal": "series f[n]", "remainder": "series f[n]"},
    sizes={"n": (24, 1024)},
    dtypes="f32 f64",
    also=("Split a series into trend, season and remainder.",),
)
def decompose_series(series, period=integer(4, 12)):
    """Decompose a series classically, by a centered moving average."""
    n = series.shape[0]
    width = period + 1 - period % 2
    half = width // 2
    if maybe("reflect"):
        padded = jnp.pad(series, half, mode="reflect")
    else:
        padded = jnp.pad(series, half, mode="edge")
    weights = jnp.full(width, 1 / width, series.dtype)
    trend = jnp.convolve(padded, weights, mode="valid")
    detrended = series - trend
    phase = jnp.arange(n) % period
    if maybe("segment_sum"):
        totals = jax.ops.segment_sum(detrended, phase, num_segments=period)
        counts = jax.ops.segment_sum(jnp.ones_like(series), phase, num_segments=period)
        profile = totals / counts
    else:
        members = phase[:, None] == jnp.arange(period)
        profile = jnp.sum(jnp.where(members, detrended[:, None], 0), axis=0)
        profile = profile / jnp.sum(members, axis=0)
    profile = profile - jnp.mean(profile)
    seasonal = profile[phase]
    return {"trend": trend, "seasonal": seasonal, "remainder": detrended - seasonal}


@sketch(
    takes={"series": "series f[n]"},
    gives={"level": "series f[n]", "variance": "f[n]", "log_likelihood": "f[]"},
    sizes={"n": (5, 512)},
    dtypes="f32 f64",
    also=("Filter a random walk that is observed in noise.",),
)
def local_level_filter(series, noise_var=number(0.5, 2.0), walk_var=number(0.05, 0.5)):
    """Estimate a drifting level by a scalar Kalman filter."""

    def step(carry, value):
        mean, var = carry
        var = var + walk_var
        innovation = value - mean
        total = var + noise_var
        gain = var / total
        mean = mean + gain * innovation
        var = one_of((1 - gain) * var, var * noise_var / total)
        log_density = -0.5 * (jnp.log(2 * jnp.pi * total) + innovation * innovation / total)
        return (mean, var), (mean, var, log_density)

    start = (series[0], jnp.full((), one_of(1.0, 10.0), series.dtype))
    _, (level, variance, log_density) = jax.lax.scan(step, start, series)
    if maybe("smooth", 0.45):

        def back(later, inputs):
            mean, var = inputs
            # How much of the later estimate the present one takes over.
            share = var / (var + walk_var)
            mean = mean + share * (later - mean)
            return mean, mean

        _, earlier = jax.lax.scan(back, level[-1], (level[:-1], variance[:-1]), reverse=True)
        level = jnp.concatenate([earlier, level[-1:]])
    return {"level": level, "variance": variance, "log_likelihood": jnp.sum(log_density)}
