"""Feedforward networks: gated, maxout, mixture-density, ensembles, configured ones."""

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

base_classifier = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")


@sketch(
    takes={
        "params": {
            "layers": ("l", {"w": "f[d, d]", "b": "f[d]", "gate_w": "f[d, d]", "gate_b": "f[d]"}),
        },
        "x": "features f[b, d]",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 64), "d": (3, 96), "l": (1, 5)},
    dtypes="f32 bf16",
    also=("Let each layer decide how much of its input to carry through.",),
)
def highway_network(params, x, carry_bias=one_of(-1.0, -2.0, 0.0)):
    """Transform features through highway layers."""
    width = x.shape[-1]
    for index, layer in enumerate(params["layers"]):
        if layer["w"].shape != (width, width):
            raise ValueError(f"layer {index} has weights {layer['w'].shape} for width {width}")
        candidate = x @ layer["w"] / math.sqrt(width) + layer["b"]
        candidate = one_of(jax.nn.relu, jnp.tanh, jax.nn.elu)(candidate)
        # A negative bias lets information pass at the start of training.
        gate = jax.nn.sigmoid(x @ layer["gate_w"] / math.sqrt(width) + layer["gate_b"] + carry_bias)
        if maybe("blend"):
            x = gate * candidate + (1 - gate) * x
        else:
            x = x + gate * (candidate - x)
    return x


@sketch(
    takes={
        "params": {
            "hidden": ("l", {"w": "f[k, d, d]", "b": "f[k, d]"}),
            "head": {"w": "f[d, c]", "b": "f[c]"},
        },
        "x": "features f[b, d]",
        "key?": "key",
    },
    gives="logits f[b, c]",
    sizes={"b": (2, 48), "d": (3, 48), "k": (2, 5), "l": (1, 3), "c": (2, 16)},
    dtypes="f32 bf16",
    also=("Classify with units that take the largest of several linear functions.",),
)
def maxout_network(params, x, key=None, keep_prob=number(0.5, 0.9)):
    """Apply maxout layers and a linear head."""
    hidden = x
    for index, layer in enumerate(params["hidden"]):
        if key is not None and keep_prob < 1:
            kept = jax.random.bernoulli(jax.random.fold_in(key, index), keep_prob, hidden.shape)
            hidden = jnp.where(kept, hidden / keep_prob, 0)
        if maybe("einsum"):
            pieces = jnp.einsum("bd,kdo->bko", hidden, layer["w"]) / math.sqrt(hidden.shape[-1])
            hidden = jnp.max(pieces + layer["b"], axis=1)
        else:
            pieces = hidden @ layer["w"] / math.sqrt(hidden.shape[-1]) + layer["b"][:, None, :]
            hidden = one_of(pieces.max(axis=0), jnp.max(pieces, axis=0))
        if maybe("norm_constraint", 0.3):
            # Maxout units have no bound of their own.
            hidden = hidden / jnp.maximum(1.0, jnp.max(jnp.abs(hidden), axis=-1, keepdims=True))
    return hidden @ params["head"]["w"] + params["head"]["b"]


class MixtureDensity(NamedTuple):
    """Parameters of a mixture for each example."""

    log_weights: jax.Array
    means: jax.Array
    log_scales: jax.Array


