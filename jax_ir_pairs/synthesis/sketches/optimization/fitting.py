"""Fitting named models to data."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class DecayFit(NamedTuple):
    amplitude: jax.Array
    rate_constant: jax.Array
    baseline: jax.Array


@sketch(
    takes={"times": "f[n]", "y": "series f[n]: measurements"},
    gives={"amplitude": "f[]", "rate": "f[]", "baseline": "f[]", "cost": "f[]"},
    sizes={"n": (8, 512)},
    dtypes="f32 f64",
    also=("Estimate amplitude, rate and baseline of a decay by damped Gauss-Newton.",),
)
def fit_exponential_decay(times, y, num_iters=integer(3, 10), damping=number(0.1, 1.0)):
    """Fit an exponential decay with a baseline to measurements."""
    if times.shape != y.shape:
        raise ValueError(f"{times.shape[0]} times for {y.shape[0]} measurements")
    t = one_of(jnp.abs(times), jnp.linspace(0.0, 4.0, times.shape[0]) + 0.1 * jnp.tanh(times))

    def model(p):
        amplitude, log_rate, baseline = p
        # The rate is positive by its logarithm.
        return amplitude * jnp.exp(-jnp.exp(jnp.clip(log_rate, -3.0, 2.0)) * t) + baseline

    def residual(p):
        return (model(p) - y) / jnp.sqrt(1.0 * y.shape[0])

    def iteration(_, p):
        r = residual(p)
        jacobian = jax.jacfwd(residual)(p)
        normal = jacobian.T @ jacobian + damping * jnp.eye(3, dtype=y.dtype)
        if maybe("descend_safely", 0.4):
            # A step that makes it worse is not taken.
            candidate = p - jnp.linalg.solve(normal, jacobian.T @ r)
            after = residual(candidate)
            return jnp.where(after @ after < r @ r, candidate, p - 0.05 * jacobian.T @ r)
        else:
            return p - jnp.clip(jnp.linalg.solve(normal, jacobian.T @ r), -1.0, 1.0)

    start = jnp.stack([y[0] - y[-1], jnp.zeros_like(y[0]), one_of(y[-1], jnp.mean(y))])
    p = jax.lax.fori_loop(0, num_iters, iteration, start)
    fit = DecayFit(p[0], jnp.exp(jnp.clip(p[1], -3.0, 2.0)), p[2])
    misfit = residual(p)
    cost = jnp.vdot(misfit, misfit)
    return {
        "amplitude": fit.amplitude,
        "rate": fit.rate_constant,
        "baseline": fit.baseline,
        "cost": cost,
    }


@sketch(
    takes={"x": "f[n]", "y": "f[n]"},
    gives=("vector f[k]: coefficients", "metric f[]: fit"),
    sizes={"n": (8, 512), "k": (2, 6)},
    dtypes="f32 f64",
    also=("Regress on Chebyshev polynomials and report how well they fit.",),
)
def fit_polynomial(x, y, degree=size("k-1"), ridge=number(1e-3, 1e-1)):
    """Fit a polynomial in an orthogonal basis."""
    if degree < 0 or x.ndim != 1:
        raise ValueError(f"cannot fit degree {degree} to data of shape {x.shape}")
    # Into the interval where the basis is bounded.
    u = one_of(jnp.tanh(x), x / (1.0 + jnp.max(jnp.abs(x))))
    if maybe("legendre"):
        columns = [jnp.ones_like(u), u]
        for k in range(2, degree + 1):
            columns.append(((2 * k - 1) * u * columns[-1] - (k - 1) * columns[-2]) / k)
    else:
        columns = [jnp.ones_like(u), u]
        for _ in range(2, degree + 1):
            columns.append(2 * u * columns[-1] - columns[-2])
    design = jnp.stack(columns[: degree + 1], axis=1)
    gram = design.T @ design / x.shape[0] + ridge * jnp.eye(degree + 1, dtype=x.dtype)
    coefficients = jnp.linalg.solve(gram, design.T @ y / x.shape[0])
    residual = y - design @ coefficients
    if maybe("mean_square", 0.4):
        return coefficients, jnp.mean(residual * residual)
    total = jnp.sum((y - jnp.mean(y)) ** 2) + 1e-3
    return coefficients, 1.0 - jnp.vdot(residual, residual) / total


@sketch(
    takes={"x": "features f[n, d]", "labels": "labels i[n]"},
    gives=("vector f[d]: coefficients", "probabilities f[n]"),
    sizes={"n": (8, 128), "d": (2, 12)},
    also=("Fit a logistic regression by Newton steps.",),
)
def newton_logistic_regression(x, labels, decay=number(0.05, 1.0), num_iters=integer(2, 6)):
    """Estimate the coefficients of a logistic regression by Newton's method."""
    n, d = x.shape
    if labels.shape[0] != n:
        raise ValueError(f"{n} rows, but {labels.shape[0]} labels")
    y = one_of((labels > 1).astype(x.dtype), jnp.minimum(labels, 1).astype(x.dtype))

    def newton(beta):
        p = jax.nn.sigmoid(x @ beta)
        gradient = x.T @ (p - y) / n + decay * beta
        curvature = one_of(p * (1 - p), jnp.maximum(p * (1 - p), 1e-3))
        curvature_matrix = (x.T * curvature) @ x / n + decay * jnp.eye(d)
        if maybe("cholesky_logistic"):
            return beta - jax.scipy.linalg.solve(curvature_matrix, gradient, assume_a="pos")
        else:
            return beta - jnp.linalg.solve(curvature_matrix, gradient)

    beta = jnp.zeros(d)
    if maybe("short_newton_loop", 0.3):
        for _ in range(min(num_iters, 3)):
            beta = newton(beta)
    else:
        beta, _ = jax.lax.scan(lambda b, _: (newton(b), None), beta, length=num_iters)
    return beta, jax.nn.sigmoid(x @ beta)


@sketch(
    takes={"substrate": "f[n]: concentrations", "rates": "f[n]"},
    gives=("f[2]: constants", "loss f[]"),
    sizes={"n": (6, 256)},
    dtypes="f32 f64",
    also=("Estimate saturation and affinity from reaction rates.",),
)
def fit_michaelis_menten(
    substrate, rates, num_iters=integer(5, 30), learning_rate=number(0.02, 0.3)
):
    """Fit the constants of Michaelis-Menten kinetics by descending a squared loss."""
    s = one_of(jnp.abs(substrate), jax.nn.softplus(substrate)) + 0.05
    v = one_of(jnp.abs(rates), jax.nn.softplus(rates))

    def slopes(theta):
        # Both constants are positive.
        v_max, k_m = jnp.exp(jnp.clip(theta, -3.0, 3.0))
        predicted = v_max * s / (k_m + s)
        error = predicted - v
        by_v_max = jnp.mean(error * predicted)
        by_k_m = -jnp.mean(error * predicted * k_m / (k_m + s))
        return jnp.stack([by_v_max, by_k_m]), 0.5 * jnp.mean(error * error)

    def step(carry, _):
        theta, velocity = carry
        gradient, loss = slopes(theta)
        if maybe("momentum_fit"):
            velocity = 0.8 * velocity + gradient
        else:
            velocity = gradient
        theta = theta - learning_rate * jnp.clip(velocity, -2.0, 2.0)
        return (theta, velocity), loss

    start = jnp.zeros(2, s.dtype)
    (theta, _), losses = jax.lax.scan(step, (start, start), None, length=num_iters)
    return jnp.exp(jnp.clip(theta, -3.0, 3.0)), losses[-1]
