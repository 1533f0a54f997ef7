"""Time series: smoothing, decomposition, autoregressions, changes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"series": "series f[n]"},
    gives=("series f[n]: trend", "series f[n]: seasonal", "series f[n]: remainder"),
    sizes={"n": (24, 1024)},
    dtypes="f32 bf16",
    also=("Decompose a series into trend, season and remainder.",),
)
def seasonal_decomposition(series, period=one_of(4, 6, 7, 12), multiplicative=one_of(False, True)):
    """Separate a seasonal pattern and a trend from a series."""
    n = series.shape[0]
    if n < 2 * period:
        raise ValueError(f"need two periods of {period}, got {n} values")
    if multiplicative:
        series = jax.nn.softplus(series) + 0.1
        series = jnp.log(series)
    if period % 2:
        averaging = jnp.ones(period, series.dtype) / period
    else:
        # Half weights at both ends center an even averaging.
        averaging = jnp.ones(period + 1, series.dtype).at[jnp.array([0, -1])].set(0.5) / period
    half = averaging.shape[0] // 2
    trend = jnp.convolve(jnp.pad(series, half, mode="edge"), averaging, mode="valid")
    detrended = series - trend
    phase = jnp.arange(n) % period
    if maybe("segment"):
        totals = jax.ops.segment_sum(detrended, phase, num_segments=period)
        sizes = jax.ops.segment_sum(jnp.ones_like(detrended), phase, num_segments=period)
        pattern = totals / sizes
    else:
        whole = n // period * period
        folded = detrended[:whole].reshape(-1, period)
        pattern = one_of(jnp.mean(folded, axis=0), jnp.median(folded, axis=0))
    pattern = pattern - jnp.mean(pattern)
    seasonal = pattern[phase]
    parts = (trend, seasonal, detrended - seasonal)
    if multiplicative:
        parts = tuple(jnp.exp(part) for part in parts)
    return parts


def autocovariances(series, max_lag):
    """Biased autocovariances from lag 0 to the largest one."""
    n = series.shape[0]
    centered = series - jnp.mean(series)
    return jnp.stack([centered[: n - lag] @ centered[lag:] / n for lag in range(max_lag + 1)])


@sketch(
    takes={"series": "series f[n]"},
    gives=("vector f[p]: coefficients", "metric f[]: innovation_variance"),
    sizes={"n": (16, 1024), "p": (1, 6)},
    dtypes="f32 f64",
    also=("Fit an autoregression from autocovariances.",),
)
def yule_walker(series, order=size("p"), ridge=number(0.01, 0.1)):
    """Estimate an autoregressive model by the Yule-Walker equations."""
    acov = autocovariances(series, order)
    variance = acov[0] + ridge
    if maybe("levinson"):
        # The Levinson-Durbin recursion raises the order one by one.
        coefficients = jnp.zeros(0, series.dtype)
        noise_variance = variance
        for k in range(1, order + 1):
            explained = coefficients @ acov[k - 1 : 0 : -1] if k > 1 else 0.0
            reflection = (acov[k] - explained) / noise_variance
            coefficients = jnp.concatenate(
                [coefficients - reflection * coefficients[::-1], reflection[None]]
            )
            noise_variance = noise_variance * (1 - reflection * reflection) + 1e-4
        return coefficients, noise_variance
    lag = jnp.abs(jnp.arange(order)[:, None] - jnp.arange(order)[None, :])
    system = acov[:order][lag] + ridge * jnp.eye(order, dtype=series.dtype)
    coefficients = one_of(
        jnp.linalg.solve(system, acov[1:]), jax.scipy.linalg.solve(system, acov[1:])
    )
    return coefficients, variance - coefficients @ acov[1:]


@sketch(
    takes={"series": "series f[n]"},
    gives=("metric f[]: statistic", "f[k]: autocorrelations"),
    sizes={"n": (32, 1024), "k": (2, 12)},
    also=("Test residuals for remaining autocorrelation.",),
)
def portmanteau_test(series, num_lags=size("k"), fitted_params=one_of(0, 1, 2)):
    """Sum squared autocorrelations into the statistic of Ljung and Box."""
    n = series.shape[0]
    if num_lags >= n:
        raise ValueError(f"{num_lags} lags need more than {n} values")
    acov = autocovariances(series, num_lags)
    autocorrelations = acov[1:] / (acov[0] + 1e-2)
    if maybe("box pierce", 0.3):
        statistic = n * jnp.sum(autocorrelations**2)
    else:
        lags = jnp.arange(1, num_lags + 1)
        statistic = n * (n + 2) * jnp.sum(autocorrelations**2 / (n - lags))
    if maybe("standardize"):
        dof = max(num_lags - fitted_params, 1)
        statistic = (statistic - dof) / (2 * dof) ** 0.5
    return statistic, autocorrelations


@dataclass(frozen=True)
class CusumSettings:
    """Slack and limit of a cumulative sum chart, in standard deviations."""

    slack: float = 0.5
    limit: float = 4.0


@sketch(
    takes={"series": "series f[n]"},
    gives=("series f[n]: upper", "series f[n]: lower", "mask bool[n]: alarms"),
    sizes={"n": (8, 2048)},
    also=("Watch a process for shifts of its mean.",),
)
def cusum_chart(
    series, settings=CusumSettings(limit=one_of(4.0, 5.0, 3.0)), reset=one_of(True, False)
):
    """Accumulate deviations from the mean on both sides and raise alarms."""
    if maybe("baseline"):
        baseline = series[: max(len(series) // 4, 2)]
        z = (series - jnp.mean(baseline)) / (jnp.std(baseline) + 0.1)
    else:
        z = (series - jnp.median(series)) / (jnp.std(series) + 0.1)

    def accumulate(sums, value):
        up, down = sums
        up = jnp.maximum(up + value - settings.slack, 0)
        down = jnp.maximum(down - value - settings.slack, 0)
        alarm = one_of(
            (up > settings.limit) | (down > settings.limit),
            jnp.maximum(up, down) > settings.limit,
        )
        following = (up, down)
        if reset:
            following = tuple(jnp.where(alarm, 0, part) for part in following)
        return following, (up, down, alarm)

    zero = jnp.zeros((), series.dtype)
    _, chart = jax.lax.scan(accumulate, (zero, zero), z)
    return chart


@sketch(
    takes={"series": "series f[n]"},
    gives="scores f[n]: change",
    sizes={"n": (16, 512)},
    dtypes="f32 f64",
    also=("Score every split of a series by the drop in squared error.",),
)
def change_point_scores(series, min_segment=integer(2, 4)):
    """Score each time as a point where the mean of a series changes."""
    n = series.shape[0]
    series = series - jnp.mean(series)
    sizes = jnp.arange(1, n + 1, dtype=series.dtype)
    sums = jnp.cumsum(series)
    if maybe("variance", 0.3):
        # A change of the spread: compare log variances.
        squares = jnp.cumsum(series * series)
        before = squares / sizes + 0.1
        after = (squares[-1] - squares) / jnp.maximum(n - sizes, 1) + 0.1
        total = squares[-1] / n + 0.1
        gain = n * jnp.log(total) - sizes * jnp.log(before) - (n - sizes) * jnp.log(after)
    else:
        left_mean = sums / sizes
        right_mean = (sums[-1] - sums) / jnp.maximum(n - sizes, 1)
        gain = sizes * (n - sizes) / n * (left_mean - right_mean) ** 2
    allowed = (sizes >= min_segment) & (sizes <= n - min_segment)
    scores = jnp.where(allowed, gain, 0)
    if maybe("penalty", 0.4):
        scores = jnp.maximum(scores - one_of(2.0, 3.0) * jnp.log(float(n)), 0)
    return scores / one_of(n**0.5, n)


@sketch(
    takes={"series": "series f[n]", "mask": "mask bool[n]: where a value was observed"},
    gives="series f[n]: filled",
    sizes={"n": (4, 1024)},
    dtypes="f32 bf16 f64",
    also=("Impute the missing values of a series.",),
)
def fill_gaps(series, mask, method=one_of("forward", "linear")):
    """Fill the gaps of a series from the observations around them."""
    if series.shape != mask.shape:
        raise ValueError(f"mask {mask.shape} does not fit the series {series.shape}")
    n = len(series)
    index = jnp.arange(n)
    previous = jax.lax.cummax(jnp.where(mask, index, -1))
    if method == "forward":
        filled = series[jnp.maximum(previous, 0)]
        average = jnp.sum(jnp.where(mask, series, 0)) / jnp.maximum(jnp.sum(mask), 1)
        # Nothing comes before a gap at the start.
        return jnp.where(previous >= 0, filled, average.astype(series.dtype))
    if method != "linear":
        raise ValueError(f"method is forward or linear, not {method!r}")
    following = jax.lax.cummin(jnp.where(mask, index, n), reverse=True)
    left = series[jnp.clip(previous, 0, n - 1)]
    right = series[jnp.clip(following, 0, n - 1)]
    left = jnp.where(previous >= 0, left, right)
    right = jnp.where(following < n, right, left)
    span = jnp.maximum(following - previous, 1)
    fraction = ((index - previous) / span).astype(series.dtype)
    filled = left + fraction * (right - left)
    # Without any observation both neighbors are missing.
    return jnp.where(mask, series, jnp.where(jnp.any(mask), filled, 0))
