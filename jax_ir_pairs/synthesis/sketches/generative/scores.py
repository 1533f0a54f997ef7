"""Score matching, consistency and energy-based training."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

score_network = nested("(params: P, x: features f[b, d], t: f[b]) -> features f[b, d]")
energy_network = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
log_density = nested("(x: vector f[n]) -> energy f[]")


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 48)},
    also=("Learn scores by predicting which way noise has moved each sample.",),
)
def denoising_score_matching(
    params, key, x, sigma_min=number(0.05, 0.2), sigma_max=number(1.0, 5.0)
):
    """Match a network to the scores of noise-perturbed data."""
    if x.ndim != 2:
        raise ValueError(f"expected a batch of vectors, got shape {x.shape}")
    level_key, noise_key = jax.random.split(key)
    u = jax.random.uniform(level_key, (x.shape[0],))
    log_range = jnp.log(sigma_max / sigma_min)
    sigmas = sigma_min * jnp.exp(u * log_range)
    noise = jax.random.normal(noise_key, x.shape)
    perturbed = x + sigmas[:, None] * noise
    condition = one_of(jnp.log(sigmas), sigmas, u)
    scores = score_network(params, perturbed, condition)
    if maybe("scaled_output"):
        # The network predicts sigma times the score.
        residual = scores + noise
    else:
        residual = sigmas[:, None] * scores + noise
    losses = jnp.sum(residual * residual, axis=-1) / 2
    if maybe("weights", 0.4):
        weights = 1 + one_of(1.0, 0.25) / sigmas
        return jnp.sum(weights * losses) / jnp.sum(weights)
    return jnp.mean(losses)


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 24), "d": (2, 32)},
    also=("Estimate the trace of the score's Jacobian with random probes.",),
)
def sliced_score_matching(params, key, x, num_probes=one_of(1, 1, 2, 3)):
    """Match scores without noise, by projections onto random directions."""
    times = jnp.zeros(x.shape[0])
    losses = jnp.zeros(x.shape[0])
    for probe_key in jax.random.split(key, num_probes):
        if maybe("rademacher"):
            probe = jax.random.rademacher(probe_key, x.shape, x.dtype)
        else:
            probe = jax.random.normal(probe_key, x.shape)
        if maybe("reverse_mode", 0.3):
            score, pullback = jax.vjp(lambda x: score_network(params, x, times), x)
            (change,) = pullback(probe)
        else:
            score, change = jax.jvp(lambda x: score_network(params, x, times), (x,), (probe,))
        curvature = jnp.sum(probe * change, axis=-1)
        if maybe("variance_reduced"):
            # The square of the score is known without the probe.
            squared = jnp.sum(score * score, axis=-1)
        else:
            squared = jnp.sum(probe * score, axis=-1) ** 2
        losses = losses + curvature + squared / 2
    return jnp.mean(losses) / num_probes


@sketch(
    takes={"params": "P", "teacher": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 48)},
    also=("Ask for the same answer at neighbouring noise levels of a path.",),
)
def consistency_loss(params, teacher, key, x, num_levels=integer(5, 20), data_scale=0.5):
    """Train a model to map all points of a noising path to its start."""
    level_key, noise_key = jax.random.split(key)
    index = jax.random.randint(level_key, (x.shape[0],), 0, num_levels - 1)
    levels = jnp.linspace(0.05, one_of(3.0, 5.0), num_levels)
    low, high = levels[index], levels[index + 1]
    noise = jax.random.normal(noise_key, x.shape)

    def consistent(weights, noised, sigma):
        # Skip weights make this the identity where there is no noise.
        total = sigma * sigma + data_scale * data_scale
        skip = (data_scale * data_scale / total)[:, None]
        out = (sigma * data_scale / jnp.sqrt(total))[:, None]
        return skip * noised + out * score_network(weights, noised, jnp.log(sigma))

    student = consistent(params, x + high[:, None] * noise, high)
    target = consistent(teacher, x + low[:, None] * noise, low)
    difference = student - jax.lax.stop_gradient(target)
    if maybe("pseudo_huber"):
        c = number(0.01, 0.1)
        distances = jnp.sqrt(jnp.sum(difference * difference, axis=-1) + c * c) - c
    else:
        distances = jnp.mean(difference * difference, axis=-1)
    if maybe("inverse_gap", 0.4):
        return jnp.mean(distances / (high - low))
    return jnp.mean(distances)


@sketch(
    takes={"key": "key", "x": "vector f[n]: starting point"},
    gives="vector f[n]: sample",
    sizes={"n": (2, 64)},
    also=("Climb a log density with noise, for a few steps.",),
)
def langevin_chain(key, x, num_steps=integer(3, 12), step_size=number(1e-3, 5e-2)):
    """Sample with unadjusted Langevin dynamics."""
    score_fn = jax.grad(log_density)
    drift_limit = one_of(5.0, 10.0)

    def step(x, key):
        drift = score_fn(x)
        if maybe("tamed"):
            drift = drift / (1 + step_size * jnp.abs(drift))
        else:
            drift = jnp.clip(drift, -drift_limit, drift_limit)
        noise = jax.random.normal(key, x.shape)
        proposal = x + step_size * drift + jnp.sqrt(2 * step_size) * noise
        if maybe("box", 0.3):
            proposal = jnp.clip(proposal, -4.0, 4.0)
        return proposal, None

    keys = jax.random.split(key, num_steps)
    if maybe("host_loop", 0.4):
        for step_key in keys:
            x, _ = step(x, step_key)
        return x
    x, _ = jax.lax.scan(step, x, keys)
    return x


@sketch(
    takes={
        "params": "P",
        "x": "features f[b, d]: data",
        "fantasy": "features f[b, d]: model samples",
    },
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 64)},
    also=("Lower the energy of data and raise that of samples of the model.",),
)
def contrastive_energy_loss(params, x, fantasy, regularization=number(1e-3, 1e-1)):
    """Contrast energies of data with those of samples that the model drew."""
    if x.shape != fantasy.shape:
        raise ValueError(f"{x.shape} data and {fantasy.shape} samples")
    fantasy = jax.lax.stop_gradient(fantasy)
    real = energy_network(params, x)
    fake = energy_network(params, fantasy)
    if maybe("logistic", 0.35):
        loss = jnp.mean(jax.nn.softplus(real - fake))
    elif maybe("margin", 0.3):
        loss = jnp.mean(jnp.maximum(real - fake + 1.0, 0.0))
    else:
        loss = jnp.mean(real) - jnp.mean(fake)
    if maybe("regularize", 0.7):
        # Keeps energies near zero, where gradients are tame.
        loss = loss + regularization * jnp.mean(real * real + fake * fake)
    return loss


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="features f[b, d]: fantasy",
    sizes={"b": (2, 16), "d": (2, 32)},
    also=("Draw negative samples for an energy model with short noisy descent.",),
)
def short_run_sampler(params, key, x, num_steps=integer(2, 6), step_size=number(0.01, 0.3)):
    """Descend an energy for a few noisy steps to get fantasy samples."""

    def total_energy(x):
        return jnp.sum(energy_network(params, x))

    slope = jax.grad(total_energy)
    if maybe("restart"):
        key, start_key = jax.random.split(key)
        fresh = jax.random.uniform(start_key, x.shape, minval=-1.0, maxval=1.0)
        x = one_of(fresh, (x + fresh) / 2)
    for step_key in jax.random.split(key, num_steps):
        direction = slope(x)
        if maybe("normalized", 0.4):
            norm = jnp.sqrt(jnp.sum(direction * direction, axis=-1, keepdims=True) + 1e-3)
            direction = direction / norm
        else:
            direction = jnp.clip(direction, -1.0, 1.0)
        noise = jax.random.normal(step_key, x.shape)
        x = x - step_size * direction + number(5e-3, 5e-2) * noise
    return jax.lax.stop_gradient(x)


@sketch(
    takes={"params": "P", "key": "key", "x": "features f[b, d]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "d": (2, 48)},
    also=("Tell data from Gaussian noise with an unnormalized density.",),
)
def noise_contrastive_loss(params, key, x, log_partition=number(-2.0, 2.0)):
    """Estimate an energy model by classification against noise of known density."""
    batch_size, dims = x.shape
    noise = jax.random.normal(key, x.shape)
    if maybe("fitted_noise"):
        mean = jnp.mean(x, axis=0)
        std = jnp.std(x, axis=0) + 0.1
        noise = jax.lax.stop_gradient(mean + std * noise)

    def log_ratio(points):
        log_model = -energy_network(params, points) - log_partition
        squares = jnp.sum(points * points, axis=-1)
        log_noise = -(squares + dims * jnp.log(2 * jnp.pi)) / 2
        return log_model - log_noise

    positive, negative = log_ratio(x), log_ratio(noise)
    if maybe("two_terms"):
        loss = jnp.mean(jax.nn.softplus(-positive)) + jnp.mean(jax.nn.softplus(negative))
    else:
        logits = jnp.concatenate([positive, negative])
        truth = jnp.concatenate([jnp.ones(batch_size), jnp.zeros(batch_size)])
        loss = jnp.mean(jnp.logaddexp(0, logits) - truth * logits)
    if maybe("weight_decay", 0.3):
        leaves = jax.tree.leaves(params)
        loss = loss + number(1e-5, 1e-3) * sum(jnp.sum(leaf * leaf) for leaf in leaves)
    return loss
