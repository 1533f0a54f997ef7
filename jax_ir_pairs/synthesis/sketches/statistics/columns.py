"""Small transformations and statistics of columns."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "features f[n, d]"},
    gives="features f[n, d]: scaled",
    sizes={"n": (2, 512), "d": (1, 64)},
    dtypes="f32 bf16 f16 f64",
    also=("Bring columns to a common range.",),
)
def scale_columns(x, method=one_of("standard", "minmax", "robust"), clip=one_of(None, 3.0, 5.0)):
    """Scale each column of a table to a common location and spread."""
    if method == "standard":
        location, spread = jnp.mean(x, axis=0), jnp.std(x, axis=0)
    elif method == "minmax":
        location = jnp.min(x, axis=0)
        spread = jnp.max(x, axis=0) - location
    else:
        location = jnp.median(x, axis=0)
        spread = jnp.mean(jnp.abs(x - location), axis=0)
    scaled = (x - location) / (spread + one_of(1e-2, 1e-1))
    if clip is not None:
        scaled = jnp.clip(scaled, -clip, clip)
    return scaled


@sketch(
    takes={"values": "samples f[n]", "weights": "f[n]: unnormalized", "mask?": "mask bool[n]"},
    gives=("mean f[]: average", "f[]: variance"),
    sizes={"n": (2, 4096)},
    dtypes="f32 bf16 f64",
    also=("Average values that count differently.",),
)
def weighted_moments(values, weights, mask=None, unbiased=one_of(False, True)):
    """Weigh values and find their mean and variance."""
    if values.shape != weights.shape:
        raise ValueError(f"{values.shape[0]} values but {weights.shape[0]} weights")
    weights = one_of(jax.nn.softplus(weights), jax.nn.sigmoid(weights), jnp.abs(weights) + 0.1)
    if mask is not None:
        weights = jnp.where(mask, weights, 0)
    total = jnp.sum(weights) + 1e-3
    average = jnp.sum(weights * values) / total
    variance = jnp.sum(weights * (values - average) ** 2) / total
    if unbiased:
        # Kish's effective sample size takes the place of n.
        effective = total * total / (jnp.sum(weights * weights) + 1e-3)
        variance = variance * effective / jnp.maximum(effective - 1, 0.5)
    return average, variance


@sketch(
    takes={"x": "samples f[n]"},
    gives="samples f[n]: winsorized",
    sizes={"n": (8, 1024)},
    also=("Pull in the tails of a sample.",),
)
def winsorize(x, tail=number(0.02, 0.2), drop=one_of(False, True)):
    """Limit values to a central range of quantiles."""
    if not 0 <= tail < 0.5:
        raise ValueError(f"each tail must hold less than half, got {tail}")
    low, high = one_of(
        jnp.quantile(x, jnp.array([tail, 1 - tail])),
        (jnp.quantile(x, tail), jnp.quantile(x, 1 - tail)),
        jnp.percentile(x, jnp.array([100 * tail, 100 - 100 * tail])),
    )
    if drop:
        # Outside values are replaced by the center instead of the limit.
        return jnp.where((x < low) | (x > high), (low + high) / 2, x)
    return one_of(jnp.clip(x, low, high), jnp.minimum(jnp.maximum(x, low), high))


@sketch(
    takes={"series": "series f[n]"},
    gives="features f[n, k]: lags",
    sizes={"n": (16, 1024), "k": (2, 8)},
    dtypes="f32 bf16 f16",
    also=("Tabulate the past values of a series.",),
)
def lag_features(series, num_lags=size("k"), difference=one_of(False, True)):
    """Build a table whose columns are delayed copies of a series."""
    n = len(series)
    if num_lags >= n:
        raise ValueError(f"{num_lags} lags of a series of {n} values")
    if maybe("gather"):
        source = jnp.arange(n)[:, None] - jnp.arange(num_lags)[None, :]
        lags = jnp.where(source >= 0, series[jnp.maximum(source, 0)], 0)
    else:
        lags = jnp.stack(
            [jnp.pad(series, (lag, 0))[:n] for lag in range(num_lags)], axis=one_of(1, -1)
        )
    if difference:
        # The latest value, and how far the earlier ones are from it.
        lags = lags.at[:, 1:].set(lags[:, :1] - lags[:, 1:])
    return lags


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]"},
    gives="metric f[]",
    sizes={"b": (2, 1024)},
    dtypes="f32 bf16 f64",
    also=("Score predictions of a regression.",),
)
def regression_score(predictions, targets, metric=one_of("r2", "mae", "smape", "concordance")):
    """Score how well predictions match targets."""
    assert predictions.shape == targets.shape, f"{predictions.shape} != {targets.shape}"
    if metric == "mae":
        return jnp.mean(jnp.abs(predictions - targets))
    if metric == "smape":
        scale = jnp.abs(predictions) + jnp.abs(targets) + 1e-2
        return 2 * jnp.mean(jnp.abs(predictions - targets) / scale)
    error = jnp.mean((predictions - targets) ** 2)
    if metric == "r2":
        return 1 - error / (jnp.var(targets) + 1e-2)
    # Lin's concordance: correlation that a shift or a scale also lowers.
    shift = jnp.mean(predictions) - jnp.mean(targets)
    spread = jnp.var(predictions) + jnp.var(targets) + shift * shift
    return 1 - error / (spread + 1e-2)


@sketch(
    takes={"category": "labels i[n]", "known?": "mask bool[n]"},
    gives="features f32[n, k]: indicators",
    sizes={"n": (2, 1024), "k": (4, 16)},
    also=("Encode categories as indicator columns.",),
)
def dummy_variables(category, known=None, num_categories=size("k"), smoothing=one_of(0.0, 0.05)):
    """Expand a categorical column into indicators, missing ones into zeros."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"cannot smooth by {smoothing}")
    indicators = one_of(
        jax.nn.one_hot(category, num_categories),
        (category[:, None] == jnp.arange(num_categories)).astype(jnp.float32),
        jnp.eye(num_categories, dtype=jnp.float32)[category],
    )
    if smoothing:
        indicators = (1 - smoothing) * indicators + smoothing / num_categories
    if known is not None:
        indicators = jnp.where(known[:, None], indicators, 0)
    if maybe("centered", 0.3):
        indicators = indicators - jnp.mean(indicators, axis=0)
    return indicators


@sketch(
    takes={"prices": "series f[n]: logarithms of prices"},
    gives="series f[n-1]: changes",
    sizes={"n": (4, 2048)},
    dtypes="f32 bf16 f64",
    also=("Turn levels into changes.",),
)
def standardized_changes(prices, lag=1, robust=one_of(False, True)):
    """Difference a series and divide by the typical size of a change."""
    if lag < 1 or lag >= prices.shape[0]:
        raise ValueError(f"no changes over {lag} steps in {prices.shape[0]} values")
    changes = one_of(jnp.diff(prices), prices[1:] - prices[:-1])
    if robust:
        typical = jnp.median(jnp.abs(changes))
    else:
        typical = one_of(jnp.std(changes), jnp.mean(jnp.abs(changes)))
    if maybe("demean", 0.4):
        changes = changes - jnp.mean(changes)
    return changes / (typical + 0.1)
