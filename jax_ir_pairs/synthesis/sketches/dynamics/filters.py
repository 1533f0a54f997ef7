"""State estimation: Kalman filters, their relatives, and smoothers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


class GaussianBelief(NamedTuple):
    center: jax.Array
    spread: jax.Array


def _symmetrized(p):
    return 0.5 * (p + p.T)


@sketch(
    takes={
        "mean": "mean f[d]",
        "factor": "f[d, d]: square root of the covariance",
        "observation": "f[m]",
        "h": "f[m, d]: observation matrix",
    },
    gives=("mean f[d]: mean", "positive_definite f[d, d]: covariance"),
    sizes={"d": (2, 24), "m": (1, 12)},
    dtypes="f32 f64",
    also=("Condition a Gaussian belief about a state on one observation.",),
)
def kalman_update(mean, factor, observation, h, noise=number(0.1, 2.0)):
    """Correct a Gaussian belief about a state by an observation."""
    m, d = h.shape
    if mean.shape != (d,):
        raise ValueError(f"H observes {d} states, but the mean has shape {mean.shape}")
    covariance = factor @ factor.T / d + 0.1 * jnp.eye(d, dtype=factor.dtype)
    r = noise * jnp.eye(m, dtype=h.dtype)
    innovation = observation - h @ mean
    s = h @ covariance @ h.T + r
    if maybe("cholesky_gain"):
        # K = P H' S^-1, by two triangular solves.
        lower = jnp.linalg.cholesky(s)
        gain = jax.scipy.linalg.cho_solve((lower, True), h @ covariance).T
    else:
        gain = jnp.linalg.solve(s, h @ covariance).T
    mean = mean + gain @ innovation
    left = jnp.eye(d, dtype=h.dtype) - gain @ h
    if maybe("joseph"):
        # Joseph's form stays positive definite under rounding.
        covariance = left @ covariance @ left.T + gain @ r @ gain.T
    else:
        covariance = left @ covariance
        covariance = 0.5 * (covariance + covariance.T)
    return one_of((mean, covariance), GaussianBelief(mean, covariance))


@sketch(
    takes={"observations": "observations f[t, m]", "h": "f[m, d]: observation matrix"},
    gives="trajectory f[t, d]: filtered means",
    sizes={"t": (4, 64), "m": (1, 6), "d": (2, 12)},
    dtypes="f32 f64",
)
def kalman_filter(observations, h, q=number(0.01, 0.5), r=number(0.1, 2.0)):
    """Filter a sequence of observations of a linear Gaussian system."""
    num_steps, m = observations.shape
    d = h.shape[1]
    if maybe("check_observations"):
        if h.shape[0] != m:
            raise ValueError(f"{m} numbers are observed, but H has {h.shape[0]} rows")
    eye = jnp.eye(d, dtype=h.dtype)
    if maybe("integrator_chain"):
        # Each state is the rate of the one before it.
        transition = eye + number(0.05, 0.2) * jnp.eye(d, k=1, dtype=h.dtype)
    else:
        transition = number(0.8, 0.99) * eye

    def predict(mean, p):
        return transition @ mean, transition @ p @ transition.T + q * eye

    def correct(mean, p, z):
        s = h @ p @ h.T + r * jnp.eye(m, dtype=h.dtype)
        gain = jnp.linalg.solve(s, h @ p).T
        mean = mean + gain @ (z - h @ mean)
        return mean, _symmetrized(p - gain @ s @ gain.T)

    def step(carry, z):
        mean, p = correct(*predict(*carry), z)
        return (mean, p), mean

    start = one_of((jnp.zeros(d, h.dtype), eye), (jnp.zeros_like(h[0]), 2.0 * eye))
    if maybe("unrolled_filter", 0.15):
        filtered, (mean, p) = [], start
        for i in range(num_steps):
            mean, p = correct(*predict(mean, p), observations[i])
            filtered.append(mean)
        return jnp.stack(filtered)
    _, means = jax.lax.scan(step, start, observations)
    return means


@sketch(
    takes={"observations": "observations f[t, m]", "h": "f[m, d]", "key": "key"},
    gives="trajectory f[t, d]: ensemble means",
    sizes={"t": (4, 24), "m": (1, 6), "d": (4, 64)},
    also=("Assimilate observations into an ensemble of model states.",),
)
def ensemble_kalman_filter(
    observations, h, key, num_members=integer(8, 32), r=number(0.2, 2.0), inflation=1.02
):
    """Track a nonlinear system with an ensemble Kalman filter."""
    (m, d), dtype = h.shape, observations.dtype
    key, subkey = jax.random.split(key)
    ensemble = jax.random.normal(subkey, (num_members, d), dtype)

    def forecast(x):
        # Advection on a ring, with damping.
        drift = one_of(
            0.1 * (jnp.roll(x, 1, axis=-1) - x), 0.05 * jnp.sin(jnp.roll(x, -1, axis=-1)) - 0.1 * x
        )
        return x + drift

    def analyze(ensemble, inputs):
        z, key = inputs
        ensemble = forecast(ensemble)
        mean = jnp.mean(ensemble, axis=0)
        deviations = inflation * (ensemble - mean)
        observed = deviations @ h.T
        cross = deviations.T @ observed / (num_members - 1)
        s = observed.T @ observed / (num_members - 1) + r * jnp.eye(m, dtype=dtype)
        if maybe("perturbed"):
            # Each member sees its own noisy copy of the observation.
            noise = jnp.sqrt(r) * jax.random.normal(key, (num_members, m), dtype)
            misfit = z + noise - (mean + deviations) @ h.T
            ensemble = mean + deviations + jnp.linalg.solve(s, misfit.T).T @ cross.T
        else:
            shift = cross @ jnp.linalg.solve(s, z - h @ mean)
            jitter = 0.01 * jax.random.normal(key, deviations.shape, dtype)
            ensemble = mean + shift + deviations + jitter
        return ensemble, jnp.mean(ensemble, axis=0)

    keys = jax.random.split(key, observations.shape[0])
    _, means = jax.lax.scan(analyze, ensemble, (observations, keys))
    return means


@sketch(
    takes={"mean": "mean f[d]", "factor": "f[d, d]"},
    gives=("mean f[d]: mean", "positive_definite f[d, d]: covariance"),
    sizes={"d": (2, 16)},
    dtypes="f32 f64",
    also=("Push a Gaussian through a nonlinear map by sigma points.",),
)
def unscented_transform(mean, factor, alpha=one_of(0.5, 1.0), beta=2.0, kappa=one_of(0.0, 1.0)):
    """Propagate mean and covariance of a state through a nonlinear transition."""
    d = mean.shape[-1]
    lam = alpha * alpha * (d + kappa) - d
    covariance = factor @ factor.T / d + 0.1 * jnp.eye(d, dtype=mean.dtype)
    root = jnp.linalg.cholesky((d + lam) * covariance)
    if maybe("concatenate_points"):
        points = jnp.concatenate([mean[None], mean + root.T, mean - root.T])
    else:
        points = jnp.stack([mean, *(mean + c for c in root.T), *(mean - c for c in root.T)])

    w_mean = [lam / (d + lam)] + [0.5 / (d + lam)] * (2 * d)
    w_cov = [w_mean[0] + 1 - alpha * alpha + beta, *w_mean[1:]]
    w_mean, w_cov = jnp.array(w_mean, mean.dtype), jnp.array(w_cov, mean.dtype)

    def transition(x):
        return x + one_of(0.2 * jnp.sin(x), 0.1 * jnp.tanh(jnp.roll(x, 1)), 0.1 * jnp.cos(x))

    moved = one_of(transition(points), jax.vmap(transition)(points))
    new_mean = w_mean @ moved
    offset = moved - new_mean
    new_covariance = one_of(
        jnp.einsum("i,ij,ik->jk", w_cov, offset, offset), (w_cov[:, None] * offset).T @ offset
    )
    process_noise = number(0.05, 0.5) * jnp.eye(d, dtype=mean.dtype)
    return new_mean, new_covariance + process_noise


@sketch(
    takes={"observations": "observations f[t, 2]: positions in the plane", "start": "f[4]"},
    gives="trajectory f[t, 4]",
    sizes={"t": (6, 96)},
    dtypes="f32 f64",
)
def extended_kalman_tracker(observations, start, dt=number(0.1, 1.0), q=number(0.01, 0.3)):
    """Track a moving target from ranges and bearings with an extended Kalman filter."""
    ranges = jnp.sqrt(jnp.sum(observations**2, axis=1) + 1e-2)
    bearings = observations / ranges[:, None]
    # The bearing is observed as a unit vector, which has no jump at pi.
    measured = jnp.concatenate([ranges[:, None], bearings], axis=1)
    transition = jnp.eye(4, dtype=start.dtype) + dt * jnp.eye(4, k=2, dtype=start.dtype)
    noise = jnp.diag(jnp.array(one_of([0.5, 0.1, 0.1], [0.2, 0.05, 0.05]), start.dtype))

    def sensor(x):
        r = jnp.sqrt(x[0] * x[0] + x[1] * x[1] + 1e-2)
        return jnp.stack([r, x[0] / r, x[1] / r])

    def step(carry, z):
        x, p = carry
        x = transition @ x
        p = transition @ p @ transition.T + q * jnp.eye(4, dtype=p.dtype)
        jacobian = one_of(jax.jacfwd, jax.jacrev)(sensor)(x)
        s = jacobian @ p @ jacobian.T + noise
        gain = jnp.linalg.solve(s, jacobian @ p).T
        x = x + gain @ (z - sensor(x))
        p = _symmetrized(p - gain @ s @ gain.T)
        return (x, p), x

    if maybe("diffuse_start"):
        # Nothing is known about the velocity.
        p0 = jnp.diag(jnp.array([1.0, 1.0, 10.0, 10.0], start.dtype))
    else:
        p0 = jnp.eye(4, dtype=start.dtype)
    _, track = jax.lax.scan(step, (start, p0), measured)
    return track
