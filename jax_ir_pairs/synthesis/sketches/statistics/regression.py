"""Regression models, fitted by closed forms and reweighting."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def with_intercept(x):
    """Prepend a column of ones."""
    return jnp.concatenate([jnp.ones((x.shape[0], 1), x.dtype), x], axis=1)


@sketch(
    takes={"x": "features f[n, d]: covariates", "y": "targets f[n]: response"},
    gives=("f[d+1]: coefficients", "predictions f[n]: fitted"),
    sizes={"n": (8, 256), "d": (1, 8)},
    dtypes="f32 f64",
    also=("Fit a generalized linear model by reweighted least squares.",),
)
def irls_regression(x, y, num_iters=integer(3, 8), ridge=number(0.1, 2.0)):
    """Fit a generalized linear model by Newton steps on the log-likelihood."""
    n, num_covariates = x.shape
    if y.shape != (n,):
        raise ValueError(f"{n} rows of covariates, but a response of shape {y.shape}")
    design = with_intercept(x)
    if maybe("poisson", 0.4):
        y = jnp.round(jnp.abs(y))  # counts

        def mean_and_weight(eta):
            mu = jnp.exp(jnp.clip(eta, -4, 4))
            return mu, mu

    else:
        y = one_of((y > 0).astype(x.dtype), jax.nn.sigmoid(2 * y))

        def mean_and_weight(eta):
            mu = jax.nn.sigmoid(eta)
            return mu, mu * (1 - mu)

    penalty = ridge * jnp.eye(num_covariates + 1, dtype=x.dtype)

    def newton(coefficients, _):
        mu, weight = mean_and_weight(design @ coefficients)
        gradient = design.T @ (y - mu) - ridge * coefficients
        information = one_of(
            (design.T * weight) @ design, jnp.einsum("ni,n,nj->ij", design, weight, design)
        )
        step = jnp.linalg.solve(information + penalty, gradient)
        # Long steps are what makes Newton's method diverge.
        return coefficients + jnp.clip(step, -1, 1), None

    coefficients = jnp.zeros(num_covariates + 1, x.dtype)
    if maybe("scan"):
        coefficients, _ = jax.lax.scan(newton, coefficients, length=num_iters)
    else:
        for _ in range(num_iters):
            coefficients, _ = newton(coefficients, None)
    fitted, _ = mean_and_weight(design @ coefficients)
    return coefficients, fitted


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]"},
    gives="predictions f[n]: fitted",
    sizes={"n": (8, 256), "d": (1, 8)},
    dtypes="f32 f64",
    also=("Fit a line that outliers hardly move.",),
)
def robust_regression(x, y, cutoff=number(1.0, 3.0), num_iters=integer(3, 8)):
    """Fit a linear model by iteratively downweighting large residuals."""
    design = with_intercept(x)
    num_coefficients = design.shape[1]
    ridge = 1e-2 * jnp.eye(num_coefficients, dtype=x.dtype)
    robustness = jnp.ones_like(y)
    for _ in range(num_iters):
        weighted = design * robustness[:, None]
        coefficients = jnp.linalg.solve(weighted.T @ design + ridge, weighted.T @ y)
        deviations = y - design @ coefficients
        if maybe("rescale"):
            # A scale that is robust itself.
            spread = 1.4826 * jnp.median(jnp.abs(deviations)) + 0.05
        else:
            spread = jnp.mean(jnp.abs(deviations)) + 0.05
        relative = jnp.abs(deviations) / (cutoff * spread)
        if maybe("tukey", 0.4):
            robustness = jnp.square(jnp.maximum(1 - relative * relative / 9, 0)) + 1e-3
        else:
            robustness = one_of(1 / jnp.maximum(relative, 1), 1 / (1 + relative * relative))
    return design @ coefficients


class LinearFit(NamedTuple):
    """What a table of regression results shows."""

    coefficients: jax.Array
    standard_errors: jax.Array
    r_squared: jax.Array


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]", "weights?": "f[n]"},
    gives=("f[d+1]: coefficients", "scale f[d+1]: standard_errors", "metric f[]"),
    sizes={"n": (16, 512), "d": (1, 8)},
    dtypes="f32 f64",
    also=("Regress a response on covariates, with standard errors.",),
)
def ordinary_least_squares(x, y, weights=None, ridge=1e-2):
    """Estimate a linear regression together with its uncertainty."""
    n, num_covariates = x.shape
    if n <= num_covariates + 1:
        raise ValueError(f"{n} samples do not identify {num_covariates + 1} coefficients")
    design = with_intercept(x)
    if weights is None:
        scaled = design
    else:
        scaled = design * jax.nn.sigmoid(weights)[:, None]
    normal = scaled.T @ design + ridge * jnp.eye(design.shape[1], dtype=x.dtype)
    inverse = jnp.linalg.inv(normal)
    coefficients = inverse @ (scaled.T @ y)
    residuals = y - design @ coefficients
    if maybe("heteroskedastic"):
        # White's sandwich: the meat has each squared residual.
        meat = (scaled * (residuals * residuals)[:, None]).T @ scaled
        covariance = inverse @ meat @ inverse
    else:
        noise_variance = jnp.sum(residuals**2) / (n - num_covariates - 1)
        covariance = noise_variance * inverse
    errors = jnp.sqrt(jnp.maximum(jnp.diagonal(covariance), 0) + 1e-5)
    total = jnp.sum((y - jnp.mean(y)) ** 2)
    r_squared = 1 - jnp.sum(residuals**2) / (total + 1e-2)
    if maybe("adjusted", 0.4):
        r_squared = 1 - (1 - r_squared) * (n - 1) / (n - num_covariates - 1)
    return LinearFit(coefficients, errors, r_squared)


@sketch(
    takes={"x": "samples f[n]", "y": "targets f[n]", "at": "points f[m]"},
    gives="predictions f[m]: smooth",
    sizes={"n": (8, 256), "m": (4, 128)},
    dtypes="f32 f64",
    also=("Smooth a scatter plot by local regression.",),
)
def local_regression(x, y, at, bandwidth=number(0.5, 2.5), robust=one_of(True, False)):
    """Fit a weighted line around each point of evaluation."""
    if x.shape != y.shape:
        raise ValueError(f"x and y must pair up, got {x.shape} and {y.shape}")

    def weights_for(distance):
        u = jnp.abs(distance) / bandwidth
        if maybe("tricube"):
            return (1 - jnp.minimum(u, 1) ** 3) ** 3 + 1e-4
        else:
            return one_of(jnp.exp(-0.5 * u * u), 1 / (1 + u * u)) + 1e-4

    def smooth(centers, reliability):
        offset = x[None, :] - centers[:, None]
        w = weights_for(offset) * reliability
        total = jnp.sum(w, axis=1)
        if maybe("constant", 0.3):
            # Nadaraya-Watson: a local constant.
            return w @ y / total
        mean_offset = jnp.sum(w * offset, axis=1) / total
        mean_y = w @ y / total
        deviation = offset - mean_offset[:, None]
        slope = jnp.sum(w * deviation * y, axis=1) / (
            jnp.sum(w * deviation * deviation, axis=1) + 0.1
        )
        return mean_y - slope * mean_offset

    reliability = jnp.ones_like(y)
    if robust:
        residuals = jnp.abs(y - smooth(x, reliability))
        limit = 6 * jnp.median(residuals) + 1e-2
        reliability = jnp.square(1 - jnp.minimum(residuals / limit, 1) ** 2)
    return smooth(at, reliability + 1e-3)


@sketch(
    takes={"params": {"knots": "f[k]", "weights": "f[k+2]"}, "x": "features f[b, d]"},
    gives="predictions f[b]",
    sizes={"k": (3, 12), "b": (2, 128), "d": (1, 16)},
    dtypes="f32 bf16",
)
def additive_hinge_regressor(params, x):
    """Predict by a piecewise linear function of the mean covariate."""
    knots, weights = params["knots"], params["weights"]
    if len(weights) != len(knots) + 2:
        raise ValueError(f"{len(knots)} knots need {len(knots) + 2} weights, got {len(weights)}")
    score = one_of(jnp.mean(x, axis=-1), jnp.max(x, axis=-1), jnp.sum(x, axis=-1) / x.shape[-1])
    if maybe("cubic", 0.4):
        hinges = jnp.maximum(score[:, None] - knots, 0) ** 3 / 27
    else:
        hinges = one_of(
            jax.nn.relu(score[:, None] - knots), jax.nn.softplus(score[:, None] - knots)
        )
    columns = [jnp.ones_like(score)[:, None], score[:, None], hinges]
    basis = jnp.concatenate(columns, axis=1)
    if maybe("normalize", 0.3):
        basis = basis / len(columns)
    return basis @ weights


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]"},
    gives="loss f[]",
    sizes={"b": (2, 1024)},
    dtypes="f32 bf16 f16",
    also=("Average an asymmetric penalty of the residuals.",),
)
def quantile_loss(predictions, targets, quantile=number(0.1, 0.9)):
    """Score predictions of a quantile by the pinball loss."""
    if not 0 < quantile < 1:
        raise ValueError(f"a quantile lies between 0 and 1, got {quantile}")
    error = targets - predictions
    if maybe("smooth", 0.4):
        # Softplus in place of the kink.
        width = one_of(0.1, 0.2, 0.5)
        losses = quantile * error + width * jax.nn.softplus(-error / width)
    else:
        losses = one_of(
            jnp.maximum(quantile * error, (quantile - 1) * error),
            jnp.where(error >= 0, quantile * error, (quantile - 1) * error),
        )
    return one_of(jnp.mean(losses), jnp.sum(losses) / losses.shape[0])


@sketch(
    takes={"x": "samples f[n]", "y": "targets f[n]"},
    gives=("f[k]: coefficients", "loss f[]"),
    sizes={"n": (8, 512), "k": (2, 6)},
    dtypes="f32 f64",
    also=("Fit a curve by a penalized polynomial.",),
)
def polynomial_fit(x, y, num_terms=size("k"), ridge=number(0.1, 1.0)):
    """Fit a polynomial by ridge regression."""
    # Scaled into [-1, 1]: powers of larger numbers are badly conditioned.
    scaled = x / (jnp.max(jnp.abs(x)) + 1e-3)
    if maybe("chebyshev"):
        columns = [jnp.ones_like(scaled), scaled]
        while len(columns) < num_terms:
            columns.append(2 * scaled * columns[-1] - columns[-2])
        basis = jnp.stack(columns, axis=1)
    else:
        basis = one_of(
            jnp.vander(scaled, num_terms, increasing=True),
            scaled[:, None] ** jnp.arange(num_terms),
        )
    gram = basis.T @ basis + ridge * jnp.eye(num_terms, dtype=x.dtype)
    coefficients = jnp.linalg.solve(gram, basis.T @ y)
    residuals = y - basis @ coefficients
    if maybe("leave one out"):
        # The diagonal of the hat matrix gives all n refits at once.
        leverage = jnp.sum(basis * jnp.linalg.solve(gram, basis.T).T, axis=1)
        residuals = residuals / (1 - jnp.clip(leverage, 0, 0.95))
    return coefficients, jnp.mean(residuals**2)
