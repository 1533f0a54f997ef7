"""Posteriors in closed form, and Gaussian approximations of others."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


class NormalInverseGamma(NamedTuple):
    """Joint posterior of a mean and a variance."""

    mean: jax.Array
    precision: jax.Array
    shape: jax.Array
    rate: jax.Array


@sketch(
    takes={"samples": "samples f[n, d]", "observed?": "mask bool[n, d]"},
    gives=("mean f[d]", "f[d]: precision", "f[d]: shape", "f[d]: rate"),
    sizes={"n": (2, 512), "d": (1, 48)},
    also=("Infer means and variances of columns under a normal-inverse-gamma prior.",),
)
def normal_inverse_gamma_update(
    samples, observed=None, prior_mean=0.0, prior_count=number(0.1, 2.0), prior_shape=2.0
):
    """Update a conjugate prior of each column's mean and variance."""
    if observed is None:
        count = jnp.full(samples.shape[1], samples.shape[0], samples.dtype)
        average = jnp.mean(samples, axis=0)
        scatter = jnp.sum((samples - average) ** 2, axis=0)
    else:
        count = jnp.sum(observed, axis=0).astype(samples.dtype)
        average = jnp.sum(samples, axis=0, where=observed) / jnp.maximum(count, 1.0)
        scatter = jnp.sum((samples - average) ** 2, axis=0, where=observed)
    precision = prior_count + count
    mean = (prior_count * prior_mean + count * average) / precision
    # The prior mean and the sample mean disagree, which is evidence of spread.
    disagreement = prior_count * count / precision * (average - prior_mean) ** 2
    shape = prior_shape + 0.5 * count
    rate = one_of(1.0, 0.5) + 0.5 * (scatter + disagreement)
    if maybe("expected_variance", 0.4):
        return mean, precision, shape, rate / (shape - 1.0)
    return NormalInverseGamma(mean, precision, shape, rate)


@sketch(
    takes={
        "x": "features f[n, d]",
        "y": "targets f[n]",
        "new_x": "features f[m, d]",
    },
    gives={"mean": "predictions f[m]", "variance": "f[m]"},
    sizes={"n": (4, 512), "d": (2, 32), "m": (1, 64)},
    dtypes="f32 f64",
    also=("Predict with Bayesian linear regression.",),
)
def bayesian_linear_regression(x, y, new_x, noise=number(0.1, 1.0), prior_scale=one_of(1.0, 3.0)):
    """Average linear predictions over the posterior of their weights."""
    num_samples, num_features = x.shape
    if new_x.shape[1] != num_features:
        raise ValueError(f"expected {num_features} features, got {new_x.shape[1]}")
    if maybe("regression_intercept"):
        x = jnp.concatenate([x, jnp.ones((num_samples, 1), x.dtype)], axis=1)
        new_x = jnp.pad(new_x, ((0, 0), (0, 1)), constant_values=1.0)
    ridge = jnp.eye(x.shape[1], dtype=x.dtype) / prior_scale**2
    precision = x.T @ x / noise**2 + ridge
    if maybe("regression_cholesky", 0.6):
        factor = jnp.linalg.cholesky(precision)
        moment = jax.scipy.linalg.solve_triangular(factor, x.T @ y / noise**2, lower=True)
        weights = jax.scipy.linalg.solve_triangular(factor.T, moment, lower=False)
        spread = jax.scipy.linalg.solve_triangular(factor, new_x.T, lower=True)
        variance = noise**2 + jnp.sum(spread**2, axis=0)
    else:
        covariance = jnp.linalg.inv(precision)
        weights = covariance @ (x.T @ y) / noise**2
        variance = noise**2 + jnp.einsum("md,de,me->m", new_x, covariance, new_x)
    return {"mean": new_x @ weights, "variance": variance}


@sketch(
    takes={"x": "features f[n, d]", "labels": "mask bool[n]"},
    gives={"mode": "f[d]", "covariance": "f[d, d]", "energy": "f[]"},
    sizes={"n": (8, 256), "d": (2, 24)},
    also=("Approximate the posterior of a logistic regression at its mode.",),
)
def laplace_logistic(x, labels, prior_precision=number(0.3, 3.0), num_newton=integer(3, 8)):
    """Fit a Gaussian to the posterior of logistic regression weights."""
    num_features = x.shape[1]
    signs = jnp.where(labels, 1.0, -1.0)
    identity = jnp.eye(num_features, dtype=x.dtype)

    def negative_log_posterior(weights):
        margins = signs * (x @ weights)
        fit = one_of(jnp.sum(jax.nn.softplus(-margins)), -jnp.sum(jax.nn.log_sigmoid(margins)))
        return fit + 0.5 * prior_precision * jnp.sum(weights**2)

    def curvature(weights):
        probs = jax.nn.sigmoid(x @ weights)
        return (x.T * (probs * (1 - probs))) @ x + prior_precision * identity

    def newton(weights, _):
        if maybe("autodiff_gradient", 0.2):
            gradient = jax.grad(negative_log_posterior)(weights)
        else:
            residuals = jnp.where(labels, 1.0, 0.0) - jax.nn.sigmoid(x @ weights)
            gradient = prior_precision * weights - x.T @ residuals
        step = one_of(
            jnp.linalg.solve(curvature(weights), gradient),
            jax.scipy.linalg.solve(curvature(weights), gradient, assume_a="pos"),
        )
        if maybe("damped_newton"):
            # Full steps may overshoot far from the mode.
            step = step / (1.0 + 0.2 * jnp.max(jnp.abs(step)))
        return weights - step, None

    weights = jnp.zeros(num_features, x.dtype)
    if maybe("loop_newton", 0.6):
        for _ in range(num_newton):
            weights, _ = newton(weights, None)
    else:
        weights, _ = jax.lax.scan(newton, weights, length=num_newton)
    return {
        "mode": weights,
        "covariance": jnp.linalg.inv(curvature(weights)),
        "energy": negative_log_posterior(weights),
    }


