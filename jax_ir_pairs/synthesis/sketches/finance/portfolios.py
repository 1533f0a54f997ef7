"""Portfolios, risk and backtests."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

price_signal = nested("(prices: prices f[t]) -> scores f[t]")


def _project_to_simplex(weights):
    """Project onto nonnegative weights that sum to one."""
    ordered = -jnp.sort(-weights)
    excess = jnp.cumsum(ordered) - 1.0
    count = jnp.arange(1, weights.shape[0] + 1)
    active = ordered - excess / count > 0
    last = jnp.sum(active) - 1
    return jnp.maximum(weights - excess[last] / (last + 1), 0.0)


@sketch(
    takes={"returns": "samples f[t, a]: returns of assets", "views?": "f[a]: expected returns"},
    gives=("weights f[a]", "f[]: utility"),
    sizes={"t": (8, 256), "a": (2, 32)},
    also=("Optimize long-only weights by projected gradient steps.",),
)
def mean_variance_weights(
    returns,
    views=None,
    risk_aversion=number(0.5, 5.0),
    num_iters=integer(5, 40),
    learning_rate=0.02,
):
    """Balance expected return against variance in a long-only portfolio."""
    num_periods, num_assets = returns.shape
    expected = jnp.mean(returns, axis=0) if views is None else 0.1 * views
    centered = returns - jnp.mean(returns, axis=0)
    covariance = centered.T @ centered / num_periods
    if maybe("shrink_covariance", 0.6):
        # Towards a multiple of the identity, which few observations support better.
        average = jnp.trace(covariance) / num_assets
        identity = jnp.eye(num_assets, dtype=returns.dtype)
        covariance = 0.7 * covariance + 0.3 * average * identity
    scale = jnp.trace(covariance) + 1e-2

    def slope(weights):
        return expected - risk_aversion * covariance @ weights

    weights = jnp.full(num_assets, 1.0 / num_assets, returns.dtype)
    stride = learning_rate * num_assets
    if maybe("exponentiated"):

        def ascend(_, weights):
            gains = jnp.clip(stride * slope(weights) / scale, -5.0, 5.0)
            grown = weights * jnp.exp(gains)
            return grown / jnp.sum(grown)

    else:

        def ascend(_, weights):
            return _project_to_simplex(weights + stride * slope(weights) / scale)

    weights = jax.lax.fori_loop(0, num_iters, ascend, weights)
    if maybe("drop_dust", 0.3):
        # Positions of less than one percent are not worth their costs.
        weights = jnp.where(weights < 0.01, 0.0, weights)
    utility = expected @ weights - 0.5 * risk_aversion * weights @ covariance @ weights
    return weights, utility


@sketch(
    takes={"factor": "matrix f[a, k]: loadings", "log_vols": "f[a]"},
    gives={"weights": "weights f[a]", "contributions": "f[a]"},
    sizes={"a": (2, 48), "k": (1, 8)},
    dtypes="f32 f64",
    also=("Weight assets so that each contributes the same risk.",),
)
def risk_parity(factor, log_vols, num_iters=integer(4, 20)):
    """Equalize risk contributions of a factor model."""
    num_assets, num_factors = factor.shape
    if log_vols.shape != (num_assets,):
        raise ValueError(f"{num_assets} assets but volatilities of shape {log_vols.shape}")
    specific = jnp.exp(2.0 * jnp.clip(0.3 * log_vols, -1.0, 1.0))
    covariance = 0.2 * factor @ factor.T / num_factors + jnp.diag(specific)
    vols = jnp.sqrt(jnp.diagonal(covariance))
    weights = 1.0 / vols
    weights = weights / jnp.sum(weights)
    for _ in range(num_iters):
        marginal = covariance @ weights
        if maybe("damped_parity"):
            total = weights @ marginal
            ratio = total / num_assets / jnp.maximum(weights * marginal, 1e-4 * total)
            weights = weights * jnp.clip(ratio, 0.25, 4.0) ** 0.5
        else:
            # Fixed point of weight * marginal risk = constant.
            weights = jnp.sqrt(weights / jnp.maximum(marginal, 1e-2))
        weights = weights / jnp.sum(weights)
    marginal = covariance @ weights
    if maybe("absolute_contributions", 0.4):
        contributions = weights * marginal
    else:
        contributions = weights * marginal / jnp.maximum(weights @ marginal, 1e-6)
    return {"weights": weights, "contributions": contributions}


class TailRisk(NamedTuple):
    """Quantile of losses and the mean beyond it."""

    value_at_risk: jax.Array
    expected_shortfall: jax.Array


@sketch(
    takes={"returns": "samples f[t, a]", "logits": "logits f[a]: of portfolio weights"},
    gives=("metric f[]", "metric f[]"),
    sizes={"t": (16, 512), "a": (1, 32)},
    also=("Estimate tail losses of a portfolio from history.",),
)
def tail_risk(returns, logits, level=one_of(0.9, 0.95, 0.99)):
    """Measure value at risk and expected shortfall."""
    if not 0.5 < level < 1:
        raise ValueError(f"level must lie between 0.5 and 1, got {level}")
    losses = -(returns @ jax.nn.softmax(logits))
    if maybe("gaussian_tail", 0.3):
        mean, std = jnp.mean(losses), jnp.std(losses)
        quantile = jax.scipy.special.ndtri(level)
        density = jnp.exp(-0.5 * quantile**2) / jnp.sqrt(2 * jnp.pi)
        return mean + std * quantile, mean + std * density / (1 - level)
    if maybe("age_weights", 0.4):
        # Old losses count less.
        ages = jnp.arange(losses.shape[0])[::-1]
        log_weights = jnp.log(0.98) * ages
        weights = jax.nn.softmax(log_weights)
        order = jnp.argsort(losses)
        covered = jnp.cumsum(weights[order])
        index = jnp.minimum(jnp.searchsorted(covered, level), losses.shape[0] - 1)
        threshold = losses[order][index]
        excess = jnp.sum(weights * jnp.maximum(losses - threshold, 0.0))
    else:
        threshold = jnp.quantile(losses, level)
        excess = jnp.mean(jnp.maximum(losses - threshold, 0.0))
    # Rockafellar and Uryasev: shortfall as threshold plus scaled mean excess.
    shortfall = threshold + excess / (1 - level)
    if maybe("tail_tuple"):
        return TailRisk(threshold, shortfall)
    return threshold, shortfall


@sketch(
    takes={"prices": "prices f[t]"},
    gives={"drawdown": "f[t]", "deepest": "metric f[]"},
    sizes={"t": (8, 1024)},
    also=("Follow how far a price is below its last peak.",),
)
def drawdowns(prices, smooth=number(0.005, 0.05)):
    """Measure losses from running peaks."""
    log_prices = jnp.log(prices + 1e-6)
    if maybe("associative_peak", 0.35):
        peaks = jax.lax.associative_scan(jnp.maximum, log_prices)
    elif maybe("peak_scan", 0.3):

        def remember(peak, price):
            peak = jnp.maximum(peak, price)
            return peak, peak

        _, peaks = jax.lax.scan(remember, log_prices[0], log_prices)
    else:
        peaks = jax.lax.cummax(log_prices)
    drawdown = one_of(1.0 - jnp.exp(log_prices - peaks), -jnp.expm1(log_prices - peaks))
    if maybe("soft_deepest", 0.3):
        # A smooth maximum, for use as a penalty.
        deepest = smooth * jax.nn.logsumexp(drawdown / smooth)
    elif maybe("ulcer_index", 0.3):
        deepest = jnp.sqrt(jnp.mean(drawdown**2) + 1e-8)
    else:
        deepest = jnp.max(drawdown)
    return {"drawdown": drawdown, "deepest": deepest}


@sketch(
    takes={"prices": "prices f[t]"},
    gives="scores f[t]",
    sizes={"t": (16, 1024)},
    also=("Tell trends from crossing averages of log prices.",),
)
def moving_average_signal(prices, fast=integer(2, 5), slow=integer(8, 15)):
    """Compare a fast and a slow average of prices."""
    if fast >= slow:
        raise ValueError(f"fast={fast} has to be shorter than slow={slow}")
    log_prices = jnp.log(prices + 1e-6)

    if maybe("exponential_average"):

        def average(span):
            decay = 2.0 / (span + 1.0)

            def update(level, price):
                level = level + decay * (price - level)
                return level, level

            return jax.lax.scan(update, log_prices[0], log_prices)[1]

    else:

        def average(span):
            # Before enough prices are known, the first one stands for them.
            padded = jnp.pad(log_prices, (span - 1, 0), mode="edge")
            if maybe("convolve_average"):
                return jnp.convolve(padded, jnp.ones(span, padded.dtype) / span, mode="valid")
            total = jnp.cumsum(jnp.pad(padded, (1, 0)))
            return (total[span:] - total[:-span]) / span

    gap = average(fast) - average(slow)
    noise = jnp.std(jnp.diff(log_prices)) + 1e-3
    if maybe("macd_line", 0.4):
        gap = gap - jnp.convolve(gap, jnp.full(3, 1 / 3, gap.dtype), mode="same")
    return jnp.tanh(gap / noise) if maybe("bounded_signal") else gap / noise


@sketch(
    takes={"prices": "prices f[t]"},
    gives="scores f[t]",
    sizes={"t": (16, 1024)},
    also=("Index of relative strength, centered at zero.",),
)
def relative_strength(prices, period=one_of(14, 7, 10)):
    """Weigh recent gains against recent losses."""
    changes = jnp.diff(jnp.log(prices + 1e-6))
    gains, losses = jnp.maximum(changes, 0.0), jnp.maximum(-changes, 0.0)

    def smooth(averages, change):
        # Wilder's smoothing.
        averages = averages + (change - averages) / period
        return averages, averages

    moves = jnp.stack([gains, losses], axis=1)
    start = one_of(jnp.mean(moves[: min(period, 8)], axis=0), moves[0])
    _, averages = jax.lax.scan(smooth, start, moves)
    strength = averages[:, 0] / (averages[:, 0] + averages[:, 1] + 1e-4)
    index = 2.0 * strength - 1.0
    if maybe("contrarian", 0.4):
        # Buy what has fallen.
        index = -index
    return jnp.concatenate([jnp.zeros(1, index.dtype), index])


@sketch(
    takes={"prices": "prices f[t]"},
    gives={"wealth": "f[t]", "sharpe": "metric f[]", "turnover": "f[]"},
    sizes={"t": (16, 512)},
    also=("Trade a signal on past prices and account for costs.",),
)
def backtest(prices, cost=number(1e-4, 3e-3), leverage=one_of(1.0, 2.0, 0.5)):
    """Simulate a strategy on a price history."""
    returns = jnp.diff(jnp.log(prices + 1e-6))
    signal = price_signal(prices)
    if signal.shape != prices.shape:
        raise ValueError(f"the signal has shape {signal.shape}, prices {prices.shape}")
    positions = leverage * one_of(jnp.tanh(signal), jnp.clip(signal, -1.0, 1.0))
    if maybe("long_only", 0.35):
        positions = jnp.maximum(positions, 0.0)
    # Today's position earns tomorrow's return.
    held = positions[:-1]
    trades = jnp.abs(jnp.diff(held, prepend=0.0))
    profit = held * returns - cost * trades
    if maybe("vol_target", 0.4):
        profit = 0.01 * profit / (jnp.std(profit) + 1e-3)
    wealth = jnp.exp(jnp.clip(jnp.cumsum(profit), -5.0, 5.0))
    sharpe = jnp.mean(profit) / (jnp.std(profit) + 1e-3)
    if maybe("annualize"):
        sharpe = sharpe * 252**0.5
    wealth = jnp.concatenate([jnp.ones(1, wealth.dtype), wealth])
    return {"wealth": wealth, "sharpe": sharpe, "turnover": jnp.mean(trades)}
