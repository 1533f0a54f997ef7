"""Noise schedules of diffusion models, and what follows from them."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

signal_schedule = nested("(times: f[b]) -> signal_rates f[b]")


@sketch(
    takes={"times": "f[b]: times from 0 (data) to 1 (noise)"},
    gives="signal_rates f[b]",
    sizes={"b": (1, 256)},
    also=("Let the share of the signal fall like a squared cosine.",),
)
def cosine_signal_rates(times, offset=number(1e-3, 5e-2), floor=number(1e-4, 1e-2)):
    """Follow the cosine schedule of improved diffusion models."""
    times = jnp.clip(times, 0.0, 1.0)
    angles = (times + offset) / (1 + offset) * (math.pi / 2)
    if maybe("normalized"):
        # Starts at exactly one.
        start = math.cos(offset / (1 + offset) * math.pi / 2)
        rates = (jnp.cos(angles) / start) ** 2
    else:
        rates = one_of((jnp.cos(angles)) ** 2, (1 + jnp.cos(2 * angles)) / 2)
    if maybe("rescaled", 0.3):
        return floor + (1 - 2 * floor) * rates
    return jnp.clip(rates, floor, 1 - floor)


@sketch(
    takes={"times": "f[b]: times from 0 to 1"},
    gives="signal_rates f[b]",
    sizes={"b": (1, 256)},
    also=("Integrate a noise rate that grows linearly with time.",),
)
def variance_preserving_rates(times, beta_min=number(0.05, 0.2), beta_max=number(5.0, 20.0)):
    """Evaluate the signal variance of the variance-preserving SDE."""
    if beta_min >= beta_max:
        raise ValueError(f"noise has to grow, got rates from {beta_min} to {beta_max}")
    t = one_of(jnp.clip(times, 1e-3, 1.0), jax.nn.sigmoid(times))
    if maybe("discrete", 0.35):
        # The product over a thousand steps, as DDPM defines it.
        num_steps = one_of(100, 200, 50)
        betas = jnp.linspace(beta_min, beta_max, num_steps) / (2 * num_steps)
        log_table = jnp.cumsum(jnp.log1p(-jnp.minimum(betas, 0.5)))
        index = jnp.clip((t * num_steps).astype(jnp.int32), 0, num_steps - 1)
        log_rates = log_table[index]
    else:
        log_rates = -(beta_min * t + (beta_max - beta_min) * t * t / 2)
        if maybe("halved", 0.3):
            log_rates = log_rates / 2
    return jnp.exp(log_rates)


@sketch(
    takes={"times": "f[b]"},
    gives="signal_rates f[b]",
    sizes={"b": (1, 256)},
    also=("Interpolate the log signal-to-noise ratio between its ends.",),
)
def log_snr_schedule(times, high=number(4.0, 10.0), low=number(-8.0, -3.0), shift=0.0):
    """Turn times into signal rates by way of the log signal-to-noise ratio."""
    t = jnp.clip(times, 0, 1)
    if maybe("cosine"):
        # Hoogeboom et al.: the cosine schedule, truncated at both ends.
        start = math.atan(math.exp(-high / 2))
        end = math.atan(math.exp(-low / 2))
        log_snr = -2 * jnp.log(jnp.tan(start + t * (end - start)))
    else:
        log_snr = high + t * (low - high)
    if maybe("shift"):
        # Larger images need more noise for the same difficulty.
        log_snr = log_snr + one_of(shift, 2 * math.log(0.5), 2 * math.log(0.25))
    return jax.nn.sigmoid(log_snr)


@sketch(
    takes={"increments": "vector f[n]: unconstrained slopes", "times": "f[b]"},
    gives="signal_rates f[b]",
    sizes={"n": (4, 64), "b": (1, 256)},
    also=("Read a learned monotone schedule at given times.",),
)
def learned_signal_rates(increments, times, max_log_snr=number(4.0, 9.0)):
    """Build a monotone noise schedule from free parameters and interpolate it."""
    (knots,) = increments.shape
    steps = one_of(jax.nn.softplus(increments), jax.nn.softmax(increments)) + 1e-3
    total = jnp.cumsum(steps)
    progress = total / total[-1]
    grid = jnp.linspace(0, 1, knots)
    t = jnp.clip(times, 0, 1)
    if maybe("interp"):
        position = jnp.interp(t, grid, progress)
    else:
        scaled = t * (knots - 1)
        left = jnp.clip(jnp.floor(scaled).astype(jnp.int32), 0, knots - 2)
        fraction = scaled - left
        position = (1 - fraction) * progress[left] + fraction * progress[left + 1]
    log_snr = max_log_snr * (1 - 2 * position)
    if maybe("smooth", 0.3):
        return (1 + jnp.tanh(log_snr / 2)) / 2
    return jax.nn.sigmoid(log_snr)


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "times": "f[b]: times from 0 to 1"},
    gives=("features f[b, d]: noised", "targets f[b, d]: noise"),
    sizes={"b": (2, 64), "d": (2, 256)},
    also=("Diffuse clean samples to the noise levels of given times.",),
)
def diffuse(key, x, times):
    """Corrupt samples with the Gaussian noise of their diffusion times."""
    assert times.shape == x.shape[:1], f"{times.shape} times for {x.shape[0]} samples"
    noise = jax.random.normal(key, x.shape, x.dtype)
    if maybe("antithetic", 0.3):
        # The second half mirrors the first, which lowers the variance of the loss.
        half = x.shape[0] // 2
        noise = jnp.concatenate([noise[: x.shape[0] - half], -noise[:half]])
    rates = signal_schedule(times)[:, None]
    if maybe("offset", 0.3):
        common = jax.random.normal(jax.random.fold_in(key, 1), (x.shape[0], 1), x.dtype)
        noise = noise + number(0.02, 0.2) * common
    noised = jnp.sqrt(rates) * x + jnp.sqrt(1 - rates) * noise
    if maybe("unit_variance", 0.25):
        noised = noised / (jnp.std(noised) + 1e-3)
    return noised, noise


@sketch(
    takes={"rates": "signal_rates f[b]"},
    gives="weights f[b]",
    sizes={"b": (2, 256)},
    also=("Weigh the loss of each noise level by its signal-to-noise ratio.",),
)
def snr_weights(rates, cap=one_of(5.0, 1.0, 10.0), prediction=one_of("noise", "velocity", "data")):
    """Derive loss weights from signal rates for a kind of prediction."""
    snr = rates / jnp.maximum(1 - rates, 1e-4)
    if maybe("smooth_cap", 0.35):
        # A soft minimum of the ratio and the cap.
        weights = snr * cap / (snr + cap)
    else:
        weights = jnp.minimum(snr, cap)
    if prediction == "noise":
        weights = weights / jnp.maximum(snr, 1e-3)
    elif prediction == "velocity":
        weights = weights / (snr + 1)
    elif prediction != "data":
        raise ValueError(f"unknown prediction {prediction!r}")
    if maybe("normalize"):
        weights = weights / (jnp.sum(weights) + 1e-6)
        return weights
    return jnp.clip(weights / cap, 0, 1)


@sketch(
    takes={"times": "f[b]"},
    gives="embeddings f[b, 2*m]",
    sizes={"b": (1, 128), "m": (2, 64)},
    also=("Encode diffusion times as sines and cosines of many frequencies.",),
)
def timestep_features(times, num_frequencies=size("m"), max_period=one_of(100.0, 1e3, 1e4)):
    """Embed times by sinusoids with geometric periods."""
    exponents = jnp.arange(num_frequencies) / num_frequencies
    frequencies = one_of(jnp.exp(-math.log(max_period) * exponents), max_period**-exponents)
    angles = times[:, None] * frequencies
    if maybe("scaled"):
        angles = one_of(10.0, 2 * math.pi) * angles
    waves = [jnp.sin(angles), jnp.cos(angles)]
    if maybe("interleaved", 0.3):
        return jnp.stack(waves, axis=-1).reshape(times.shape[0], -1)
    return jnp.concatenate(waves[::-1] if maybe("cosine_first", 0.4) else waves, axis=-1)


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (2, 16), "d": (2, 64)},
    also=("Corrupt a batch at every level of the noise ladder of Karras et al.",),
)
def noise_ladder(
    key,
    x,
    num_levels=integer(3, 10),
    sigma_min=number(0.01, 0.1),
    sigma_max=number(2.0, 20.0),
    rho=one_of(7.0, 5.0, 3.0),
):
    """Noise samples at levels that are dense where the noise is small."""
    if not 0 < sigma_min < sigma_max:
        raise ValueError(f"levels from {sigma_min} to {sigma_max} are not increasing")
    ramp = jnp.linspace(0, 1, num_levels)
    if maybe("geometric", 0.35):
        sigmas = sigma_max * (sigma_min / sigma_max) ** ramp
    else:
        low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
        sigmas = (high + ramp * (low - high)) ** rho
    if maybe("shared_noise"):
        noise = jax.random.normal(key, x.shape)[None]
    else:
        noise = jax.random.normal(key, (num_levels, *x.shape))
    noised = x + sigmas[:, None, None] * noise
    if maybe("preconditioned"):
        # Unit variance at the input of a network.
        scale = jax.lax.rsqrt(sigmas * sigmas + one_of(0.25, 1.0))
        noised = noised * scale[:, None, None]
    if maybe("dictionary"):
        return {"sigmas": sigmas, "samples": noised}
    return noised, sigmas
