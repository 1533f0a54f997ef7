"""Bootstrap, permutations, survival and dependence."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, size, sketch

statistic = nested("(samples: samples f[n]) -> metric f[]")


@sketch(
    takes={"samples": "samples f[n]"},
    dtypes="f32 bf16",
    gives="metric f[]",
    sizes={"n": (4, 1024)},
    also=("Average the middle of a sample.",),
)
def trimmed_mean(samples, share=number(0.05, 0.3)):
    """Leave out the extremes of a sample and average the rest."""
    if not 0 <= share < 0.5:
        raise ValueError(f"share must lie in [0, 0.5), got {share}")
    count = samples.shape[0]
    dropped = int(share * count)
    ordered = jnp.sort(samples)
    if maybe("winsorize", 0.4):
        # Winsorized: extremes are moved to the limits rather than dropped.
        low, high = ordered[dropped], ordered[count - dropped - 1]
        return jnp.mean(jnp.clip(samples, low, high))
    middle = ordered[dropped : count - dropped] if dropped > 0 else ordered
    if maybe("mid_range", 0.3):
        return 0.5 * (middle[0] + middle[-1])
    return jnp.mean(middle)


@sketch(
    takes={"samples": "samples f[n]"},
    gives="metric f[]",
    sizes={"n": (4, 512)},
    dtypes="f32 bf16 f64",
    also=("Describe the shape of a sample by standardized moments.",),
)
def shape_statistic(samples, order=one_of(3, 4)):
    """Measure the skewness or excess kurtosis of a sample."""
    centered = samples - jnp.mean(samples)
    variance = jnp.mean(centered**2) + 1e-3
    if maybe("standardize_first"):
        standardized = centered * jax.lax.rsqrt(variance)
        moment = jnp.mean(standardized**order)
    else:
        moment = jnp.mean(centered**order) / variance ** (order / 2)
    if order == 4:
        moment = moment - 3.0
    if maybe("small_sample", 0.4):
        count = samples.shape[0]
        moment = moment * (count - 1) / count
    return moment


@sketch(
    takes={"samples": "samples f[n]"},
    gives="metric f[]",
    sizes={"n": (4, 512)},
    also=("Estimate a spread that a few outliers do not change.",),
)
def robust_spread(samples):
    """Measure spread by order statistics."""
    if maybe("shorth", 0.25):
        # Half the length of the shortest half of the data.
        count = samples.shape[0]
        half = count // 2
        ordered = jnp.sort(samples)
        spread = 0.5 * jnp.min(ordered[half:] - ordered[: count - half])
    elif maybe("interquartile"):
        low, high = jnp.quantile(samples, jnp.array([0.25, 0.75]))
        spread = (high - low) / 1.349
    else:
        # Scaled so that it estimates the deviation of a normal sample.
        spread = 1.4826 * jnp.median(jnp.abs(samples - jnp.median(samples)))
    if maybe("log_spread", 0.4):
        return jnp.log(spread + 1e-2)
    return spread


@sketch(
    takes={"samples": "samples f[n]", "key": "key"},
    gives={"estimate": "metric f[]", "low": "f[]", "high": "f[]"},
    sizes={"n": (4, 256), "m": (16, 128)},
    also=("Bootstrap a statistic of a sample.",),
)
def bootstrap_interval(samples, key, num_resamples=size("m"), level=one_of(0.9, 0.95, 0.8)):
    """Bound a statistic with resamples of the data."""
    count = samples.shape[0]
    estimate = statistic(samples)
    shape = (num_resamples, count)
    if maybe("bayesian_bootstrap", 0.25):
        # Smoothed: a little noise keeps resamples from having many ties.
        index_key, noise_key = jax.random.split(key)
        indices = jax.random.randint(index_key, shape, 0, count)
        noise = jax.random.normal(noise_key, shape, samples.dtype)
        resamples = samples[indices] + 0.1 * jnp.std(samples) * noise
    else:
        indices = jax.random.randint(key, shape, 0, count)
        resamples = samples[indices]
    replicates = jax.vmap(statistic)(resamples)
    tail = (1.0 - level) / 2
    if maybe("normal_interval", 0.3):
        width = 1.96 * jnp.std(replicates)
        low, high = estimate - width, estimate + width
    else:
        low, high = jnp.quantile(replicates, jnp.array([tail, 1.0 - tail]))
        if maybe("basic_interval"):
            # The basic interval reflects quantiles about the estimate.
            low, high = 2 * estimate - high, 2 * estimate - low
    return {"estimate": estimate, "low": low, "high": high}


@sketch(
    takes={"treated": "samples f[n]", "control": "samples f[m]", "key": "key"},
    gives=("metric f[]", "f[]: p_value"),
    sizes={"n": (3, 128), "m": (3, 128)},
    also=("Compare two groups by permuting their labels.",),
)
def label_permutation_test(treated, control, key, num_permutations=one_of(32, 64, 100)):
    """Test whether two samples have the same center."""
    pooled = jnp.concatenate([treated, control])
    num_treated = treated.shape[0]

    def gap(values):
        first, second = values[:num_treated], values[num_treated:]
        difference = jnp.mean(first) - jnp.mean(second)
        if maybe("studentized"):
            noise = jnp.var(first) / num_treated + jnp.var(second) / second.shape[0]
            difference = difference / jnp.sqrt(noise + 1e-2)
        return difference

    keys = jax.random.split(key, num_permutations)
    shuffled = jax.vmap(lambda k: jax.random.permutation(k, pooled))(keys)
    null = jax.vmap(gap)(shuffled)
    observed = gap(pooled)
    if maybe("two_sided", 0.7):
        exceed = jnp.abs(null) >= jnp.abs(observed)
    else:
        exceed = null >= observed
    p_value = (jnp.sum(exceed) + 1.0) / (num_permutations + 1.0)
    return observed, p_value


@sketch(
    takes={
        "log_times": "samples f[n]: logarithms of follow-up times",
        "events": "mask bool[n]: whether the event was seen",
        "x": "features f[n, d]",
        "weights": "f[d]",
    },
    gives="loss f[]",
    sizes={"n": (4, 128), "d": (1, 48)},
    also=("Partial likelihood of the Cox proportional hazards model.",),
)
def cox_loss(log_times, events, x, weights, penalty=number(1e-3, 1e-1)):
    """Rank hazards of subjects at risk by a linear score."""
    num_subjects = x.shape[0]
    if events.shape != (num_subjects,):
        raise ValueError(f"{num_subjects} subjects, events of shape {events.shape}")
    risk = x @ weights / jnp.sqrt(weights.shape[0])
    if maybe("sorted_risk"):
        # In descending order of time, the risk set of each subject is a prefix.
        order = jnp.argsort(-log_times)
        risk, events = risk[order], events[order]
        prefix = jnp.tri(num_subjects, dtype=bool)
        log_totals = jax.nn.logsumexp(jnp.where(prefix, risk[None, :], -1e4), axis=1)
    else:
        at_risk = log_times[None, :] >= log_times[:, None]
        log_totals = jax.nn.logsumexp(jnp.where(at_risk, risk[None, :], -1e4), axis=1)
    contributions = jnp.where(events, risk - log_totals, 0.0)
    loss = -jnp.sum(contributions) / jnp.maximum(jnp.sum(events), 1)
    if maybe("elastic_cox"):
        loss = loss + penalty * jnp.sum(jnp.sqrt(weights**2 + 1e-4))
    if maybe("ridge_cox"):
        loss = loss + 0.5 * penalty * jnp.sum(weights**2)
    return loss


@sketch(
    takes={"log_times": "samples f[n]", "events": "mask bool[n]"},
    gives={"survival": "f[n]", "hazard": "f[n]"},
    sizes={"n": (4, 256)},
    also=("Estimate a survival curve from censored times.",),
)
def kaplan_meier(log_times, events):
    """Follow the share of survivors over time."""
    count = log_times.shape[0]
    order = jnp.argsort(log_times)
    deaths = jnp.where(events[order], 1.0, 0.0).astype(log_times.dtype)
    at_risk = count - jnp.arange(count, dtype=log_times.dtype)
    hazard = deaths / at_risk
    if maybe("nelson_aalen", 0.4):
        # Nelson-Aalen: the exponential of the cumulative hazard.
        survival = jnp.exp(-jnp.cumsum(hazard))
    elif maybe("survival_scan"):

        def advance(alive, share):
            alive = alive * (1.0 - share)
            return alive, alive

        start = jnp.ones((), log_times.dtype)
        _, survival = jax.lax.scan(advance, start, hazard)
    else:
        survival = jnp.exp(jnp.cumsum(jnp.log1p(-jnp.minimum(hazard, 0.999))))
    if maybe("greenwood", 0.3):
        spread = jnp.cumsum(hazard / jnp.maximum(at_risk - deaths, 1.0))
        return {"survival": survival, "hazard": survival * jnp.sqrt(spread + 1e-8)}
    return {"survival": survival, "hazard": jnp.cumsum(hazard)}


@sketch(
    takes={"x": "samples f[n, d]"},
    gives=("matrix f[d, d]: correlation", "metric f[]: log_density"),
    sizes={"n": (16, 256), "d": (2, 12)},
    also=("Fit a Gaussian copula to the ranks of a sample.",),
)
def gaussian_copula(x, shrinkage=number(0.1, 0.5)):
    """Separate dependence from margins with normal scores of ranks."""
    num_samples, dim = x.shape
    ranks = jnp.argsort(jnp.argsort(x, axis=0), axis=0)
    uniforms = (ranks + one_of(0.5, 1.0)) / (num_samples + one_of(1.0, 2.0))
    normal_scores = jax.scipy.special.ndtri(jnp.clip(uniforms, 1e-3, 1 - 1e-3)).astype(x.dtype)
    centered = normal_scores - jnp.mean(normal_scores, axis=0)
    if maybe("corrcoef", 0.3):
        correlation = jnp.corrcoef(normal_scores, rowvar=False)
    else:
        covariance = centered.T @ centered / num_samples
        stds = jnp.sqrt(jnp.diagonal(covariance) + 1e-6)
        correlation = covariance / (stds[:, None] * stds[None, :])
    identity = jnp.eye(dim, dtype=x.dtype)
    correlation = (1 - shrinkage) * correlation + shrinkage * identity
    factor = jnp.linalg.cholesky(correlation)
    whitened = jax.scipy.linalg.solve_triangular(factor, normal_scores.T, lower=True)
    log_det = jnp.sum(jnp.log(jnp.diagonal(factor)))
    fit = 0.5 * (jnp.sum(whitened**2) - jnp.sum(normal_scores**2)) / num_samples
    return correlation, -fit - log_det
