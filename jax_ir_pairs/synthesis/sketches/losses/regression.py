"""Losses of regressors."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

regressor = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
regression_loss = nested("(predictions: predictions f[b], targets: targets f[b]) -> loss f[]")


@sketch(
    takes={
        "predictions": "predictions f[b]",
        "targets": "targets f[b]",
        "weights?": "f[b]: weight of each example",
    },
    gives="loss f[]",
    sizes={"b": (4, 4096)},
    dtypes="f32 bf16 f16 f64",
    also=("Huber-like loss of residuals.", "Regression loss that is linear for large residuals."),
)
def robust_residual_loss(predictions, targets, weights=None, delta=number(0.3, 3.0)):
    """Penalize small residuals quadratically and outliers linearly."""
    if maybe("check shapes", 0.4):
        if predictions.ndim != 1 or predictions.shape != targets.shape:
            raise ValueError(f"shapes differ: {predictions.shape} and {targets.shape}")
    residual = one_of(predictions - targets, targets - predictions)
    if maybe("pseudo huber", 0.35):
        losses = delta**2 * (jnp.sqrt(1 + (residual / delta) ** 2) - 1)
    elif maybe("log cosh", 0.35):
        # log(cosh(r)) without overflow.
        size = jnp.abs(residual)
        losses = size + jax.nn.softplus(-2 * size) - math.log(2.0)
    else:
        size = jnp.abs(residual)
        inner = jnp.minimum(size, delta)
        losses = one_of(
            0.5 * inner**2 + delta * (size - inner),
            jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta)),
        )
    if weights is not None:
        losses = losses * jax.nn.sigmoid(weights)
    return jnp.mean(losses)


@sketch(
    takes={"predictions": "predictions f[b, q]: one a level", "targets": "targets f[b]"},
    gives="loss f[]",
    sizes={"q": (3, 9), "b": (4, 512)},
    dtypes="f32 bf16",
    also=("Pinball loss over several quantile levels.",),
)
def pinball_loss(predictions, targets, crossing_weight=number(0.1, 2.0)):
    """Fit several quantiles of the target at once."""
    batch, num_levels = predictions.shape
    levels = [(i + 1) / (num_levels + 1) for i in range(num_levels)]
    if maybe("loop levels"):
        total = 0.0
        for i, level in enumerate(levels):
            error = targets - predictions[:, i]
            total = total + jnp.mean(jnp.maximum(level * error, (level - 1) * error))
        loss = total / num_levels
    else:
        tau = jnp.asarray(levels, predictions.dtype)
        error = targets[:, None] - predictions
        loss = jnp.mean(
            one_of(
                jnp.maximum(tau * error, (tau - 1) * error),
                jnp.where(error > 0, tau, tau - 1) * error,
            )
        )
    if maybe("no crossing"):
        # Quantiles of higher levels should not lie below those of lower ones.
        crossing = jax.nn.relu(predictions[:, :-1] - predictions[:, 1:])
        loss = loss + crossing_weight * jnp.sum(crossing) / batch
    return loss


@sketch(
    takes={"log_rates": "predictions f[b]: logarithms of rates", "counts": "counts i[b]"},
    gives="loss f[]",
    sizes={"b": (4, 2048)},
    dtypes="f32 bf16",
    also=("Negative log-likelihood of counts.",),
)
def count_likelihood(log_rates, counts, dispersion=number(0.1, 2.0), full=one_of(False, True)):
    """Score counts under a Poisson or an overdispersed rate model."""
    y = counts.astype(log_rates.dtype)
    log_rates = one_of(jnp.clip(log_rates, -10, 10), 8 * jnp.tanh(log_rates / 8))
    if maybe("negative binomial", 0.4):
        # Variance mu + mu^2 / r, with r = 1 / dispersion.
        r = 1.0 / dispersion
        log_total = jnp.logaddexp(log_rates, math.log(r))
        nll = (y + r) * log_total - y * log_rates - r * math.log(r)
    else:
        nll = jnp.exp(log_rates) - y * log_rates
    if full:
        # The part that no parameter changes.
        nll = nll + jax.scipy.special.gammaln(y + 1)
    return one_of(jnp.mean(nll), jnp.sum(nll) / nll.shape[0])


class GaussianHead(NamedTuple):
    """Center and log-variance of each target."""

    center: jax.Array
    log_var: jax.Array


@sketch(
    takes={"outputs": "predictions f[b, 2]: mean and raw scale", "targets": "targets f[b]"},
    gives="loss f[]",
    sizes={"b": (4, 1024)},
    dtypes="f32 bf16",
    also=("Likelihood of targets whose noise the model predicts too.",),
)
def heteroscedastic_loss(outputs, targets, beta=number(0.2, 1.0)):
    """Learn the noise of each target along with its mean."""
    if outputs.shape[-1] != 2:
        raise ValueError(f"expected a mean and a scale for each target, got {outputs.shape}")
    mean, raw = one_of(
        (outputs[:, 0], outputs[:, 1]), [part[:, 0] for part in jnp.split(outputs, 2, axis=1)]
    )
    head = GaussianHead(mean, one_of(jnp.clip(raw, -6, 6), 5 * jnp.tanh(raw)))
    error = targets - head.center
    if maybe("student", 0.3):
        # Heavy tails: a Student-t with four degrees of freedom.
        scaled = error**2 * jnp.exp(-head.log_var)
        nll = 2.5 * jnp.log1p(scaled / 4) + 0.5 * head.log_var
    elif maybe("laplace", 0.3):
        nll = jnp.abs(error) * jnp.exp(-0.5 * head.log_var) + 0.5 * head.log_var
    else:
        nll = 0.5 * (head.log_var + error**2 * jnp.exp(-head.log_var))
    if maybe("beta weighting", 0.4):
        # Otherwise hard points are explained away by a large variance.
        nll = nll * jax.lax.stop_gradient(jnp.exp(beta * head.log_var / 2))
    return jnp.mean(nll)


@sketch(
    takes={"outputs": "predictions f[b, 4]: raw gamma, nu, alpha, beta", "targets": "targets f[b]"},
    gives=("loss f[]", "scale f[b]: epistemic"),
    sizes={"b": (4, 512)},
    also=("Evidential regression with a normal-inverse-gamma prior.",),
)
def normal_inverse_gamma_loss(outputs, targets, penalty=number(0.01, 0.3)):
    """Fit evidence for mean and variance at once, and report what stays uncertain."""
    gamma, nu, alpha, beta = (outputs[:, i] for i in range(4))
    nu, beta = jax.nn.softplus(nu) + 1e-2, jax.nn.softplus(beta) + 1e-2
    alpha = jax.nn.softplus(alpha) + one_of(1.0, 1.01, 1.1)
    error = targets - gamma
    omega = 2 * beta * (1 + nu)
    # The marginal of a target is a Student-t.
    nll = 0.5 * jnp.log(math.pi / nu) - alpha * jnp.log(omega)
    nll = nll + (alpha + 0.5) * jnp.log(nu * error**2 + omega)
    nll = nll + jax.scipy.special.gammaln(alpha) - jax.scipy.special.gammaln(alpha + 0.5)
    if maybe("evidence penalty", 0.7):
        evidence = 2 * nu + alpha
        nll = nll + penalty * jnp.abs(error) * evidence
    epistemic = jnp.clip(beta / (nu * jnp.maximum(alpha - 1, 0.1)), 1e-3, 30)
    return jnp.mean(nll), epistemic


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]"},
    gives="loss f[]",
    sizes={"b": (4, 2048)},
    dtypes="f32 bf16 f64",
    also=("Weight errors above and below the target differently.",),
)
def asymmetric_error(predictions, targets, tau=number(0.1, 0.9), a=number(0.2, 2.0)):
    """Charge more for missing the target on one side than on the other."""
    error = one_of(targets - predictions, predictions - targets)
    if maybe("linex", 0.4):
        # exp(a e) - a e - 1: exponential on one side, about linear on the other.
        scaled = jnp.clip(a * error, -20, 5)
        return jnp.mean(jnp.exp(scaled) - scaled - 1)
    side = jnp.where(error > 0, tau, 1 - tau)
    if maybe("expectile", 0.6):
        losses = side * jnp.square(error)
    else:
        smooth = number(0.05, 0.5)
        losses = side * (jnp.sqrt(jnp.square(error) + smooth**2) - smooth)
    return jnp.mean(losses)


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]", "mask?": "mask bool[b]"},
    gives="loss f[]",
    sizes={"b": (4, 1024)},
    dtypes="f32 bf16",
    also=("Error relative to the size of the targets.",),
)
def relative_error_loss(predictions, targets, mask=None, *, eps=one_of(1e-2, 1e-1, 1e-3)):
    """Measure errors in units of the targets' own magnitude."""
    error = jnp.abs(predictions - targets)
    if maybe("symmetric percentage"):
        losses = 2 * error / (jnp.abs(predictions) + jnp.abs(targets) + eps)
    elif maybe("log ratio"):
        signed_log = functools.partial(_signed_log1p, 1.0)
        losses = jnp.square(signed_log(predictions) - signed_log(targets))
    else:
        losses = error / jnp.maximum(jnp.abs(targets), 10 * eps)
    if mask is None:
        return jnp.mean(losses)
    count = jnp.maximum(jnp.sum(mask), 1)
    return jnp.sum(jnp.where(mask, losses, 0)) / count.astype(losses.dtype)


def _signed_log1p(scale, x):
    return jnp.sign(x) * jnp.log1p(jnp.abs(x) / scale)


@sketch(
    takes={"params": "P", "batch": ("features f[b, d]", "targets f[b]")},
    gives="loss f[]",
    dtypes="f32 bf16",
    also=("Training objective of a regressor.",),
)
def penalized_regression_objective(params, batch, ridge=number(1e-5, 1e-2)):
    """Balance the fit of a regressor against the size of its parameters."""
    inputs, targets = batch
    if maybe("standardize targets", 0.4):
        targets = (targets - jnp.mean(targets)) / (jnp.std(targets) + 1e-2)
    predictions = regressor(params, inputs)
    fit = regression_loss(predictions, targets)
    if maybe("no penalty", 0.3):
        return fit
    leaves = one_of(
        jax.tree.leaves(params), [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    )
    penalty = 0.0
    for leaf in leaves:
        penalty = penalty + jnp.sum(one_of(jnp.square(leaf), jnp.sqrt(jnp.square(leaf) + 1e-6)))
    return fit + ridge * penalty
