"""Layers and heads of a few lines."""

import math
from functools import partial

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch

SMALL_LAYER_ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "silu": jax.nn.silu}


@sketch(
    takes={"params": {"w": "f[d, m]", "b": "f[m]"}, "x": "features f[b, d]"},
    gives="features f[b, m]",
    sizes={"b": (2, 128), "d": (2, 512), "m": (2, 128)},
    dtypes="f32 bf16 f16",
    also=("Apply a dense layer and a named activation.",),
)
def named_dense_layer(params, x, activation=one_of("relu", "gelu", "silu")):
    """Map features through a dense layer whose activation is chosen by name."""
    if activation not in SMALL_LAYER_ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}")
    hidden = one_of(x @ params["w"], jnp.dot(x, params["w"])) / math.sqrt(x.shape[-1])
    if maybe("bias", 0.7):
        hidden = hidden + params["b"]
    return SMALL_LAYER_ACTIVATIONS[activation](hidden)


@sketch(
    takes={"params": {"w": "f[d]", "b": "f[]"}, "x": "features f[b, d]"},
    gives="predictions f[b]",
    sizes={"b": (2, 128), "d": (2, 1024)},
    dtypes="f32 bf16 f64",
    also=("Predict with a linear model.",),
)
def linear_regressor(params, x):
    """Regress linearly on features."""
    predictions = one_of(
        x @ params["w"], jnp.dot(x, params["w"]), jnp.sum(x * params["w"], axis=-1)
    )
    if maybe("intercept", 0.7):
        return predictions + params["b"]
    return predictions


@sketch(
    takes={"logits": "logits f[b, c]", "temperature": "f[]"},
    gives="probabilities f[b, c]",
    sizes={"b": (2, 128), "c": (2, 128)},
    dtypes="f32 bf16",
    also=("Turn logits into probabilities of the right confidence.",),
)
def calibrate_logits(logits, temperature, floor=number(0.1, 0.5)):
    """Calibrate a classifier by one learned temperature."""
    divisor = one_of(jax.nn.softplus(temperature) + floor, jnp.maximum(jnp.abs(temperature), floor))
    if maybe("stable_by_hand", 0.4):
        shifted = (logits - jnp.max(logits, axis=-1, keepdims=True)) / divisor
        weights = jnp.exp(shifted)
        return weights / jnp.sum(weights, axis=-1, keepdims=True)
    return jax.nn.softmax(logits / divisor, axis=-1)


@sketch(
    takes={"key": "key", "x": "features f[*s, d]"},
    gives="features f[*s, d]",
    sizes={"d": (2, 512), "s": (1, 32)},
    dtypes="f32 bf16",
    also=("Drop features at random and scale up the others.",),
)
def feature_dropout(key, x, drop_prob=number(0.05, 0.5), shared=one_of(True, False)):
    """Regularize features by dropout."""
    if not 0 <= drop_prob < 1:
        raise ValueError(f"drop_prob must be in [0, 1), got {drop_prob}")
    # A shared mask drops the same features of every row.
    shape = x.shape[-1:] if shared and x.ndim > 1 else x.shape
    if maybe("gaussian", 0.3):
        # Multiplicative noise of the same variance as a Bernoulli mask has.
        noise = jax.random.normal(key, shape, x.dtype)
        return x * (1 + math.sqrt(drop_prob / (1 - drop_prob)) * noise)
    kept = jax.random.bernoulli(key, 1 - drop_prob, shape)
    return one_of(jnp.where(kept, x / (1 - drop_prob), 0), x * kept / (1 - drop_prob))


@sketch(
    takes={"x": "features f[b, d]", "frequencies": "f[d, m]", "phases": "f[m]"},
    gives="features f[b, m]",
    sizes={"b": (2, 64), "d": (2, 128), "m": (2, 64)},
    dtypes="f32 f64",
    also=("Approximate a Gaussian kernel by random cosines.",),
)
def random_fourier_features(x, frequencies, phases, length_scale=number(0.8, 5.0)):
    """Lift features into a random Fourier basis."""
    num_features = frequencies.shape[1]
    angles = x @ frequencies / (length_scale * math.sqrt(x.shape[-1])) + phases
    if maybe("centered"):
        basis = jnp.cos(angles) - jnp.mean(jnp.cos(angles), axis=0)
    else:
        basis = jnp.cos(angles)
    return math.sqrt(2.0 / num_features) * basis


@sketch(
    takes={"x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"b": (1, 64), "d": (4, 256)},
    dtypes="f32 bf16",
    also=("Keep the strongest features of each row only.",),
)
def sparsify_features(x, num_active=integer(1, 4), by_magnitude=one_of(True, False)):
    """Zero all but the largest features of each row."""
    strength = jnp.abs(x) if by_magnitude else x
    num_active = min(num_active, x.shape[-1])
    top = jax.lax.top_k(strength, num_active)[0]
    if maybe("soft_threshold", 0.4):
        # What is kept loses the height of the threshold.
        cut = jnp.maximum(top[:, -1:], 0)
        return jnp.sign(x) * jnp.maximum(jnp.abs(x) - cut, 0)
    return jnp.where(strength >= top[:, -1:], x, 0)


@sketch(
    takes={"params": ("l", {"w": "f[d, d]", "b": "f[d]"}), "x": "features f[b, d]"},
    gives="features f[b, d]",
    sizes={"l": (6, 24), "b": (2, 16), "d": (2, 24)},
    dtypes="f32 bf16",
    also=("Pass features through a deep residual network of narrow layers.",),
)
def very_deep_residual(params, x, drop_path=one_of(0.0, 0.1)):
    """Refine features by many residual layers whose updates shrink with depth."""
    depth, width = len(params), x.shape[-1]
    activation = one_of(jax.nn.relu, jnp.tanh, partial(jax.nn.leaky_relu, negative_slope=0.1))
    for index, layer in enumerate(params):
        mean = jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean((x - mean) ** 2, axis=-1, keepdims=True)
        normed = (x - mean) * jax.lax.rsqrt(variance + 1e-5)
        update = activation(normed @ layer["w"] / math.sqrt(width) + layer["b"])
        if maybe("skip_init"):
            strength = 1 / math.sqrt(2 * depth)
        else:
            strength = 1 / (1 + index)
        if drop_path > 0 and index > 0:
            # In expectation, as at test time.
            strength = strength * (1 - drop_path * index / depth)
        x = x + strength * update
    return x