@sketch(
    takes={
        "params": {"w1": "f[d, m]", "b1": "f[m]", "w2": "f[m, 3*k]", "b2": "f[3*k]"},
        "batch": ("features f[b, d]", "targets f[b]"),
    },
    gives="loss f[]",
    sizes={"b": (2, 128), "d": (1, 48), "m": (4, 64), "k": (2, 6)},
    also=("Train a network that predicts a distribution with several modes.",),
)
def mixture_density_loss(params, batch, min_scale=number(0.05, 0.3)):
    """Score targets under the mixture that a network predicts for each input."""
    x, targets = batch
    if x.ndim != 2 or targets.shape != x.shape[:1]:
        raise ValueError(f"features {x.shape} and targets {targets.shape} do not match")
    activation = one_of(jnp.tanh, jax.nn.silu, jax.nn.softplus)
    hidden = activation(x @ params["w1"] / math.sqrt(x.shape[-1]) + params["b1"])
    raw = hidden @ params["w2"] / math.sqrt(hidden.shape[-1]) + params["b2"]
    weight_logits, means, raw_scales = jnp.split(raw, 3, axis=-1)
    if maybe("shared_scale", 0.3):
        raw_scales = jnp.broadcast_to(jnp.mean(raw_scales), means.shape)
    scales = jax.nn.softplus(raw_scales) + min_scale
    mixture = MixtureDensity(jax.nn.log_softmax(weight_logits), means, jnp.log(scales))
    residual = (targets[:, None] - mixture.means) * jnp.exp(-mixture.log_scales)
    if maybe("laplace", 0.3):
        log_density = -jnp.abs(residual) - mixture.log_scales - math.log(2.0)
    elif maybe("constants"):
        log_density = -0.5 * residual * residual - mixture.log_scales
        log_density = log_density - 0.5 * math.log(2 * math.pi)
    else:
        log_density = -0.5 * residual * residual - mixture.log_scales
    log_likelihood = jax.nn.logsumexp(mixture.log_weights + log_density, axis=-1)
    if maybe("entropy_bonus", 0.3):
        # Discourages components from dying out.
        weights = jnp.exp(mixture.log_weights)
        entropy = -jnp.sum(weights * mixture.log_weights, axis=-1)
        return -jnp.mean(log_likelihood) - 0.01 * jnp.mean(entropy)
    return -jnp.mean(log_likelihood)


@sketch(
    takes={
        "params": {
            "shared": ("l", {"w": "f[d, d]", "b": "f[d]"}),
            "fast": ("l", {"r": "f[n, d]", "s": "f[n, d]"}),
            "head": "f[d, c]",
        },
        "x": "features f[b, d]",
    },
    gives=("logits f[b, c]", "f[b]: disagreement"),
    sizes={"b": (2, 24), "d": (3, 32), "l": (1, 3), "n": (2, 6), "c": (2, 10)},
    also=("Evaluate members that share weights up to rank-one factors.",),
)
def batch_ensemble(params, x):
    """Run a batch ensemble and measure how far its members disagree."""
    width = x.shape[-1]
    if maybe("vmap_members"):

        def member(factors):
            hidden = x
            for shared, fast in zip(params["shared"], factors):
                mixed = (hidden * fast["r"]) @ shared["w"] / math.sqrt(width)
                hidden = one_of(jax.nn.relu, jnp.tanh)(mixed * fast["s"] + shared["b"])
            return hidden @ params["head"] / math.sqrt(width)

        logits = jax.vmap(member)(params["fast"])
    else:
        num_members = params["fast"][0]["r"].shape[0]
        hidden = jnp.broadcast_to(x, (num_members, *x.shape))
        for shared, fast in zip(params["shared"], params["fast"]):
            mixed = (hidden * fast["r"][:, None, :]) @ shared["w"] / math.sqrt(width)
            hidden = one_of(jax.nn.relu, jnp.tanh)(mixed * fast["s"][:, None, :] + shared["b"])
        logits = hidden @ params["head"] / math.sqrt(width)
    probs = jax.nn.softmax(logits, axis=-1)
    if maybe("mutual_information"):
        average = jnp.mean(probs, axis=0)
        # Entropy of the mean less the mean entropy.
        total = -jnp.sum(average * jnp.log(average + 1e-9), axis=-1)
        expected = -jnp.mean(jnp.sum(probs * jnp.log(probs + 1e-9), axis=-1), axis=0)
        disagreement = total - expected
    else:
        disagreement = jnp.sum(jnp.var(probs, axis=0), axis=-1)
    if maybe("average_probabilities"):
        return jnp.log(jnp.mean(probs, axis=0) + 1e-9), disagreement
    return jnp.mean(logits, axis=0), disagreement


@dataclass(frozen=True)
class MLPConfig:
    """What an MLP is built of."""

    activation: str = one_of("gelu", "relu", "silu", "tanh")
    norm: str = one_of("none", "rms", "layer")
    residual: bool = one_of(True, False)
    gated: bool = one_of(True, False)
    dropout: float = 0.0


def config_activation(name):
    """Look an activation up by its name."""
    if name == "tanh":
        return jnp.tanh
    return {"gelu": jax.nn.gelu, "relu": jax.nn.relu, "silu": jax.nn.silu}[name]


