"""Curves, bonds, factors and order books."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@sketch(
    takes={"quotes": "f[n]: par rates in percent, before scaling"},
    gives={"discounts": "f[n]", "zero_rates": "f[n]", "forwards": "f[n]"},
    sizes={"n": (2, 40)},
    dtypes="f32 f64",
    also=("Strip discount factors from par swap rates, one maturity after another.",),
)
def bootstrap_curve(quotes, period=one_of(1.0, 0.5)):
    """Bootstrap a yield curve from par rates."""
    par_rates = 0.03 + 0.01 * jnp.tanh(quotes)
    num_maturities = par_rates.shape[0]
    if maybe("solve_curve", 0.35):
        # Each par bond is worth one, which is a triangular system.
        coupons = period * par_rates[:, None] * jnp.tri(num_maturities, dtype=par_rates.dtype)
        cash_flows = coupons + jnp.eye(num_maturities, dtype=par_rates.dtype)
        ones = jnp.ones(num_maturities, par_rates.dtype)
        discounts = jax.scipy.linalg.solve_triangular(cash_flows, ones, lower=True)
    elif maybe("curve_list", 0.3):
        annuity, factors = 0.0, []
        for i in range(num_maturities):
            factor = (1.0 - period * par_rates[i] * annuity) / (1.0 + period * par_rates[i])
            annuity = annuity + factor
            factors.append(factor)
        discounts = jnp.stack(factors)
    else:

        def strip(annuity, par_rate):
            factor = (1.0 - period * par_rate * annuity) / (1.0 + period * par_rate)
            return annuity + factor, factor

        _, discounts = jax.lax.scan(strip, jnp.zeros((), par_rates.dtype), par_rates)
    times = period * jnp.arange(1, num_maturities + 1, dtype=par_rates.dtype)
    log_discounts = jnp.log(jnp.maximum(discounts, 1e-3))
    zero_rates = -log_discounts / times
    forwards = -jnp.diff(log_discounts, prepend=0.0) / period
    return {"discounts": discounts, "zero_rates": zero_rates, "forwards": forwards}


@sketch(
    takes={"coupons": "f[b]: coupon rates before scaling", "yields": "f[b]"},
    gives=("prices f[b]", "f[b]: duration", "f[b]: convexity"),
    sizes={"b": (1, 512)},
    dtypes="f32 f64",
    also=("Value coupon bonds, with duration and convexity.",),
)
def bond_sensitivities(coupons, yields, num_payments=integer(2, 20), frequency=one_of(1, 2)):
    """Price bonds from yields and measure how they react to rates."""
    if num_payments < 1 or frequency < 1:
        raise ValueError(f"{num_payments} payments, {frequency} per year")
    coupons = 0.04 + 0.01 * jnp.tanh(coupons)
    yields = 0.03 + 0.02 * jnp.tanh(yields)
    times = jnp.arange(1, num_payments + 1, dtype=yields.dtype) / frequency
    flows = jnp.broadcast_to(coupons[:, None] / frequency, (coupons.shape[0], num_payments))
    flows = flows.at[:, -1].add(1.0)

    def value(rate):
        if maybe("continuous_yield"):
            discounts = jnp.exp(-rate[:, None] * times)
        else:
            discounts = (1.0 + rate[:, None] / frequency) ** (-frequency * times)
        return jnp.sum(flows * discounts, axis=1)

    prices = value(yields)
    if maybe("bumped", 0.4):
        # Central differences with a bump of one percent.
        bump = 1e-2
        up, down = value(yields + bump), value(yields - bump)
        duration = (down - up) / (2 * bump * prices)
        convexity = (up + down - 2 * prices) / (bump**2 * prices)
    else:
        present = flows * jnp.exp(-yields[:, None] * times)
        worth = jnp.sum(present, axis=1)
        duration = one_of(present @ times, jnp.sum(present * times, axis=1)) / worth
        convexity = present @ times**2 / worth
    return prices, duration, convexity


@sketch(
    takes={
        "params": "f[4]: level, slope, curvature and decay",
        "maturities": "f[n]",
        "yields": "f[n]",
    },
    gives=("f[n]: fitted", "loss f[]"),
    sizes={"n": (3, 128)},
    dtypes="f32 f64",
    also=("Fit a Nelson-Siegel curve by Gauss-Newton steps.",),
)
def nelson_siegel_fit(params, maturities, yields, num_iters=integer(1, 4), ridge=number(0.1, 1.0)):
    """Describe a yield curve by level, slope and curvature."""
    times = 0.25 + jax.nn.softplus(maturities)

    def curve(params):
        level, slope, bend, log_decay = params
        decay = jnp.exp(jnp.tanh(log_decay))
        ratio = times / decay
        loading = -jnp.expm1(-ratio) / ratio
        if maybe("svensson_hump", 0.3):
            hump = loading - jnp.exp(-ratio)
            return level + slope * loading + bend * (hump + 0.5 * jnp.exp(-0.5 * ratio))
        return level + slope * loading + bend * (loading - jnp.exp(-ratio))

    def residuals(params):
        return curve(params) - yields

    for _ in range(num_iters):
        errors = residuals(params)
        jacobian = one_of(jax.jacfwd, jax.jacrev)(residuals)(params)
        normal = jacobian.T @ jacobian + ridge * jnp.eye(params.shape[0], dtype=params.dtype)
        step = jnp.linalg.solve(normal, jacobian.T @ errors)
        if maybe("limited_steps"):
            step = jnp.clip(step, -1.0, 1.0)
        params = params - step
    return curve(params), jnp.mean(residuals(params) ** 2)


@sketch(
    takes={"returns": "samples f[t, a]", "factors": "samples f[t, k]"},
    gives={"betas": "f[a, k]", "intercepts": "f[a]", "r_squared": "f[a]"},
    sizes={"t": (16, 256), "a": (1, 64), "k": (1, 6)},
    dtypes="f32 f64",
    also=("Regress returns of assets on factors.",),
)
def factor_exposures(returns, factors, ridge=number(0.01, 1.0)):
    """Explain asset returns by exposures to common factors."""
    num_periods, num_factors = factors.shape
    if returns.shape[0] != num_periods:
        raise ValueError(f"{returns.shape[0]} returns and {num_periods} factor returns")
    if maybe("half_life"):
        # Recent periods count more.
        ages = jnp.arange(num_periods - 1, -1, -1)
        weights = jnp.exp(-jnp.log(2.0) * ages / one_of(60.0, 20.0)).astype(returns.dtype)
        weights = weights / jnp.sum(weights)
    else:
        weights = jnp.full(num_periods, 1.0 / num_periods, returns.dtype)
    factor_means, asset_means = weights @ factors, weights @ returns
    centered_factors, centered = factors - factor_means, returns - asset_means
    gram = (centered_factors * weights[:, None]).T @ centered_factors
    gram = gram + ridge * jnp.eye(num_factors, dtype=returns.dtype)
    cross = (centered_factors * weights[:, None]).T @ centered
    betas = jnp.linalg.solve(gram, cross).T
    residuals = centered - centered_factors @ betas.T
    total = weights @ centered**2 + 1e-3
    intercepts = asset_means - betas @ factor_means
    if maybe("shrink_betas", 0.3):
        # Vasicek: towards the cross-sectional mean.
        betas = 0.67 * betas + 0.33 * jnp.mean(betas, axis=0)
    r_squared = 1.0 - (weights @ residuals**2) / total
    return {"betas": betas, "intercepts": intercepts, "r_squared": r_squared}


@sketch(
    takes={
        "bids": "f[t, l]: logarithms of sizes at the levels of the bid side",
        "asks": "f[t, l]: of the ask side",
    },
    gives="signal f[t]",
    sizes={"t": (4, 512), "l": (1, 10)},
    dtypes="f32 bf16",
    also=("Weigh buying against selling interest near the touch.",),
)
def order_book_imbalance(bids, asks, decay=number(0.2, 1.0)):
    """Read the pressure in an order book from sizes at its levels."""
    if bids.shape != asks.shape:
        raise ValueError(f"sides have shapes {bids.shape} and {asks.shape}")
    num_levels = bids.shape[1]
    bid_sizes = jnp.exp(jnp.clip(bids, -5.0, 5.0))
    ask_sizes = jnp.exp(jnp.clip(asks, -5.0, 5.0))
    if maybe("flow_imbalance", 0.3):
        # Changes of sizes rather than sizes.
        bid_sizes = jnp.abs(jnp.diff(bid_sizes, axis=0, prepend=bid_sizes[:1]))
        ask_sizes = jnp.abs(jnp.diff(ask_sizes, axis=0, prepend=ask_sizes[:1]))
    levels = jnp.arange(num_levels)
    weights = one_of(jnp.exp(-decay * levels), 1.0 / (1.0 + decay * levels)).astype(bids.dtype)
    bid_depth, ask_depth = bid_sizes @ weights, ask_sizes @ weights
    imbalance = (bid_depth - ask_depth) / (bid_depth + ask_depth + 1e-2)
    if maybe("micro_price", 0.3):
        # Micro price: the side with more size pushes the price away from it.
        return imbalance * jnp.log1p(bid_depth + ask_depth)
    if maybe("smooth_imbalance", 0.5):
        previous = jnp.concatenate([imbalance[:1], imbalance[:-1]])
        imbalance = 0.5 * (imbalance + previous)
    return imbalance


@sketch(
    takes={"returns": "samples f[t, a]: excess returns in percent"},
    gives={"fractions": "f[a]", "growth": "metric f[]"},
    sizes={"t": (8, 256), "a": (1, 16)},
    dtypes="f32 f64",
    also=("Size bets by the Kelly criterion.",),
)
def kelly_fractions(returns, *, num_iters=integer(2, 10), caution=one_of(1.0, 0.5), limit=2.0):
    """Choose the fractions of wealth that grow fastest."""
    num_periods, num_assets = returns.shape
    gains = 0.01 * returns
    second = gains.T @ gains / num_periods
    ridge = (jnp.trace(second) / num_assets + 1e-5) * jnp.eye(num_assets, dtype=returns.dtype)
    fractions = jnp.linalg.solve(second + ridge, jnp.mean(gains, axis=0))
    fractions = jnp.clip(fractions, -limit, limit)
    if maybe("refine_kelly"):
        # Newton steps on the expected logarithm of wealth.
        for _ in range(num_iters):
            wealth = jnp.maximum(1.0 + gains @ fractions, 0.1)
            scaled_gains = gains / wealth[:, None]
            slope = jnp.mean(scaled_gains, axis=0)
            curvature = scaled_gains.T @ scaled_gains / num_periods + ridge
            fractions = fractions + 0.5 * jnp.linalg.solve(curvature, slope)
            fractions = jnp.clip(fractions, -limit, limit)
    fractions = caution * fractions
    if maybe("gross_limit", 0.4):
        gross = jnp.sum(jnp.abs(fractions))
        fractions = fractions / jnp.maximum(gross, 1.0)
    growth = jnp.mean(jnp.log(jnp.maximum(1.0 + gains @ fractions, 1e-2)))
    return {"fractions": fractions, "growth": growth}
