"""Variational autoencoders and their objectives."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

latent_penalty = nested("(mean: latent f[b, h], log_var: latent f[b, h]) -> loss f[]")
reconstruct = nested("(params: P, z: latent f[b, h]) -> features f[b, d]")


class GaussianCode(NamedTuple):
    """A diagonal Gaussian over latent vectors."""

    location: jax.Array
    log_var: jax.Array

    def sample(self, key):
        noise = jax.random.normal(key, self.location.shape, self.location.dtype)
        return self.location + jnp.exp(self.log_var / 2) * noise


def _encode(params, x):
    hidden = jnp.tanh(x @ params["w"] / math.sqrt(x.shape[-1]) + params["b"])
    out = hidden @ params["out"] / math.sqrt(hidden.shape[-1])
    mean, log_var = jnp.split(out, 2, axis=-1)
    # Bounded so that no code is infinitely sharp.
    return GaussianCode(mean, 3 * jnp.tanh(log_var / 3))


@sketch(
    takes={"mean": "latent f[b, h]", "log_var": "latent f[b, h]"},
    gives="loss f[]",
    sizes={"b": (2, 64), "h": (1, 64)},
    also=("Measure how far Gaussian codes are from the standard normal.",),
)
def gaussian_kl(mean, log_var, free_bits=number(0.01, 0.5)):
    """Average the KL divergence of diagonal Gaussians from the prior."""
    assert mean.shape == log_var.shape, f"{mean.shape} is not {log_var.shape}"
    log_var = one_of(jnp.clip(log_var, -8.0, 5.0), 5.0 * jnp.tanh(log_var / 5.0))
    divergence = (mean * mean + jnp.exp(log_var) - 1 - log_var) / 2
    if maybe("free_bits", 0.35):
        # Dimensions below the floor cost the same, so that none collapses early.
        per_dimension = jnp.mean(divergence, axis=0)
        return jnp.sum(jnp.maximum(per_dimension, free_bits))
    if maybe("capacity", 0.25):
        total = jnp.mean(jnp.sum(divergence, axis=-1))
        return jnp.abs(total - number(1.0, 20.0))
    return jnp.mean(jnp.sum(divergence, axis=-1))


@sketch(
    takes={"mean": "latent f[b, h]", "log_var": "latent f[b, h]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "h": (1, 32)},
    also=("Compare codes with the prior by a kernel, as InfoVAE does.",),
)
def latent_mmd(mean, log_var, bandwidth=one_of("dimension", "fixed")):
    """Penalize the maximum mean discrepancy between codes and a normal grid."""
    codes = mean + 0.1 * jnp.tanh(log_var)
    batch_size, dims = codes.shape
    # Fixed normal quantiles, rotated through the dimensions, stand for the prior.
    levels = (jnp.arange(batch_size) + 0.5) / batch_size
    quantiles = jax.scipy.special.ndtri(levels)
    columns = [jnp.roll(quantiles, 3 * i * i + i) for i in range(dims)]
    prior = jnp.stack(columns, axis=-1)
    width = float(dims) if bandwidth == "dimension" else 2.0

    def mean_kernel(points, others):
        gaps = points[:, None] - others[None]
        squared = jnp.sum(gaps * gaps, axis=-1)
        if maybe("multiquadric"):
            return jnp.mean(width / (width + squared))
        return jnp.mean(jnp.exp(-squared / (2 * width)))

    discrepancy = mean_kernel(codes, codes) + mean_kernel(prior, prior)
    discrepancy = discrepancy - 2 * mean_kernel(codes, prior)
    if maybe("scaled", 0.4):
        return number(1.0, 100.0) * discrepancy
    return discrepancy


@sketch(
    takes={
        "params": {"layers": ("l", {"w": "f[h, h]", "b": "f[h]"}), "out": "f[h, d]"},
        "z": "latent f[b, h]",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 64), "h": (2, 48), "d": (2, 128), "l": (1, 3)},
    also=("Decode latent vectors with a small dense network.",),
)
def latent_decoder(params, z):
    """Expand latent codes into features through dense layers."""
    hidden = z
    for layer in params["layers"]:
        width = layer["w"].shape[0]
        pre = hidden @ layer["w"] / math.sqrt(width) + layer["b"]
        hidden = one_of(jax.nn.relu, jax.nn.elu, jax.nn.silu, jnp.tanh)(pre)
        if maybe("skip_code", 0.3):
            hidden = hidden + z
    out = hidden @ params["out"] / math.sqrt(hidden.shape[-1])
    if maybe("squash", 0.3):
        return one_of(jnp.tanh, jax.nn.soft_sign)(out)
    return out


@sketch(
    takes={
        "encoder": {"w": "f[d, m]", "b": "f[m]", "out": "f[m, 2*h]"},
        "decoder": "P",
        "key": "key",
        "x": "features f[b, d]",
    },
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 64), "m": (2, 48), "h": (1, 12)},
    also=("Bound the negative log-likelihood of a variational autoencoder.",),
)
def negative_elbo(encoder, decoder, key, x, kl_weight=one_of(1.0, 4.0, 0.5, 2.0)):
    """Evaluate the training loss of a VAE from one sample of the code."""
    code = _encode(encoder, x)
    z = code.sample(key)
    output = reconstruct(decoder, z)
    if maybe("bernoulli", 0.4):
        # Pixels are probabilities; their logits come out of the decoder.
        pixels = jax.nn.sigmoid(x)
        losses = jax.nn.softplus(output) - pixels * output
    elif maybe("laplace", 0.3):
        losses = jnp.abs(x - output)
    else:
        sigma = one_of(1.0, 0.5)
        losses = (x - output) ** 2 / (2 * sigma * sigma) + math.log(sigma)
    reconstruction = jnp.mean(jnp.sum(losses, axis=-1))
    penalty = latent_penalty(code.location, code.log_var)
    if maybe("parts", 0.3):
        return (reconstruction + kl_weight * penalty) / x.shape[-1]
    return reconstruction + kl_weight * penalty


@sketch(
    takes={
        "encoder": {"w": "f[d, m]", "b": "f[m]", "out": "f[m, 2*h]"},
        "decoder": "P",
        "key": "key",
        "x": "features f[b, d]",
    },
    gives="loss f[]",
    sizes={"b": (2, 16), "d": (2, 32), "m": (2, 32), "h": (1, 8)},
    also=("Tighten the variational bound with several weighted samples.",),
)
def importance_weighted_bound(encoder, decoder, key, x, num_samples=integer(2, 6)):
    """Bound the log-likelihood by importance sampling from the encoder."""
    code = _encode(encoder, x)
    log_weights = []
    for sample_key in jax.random.split(key, num_samples):
        z = code.sample(sample_key)
        error = x - reconstruct(decoder, z)
        log_likelihood = -jnp.sum(error * error, axis=-1) / 2
        log_prior = -jnp.sum(z * z, axis=-1) / 2
        standardized = (z - code.location) * jnp.exp(-code.log_var / 2)
        log_posterior = -jnp.sum(standardized**2 + code.log_var, axis=-1) / 2
        log_weights.append(log_likelihood + log_prior - log_posterior)
    log_weights = jnp.stack(log_weights)
    if maybe("self_normalized", 0.35):
        # Gradients of the weighted bound, without those through the weights.
        weights = jax.lax.stop_gradient(jax.nn.softmax(log_weights, axis=0))
        return -jnp.mean(jnp.sum(weights * log_weights, axis=0))
    bound = jax.nn.logsumexp(log_weights, axis=0) - math.log(num_samples)
    return -one_of(jnp.mean(bound), jnp.sum(bound) / x.shape[0])


@sketch(
    takes={"z": "features f[b, d]", "codebook": "f[k, d]"},
    sizes={"b": (2, 64), "d": (2, 64), "k": (4, 64)},
    also=("Snap encoder outputs to the codebook and let gradients through.",),
)
def vector_quantize(z, codebook, commitment=number(0.1, 1.0)):
    """Replace vectors by their nearest codes with a straight-through estimator."""
    num_codes, dims = codebook.shape
    if z.shape[-1] != dims:
        raise ValueError(f"codes have {dims} dimensions, vectors {z.shape[-1]}")
    if maybe("cosine", 0.3):
        z = z / jnp.sqrt(jnp.sum(z * z, axis=-1, keepdims=True) + 1e-6)
        norms = jnp.sqrt(jnp.sum(codebook**2, axis=-1, keepdims=True) + 1e-6)
        codebook = codebook / norms
    if maybe("expanded"):
        cross = z @ codebook.T
        distances = jnp.sum(codebook**2, axis=-1) - 2 * cross
    else:
        distances = jnp.sum((z[:, None] - codebook[None]) ** 2, axis=-1)
    index = jnp.argmax(-distances, axis=-1)
    if maybe("one_hot", 0.4):
        assignment = jax.nn.one_hot(index, num_codes, dtype=z.dtype)
        quantized = assignment @ codebook
    else:
        quantized = codebook[index]
    to_codebook = jnp.mean((jax.lax.stop_gradient(z) - quantized) ** 2)
    to_encoder = jnp.mean((z - jax.lax.stop_gradient(quantized)) ** 2)
    loss = to_codebook + commitment * to_encoder
    quantized = z + jax.lax.stop_gradient(quantized - z)
    if maybe("perplexity"):
        usage = jnp.bincount(index, length=num_codes) / z.shape[0]
        entropy = -jnp.sum(usage * jnp.log(usage + 1e-9))
        return {"quantized": quantized, "loss": loss, "perplexity": jnp.exp(entropy)}
    return quantized, index, loss


@sketch(
    takes={"codebook": "f[k, d]", "counts": "f[k]", "z": "features f[b, d]"},
    gives=("f[k, d]: codebook", "f[k]: usage"),
    sizes={"b": (2, 64), "d": (2, 48), "k": (2, 48)},
    also=("Move each code towards the mean of the vectors that chose it.",),
)
def update_codebook(codebook, counts, z, decay=one_of(0.9, 0.99, 0.8), temperature=0.5):
    """Update a VQ codebook by exponential moving averages."""
    num_codes = codebook.shape[0]
    gaps = z[:, None, :] - codebook[None, :, :]
    distances = jnp.sum(gaps * gaps, axis=-1)
    if maybe("soft", 0.4):
        assignment = jax.nn.softmax(-distances / temperature, axis=-1)
    else:
        nearest = jnp.argmax(-distances, axis=-1)
        assignment = jax.nn.one_hot(nearest, num_codes, dtype=z.dtype)
    old = jnp.abs(counts) + 1.0
    usage = decay * old + (1 - decay) * jnp.sum(assignment, axis=0)
    sums = decay * old[:, None] * codebook + (1 - decay) * assignment.T @ z
    if maybe("laplace", 0.4):
        # Smooth the counts so that no code is divided by nothing.
        total = jnp.sum(usage)
        usage = (usage + 1e-3) / (total + num_codes * 1e-3) * total
    updated = sums / usage[:, None]
    if maybe("revive", 0.3):
        mean = jnp.mean(z, axis=0)
        weak = usage < one_of(0.1, 0.5)
        updated = jnp.where(weak[:, None], (updated + mean) / 2, updated)
    return updated, usage


@sketch(
    takes={"logits": "logits f[b, n, k]", "key": "key"},
    gives=("f[b, n, k]: relaxed", "loss f[]: divergence"),
    sizes={"b": (2, 32), "n": (1, 16), "k": (2, 16)},
    also=("Sample relaxed one-hot codes, and their divergence from uniform ones.",),
)
def gumbel_softmax_codes(logits, key, temperature=number(0.3, 2.0), hard=one_of(False, True)):
    """Draw categorical latents with the Gumbel-softmax relaxation."""
    *_, num_categories = logits.shape
    if temperature <= 0:
        raise ValueError(f"the temperature has to be positive, got {temperature}")
    if maybe("from_uniform", 0.4):
        u = jax.random.uniform(key, logits.shape, minval=1e-4, maxval=1 - 1e-4)
        gumbel = -jnp.log(-jnp.log(u))
    else:
        gumbel = jax.random.gumbel(key, logits.shape)
    relaxed = jax.nn.softmax((logits + gumbel) / temperature, axis=-1)
    if hard:
        choice = jnp.argmax(relaxed, axis=-1)
        one_hot = jax.nn.one_hot(choice, num_categories, dtype=logits.dtype)
        relaxed = relaxed + jax.lax.stop_gradient(one_hot - relaxed)
    log_q = jax.nn.log_softmax(logits, axis=-1)
    if maybe("entropy_form"):
        entropy = -jnp.sum(jnp.exp(log_q) * log_q, axis=-1)
        divergence = math.log(num_categories) - entropy
    else:
        log_ratio = log_q + math.log(num_categories)
        divergence = jnp.sum(jnp.exp(log_q) * log_ratio, axis=-1)
    return relaxed, jnp.mean(jnp.sum(divergence, axis=-1))