@sketch(
    takes={
        "params": {
            "layers": (
                "l",
                {"up": "f[d, m]", "gate": "f[d, m]", "down": "f[m, d]", "bias": "f[d]"},
            ),
            "head": {"w": "f[d, c]", "b": "f[c]"},
        },
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"b": (2, 64), "d": (3, 64), "m": (4, 64), "l": (1, 6), "c": (2, 32)},
    weight=1.5,
    dtypes="f32 bf16",
    also=("Classify features with an MLP that a configuration describes.",),
)
def configured_mlp(params, x, config=MLPConfig()):
    """Run the multilayer perceptron of a configuration."""
    activation = config_activation(config.activation)
    for layer in params["layers"]:
        inputs = x
        if config.norm == "rms":
            inputs = x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)
        elif config.norm == "layer":
            centered = x - jnp.mean(x, axis=-1, keepdims=True)
            inputs = centered / (jnp.std(x, axis=-1, keepdims=True) + 1e-3)
        elif config.norm != "none":
            raise ValueError(f"unknown norm {config.norm!r}")
        hidden = inputs @ layer["up"] / math.sqrt(x.shape[-1])
        if config.gated:
            hidden = hidden * activation(inputs @ layer["gate"] / math.sqrt(x.shape[-1]))
        else:
            hidden = activation(hidden)
        out = hidden @ layer["down"] / math.sqrt(hidden.shape[-1]) + layer["bias"]
        x = x + out if config.residual else out
    return x @ params["head"]["w"] / math.sqrt(x.shape[-1]) + params["head"]["b"]


@sketch(
    takes={"members": ("l", "P"), "x": "features f[b, d]"},
    gives="logits f[b, c]",
    sizes={"l": (2, 4), "b": (2, 16), "d": (3, 24)},
    also=("Combine independently trained classifiers.",),
)
def deep_ensemble(members, x, temperature=one_of(1.0, 2.0)):
    """Average what an ensemble of classifiers predicts."""
    if not members:
        raise ValueError("an ensemble needs at least one member")
    all_logits = [base_classifier(params, x) / temperature for params in members]
    if maybe("running_sum"):
        total = jax.nn.softmax(all_logits[0], axis=-1)
        for logits in all_logits[1:]:
            total = total + jax.nn.softmax(logits, axis=-1)
        return jnp.log(total / len(members) + 1e-9)
    if maybe("geometric"):
        log_probs = [jax.nn.log_softmax(logits, axis=-1) for logits in all_logits]
        return functools.reduce(jnp.add, log_probs) / len(members)
    stacked = jnp.stack([jax.nn.log_softmax(logits, axis=-1) for logits in all_logits])
    return jax.nn.logsumexp(stacked, axis=0) - math.log(len(members))


@sketch(
    takes={
        "params": {"w1": "f[d, m]", "b1": "f[m]", "w2": "f[m, m]", "b2": "f[m]", "w3": "f[m]"},
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"b": (2, 128), "d": (2, 256), "m": (4, 64)},
    dtypes="f32 bf16",
    also=("Predict one number for each row of features.",),
)
def regression_network(params, x, slope=number(0.01, 0.2)):
    """Regress targets on features with two hidden layers."""
    num_features, width = params["w1"].shape
    if x.shape[-1] != num_features:
        raise ValueError(f"trained on {num_features} features, got {x.shape[-1]}")
    if maybe("leaky"):
        activation = functools.partial(jax.nn.leaky_relu, negative_slope=slope)
    else:
        activation = one_of(jax.nn.softplus, jax.nn.gelu, jnp.tanh, jax.nn.elu)
    if maybe("log_inputs", 0.3):
        # Heavy tails are drawn in before anything else.
        x = jnp.sign(x) * jnp.log1p(jnp.abs(x))
    hidden = activation(x @ params["w1"] / math.sqrt(num_features) + params["b1"])
    second = activation(hidden @ params["w2"] / math.sqrt(width) + params["b2"])
    if maybe("skip"):
        second = second + hidden
    predictions = second @ params["w3"] / math.sqrt(width)
    if maybe("positive", 0.35):
        # Counts and prices cannot be negative.
        return jax.nn.softplus(predictions)
    return predictions