@sketch(
    takes={"counts": "counts i[n, k]: category counts of each group"},
    gives="metric f[n]",
    sizes={"n": (1, 128), "k": (2, 48)},
    also=("Evidence of counts under a Dirichlet prior.",),
)
def dirichlet_multinomial_evidence(counts, concentration=number(0.3, 3.0)):
    """Integrate category probabilities out of a multinomial likelihood."""
    num_categories = counts.shape[-1]
    counts = counts.astype(jnp.float32)
    totals = jnp.sum(counts, axis=-1)
    lgamma = jax.scipy.special.gammaln
    if maybe("dirichlet_terms"):
        evidence = lgamma(num_categories * concentration) - lgamma(
            num_categories * concentration + totals
        )
        evidence = evidence + jnp.sum(
            lgamma(counts + concentration) - math.lgamma(concentration), axis=-1
        )
    else:
        log_beta = jnp.sum(lgamma(counts + concentration), axis=-1)
        log_beta = log_beta - lgamma(totals + num_categories * concentration)
        prior = num_categories * math.lgamma(concentration)
        evidence = log_beta - prior + math.lgamma(num_categories * concentration)
    if maybe("with_coefficient", 0.4):
        # The number of orders in which the counts may have come.
        evidence = evidence + lgamma(totals + 1.0) - jnp.sum(lgamma(counts + 1.0), axis=-1)
    if maybe("per_count", 0.3):
        evidence = evidence / jnp.maximum(totals, 1.0)
    return evidence


@sketch(
    takes={"counts": "counts i[n]", "exposure?": "mask bool[n]: periods that were observed"},
    gives={"mean": "f[]", "low": "f[]", "high": "f[]"},
    sizes={"n": (2, 1024)},
    also=("Infer the intensity of a Poisson process from counts.",),
)
def gamma_poisson_interval(counts, exposure=None, shape=number(0.5, 3.0), rate=number(0.1, 2.0)):
    """Bound a Poisson intensity with its gamma posterior."""
    if exposure is None:
        total, periods = jnp.sum(counts), counts.shape[0]
    else:
        total, periods = jnp.sum(counts * exposure), jnp.sum(exposure)
    shape = shape + total
    rate = rate + periods
    mean = shape / rate
    if maybe("wilson_hilferty", 0.6):
        # Wilson-Hilferty: the cube root of a gamma variate is nearly normal.
        center = 1.0 - 1.0 / (9.0 * shape)
        spread = one_of(1.96, 1.645) / (3.0 * jnp.sqrt(shape))
        low = mean * jnp.maximum(center - spread, 0.0) ** 3
        high = mean * (center + spread) ** 3
    else:
        spread = one_of(2.0, 1.0) * jnp.sqrt(shape) / rate
        low, high = jnp.maximum(mean - spread, 0.0), mean + spread
    return {"mean": mean, "low": low, "high": high}


@sketch(
    takes={"means": "mean f[g]: estimate of each group", "spreads": "f[g]: log standard errors"},
    gives=("mean f[g]", "f[]: grand_mean"),
    sizes={"g": (3, 256)},
    dtypes="f32 f64",
    also=("Pool noisy estimates of related groups.",),
)
def shrink_group_means(means, spreads, num_iters=integer(3, 10)):
    """Shrink estimates of groups towards their common mean."""
    variances = jnp.exp(2.0 * jnp.clip(spreads, -2.0, 2.0))
    if means.shape != variances.shape:
        raise ValueError(f"{means.shape[0]} means, {variances.shape[0]} standard errors")
    if maybe("james_stein", 0.3):
        # Positive-part James-Stein, with a pooled variance.
        pooled = jnp.mean(variances)
        center = jnp.mean(means)
        squares = jnp.sum((means - center) ** 2)
        factor = jnp.maximum(1.0 - (means.shape[0] - 3) * pooled / (squares + 1e-3), 0.0)
        return center + factor * (means - center), center

    between = jnp.var(means)
    for _ in range(num_iters):
        weights = 1.0 / (variances + between + 1e-2)
        center = jnp.sum(weights * means) / jnp.sum(weights)
        share = variances / (variances + between + 1e-2)
        if maybe("em_shrinkage"):
            # Expected squared deviation of the true means.
            posterior = (1 - share) * means + share * center
            between = jnp.mean((posterior - center) ** 2 + (1 - share) * variances)
        else:
            excess = jnp.sum(weights * ((means - center) ** 2 - variances)) / jnp.sum(weights)
            between = jnp.maximum(excess, 0.0)
    share = variances / (variances + between + 1e-2)
    if maybe("limited_translation", 0.3):
        # No estimate moves by more than one standard error.
        shift = share * (center - means)
        bound = jnp.sqrt(variances)
        return means + jnp.clip(shift, -bound, bound), center
    return (1 - share) * means + share * center, center
