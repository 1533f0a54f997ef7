"""Gaussian processes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, size, sketch

covariance_function = nested("(a: features f[n, d], b: features f[m, d]) -> scores f[n, m]")


@sketch(
    takes={"a": "features f[n, d]", "b": "features f[m, d]"},
    gives="scores f[n, m]",
    sizes={"n": (2, 128), "m": (2, 128), "d": (1, 32)},
    dtypes="f32 bf16 f64",
    also=("Radial covariance between two sets of inputs.",),
)
def radial_covariance(a, b, length_scale=number(0.5, 3.0), variance=one_of(1.0, 2.0)):
    """Relate inputs by their squared distance in units of a length scale."""
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"inputs have {a.shape[-1]} and {b.shape[-1]} features")
    if maybe("cross_terms"):
        squares = jnp.sum(a**2, axis=1)[:, None] + jnp.sum(b**2, axis=1) - 2 * a @ b.T
        squares = jnp.maximum(squares, 0.0) / length_scale**2
    else:
        squares = jnp.sum(((a[:, None, :] - b[None, :, :]) / length_scale) ** 2, axis=-1)
    if maybe("rational_quadratic", 0.35):
        # A mixture of squared exponentials over length scales.
        mixture = one_of(1.0, 2.0)
        return variance * (1.0 + squares / (2 * mixture)) ** (-mixture)
    return variance * jnp.exp(-0.5 * squares)


@sketch(
    takes={"a": "features f[n, d]", "b": "features f[m, d]"},
    gives="scores f[n, m]",
    sizes={"n": (2, 96), "m": (2, 96), "d": (1, 16)},
    dtypes="f32 f64",
    also=("Covariance of a process with few derivatives.",),
)
def matern_covariance(a, b, length_scale=number(0.5, 3.0), smoothness=one_of(0.5, 1.5, 2.5)):
    """Relate inputs with a Matern function of their distance."""
    if maybe("matern_cross_terms", 0.4):
        left, right = a / length_scale, b / length_scale
        squares = jnp.sum(left**2, axis=1)[:, None] + jnp.sum(right**2, axis=1)
        squares = jnp.maximum(squares - 2.0 * left @ right.T, 0.0)
    else:
        differences = (a[:, None, :] - b[None, :, :]) / length_scale
        squares = jnp.sum(differences**2, axis=-1)
    # The offset keeps the derivative finite where inputs coincide.
    distance = jnp.sqrt(squares + 1e-4)
    if smoothness == 0.5:
        return jnp.exp(-distance)
    if smoothness == 1.5:
        scaled = jnp.sqrt(3.0) * distance
        return (1.0 + scaled) * jnp.exp(-scaled)
    if smoothness == 2.5:
        scaled = jnp.sqrt(5.0) * distance
        return (1.0 + scaled + scaled**2 / 3.0) * jnp.exp(-scaled)
    raise ValueError(f"smoothness has to be 0.5, 1.5 or 2.5, got {smoothness}")


@sketch(
    takes={"a": "features f[n, d]", "b": "features f[m, d]"},
    gives="scores f[n, m]",
    sizes={"n": (2, 96), "m": (2, 96), "d": (1, 16)},
    dtypes="f32 f64",
    also=("Covariance of a process that repeats itself, on top of a trend.",),
)
def periodic_covariance(a, b, period=number(1.0, 6.0), length_scale=number(0.5, 2.0)):
    """Add covariances of periods and trends."""
    phases = jnp.pi * (a[:, None, :] - b[None, :, :]) / period
    repeated = jnp.exp(-2.0 * jnp.sum(jnp.sin(phases) ** 2, axis=-1) / length_scale**2)
    if maybe("decaying_period"):
        # Periods that are far apart need not look alike.
        gaps = jnp.mean((a[:, None, :] - b[None, :, :]) ** 2, axis=-1)
        repeated = repeated * jnp.exp(-gaps / (2 * one_of(9.0, 25.0)))
    if maybe("linear_trend", 0.6):
        trend = one_of(0.1, 0.05) * (a @ b.T) / a.shape[-1]
        return repeated + trend
    return repeated


class Posterior(NamedTuple):
    """Pointwise posterior of a process."""

    mean: jax.Array
    std: jax.Array
    log_evidence: jax.Array


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]", "new_x": "features f[m, d]"},
    gives=("predictions f[m]", "f[m]: std", "f[]: log_evidence"),
    sizes={"n": (4, 64), "m": (2, 64), "d": (1, 16)},
    also=("Condition a Gaussian process on noisy observations.",),
)
def gp_regression(x, y, new_x, *, noise=number(0.1, 0.7)):
    """Regress on inputs with a Gaussian process."""
    num_samples = x.shape[0]
    if y.shape != (num_samples,):
        raise ValueError(f"expected {num_samples} targets, got shape {y.shape}")
    offset = jnp.mean(y) if maybe("center_targets") else 0.0
    gram = covariance_function(x, x) + noise**2 * jnp.eye(num_samples, dtype=x.dtype)
    cross = covariance_function(new_x, x)
    factor = jnp.linalg.cholesky(gram)
    if maybe("cho_solve", 0.6):
        weights = jax.scipy.linalg.cho_solve((factor, True), y - offset)
    else:
        whitened = jax.scipy.linalg.solve_triangular(factor, y - offset, lower=True)
        weights = jax.scipy.linalg.solve_triangular(factor, whitened, trans=1, lower=True)
    mean = offset + cross @ weights
    explained = jax.scipy.linalg.solve_triangular(factor, cross.T, lower=True)
    prior = jnp.diagonal(covariance_function(new_x, new_x))
    variance = jnp.maximum(prior - jnp.sum(explained**2, axis=0), 1e-4)
    if maybe("predict_observations", 0.4):
        variance = variance + noise**2
    log_det = jnp.sum(jnp.log(jnp.diagonal(factor)))
    log_evidence = -0.5 * (y - offset) @ weights - log_det
    log_evidence = log_evidence - 0.5 * num_samples * jnp.log(2 * jnp.pi)
    if maybe("posterior_tuple"):
        return Posterior(mean, jnp.sqrt(variance), log_evidence)
    return mean, jnp.sqrt(variance), log_evidence


@sketch(
    takes={
        "x": "features f[n, d]",
        "y": "targets f[n]",
        "log_params": {"length_scale": "f[d]", "variance": "f[]", "noise": "f[]"},
    },
    gives=("loss f[]", {"length_scale": "f[d]", "variance": "f[]", "noise": "f[]"}),
    sizes={"n": (4, 48), "d": (1, 12)},
    also=("Differentiate the evidence of a Gaussian process by its hyperparameters.",),
)
def gp_hyperparameter_gradients(x, y, log_params):
    """Rate hyperparameters by the marginal likelihood, with gradients."""
    num_samples = x.shape[0]

    def negative_evidence(log_params):
        bounded = jax.tree.map(lambda leaf: jnp.clip(leaf, -1.5, 1.5), log_params)
        inputs = x * jnp.exp(-bounded["length_scale"])
        squares = jnp.sum((inputs[:, None, :] - inputs[None, :, :]) ** 2, axis=-1)
        if maybe("absolute_kernel", 0.3):
            relation = jnp.exp(-jnp.sqrt(squares + 1e-4))
        else:
            relation = jnp.exp(-0.5 * squares)
        noise = 0.1 + jnp.exp(bounded["noise"])
        gram = jnp.exp(bounded["variance"]) * relation + noise * jnp.eye(num_samples)
        if maybe("slogdet_evidence", 0.4):
            _, log_det = jnp.linalg.slogdet(gram)
            fit = y @ jnp.linalg.solve(gram, y)
        else:
            factor, lower = jax.scipy.linalg.cho_factor(gram, lower=True)
            log_det = 2.0 * jnp.sum(jnp.log(jnp.diagonal(factor)))
            fit = y @ jax.scipy.linalg.cho_solve((factor, lower), y)
        value = 0.5 * (fit + log_det) / num_samples
        if maybe("hyperprior"):
            # A weak prior keeps length scales from running away.
            value = value + 0.01 * sum(jnp.sum(leaf**2) for leaf in bounded.values())
        return value

    loss, grads = jax.value_and_grad(negative_evidence)(log_params)
    return loss, grads


@sketch(
    takes={"x": "features f[n, d]", "y": "targets f[n]", "key": "key"},
    gives="predictions f[n]",
    sizes={"n": (4, 256), "d": (1, 32), "m": (8, 64)},
    also=("Approximate kernel regression with random Fourier features.",),
)
def random_feature_regression(
    x, y, key, num_features=size("m"), length_scale=number(0.5, 3.0), ridge=number(0.1, 2.0)
):
    """Regress on random waves in place of a kernel."""
    dim = x.shape[1]
    wave_key, phase_key = jax.random.split(key)
    waves = jax.random.normal(wave_key, (dim, num_features), x.dtype) / length_scale
    if maybe("heavy_spectrum", 0.3):
        # Student-t frequencies belong to a Matern covariance.
        chi = jax.random.gamma(jax.random.fold_in(key, 2), 1.5, (num_features,), x.dtype)
        waves = waves * jax.lax.rsqrt(chi / 1.5 + 1e-2)
    projected = x @ waves
    if maybe("paired_waves"):
        features = jnp.concatenate([jnp.cos(projected), jnp.sin(projected)], axis=1)
        features = features / jnp.sqrt(num_features)
    else:
        phases = jax.random.uniform(phase_key, (num_features,), x.dtype, maxval=2 * jnp.pi)
        features = jnp.sqrt(2.0 / num_features) * jnp.cos(projected + phases)
    gram = features.T @ features
    gram = gram + ridge * jnp.eye(gram.shape[0], dtype=x.dtype)
    weights = one_of(
        jnp.linalg.solve(gram, features.T @ y),
        jax.scipy.linalg.solve(gram, features.T @ y, assume_a="pos"),
    )
    return features @ weights


@sketch(
    takes={
        "x": "features f[n, d]",
        "y": "targets f[n]",
        "inducing": "features f[m, d]",
        "new_x": "features f[q, d]",
    },
    gives={"mean": "predictions f[q]", "trace": "f[]"},
    sizes={"n": (16, 256), "d": (1, 8), "m": (2, 16), "q": (1, 32)},
    also=("Summarize many observations at a few inducing inputs.",),
)
def sparse_gp_mean(x, y, inducing, new_x, noise=number(0.3, 1.0)):
    """Predict with a sparse Gaussian process."""
    num_inducing = inducing.shape[0]
    if num_inducing > x.shape[0]:
        raise ValueError(f"{num_inducing} inducing inputs for {x.shape[0]} observations")

    def relate(left, right):
        squares = jnp.sum((left[:, None, :] - right[None, :, :]) ** 2, axis=-1)
        return one_of(jnp.exp(-0.5 * squares), 1.0 / (1.0 + squares))

    jitter = one_of(1e-2, 5e-2) * jnp.eye(num_inducing, dtype=x.dtype)
    between = relate(inducing, inducing) + jitter
    cross = relate(inducing, x)
    if maybe("heteroscedastic", 0.4):
        # FITC: what the inducing inputs miss counts as extra noise.
        explained = jnp.sum(cross * jnp.linalg.solve(between, cross), axis=0)
        weights = 1.0 / (noise**2 + jnp.maximum(1.0 - explained, 0.0))
    else:
        weights = jnp.full(x.shape[0], 1.0 / noise**2, x.dtype)
    precision = between + (cross * weights) @ cross.T
    moments = cross @ (weights * y)
    mean = relate(new_x, inducing) @ jnp.linalg.solve(precision, moments)
    trace = jnp.trace(jnp.linalg.solve(precision, between))
    return {"mean": mean, "trace": trace}
