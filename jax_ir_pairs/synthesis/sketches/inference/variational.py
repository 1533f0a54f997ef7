"""Variational inference."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

model_energy = nested("(x: vector f[n]) -> energy f[]")


@sketch(
    takes={"params": {"mean": "f[n]", "log_std": "f[n]"}, "key": "key"},
    gives="loss f[]",
    sizes={"n": (1, 48), "m": (2, 32)},
    also=("Bound the evidence of a model with a diagonal Gaussian.",),
)
def mean_field_loss(params, key, num_draws=size("m")):
    """Estimate the negative evidence lower bound of a mean-field Gaussian."""
    mean = params["mean"]
    log_std = one_of(jnp.clip(params["log_std"], -3.0, 1.0), jnp.tanh(params["log_std"]))
    std = jnp.exp(log_std)
    noise = jax.random.normal(key, (num_draws, mean.shape[0]), mean.dtype)
    if maybe("mirror_noise", 0.4):
        # Pairs of opposite draws cancel the odd part of the error.
        noise = jnp.concatenate([noise, -noise])
    draws = mean + std * noise
    if maybe("map_energy", 0.2):
        energies = jax.lax.map(model_energy, draws)
    else:
        energies = jax.vmap(model_energy)(draws)
    if maybe("closed_entropy", 0.6):
        entropy = jnp.sum(log_std) + 0.5 * mean.shape[0] * jnp.log(2 * jnp.pi * jnp.e)
        return jnp.mean(energies) - entropy
    log_density = -0.5 * jnp.sum(noise**2, axis=1) - jnp.sum(log_std)
    log_density = log_density - 0.5 * mean.shape[0] * jnp.log(2 * jnp.pi)
    if maybe("tight_bound"):
        # The importance-weighted bound, which is tighter.
        log_weights = -energies - log_density
        return jnp.log(log_weights.shape[0]) - jax.nn.logsumexp(log_weights)
    return jnp.mean(energies + log_density)


@sketch(
    takes={"params": {"mean": "f[n]", "factor": "f[n, n]"}, "key": "key"},
    gives=({"mean": "f[n]", "factor": "f[n, n]"}, "loss f[]"),
    sizes={"n": (2, 24)},
    also=("Take a stochastic gradient step on a full-covariance variational family.",),
)
def full_rank_step(params, key, learning_rate=number(1e-3, 5e-2), num_draws=integer(2, 8)):
    """Improve a full-rank Gaussian approximation by one gradient step."""
    n = params["mean"].shape[0]
    if params["factor"].shape != (n, n):
        raise ValueError(f"factor has shape {params['factor'].shape} for {n} coordinates")
    keys = jax.random.split(key, num_draws)

    def loss_fn(params):
        # The diagonal of the factor has to be positive.
        diagonal = jax.nn.softplus(jnp.diagonal(params["factor"])) + 1e-2
        factor = jnp.tril(params["factor"], -1) + jnp.diag(diagonal)
        entropy = jnp.sum(jnp.log(diagonal))
        total = 0.0
        for draw_key in keys:
            noise = jax.random.normal(draw_key, (n,), params["mean"].dtype)
            shift = factor @ noise / n**0.5
            total = total + model_energy(params["mean"] + shift)
            if maybe("antithetic_rank", 0.3):
                total = total + model_energy(params["mean"] - shift)
        if maybe("antithetic_rank", 0.3):
            total = 0.5 * total
        return total / num_draws - entropy

    loss, grads = jax.value_and_grad(loss_fn)(params)
    if maybe("clip_full_rank", 0.6):
        grads = jax.tree.map(lambda g: jnp.clip(g, -5.0, 5.0), grads)
    else:
        squares = sum(jnp.sum(g**2) for g in jax.tree.leaves(grads))
        scale = 1.0 / jnp.maximum(jnp.sqrt(squares + 1e-6), 1.0)
        grads = jax.tree.map(lambda g: scale * g, grads)
    params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    return params, loss


@sketch(
    takes={
        "params": {
            "encoder": {"w": "f[d, h]", "b": "f[h]", "mean": "f[h, z]", "log_var": "f[h, z]"},
            "decoder": {"w": "f[z, h]", "b": "f[h]", "out": "f[h, d]"},
        },
        "x": "features f[b, d]",
        "key": "key",
    },
    dtypes="f32 bf16",
    gives="loss f[]",
    sizes={"d": (4, 128), "h": (4, 48), "z": (2, 16), "b": (2, 64)},
    also=("Training loss of a variational autoencoder.",),
)
def autoencoder_bound(params, x, key, kl_weight=one_of(1.0, 0.5, 4.0)):
    """Trade reconstruction against the information in a latent code."""
    activation = one_of(jax.nn.relu, jnp.tanh, jax.nn.silu)
    encoder, decoder = params["encoder"], params["decoder"]
    hidden = activation(x @ encoder["w"] + encoder["b"])
    mean = hidden @ encoder["mean"]
    log_var = jnp.clip(hidden @ encoder["log_var"], -6.0, 2.0)
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    code = mean + jnp.exp(0.5 * log_var) * noise
    output = activation(code @ decoder["w"] + decoder["b"]) @ decoder["out"]
    if maybe("bernoulli_pixels", 0.4):
        pixels = jax.nn.sigmoid(x)
        reconstruction = jnp.sum(jax.nn.softplus(output) - pixels * output, axis=-1)
    else:
        reconstruction = 0.5 * jnp.sum((x - output) ** 2, axis=-1)
    divergence = 0.5 * (mean**2 + jnp.exp(log_var) - log_var - 1.0)
    if maybe("free_bits", 0.4):
        # Each latent coordinate may carry some information for free.
        per_coordinate = jnp.maximum(jnp.mean(divergence, axis=0), one_of(0.1, 0.25))
        return jnp.mean(reconstruction) + kl_weight * jnp.sum(per_coordinate)
    divergence = jnp.sum(divergence, axis=-1)
    return jnp.mean(reconstruction + kl_weight * divergence)


@sketch(
    takes={
        "params": ("l", {"w": "f[n]", "u": "f[n]", "b": "f[]"}),
        "key": "key",
    },
    gives=("samples f[m, n]", "f[m]: log_density"),
    sizes={"l": (1, 6), "n": (2, 48), "m": (4, 64)},
    also=("Sample from a flow of planar maps, with densities.",),
)
def planar_flow_draws(params, key, num_draws=size("m")):
    """Bend Gaussian draws by a sequence of planar maps."""
    dim = params[0]["w"].shape[0]
    points = jax.random.normal(key, (num_draws, dim))
    log_density = -0.5 * jnp.sum(points**2, axis=1) - 0.5 * dim * jnp.log(2 * jnp.pi)
    for layer in params:
        w, u = layer["w"], layer["u"]
        norm = jnp.sum(w**2) + 1e-2
        # Moving u along w makes the map invertible.
        inner = w @ u
        u = u + (jax.nn.softplus(inner) - 1.0 - inner) * w / norm
        pre = points @ w + layer["b"]
        if maybe("calm_flow", 0.4):
            # Steep layers are hard to train.
            u = u / jnp.maximum(jnp.sqrt(jnp.sum(u**2) + 1e-6), 1.0)
        slope = 1.0 - jnp.tanh(pre) ** 2
        stretch = 1.0 + slope * (w @ u)
        points = points + jnp.tanh(pre)[:, None] * u
        log_density = log_density - jnp.log(jnp.abs(stretch) + 1e-4)
    if maybe("standardize_flow", 0.3):
        scale = jnp.std(points, axis=0) + 1e-2
        points = (points - jnp.mean(points, axis=0)) / scale
        log_density = log_density + jnp.sum(jnp.log(scale))
    if maybe("clip_flow", 0.4):
        points = jnp.clip(points, -30.0, 30.0)
    return points, log_density


@sketch(
    takes={
        "mean_a": "mean f[d]",
        "factor_a": "matrix f[d, d]",
        "mean_b": "mean f[d]",
        "factor_b": "matrix f[d, d]",
    },
    gives="metric f[]",
    sizes={"d": (1, 32)},
    dtypes="f32 f64",
    also=("Kullback-Leibler divergence between two multivariate Gaussians.",),
)
def gaussian_divergence(mean_a, factor_a, mean_b, factor_b, ridge=number(0.3, 1.0)):
    """Measure how far one Gaussian is from another."""
    dim = mean_a.shape[-1]
    if mean_b.shape != mean_a.shape:
        raise ValueError(f"means have shapes {mean_a.shape} and {mean_b.shape}")
    identity = jnp.eye(dim, dtype=mean_a.dtype)

    def covariance(factor):
        return factor @ factor.T / dim + ridge * identity

    first, second = covariance(factor_a), covariance(factor_b)
    gap = mean_b - mean_a
    if maybe("divergence_cholesky"):
        lower = jnp.linalg.cholesky(second)
        solve = jax.scipy.linalg.solve_triangular
        whitened = solve(lower, jnp.linalg.cholesky(first), lower=True)
        trace = jnp.sum(whitened**2)
        distance = jnp.sum(solve(lower, gap, lower=True) ** 2)
        log_ratio = -jnp.linalg.slogdet(whitened)[1] * 2.0
    else:
        trace = jnp.trace(jnp.linalg.solve(second, first))
        distance = gap @ jnp.linalg.solve(second, gap)
        log_ratio = jnp.linalg.slogdet(second)[1] - jnp.linalg.slogdet(first)[1]
    divergence = 0.5 * (trace + distance - dim + log_ratio)
    if maybe("per_dimension", 0.3):
        divergence = divergence / dim
    return divergence
