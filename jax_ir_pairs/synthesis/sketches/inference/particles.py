"""Particles: importance sampling, filters and flows."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

target_energy = nested("(x: vector f[n]) -> energy f[]")


def _systematic_indices(key, weights):
    """Resample with one uniform number for all particles."""
    count = weights.shape[0]
    positions = (jnp.arange(count) + jax.random.uniform(key)) / count
    return jnp.clip(jnp.searchsorted(jnp.cumsum(weights), positions), 0, count - 1)


@sketch(
    takes={"log_weights": "scores f[n]", "particles": "samples f[n, d]", "key": "key"},
    gives=("samples f[n, d]", "f[]: effective_size"),
    sizes={"n": (4, 1024), "d": (1, 16)},
    also=("Replace particles by copies in proportion to their weights.",),
)
def resample_particles(log_weights, particles, key, threshold=one_of(0.5, 0.75, None)):
    """Resample weighted particles where their weights have degenerated."""
    count = particles.shape[0]
    if log_weights.shape != (count,):
        raise ValueError(f"{count} particles with weights of shape {log_weights.shape}")
    weights = jax.nn.softmax(log_weights)
    effective_size = 1.0 / jnp.sum(weights**2)
    if maybe("stratified_resampling", 0.35):
        offsets = jax.random.uniform(key, (count,))
        positions = (jnp.arange(count) + offsets) / count
        indices = jnp.searchsorted(jnp.cumsum(weights), positions)
        indices = jnp.minimum(indices, count - 1)
    elif maybe("multinomial_resampling", 0.4):
        indices = jax.random.categorical(key, log_weights, shape=(count,))
    else:
        indices = _systematic_indices(key, weights)
    resampled = particles[indices]
    if threshold is not None:
        # Without need, resampling only adds noise.
        degenerate = effective_size < threshold * count
        resampled = jnp.where(degenerate, resampled, particles)
    return resampled, effective_size


@sketch(
    takes={"observations": "series f[t]", "key": "key"},
    gives={"means": "series f[t]", "log_evidence": "f[]"},
    sizes={"t": (4, 64), "p": (16, 256)},
    also=("Estimate a hidden volatility with a particle filter.",),
)
def bootstrap_filter(
    observations,
    key,
    num_particles=size("p"),
    persistence=number(0.8, 0.97),
    noise=number(0.2, 0.6),
):
    """Filter a time series with particles that move, are weighted and resampled."""
    init_key, scan_key = jax.random.split(key)
    dtype = observations.dtype
    particles = jax.random.normal(init_key, (num_particles,), dtype)

    def log_likelihood(observation, particles):
        if maybe("volatility_model"):
            # The state is the logarithm of the observation's variance.
            log_variance = jnp.clip(particles, -4.0, 4.0)
            return -0.5 * (observation**2 * jnp.exp(-log_variance) + log_variance)
        return -0.5 * ((observation - particles) / one_of(0.5, 1.0)) ** 2

    def step(particles, inputs):
        observation, step_key = inputs
        move_key, resample_key = jax.random.split(step_key)
        shocks = jax.random.normal(move_key, particles.shape, dtype)
        particles = persistence * particles + noise * shocks
        scores = log_likelihood(observation, particles)
        weights = jax.nn.softmax(scores)
        mean = weights @ particles
        evidence = jax.nn.logsumexp(scores) - jnp.log(num_particles)
        return particles[_systematic_indices(resample_key, weights)], (mean, evidence)

    keys = jax.random.split(scan_key, observations.shape[0])
    _, (means, evidence) = jax.lax.scan(step, particles, (observations, keys))
    total = jnp.sum(evidence) if maybe("sum_evidence") else jnp.mean(evidence)
    return {"means": means, "log_evidence": total}


@sketch(
    takes={"particles": "samples f[m, n]"},
    gives="samples f[m, n]",
    sizes={"m": (4, 48), "n": (1, 24)},
    also=("Transport particles to a density with Stein variational gradient descent.",),
)
def stein_update(particles, step_size=number(1e-2, 3e-1), bandwidth=one_of(None, 1.0, 2.0)):
    """Push particles towards high density and away from each other."""
    count = particles.shape[0]
    drive = -jax.vmap(jax.grad(target_energy))(particles)
    drive = jnp.clip(drive, -one_of(10.0, 20.0), 10.0)
    differences = particles[:, None, :] - particles[None, :, :]
    squares = jnp.sum(differences**2, axis=-1)
    if bandwidth is None:
        # Mean instead of the usual median, which is not smooth.
        bandwidth = jnp.sqrt(jnp.mean(squares) + 1e-3)
    if maybe("inverse_multiquadric", 0.4):
        base = 1.0 + squares / bandwidth**2
        weights = jax.lax.rsqrt(base)
        repulsion = differences * (weights / base)[:, :, None] / bandwidth**2
    else:
        weights = jnp.exp(-0.5 * squares / bandwidth**2)
        repulsion = differences * weights[:, :, None] / bandwidth**2
    direction = (weights @ drive + jnp.sum(repulsion, axis=1)) / count
    if maybe("normalize_stein", 0.4):
        norms = jnp.sqrt(jnp.sum(direction**2, axis=1, keepdims=True) + 1e-4)
        direction = direction / jnp.maximum(norms, 1.0)
    return particles + step_size * direction


@sketch(
    takes={"mean": "vector f[n]", "key": "key"},
    gives={"mean": "mean f[n]", "log_evidence": "f[]", "effective_size": "f[]"},
    sizes={"n": (1, 24), "m": (8, 128)},
    also=("Reweight Gaussian draws towards a density that is known up to a constant.",),
)
def importance_estimate(mean, key, num_draws=size("m"), scale=number(0.5, 2.0)):
    """Estimate moments of a density with weighted draws from another one."""
    dim = mean.shape[0]
    noise = jax.random.normal(key, (num_draws, dim), mean.dtype)
    if maybe("antithetic_draws", 0.3):
        half = noise[: num_draws // 2]
        noise = jnp.concatenate([half, -half])
    draws = mean + scale * noise
    log_target = -jax.vmap(target_energy)(draws)
    log_proposal = -0.5 * jnp.sum(noise**2, axis=1) - dim * jnp.log(scale)
    log_proposal = log_proposal - 0.5 * dim * jnp.log(2 * jnp.pi)
    log_weights = log_target - log_proposal
    if maybe("truncate_weights"):
        # Truncation trades a little bias for a bounded variance.
        count = log_weights.shape[0]
        ceiling = jax.nn.logsumexp(log_weights) - 0.5 * jnp.log(count)
        log_weights = jnp.minimum(log_weights, ceiling)
    weights = jax.nn.softmax(log_weights)
    if maybe("temper_weights", 0.3):
        # Flatter weights: less variance, more bias.
        weights = jax.nn.softmax(0.5 * log_weights)
    return {
        "mean": weights @ draws,
        "log_evidence": jax.nn.logsumexp(log_weights) - jnp.log(log_weights.shape[0]),
        "effective_size": 1.0 / jnp.sum(weights**2),
    }


@sketch(
    takes={"samples": "samples f[m, n]", "key": "key"},
    gives=("samples f[m, n]", "f[]: log_normalizer"),
    sizes={"m": (8, 64), "n": (1, 16)},
    also=("Carry samples from a Gaussian to a density over a ladder of temperatures.",),
)
def annealed_sampler(samples, key, num_stages=integer(2, 4), step_size=number(0.05, 0.5)):
    """Anneal a population through intermediate densities."""
    if num_stages < 1:
        raise ValueError(f"num_stages must be positive, got {num_stages}")
    energies_of = jax.vmap(target_energy)
    temperatures = [(i + 1) / num_stages for i in range(num_stages)]
    log_normalizer = 0.0
    previous = 0.0
    for i, current in enumerate(temperatures):
        weight_key, move_key, accept_key = jax.random.split(jax.random.fold_in(key, i), 3)
        base = 0.5 * jnp.sum(samples**2, axis=1)
        increment = (current - previous) * (base - energies_of(samples))
        log_normalizer = log_normalizer + jax.nn.logsumexp(increment)
        log_normalizer = log_normalizer - jnp.log(samples.shape[0])
        samples = samples[_systematic_indices(weight_key, jax.nn.softmax(increment))]

        def tempered(points, inverse_temperature=current):
            reference = 0.5 * jnp.sum(points**2, axis=1)
            return (1 - inverse_temperature) * reference + inverse_temperature * energies_of(points)

        noise = jax.random.normal(move_key, samples.shape, samples.dtype)
        proposals = samples + step_size * noise
        gain = tempered(samples) - tempered(proposals)
        uniforms = jax.random.uniform(accept_key, gain.shape, minval=1e-6)
        samples = jnp.where((jnp.log(uniforms) < gain)[:, None], proposals, samples)
        if maybe("clip_population", 0.4):
            samples = jnp.clip(samples, -20.0, 20.0)
        previous = current
    if maybe("center_population", 0.2):
        samples = samples - jnp.mean(samples, axis=0)
    return samples, log_normalizer


@sketch(
    takes={"observed": "samples f[n]", "key": "key"},
    gives={"parameters": "f[m]", "weights": "weights f[m]"},
    sizes={"n": (8, 128), "m": (8, 64)},
    also=("Weigh parameters by how much their simulations resemble the data.",),
)
def approximate_bayes(observed, key, *, num_draws=size("m"), tolerance=number(0.2, 1.0)):
    """Infer a location by simulation, with a likelihood that is never evaluated."""
    prior_key, noise_key = jax.random.split(key)
    parameters = one_of(2.0, 3.0) * jax.random.normal(prior_key, (num_draws,), observed.dtype)
    shape = (num_draws, observed.shape[0])
    if maybe("student_simulator", 0.4):
        noise = jnp.clip(jax.random.t(noise_key, 3.0, shape), -10.0, 10.0)
    else:
        noise = jax.random.normal(noise_key, shape)
    simulated = parameters[:, None] + noise.astype(observed.dtype)

    def summarize(data):
        statistics = [jnp.mean(data, axis=-1), jnp.std(data, axis=-1)]
        if maybe("quantile_summaries"):
            statistics += [jnp.quantile(data, q, axis=-1) for q in (0.25, 0.75)]
        return jnp.stack(statistics, axis=-1)

    gaps = summarize(simulated) - summarize(observed)
    distances = jnp.sqrt(jnp.sum(gaps**2, axis=-1) + 1e-6)
    if maybe("soft_acceptance", 0.6):
        weights = jax.nn.softmax(-0.5 * (distances / tolerance) ** 2)
    else:
        # The nearest quarter of the simulations is accepted.
        cutoff = jnp.quantile(distances, 0.25)
        accepted = (distances <= cutoff).astype(observed.dtype)
        weights = accepted / jnp.maximum(jnp.sum(accepted), 1.0)
    return {"parameters": parameters, "weights": weights}
