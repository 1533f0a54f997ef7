"""Prices of options and their sensitivities."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _normal_cdf(x):
    return 0.5 * (1.0 + jax.scipy.special.erf(x / 2**0.5))


class OptionQuote(NamedTuple):
    """Value of an option and its sensitivities."""

    value: jax.Array
    delta: jax.Array
    vega: jax.Array


@sketch(
    takes={
        "log_moneyness": "f[n]: log of spot over strike",
        "log_vol": "f[n]: logarithm of the volatility",
    },
    gives=("f[n]: value", "f[n]: delta", "f[n]: vega"),
    sizes={"n": (1, 512)},
    dtypes="f32 f64",
    also=("Value European calls per unit of strike, with delta and vega.",),
)
def black_scholes_greeks(
    log_moneyness, log_vol, *, maturity=number(0.1, 2.0), rate=number(0.01, 0.05)
):
    """Price European options and differentiate the price."""
    spot = jnp.exp(jnp.clip(0.2 * log_moneyness, -1.0, 1.0))
    vol = one_of(
        0.05 + 0.3 * jax.nn.sigmoid(log_vol), 0.2 * jnp.exp(jnp.clip(0.3 * log_vol, -1.0, 1.0))
    )
    discount = jnp.exp(-rate * maturity)

    def price(spot, vol):
        width = vol * jnp.sqrt(maturity)
        d1 = (jnp.log(spot) + (rate + 0.5 * vol**2) * maturity) / width
        d2 = d1 - width
        if maybe("library_cdf"):
            cdf = jax.scipy.stats.norm.cdf
        else:
            cdf = _normal_cdf
        if maybe("put_option", 0.4):
            return discount * cdf(-d2) - spot * cdf(-d1)
        return spot * cdf(d1) - discount * cdf(d2)

    value = price(spot, vol)
    if maybe("greeks_by_sum", 0.6):
        # Options do not depend on each other, so one gradient of the sum gives all.
        delta, vega = jax.grad(lambda spots, vols: jnp.sum(price(spots, vols)), argnums=(0, 1))(
            spot, vol
        )
    else:
        _, delta = jax.jvp(lambda spots: price(spots, vol), (spot,), (jnp.ones_like(spot),))
        _, vega = jax.jvp(lambda vols: price(spot, vols), (vol,), (jnp.ones_like(vol),))
    if maybe("quote_tuple"):
        return OptionQuote(value, delta, vega)
    return value, delta, vega


@sketch(
    takes={"strikes": "f[k]: log of strike over spot", "key": "key"},
    gives=("f[k]: values", "f[k]: standard_errors"),
    sizes={"k": (1, 32), "m": (32, 512)},
    also=("Estimate option values from simulated terminal prices.",),
)
def monte_carlo_calls(
    strikes, key, num_paths=size("m"), vol=number(0.1, 0.4), rate=0.02, maturity=1.0
):
    """Price calls of several strikes on the same simulated paths."""
    strike = jnp.exp(jnp.clip(0.1 * strikes, -0.5, 0.5))
    noise = jax.random.normal(key, (num_paths,), strikes.dtype)
    if maybe("antithetic_paths"):
        noise = jnp.concatenate([noise, -noise])
    drift = (rate - 0.5 * vol**2) * maturity
    terminal = jnp.exp(drift + vol * jnp.sqrt(maturity) * noise)
    discount = jnp.exp(-rate * maturity)
    payoffs = discount * jnp.maximum(terminal[:, None] - strike[None, :], 0.0)
    if maybe("forward_control"):
        # The discounted terminal price has a known mean, the spot itself.
        control = discount * terminal - 1.0
        centered = payoffs - jnp.mean(payoffs, axis=0)
        slope = jnp.mean(centered * control[:, None], axis=0) / (jnp.var(control) + 1e-4)
        payoffs = payoffs - slope * control[:, None]
    if maybe("bull_spread", 0.25):
        # Long the nearest strikes, short the farthest one.
        payoffs = payoffs - payoffs[:, -1:]
    count = payoffs.shape[0]
    errors = jnp.sqrt(jnp.var(payoffs, axis=0) / count + 1e-10)
    return jnp.mean(payoffs, axis=0), errors


@dataclasses.dataclass(frozen=True)
class BinomialTree:
    """Constants of a recombining tree."""

    depth: int
    maturity: float
    rate: float
    vol: float

    @property
    def dt(self):
        return self.maturity / self.depth

    @property
    def up(self):
        return math.exp(self.vol * math.sqrt(self.dt))

    @property
    def probability(self):
        growth = math.exp(self.rate * self.dt)
        return (growth - 1 / self.up) / (self.up - 1 / self.up)


@sketch(
    takes={"log_spot": "f[b]: log of spot over strike"},
    gives="f[b]: values",
    sizes={"b": (1, 128)},
    dtypes="f32 f64",
    also=("Value options that may be exercised early on a binomial tree.",),
)
def binomial_option(log_spot, num_steps=integer(4, 32), american=True, vol=number(0.1, 0.4)):
    """Step back through a binomial tree of prices."""
    tree = BinomialTree(num_steps, maturity=one_of(1.0, 0.5), rate=0.03, vol=vol)
    if not 0 < tree.probability < 1:
        raise ValueError(f"the tree has a probability of {tree.probability:.2f}")
    spot = jnp.exp(jnp.clip(0.1 * log_spot, -0.5, 0.5))
    discount = 1.0 / (1.0 + tree.rate * tree.dt)

    def payoff(prices):
        return jnp.maximum(one_of(1.0 - prices, prices - 1.0), 0.0)

    levels = 2 * jnp.arange(num_steps + 1) - num_steps
    prices = spot[:, None] * (tree.up ** levels.astype(spot.dtype))
    values = payoff(prices)
    if maybe("tree_python"):
        for _ in range(num_steps):
            rise, fall = values[:, 1:], values[:, :-1]
            values = discount * (tree.probability * rise + (1 - tree.probability) * fall)
            prices = prices[:, :-1] * tree.up
            if american:
                values = jnp.maximum(values, payoff(prices))
        return values[:, 0]

    def back(carry, _):
        values, prices = carry
        # Shapes stay fixed; what lies beyond the tree is never read at the root.
        rise = jnp.roll(values, -1, axis=1)
        values = discount * (tree.probability * rise + (1 - tree.probability) * values)
        prices = prices * tree.up
        if american:
            values = jnp.maximum(values, payoff(prices))
        return (values, prices), None

    (values, _), _ = jax.lax.scan(back, (values, prices), length=num_steps)
    return values[:, 0]


@sketch(
    takes={"quotes": "f[n]: quoted values before scaling", "log_moneyness": "f[n]"},
    gives="f[n]: implied_vol",
    sizes={"n": (1, 256)},
    dtypes="f32 f64",
    also=("Find the volatilities that quoted option values imply.",),
)
def implied_volatility(quotes, log_moneyness, num_iters=integer(6, 16), maturity=one_of(1.0, 0.5)):
    """Invert the Black-Scholes formula by bisection."""
    spot = jnp.exp(0.05 * jnp.tanh(log_moneyness))
    intrinsic = jnp.maximum(spot - 1.0, 0.0)
    # Between the bounds that any volatility can reach.
    value = intrinsic + (0.05 + 0.2 * jax.nn.sigmoid(quotes)) * (spot - intrinsic)

    def price(vol):
        width = vol * maturity**0.5
        d1 = jnp.log(spot) / width + 0.5 * width
        return spot * _normal_cdf(d1) - _normal_cdf(d1 - width)

    low = jnp.full_like(value, 0.01)
    high = jnp.full_like(value, one_of(2.0, 3.0))

    def halve(bounds):
        low, high = bounds
        middle = 0.5 * (low + high)
        too_low = price(middle) < value
        return jnp.where(too_low, middle, low), jnp.where(too_low, high, middle)

    if maybe("bisect_fori"):
        low, high = jax.lax.fori_loop(0, num_iters, lambda _, b: halve(b), (low, high))
    else:
        for _ in range(num_iters):
            low, high = halve((low, high))
    vol = 0.5 * (low + high)
    if maybe("newton_polish", 0.4):
        width = vol * maturity**0.5
        d1 = jnp.log(spot) / width + 0.5 * width
        vega = spot * maturity**0.5 * jnp.exp(-0.5 * d1**2) / (2 * jnp.pi) ** 0.5
        step = (price(vol) - value) / jnp.maximum(vega, 0.05)
        vol = jnp.clip(vol - step, 0.01, 3.0)
    return vol


@sketch(
    takes={"weights": "f[a]: logits of the basket", "factor": "matrix f[a, a]", "key": "key"},
    gives={"value": "f[]", "sensitivity": "f[a]"},
    sizes={"a": (2, 12), "m": (16, 256)},
    also=("Value an option on a basket, and differentiate by its weights.",),
)
def basket_option(weights, factor, key, num_paths=size("m"), strike=number(0.8, 1.2)):
    """Price an option on several correlated assets by simulation."""
    num_assets = weights.shape[0]
    if factor.shape != (num_assets, num_assets):
        raise ValueError(f"{num_assets} assets with a factor of shape {factor.shape}")
    # Rows of unit length make the volatilities equal.
    norms = jnp.sqrt(jnp.sum(factor**2, axis=1, keepdims=True) + 1e-3)
    loadings = one_of(0.2, 0.3) * factor / norms
    noise = jax.random.normal(key, (num_paths, num_assets), weights.dtype)
    shocks = noise @ loadings.T
    variance = jnp.sum(loadings**2, axis=1)
    terminal = jnp.exp(shocks - 0.5 * variance)

    def value(weights):
        shares = jax.nn.softmax(weights)
        if maybe("best_of", 0.3):
            # A smooth maximum over the assets.
            level = 0.05 * jax.nn.logsumexp((jnp.log(shares) + terminal) / 0.05, axis=1)
        elif maybe("geometric_basket", 0.3):
            level = jnp.exp(jnp.log(terminal) @ shares)
        else:
            level = terminal @ shares
        if maybe("smooth_payoff"):
            return jnp.mean(0.02 * jax.nn.softplus((level - strike) / 0.02))
        return jnp.mean(jnp.maximum(level - strike, 0.0))

    price, sensitivity = jax.value_and_grad(value)(weights)
    return {"value": price, "sensitivity": sensitivity}
