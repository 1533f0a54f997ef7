"""Smoothers and observers of dynamical systems, and systems from data."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"signal": "signal f[n]"},
    gives=("signal f[n]: level", "signal f[n]: slope"),
    sizes={"n": (8, 512)},
    dtypes="f32 bf16 f64",
    also=("Track level and slope of a series by an alpha-beta filter.",),
)
def alpha_beta_filter(
    signal, alpha=number(0.2, 0.9), beta=number(0.01, 0.3), dt=one_of(1.0, 0.5, 0.1)
):
    """Estimate position and velocity from noisy positions with constant gains."""

    def step(carry, measured):
        level, slope = carry
        predicted = level + dt * slope
        surprise = measured - predicted
        if maybe("robust_surprise", 0.35):
            # An outlier moves the estimate by no more than this.
            surprise = jnp.clip(surprise, -2.0, 2.0)
        level = predicted + alpha * surprise
        slope = slope + beta * surprise
        return (level, slope), (level, slope)

    start = one_of((signal[0], jnp.zeros_like(signal[0])), (signal[0], signal[1] - signal[0]))
    _, (levels, slopes) = jax.lax.scan(step, start, signal)
    return levels, slopes


@sketch(
    takes={
        "observations": "observations f[t]",
        "mask?": "mask bool[t]: where something was observed",
    },
    gives=("series f[t]: smoothed", "scale f[t]: deviation"),
    sizes={"t": (8, 256)},
    dtypes="f32 f64",
    also=("Smooth a random walk seen in noise, forwards and backwards.",),
)
def local_level_smoother(observations, mask=None, q=number(0.05, 1.0), r=number(0.2, 2.0)):
    """Smooth a local-level series by the Rauch-Tung-Striebel recursion."""
    if mask is None:
        mask = jnp.ones(observations.shape, bool)
    if mask.shape != observations.shape:
        raise ValueError(f"mask {mask.shape} does not go with observations {observations.shape}")

    def forward(carry, inputs):
        mean, variance = carry
        y, seen = inputs
        variance = variance + q
        gain = jnp.where(seen, variance / (variance + r), 0.0)
        mean = mean + gain * (y - mean)
        variance = (1.0 - gain) * variance
        return (mean, variance), (mean, variance)

    one = jnp.ones_like(observations[0])
    _, (means, variances) = jax.lax.scan(forward, (0.0 * one, 10.0 * one), (observations, mask))

    def backward(carry, inputs):
        mean_next, variance_next = carry
        mean, variance = inputs
        gain = variance / (variance + q)
        mean = mean + gain * (mean_next - mean)
        variance = variance + gain * gain * (variance_next - variance - q)
        return (mean, variance), (mean, variance)

    last = (means[-1], variances[-1])
    if maybe("reverse_flag", 0.6):
        _, (smoothed, spread) = jax.lax.scan(
            backward, last, (means[:-1], variances[:-1]), reverse=True
        )
    else:
        _, (smoothed, spread) = jax.lax.scan(backward, last, (means[-2::-1], variances[-2::-1]))
        smoothed, spread = smoothed[::-1], spread[::-1]
    smoothed = jnp.concatenate([smoothed, means[-1:]])
    spread = jnp.concatenate([spread, variances[-1:]])
    return smoothed, jnp.sqrt(jnp.abs(spread) + 1e-6)


@sketch(
    takes={
        "vector": "f[d]: information vector",
        "factor": "f[d, d]",
        "rows": "f[k, m, d]: sensors",
        "readings": "f[k, m]",
    },
    gives=("mean f[d]", "positive_definite f[d, d]: information"),
    sizes={"d": (2, 16), "k": (2, 6), "m": (1, 8)},
    dtypes="f32 f64",
)
def information_fusion(vector, factor, rows, readings, noise=number(0.2, 2.0)):
    """Fuse the readings of several sensors in information form."""
    num_sensors, num_readings, d = rows.shape
    assert readings.shape == (num_sensors, num_readings), f"readings of shape {readings.shape}"
    information = factor @ factor.T / d + jnp.eye(d, dtype=factor.dtype)
    if maybe("sum_over_sensors"):
        # What sensors know adds up.
        information = information + jnp.einsum("kmi,kmj->ij", rows, rows) / noise
        vector = vector + jnp.einsum("kmi,km->i", rows, readings) / noise
    else:
        for h, z in zip(rows, readings):
            information = information + h.T @ h / noise
            vector = vector + h.T @ z / noise
    lower = jax.scipy.linalg.cho_factor(information, lower=True)
    mean = jax.scipy.linalg.cho_solve(lower, vector)
    return mean, information


@sketch(
    takes={
        "outputs": "f[t, m]",
        "inputs": "control f[t, k]",
        "c": "f[m, d]: output matrix",
        "b": "f[d, k]",
    },
    gives="trajectory f[t, d]: estimated states",
    sizes={"d": (2, 32), "k": (1, 4), "m": (1, 8), "t": (6, 96)},
    dtypes="f32 f64",
)
def luenberger_observer(outputs, inputs, c, b, pole=number(0.6, 0.95), gain=number(0.1, 0.6)):
    """Estimate the states of a linear system from its inputs and outputs."""
    m, d = c.shape
    if b.shape[0] != d:
        raise ValueError(f"B moves {b.shape[0]} states, C sees {d}")
    a = pole * jnp.eye(d, dtype=c.dtype)
    if maybe("rotation_block"):
        # A little coupling from each state to the next one.
        a = a + 0.05 * (jnp.eye(d, k=1, dtype=c.dtype) - jnp.eye(d, k=-1, dtype=c.dtype))
    # A gain along C', short enough that the error does not grow.
    correction = gain * c.T / (1.0 + jnp.sum(c * c))

    def step(x, io):
        y, u = io
        error = y - c @ x
        x = a @ x + b @ u / d + correction @ error
        return x, x

    x0 = jnp.zeros(d, outputs.dtype)
    _, estimates = jax.lax.scan(step, x0, (outputs, inputs))
    return estimates


@dataclass(frozen=True)
class ArxOrders:
    """How many earlier outputs and inputs the next output depends on."""

    outputs: int = 2
    inputs: int = 1


@sketch(
    takes={"y": "series f[t]: outputs", "u": "control f[t]: inputs"},
    gives={"coefficients": "f[3]", "residuals": "series f[t]"},
    sizes={"t": (16, 256)},
)
def fit_arx(y, u, ridge=number(0.01, 0.5)):
    """Identify a linear difference equation from its inputs and outputs."""
    orders = one_of(ArxOrders(outputs=2, inputs=1), ArxOrders(outputs=1, inputs=2), ArxOrders())
    if len(y) != len(u):
        raise ValueError(f"{len(y)} outputs but {len(u)} inputs")

    if maybe("center_arx"):
        y, u = y - jnp.mean(y), u - jnp.mean(u)

    def lagged(series, lag):
        if maybe("lag_by_pad"):
            return jnp.pad(series, (lag, 0))[:-lag] if lag > 0 else series
        else:
            return jnp.concatenate([jnp.zeros(lag, series.dtype), series[:-lag]])

    columns = [lagged(y, lag + 1) for lag in range(orders.outputs)]
    columns += [lagged(u, lag + 1) for lag in range(orders.inputs)]
    regressors = jnp.stack(columns, axis=1)
    gram = regressors.T @ regressors
    if maybe("ridge_by_size"):
        gram = gram + ridge * len(y) * jnp.eye(len(columns))
    else:
        gram = gram + (1.0 + ridge) * jnp.eye(len(columns))
    if maybe("cholesky_arx"):
        factor = jax.scipy.linalg.cho_factor(gram)
        coefficients = jax.scipy.linalg.cho_solve(factor, regressors.T @ y)
    else:
        coefficients = jnp.linalg.solve(gram, regressors.T @ y)
    residuals = y - regressors @ coefficients
    return {"coefficients": coefficients, "residuals": residuals}


@sketch(
    takes={"states": "trajectory f[t, d]"},
    gives=("matrix f[d, d]: transition", "loss f[]"),
    sizes={"t": (8, 128), "d": (2, 16)},
    dtypes="f32 f64",
    also=("Fit the linear map that takes each snapshot to the next one.",),
)
def dynamic_mode_operator(states, ridge=number(0.1, 1.0), center=one_of(True, False)):
    """Estimate a linear transition from a trajectory, as dynamic mode decomposition does."""
    if center:
        states = states - jnp.mean(states, axis=0)
    before, after = states[:-1], states[1:]
    num_pairs, d = before.shape
    gram = before.T @ before / num_pairs + ridge * jnp.eye(d, dtype=states.dtype)
    cross = before.T @ after / num_pairs
    if maybe("symmetric_solve"):
        transition = jax.scipy.linalg.solve(gram, cross, assume_a="pos").T
    else:
        transition = jnp.linalg.solve(gram, cross).T
    misfit = after - before @ transition.T
    return transition, one_of(jnp.mean(misfit**2), jnp.mean(jnp.sum(misfit**2, axis=1)))
