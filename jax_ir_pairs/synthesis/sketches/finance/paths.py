"""Models of prices, rates and volatilities over time."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"returns": "series f[t]: standardized returns"},
    gives="prices f[t]",
    sizes={"t": (8, 1024)},
    also=("Compound small returns into a price path.",),
)
def price_path(returns, vol=number(0.005, 0.03), start=one_of(1.0, 100.0, 10.0)):
    """Grow a price by a series of returns."""
    if maybe("winsorize_returns", 0.4):
        returns = jnp.clip(returns, -3.0, 3.0)
    log_returns = vol * returns
    if maybe("demean_returns", 0.4):
        log_returns = log_returns - jnp.mean(log_returns)
    # A path stays within a factor of exp(4) of its start.
    growth = 4.0 * jnp.tanh(jnp.cumsum(log_returns) / 4.0)
    if maybe("rebase_prices", 0.4):
        growth = growth - growth[0]
    return start * jnp.exp(growth)


@sketch(
    takes={"key": "key", "log_start": "f[m]"},
    gives=("prices f[m, t]", "f[m, t]: variances"),
    sizes={"m": (1, 64), "t": (4, 128)},
    also=("Simulate prices whose variance reverts to a mean.",),
)
def heston_paths(
    key,
    log_start,
    *,
    num_steps=size("t"),
    reversion=number(1.0, 4.0),
    long_run=number(0.02, 0.1),
    vol_of_vol=number(0.1, 0.5),
    correlation=one_of(-0.7, -0.5, 0.0),
):
    """Step a Heston model with the Euler scheme."""
    if not -1 < correlation < 1:
        raise ValueError(f"correlation must lie in (-1, 1), got {correlation}")
    num_paths = log_start.shape[0]
    dt = 1.0 / one_of(252, 52)
    noise = jax.random.normal(key, (num_steps, 2, num_paths), log_start.dtype)

    def step(carry, shocks):
        log_price, variance = carry
        first, other = shocks
        second = correlation * first + (1 - correlation**2) ** 0.5 * other
        # Full truncation: a negative variance counts as zero.
        positive = jnp.maximum(variance, 0.0)
        root = jnp.sqrt(positive * dt + 1e-10)
        log_price = log_price - 0.5 * positive * dt + root * first
        if maybe("reflect_variance", 0.3):
            variance = jnp.abs(variance)
        variance = variance + reversion * (long_run - positive) * dt + vol_of_vol * root * second
        return (log_price, variance), (log_price, positive)

    init = (0.1 * jnp.tanh(log_start), jnp.full(num_paths, long_run, log_start.dtype))
    _, (log_prices, variances) = jax.lax.scan(step, init, noise)
    prices = jnp.exp(jnp.clip(log_prices, -4.0, 4.0))
    return prices.T, variances.T


@sketch(
    takes={"start": "f[m]: initial short rates in percent", "key": "key"},
    gives=("trajectory f[t, m]", "f[t]: bond_prices"),
    sizes={"m": (1, 128), "t": (4, 128)},
    also=("Simulate short rates, and the zero-coupon bonds that they imply.",),
)
def short_rate_paths(
    start, key, num_steps=size("t"), reversion=number(0.2, 2.0), sigma=number(0.005, 0.03)
):
    """Let short rates revert to a mean and discount along their paths."""
    dt = one_of(1 / 12, 1 / 52)
    mean_level = one_of(0.02, 0.03)
    rates = mean_level + 0.005 * start
    noise = jax.random.normal(key, (num_steps, start.shape[0]), start.dtype)

    if maybe("square_root_rates", 0.35):

        def advance(level, shock):
            # Cox-Ingersoll-Ross: the noise vanishes with the rate.
            spread = 5 * sigma * jnp.sqrt(jnp.maximum(level, 0.0) * dt + 1e-8)
            drift = reversion * (mean_level - level) * dt
            return jnp.maximum(level + drift + spread * shock, 0.0)

    elif maybe("exact_rates"):
        # Vasicek's model has Gaussian transitions in closed form.
        decay = jnp.exp(-reversion * dt)
        spread = sigma * jnp.sqrt((1 - decay**2) / (2 * reversion))

        def advance(level, shock):
            return mean_level + (level - mean_level) * decay + spread * shock

    else:

        def advance(level, shock):
            drift = reversion * (mean_level - level) * dt
            return level + drift + sigma * dt**0.5 * shock

    def step(level, shock):
        level = advance(level, shock)
        return level, level

    _, path = jax.lax.scan(step, rates, noise)
    if maybe("trapezoid_discount", 0.4):
        previous = jnp.concatenate([rates[None], path[:-1]])
        integral = jnp.cumsum(0.5 * (path + previous), axis=0) * dt
    else:
        integral = jnp.cumsum(path, axis=0) * dt
    bonds = jnp.mean(jnp.exp(-integral), axis=1)
    return path, bonds


@sketch(
    takes={"returns": "series f[t]"},
    gives={"variance": "f[t]", "loss": "loss f[]"},
    sizes={"t": (8, 512)},
    also=("Filter the conditional variance of returns, with its likelihood.",),
)
def garch_variance(returns, *, arch=number(0.03, 0.2), garch=number(0.5, 0.75)):
    """Follow volatility clusters with a GARCH recursion."""
    if arch + garch >= 1:
        raise ValueError(f"arch + garch = {arch + garch} is not stationary")
    if maybe("demean_garch"):
        returns = returns - jnp.mean(returns)
    long_run = jnp.mean(returns**2) + 1e-3
    omega = long_run * (1.0 - arch - garch)

    def update(variance, shock):
        if maybe("leverage"):
            # GJR: losses raise volatility more than gains do.
            impact = arch * shock**2 * jnp.where(shock < 0, 1.2, 0.8)
        else:
            impact = arch * shock**2
        following = omega + impact + garch * variance
        return following, variance

    last, variance = jax.lax.scan(update, long_run, returns)
    log_density = -0.5 * (jnp.log(variance) + returns**2 / variance)
    if maybe("forecast_variance", 0.4):
        horizon = jnp.arange(returns.shape[0])
        persistence = (arch + garch) ** horizon
        variance = long_run + persistence * (last - long_run)
    return {"variance": variance, "loss": -jnp.mean(log_density)}


@sketch(
    takes={"key": "key", "spread": "f[m]: initial log spread"},
    gives=("trajectory f[m, t]", "f[m]: mean"),
    sizes={"m": (1, 64), "t": (8, 128)},
    also=("Simulate log prices that jump now and then.",),
)
def jump_diffusion(
    key,
    spread,
    num_steps=size("t"),
    vol=number(0.1, 0.4),
    jumps_per_year=number(1.0, 12.0),
    jump_scale=number(0.02, 0.2),
):
    """Add rare jumps to a diffusion of log prices."""
    num_paths = spread.shape[0]
    dt = 1.0 / 252
    diffusion_key, count_key, size_key = jax.random.split(key, 3)
    shape = (num_paths, num_steps)
    diffusion = vol * dt**0.5 * jax.random.normal(diffusion_key, shape, spread.dtype)
    sizes = jax.random.normal(size_key, shape, spread.dtype)
    if maybe("asymmetric_jumps", 0.4):
        # Crashes are larger than rallies.
        sizes = jnp.where(sizes < 0, 1.5 * sizes, 0.5 * sizes)
    if maybe("bernoulli_jumps"):
        jumped = jax.random.bernoulli(count_key, jumps_per_year * dt, shape)
        jumps = jnp.where(jumped, jump_scale * sizes, 0.0)
    else:
        counts = jax.random.poisson(count_key, jumps_per_year * dt, shape)
        jumps = jump_scale * jnp.sqrt(counts) * sizes
    compensator = 0.5 * jumps_per_year * jump_scale**2 * dt
    increments = diffusion + jumps - 0.5 * vol**2 * dt - compensator
    log_prices = 0.1 * spread[:, None] + jnp.cumsum(increments, axis=1)
    if maybe("terminal_price"):
        return log_prices, jnp.exp(jnp.clip(log_prices[:, -1], -3.0, 3.0))
    if maybe("average_price", 0.3):
        return log_prices, jnp.mean(log_prices, axis=1)
    return log_prices, log_prices[:, -1]


@sketch(
    takes={"forwards": "f[n]: forward rates in percent", "key": "key"},
    gives=("f[n]: forwards", "f[]: swap_value"),
    sizes={"n": (3, 32)},
    also=("Move a curve of forward rates through time.",),
)
def forward_rate_market(
    forwards, key, *, num_steps=integer(2, 4), vol=number(0.05, 0.2), tenor=0.5
):
    """Evolve lognormal forward rates under the terminal measure."""
    num_rates = forwards.shape[0]
    rates = 0.03 * jnp.exp(jnp.clip(0.2 * forwards, -1.0, 1.0))
    distance = jnp.abs(jnp.arange(num_rates)[:, None] - jnp.arange(num_rates)[None, :])
    correlation = jnp.exp(-one_of(0.1, 0.2) * distance).astype(rates.dtype)
    lower = jnp.linalg.cholesky(correlation + 1e-3 * jnp.eye(num_rates))
    later = jnp.triu(correlation, k=1)
    dt = one_of(1 / 12, 1 / 4)
    for i in range(num_steps):
        shocks = lower @ jax.random.normal(jax.random.fold_in(key, i), (num_rates,))
        # Each rate drifts by what the later ones contribute.
        loading = tenor * rates / (1.0 + tenor * rates)
        drift = -(vol**2) * (later @ loading)
        if maybe("displaced", 0.4):
            shift = 0.01
            grown = (rates + shift) * jnp.exp(drift * dt + vol * dt**0.5 * shocks)
            rates = jnp.maximum(grown - shift, 1e-4)
        else:
            exponent = (drift - 0.5 * vol**2) * dt + vol * dt**0.5 * shocks
            rates = rates * jnp.exp(exponent)
    discounts = jnp.exp(-jnp.cumsum(jnp.log1p(tenor * rates)))
    fixed = one_of(0.03, jnp.mean(rates))
    swap_value = tenor * jnp.sum(discounts * (rates - fixed))
    return rates, swap_value
