"""Objectives and samplers of diffusion and flow-matching models."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

denoiser = nested("(params: P, x: features f[b, d], t: f[b]) -> features f[b, d]")
rates_at = nested("(times: f[b]) -> signal_rates f[b]")


def _dense(layer, x):
    """Linear layer whose weights are scaled by the fan-in."""
    return x @ layer["w"] / math.sqrt(x.shape[-1]) + layer["b"]


@sketch(
    takes={
        "params": {
            "inp": {"w": "f[d, m]", "b": "f[m]"},
            "time": {"w": "f[16, m]", "b": "f[m]"},
            "hidden": ("l", {"w": "f[m, m]", "b": "f[m]"}),
            "out": {"w": "f[m, d]", "b": "f[d]"},
        },
        "x": "features f[b, d]",
        "t": "f[b]: diffusion time",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 32), "d": (2, 64), "m": (4, 64), "l": (1, 4)},
    also=("Predict noise with a time-conditioned multilayer perceptron.",),
)
def mlp_denoiser(params, x, t):
    """Denoise samples by a residual MLP that knows the time."""
    frequencies = one_of(jnp.exp(jnp.linspace(0.0, 3.0, 8)), 2.0 ** jnp.arange(8) / 8)
    angles = t[:, None] * frequencies
    time = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    activate = one_of(jax.nn.silu, jax.nn.gelu, jnp.tanh)
    context = _dense(params["time"], time)
    hidden = activate(_dense(params["inp"], x) + context)
    for layer in params["hidden"]:
        if maybe("condition_everywhere"):
            hidden = hidden + activate(_dense(layer, hidden + context))
        else:
            hidden = hidden + activate(_dense(layer, hidden))
        if maybe("rms", 0.4):
            hidden = hidden / jnp.sqrt(jnp.mean(hidden * hidden, axis=-1, keepdims=True) + 1e-6)
    return _dense(params["out"], hidden)


@sketch(
    takes={
        "params": {
            "encode": {"w": "f[d, m]", "b": "f[m]"},
            "film": ("l", {"w": "f[2, 2*m]", "b": "f[2*m]"}),
            "decode": {"w": "f[m, d]", "b": "f[d]"},
        },
        "x": "features f[b, d]",
        "t": "f[b]",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 32), "d": (2, 64), "m": (2, 48), "l": (1, 3)},
    also=("Modulate a denoiser by scales and shifts that depend on the time.",),
)
def film_denoiser(params, x, t):
    """Condition a denoising network on time by feature-wise modulation."""
    inputs = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1)
    hidden = _dense(params["encode"], x)
    for depth, layer in enumerate(params["film"]):
        scale, shift = jnp.split(_dense(layer, inputs), 2, axis=-1)
        mean = jnp.mean(hidden, axis=-1, keepdims=True)
        spread = jnp.sqrt(jnp.var(hidden, axis=-1, keepdims=True) + 1e-3)
        normalized = (hidden - mean) / spread
        modulated = normalized * (1 + jnp.tanh(scale)) + shift
        hidden = hidden + one_of(jax.nn.silu, jax.nn.softplus, jax.nn.elu)(modulated)
        if maybe("damped", 0.4):
            hidden = hidden / math.sqrt(depth + 2)
    out = _dense(params["decode"], hidden)
    if maybe("skip"):
        # At small noise the answer is near the input.
        return x * jax.nn.sigmoid(-t)[:, None] + out
    return out


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 64)},
    also=("Train a denoiser on samples at random noise levels.",),
)
def denoising_objective(params, key, x, target=one_of("noise", "velocity", "data")):
    """Regress the noise, the velocity or the data from diffused samples."""
    batch_size = x.shape[0]
    time_key, noise_key = jax.random.split(key)
    if maybe("stratified", 0.4):
        # One time in each of equal intervals.
        jitter = jax.random.uniform(time_key, (batch_size,))
        t = (jnp.arange(batch_size) + jitter) / batch_size
    else:
        t = jax.random.uniform(time_key, (batch_size,), minval=0.01, maxval=0.99)
    noise = jax.random.normal(noise_key, x.shape)
    rates = rates_at(t)
    signal = jnp.sqrt(rates)[:, None]
    sigma = jnp.sqrt(1 - rates)[:, None]
    noised = signal * x + sigma * noise
    prediction = denoiser(params, noised, t)
    if target == "noise":
        wanted = noise
    elif target == "velocity":
        wanted = signal * noise - sigma * x
    elif target == "data":
        wanted = x
    else:
        raise ValueError(f"cannot predict {target!r}")
    error = prediction - wanted
    if maybe("huber", 0.3):
        scale = 0.03
        losses = jnp.sqrt(jnp.sum(error * error, axis=-1) + scale * scale) - scale
    else:
        losses = one_of(jnp.mean, jnp.sum)(error * error, axis=-1)
    if maybe("min_snr", 0.4):
        snr = rates / (1 - rates + 1e-3)
        losses = losses * jnp.minimum(snr, 5.0) / (snr + 1)
    return jnp.mean(losses)


@sketch(
    takes={"params": "P", "x": "features f[b, d]: start from pure noise"},
    gives="features f[b, d]: samples",
    sizes={"b": (1, 16), "d": (2, 48)},
    also=("Sample without noise by jumping between estimates of the clean data.",),
)
def ddim_sample(params, x, num_steps=integer(3, 8), clip=number(1.5, 4.0)):
    """Walk from noise to data along the deterministic DDIM trajectory."""
    times = jnp.linspace(0.98, 0.02, num_steps + 1)

    def step(x, interval):
        t, s = interval
        batch_times = jnp.full(x.shape[0], t)
        now = rates_at(batch_times)[:, None]
        later = rates_at(jnp.full(x.shape[0], s))[:, None]
        noise = denoiser(params, x, batch_times)
        clean = (x - jnp.sqrt(1 - now) * noise) / jnp.sqrt(jnp.maximum(now, 0.05))
        clean = one_of(jnp.clip(clean, -clip, clip), clip * jnp.tanh(clean / clip))
        if maybe("consistent_noise"):
            # The noise that goes with the clipped estimate.
            noise = (x - jnp.sqrt(now) * clean) / jnp.sqrt(jnp.maximum(1 - now, 0.05))
        return jnp.sqrt(later) * clean + jnp.sqrt(1 - later) * noise, clean

    if maybe("python_loop", 0.35):
        for i in range(num_steps):
            x, clean = step(x, (times[i], times[i + 1]))
        return one_of(x, clean)
    x, estimates = jax.lax.scan(step, x, (times[:-1], times[1:]))
    if maybe("last_estimate", 0.4):
        return estimates[-1]
    return x


class ReverseStep(NamedTuple):
    """The mean and the deviation of one step from noise towards data."""

    center: jax.Array
    deviation: jax.Array


@sketch(
    takes={
        "key": "key",
        "noised": "features f[b, d]",
        "prediction": "features f[b, d]: predicted noise",
        "times": "f[b]: time of this step",
    },
    gives="features f[b, d]: sample",
    sizes={"b": (2, 32), "d": (2, 256)},
    also=("Draw from the Gaussian posterior of one DDPM step.",),
)
def ancestral_step(key, noised, prediction, times, ratio=number(1.05, 1.5), clip=3.0):
    """Take one ancestral sampling step from predicted noise."""
    if noised.shape != prediction.shape:
        raise ValueError(f"{prediction.shape} predictions for {noised.shape} samples")
    now = jnp.clip(rates_at(times), 1e-2, 0.95)[:, None]
    before = jnp.minimum(ratio * now, 0.98)
    step_signal = now / before
    step_noise = 1 - step_signal
    clean = (noised - jnp.sqrt(1 - now) * prediction) / jnp.sqrt(now)
    if maybe("clip", 0.7):
        clean = jnp.clip(clean, -clip, clip)
    mean = jnp.sqrt(before) * step_noise / (1 - now) * clean
    mean = mean + jnp.sqrt(step_signal) * (1 - before) / (1 - now) * noised
    if maybe("small_variance"):
        variance = step_noise * (1 - before) / (1 - now)
    else:
        variance = step_noise
    reverse = ReverseStep(mean, jnp.sqrt(variance))
    noise = jax.random.normal(key, noised.shape)
    return reverse.center + reverse.deviation * noise


@sketch(
    takes={
        "conditional": "features f[b, d]",
        "unconditional": "features f[b, d]",
    },
    gives="features f[b, d]: guided",
    sizes={"b": (2, 32), "d": (2, 512)},
    dtypes="f32 bf16",
    also=("Push a prediction away from the one that ignores the condition.",),
)
def classifier_free_guidance(
    conditional, unconditional, strength=number(1.0, 8.0), rescale=number(0.3, 0.9)
):
    """Extrapolate from unconditional to conditional predictions."""
    difference = conditional - unconditional
    if maybe("orthogonal", 0.3):
        # Only what is not along the conditional prediction.
        dot = jnp.sum(difference * conditional, axis=-1, keepdims=True)
        squared_norm = jnp.sum(conditional * conditional, axis=-1, keepdims=True)
        difference = difference - dot / (squared_norm + 1e-3) * conditional
    guided = one_of(unconditional, conditional) + strength * difference
    if maybe("rescale"):
        # Guidance raises the contrast; bring it back part of the way.
        wanted = jnp.std(conditional, axis=-1, keepdims=True)
        actual = jnp.std(guided, axis=-1, keepdims=True)
        matched = guided * wanted / (actual + 1e-3)
        guided = rescale * matched + (1 - rescale) * guided
    if maybe("threshold", 0.3):
        limit = jnp.maximum(jnp.max(jnp.abs(guided), axis=-1, keepdims=True), 1.0)
        guided = guided / limit * one_of(1.0, 2.0)
    return guided


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 64)},
    also=("Fit a velocity field to straight paths from noise to data.",),
)
def flow_matching_loss(params, key, x, sigma_min=number(1e-4, 1e-2)):
    """Match a velocity field to conditional paths between noise and data."""
    batch_size, _ = x.shape
    time_key, source_key = jax.random.split(key)
    if maybe("logit_normal", 0.4):
        t = jax.nn.sigmoid(jax.random.normal(time_key, (batch_size,)))
    else:
        t = jax.random.uniform(time_key, (batch_size,))
    source = jax.random.normal(source_key, x.shape)
    if maybe("sorted_coupling", 0.25):
        # Pairs by their projection cross less than random ones.
        source = source[jnp.argsort(jnp.sum(source, axis=-1))]
        x = x[jnp.argsort(jnp.sum(x, axis=-1))]
    weight = t[:, None]
    if maybe("trigonometric", 0.3):
        angle = weight * math.pi / 2
        position = jnp.cos(angle) * source + jnp.sin(angle) * x
        velocity = (jnp.cos(angle) * x - jnp.sin(angle) * source) * math.pi / 2
    else:
        position = (1 - (1 - sigma_min) * weight) * source + weight * x
        velocity = x - (1 - sigma_min) * source
    residual = denoiser(params, position, t) - velocity
    if maybe("per_sample"):
        return jnp.mean(jnp.sum(residual * residual, axis=-1))
    return jnp.mean(residual * residual)


@sketch(
    takes={"params": "P", "x": "features f[b, d]: noise"},
    gives="features f[b, d]: samples",
    sizes={"b": (1, 16), "d": (2, 48)},
    also=("Integrate the learned velocity field with few fixed steps.",),
)
def integrate_velocity(
    params, x, num_steps=integer(2, 8), method=one_of("euler", "heun", "midpoint")
):
    """Transport noise to data along a velocity field."""
    if method not in ("euler", "heun", "midpoint"):
        raise ValueError(f"unknown method {method!r}")
    dt = 1 / num_steps
    if maybe("bounded", 0.4):
        slope_limit = one_of(5.0, 10.0)

    def velocity(x, time):
        return denoiser(params, x, jnp.full(x.shape[0], time))

    def step(i, x):
        time = i * dt
        slope = velocity(x, time)
        if method == "heun":
            proposal = velocity(x + dt * slope, time + dt)
            slope = (slope + proposal) / 2
        elif method == "midpoint":
            slope = velocity(x + dt / 2 * slope, time + dt / 2)
        if maybe("bounded", 0.4):
            slope = slope_limit * jnp.tanh(slope / slope_limit)
        return x + dt * slope

    if maybe("unrolled"):
        for i in range(num_steps):
            x = step(i, x)
        return x
    return jax.lax.fori_loop(0, num_steps, step, x)
