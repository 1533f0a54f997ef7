"""Distances between distributions and between sets of samples."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"student": "logits f[b, c]", "teacher": "logits f[b, c]"},
    gives="loss f[]",
    sizes={"c": (4, 256), "b": (4, 128)},
    dtypes="f32 bf16",
    also=("Divergence between softened class distributions.",),
)
def softened_divergence(student, teacher, temperature=one_of(2.0, 4.0, 3.0, 1.0)):
    """Match the softened class distribution of a teacher."""
    log_q = jax.nn.log_softmax(student / temperature, axis=-1)
    log_p = jax.nn.log_softmax(jax.lax.stop_gradient(teacher) / temperature, axis=-1)
    if maybe("jensen shannon", 0.35):
        log_mean = jnp.logaddexp(log_p, log_q) - math.log(2.0)
        forward = jnp.sum(jnp.exp(log_p) * (log_p - log_mean), axis=-1)
        backward = jnp.sum(jnp.exp(log_q) * (log_q - log_mean), axis=-1)
        divergence = 0.5 * (forward + backward)
    elif maybe("reverse", 0.35):
        # Mode-seeking: the student may leave out what the teacher finds unlikely.
        divergence = jnp.sum(jnp.exp(log_q) * (log_q - log_p), axis=-1)
    else:
        divergence = jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)
    # Gradients shrink with the square of the temperature.
    return temperature**2 * jnp.mean(divergence)


@sketch(
    takes={
        "mean": "mean f[b, d]",
        "log_var": "f[b, d]: log-variances",
        "prior_log_var?": "f[d]: log-variances of the prior",
    },
    gives="loss f[]",
    sizes={"d": (2, 256), "b": (4, 128)},
    dtypes="f32 bf16",
    also=("Divergence of a diagonal Gaussian posterior from its prior.",),
)
def gaussian_posterior_kl(mean, log_var, prior_log_var=None, free_nats=number(0.05, 1.0)):
    """Charge a diagonal Gaussian posterior for the nats that it takes from its prior."""
    if mean.shape != log_var.shape:
        raise ValueError(f"mean {mean.shape} and log-variance {log_var.shape} differ")
    log_var = jnp.clip(log_var, -8.0, 4.0)
    if prior_log_var is None:
        kl = 0.5 * (jnp.exp(log_var) + mean**2 - 1 - log_var)
    else:
        gap = log_var - jnp.clip(prior_log_var, -4.0, 4.0)
        precision = jnp.exp(-jnp.clip(prior_log_var, -4.0, 4.0))
        kl = 0.5 * (jnp.exp(gap) + mean**2 * precision - 1 - gap)
    if maybe("free nats per dimension", 0.4):
        # Dimensions below the threshold are left alone, against collapse.
        return jnp.sum(jnp.maximum(jnp.mean(kl, axis=0), free_nats))
    total = jnp.mean(jnp.sum(kl, axis=-1))
    if maybe("free nats in all", 0.4):
        total = jnp.maximum(total, free_nats * mean.shape[-1])
    return total


@sketch(
    takes={"x": "samples f[n, d]", "y": "samples f[m, d]"},
    gives=("loss f[]", "f[n, m]: plan"),
    sizes={"n": (4, 40), "m": (4, 40), "d": (2, 32)},
    dtypes="f32 f64",
    also=("Regularized transport between two clouds of samples.",),
)
def sinkhorn_transport(x, y, blur=one_of(0.3, 0.5, 1.0), num_iters=integer(5, 25)):
    """Match two clouds of samples by entropic optimal transport in the log domain."""
    n, m = x.shape[0], y.shape[0]
    if blur <= 0 or num_iters < 1:
        raise ValueError(f"need a positive blur and an iteration, got {blur} and {num_iters}")
    if maybe("cosine cost", 0.25):
        x_unit, y_unit = (
            z / jnp.sqrt(jnp.sum(z * z, axis=1, keepdims=True) + 1e-4) for z in (x, y)
        )
        cost = 1 - x_unit @ y_unit.T
    elif maybe("squared cost"):
        cost = jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    else:
        cost = jnp.sqrt(jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1) + 1e-6)
    # In units of the average cost, so that one blur fits all scales.
    cost = cost / (jnp.mean(cost) + 1e-3)
    if maybe("full weights"):
        log_a, log_b = jnp.full(n, -math.log(n), x.dtype), jnp.full(m, -math.log(m), x.dtype)
    else:
        log_a = -math.log(n) * jnp.ones(n, x.dtype)
        log_b = -math.log(m) * jnp.ones(m, x.dtype)

    def iteration(potentials, _):
        f, g = potentials
        f = -blur * jax.nn.logsumexp(log_b + (g - cost) / blur, axis=1)
        g = -blur * jax.nn.logsumexp(log_a[:, None] + (f[:, None] - cost) / blur, axis=0)
        return (f, g), None

    start = (jnp.zeros(n, x.dtype), jnp.zeros(m, x.dtype))
    if maybe("unrolled", 0.3):
        potentials = start
        for _ in range(min(num_iters, 8)):
            potentials, _ = iteration(potentials, None)
        f, g = potentials
    else:
        (f, g), _ = jax.lax.scan(iteration, start, length=num_iters)
    log_plan = (f[:, None] + g[None, :] - cost) / blur + log_a[:, None] + log_b[None, :]
    plan = jnp.exp(log_plan)
    if maybe("dual value"):
        return jnp.mean(f) + jnp.mean(g), plan
    return jnp.sum(plan * cost), plan


@sketch(
    takes={"x": "samples f[n, d]", "y": "samples f[n, d]", "key": "key"},
    gives="loss f[]",
    sizes={"n": (8, 128), "d": (2, 32), "p": (4, 32)},
    also=("Wasserstein distance averaged over random lines.",),
)
def sliced_wasserstein(x, y, key, num_projections=size("p"), order=one_of(1, 2)):
    """Average one-dimensional transport costs over random projections."""
    if x.shape != y.shape:
        raise ValueError(f"both sets need the same shape, got {x.shape} and {y.shape}")
    d = x.shape[1]
    if maybe("orthogonal lines", 0.35):
        frame = jax.random.normal(key, (max(d, num_projections), d), dtype=x.dtype)
        directions = jnp.linalg.qr(frame)[0][:num_projections].T * d**0.5
    else:
        directions = jax.random.normal(key, (d, num_projections), dtype=x.dtype)
        directions = directions / (jnp.linalg.norm(directions, axis=0) + 1e-6)
    if maybe("center sets", 0.4):
        # Only the shapes count, not where they are.
        x, y = (z - jnp.mean(z, axis=0) for z in (x, y))
    # In one dimension the sorted samples are matched in order.
    gaps = jnp.sort(x @ directions, axis=0) - jnp.sort(y @ directions, axis=0)
    if order == 1:
        costs = jnp.mean(jnp.abs(gaps), axis=0)
    else:
        costs = jnp.mean(gaps**2, axis=0)
    if maybe("max sliced", 0.3):
        return jnp.max(costs)
    if maybe("soft max sliced", 0.3):
        return jnp.sum(jax.nn.softmax(costs) * costs)
    return jnp.mean(costs)


def _gaussian_gram(x, y, bandwidths):
    """Sum Gaussian kernels of several bandwidths."""
    squared = jnp.sum(x**2, axis=1)[:, None] - 2 * x @ y.T + jnp.sum(y**2, axis=1)[None, :]
    squared = jnp.maximum(squared, 0.0) / x.shape[1]
    return sum(jnp.exp(-squared / (2 * h**2)) for h in bandwidths) / len(bandwidths)


@sketch(
    takes={"a": "features f[b, d]: source features", "b": "features f[b, d]: target features"},
    gives="loss f[]",
    sizes={"b": (4, 64), "d": (2, 128)},
    dtypes="f32 f64",
    also=("Kernel two-sample statistic between two domains.",),
)
def kernel_mean_discrepancy(a, b, bandwidths=one_of((0.5, 1.0, 2.0), (1.0,), (0.25, 1.0, 4.0))):
    """Compare two domains by the means of their kernel features."""
    if any(h <= 0 for h in bandwidths):
        raise ValueError(f"bandwidths must be positive, got {bandwidths}")
    k_aa = _gaussian_gram(a, a, bandwidths)
    k_bb = _gaussian_gram(b, b, bandwidths)
    k_ab = _gaussian_gram(a, b, bandwidths)
    if maybe("unbiased"):
        # A sample is not compared with itself.
        n, m = a.shape[0], b.shape[0]
        within_a = (jnp.sum(k_aa) - jnp.trace(k_aa)) / (n * (n - 1))
        within_b = (jnp.sum(k_bb) - jnp.trace(k_bb)) / (m * (m - 1))
    else:
        within_a, within_b = jnp.mean(k_aa), jnp.mean(k_bb)
    discrepancy = within_a + within_b - 2 * jnp.mean(k_ab)
    if maybe("root discrepancy", 0.3):
        return jnp.sqrt(jax.nn.relu(discrepancy) + 1e-3)
    return discrepancy


@sketch(
    takes={"a": "features f[b, d]: source features", "b": "features f[b, d]: target features"},
    gives="loss f[]",
    sizes={"b": (4, 128), "d": (2, 64)},
    dtypes="f32 f64",
    also=("Domain adaptation by moments of the features.",),
)
def moment_alignment_loss(a, b, num_moments=integer(3, 5)):
    """Align the moments of features from two domains."""
    dim = a.shape[-1]
    centered_a, centered_b = (z - jnp.mean(z, axis=0, keepdims=True) for z in (a, b))
    if maybe("covariances"):
        # CORAL: only second moments count.
        cov_a = centered_a.T @ centered_a / max(a.shape[0] - 1, 1)
        cov_b = centered_b.T @ centered_b / max(b.shape[0] - 1, 1)
        loss = jnp.sum((cov_a - cov_b) ** 2) / (4 * dim**2)
        if maybe("means too", 0.4):
            loss = loss + jnp.mean((jnp.mean(a, axis=0) - jnp.mean(b, axis=0)) ** 2)
        return loss
    loss = jnp.sqrt(jnp.sum((jnp.mean(a, axis=0) - jnp.mean(b, axis=0)) ** 2) + 1e-6)
    for order in range(2, num_moments + 1):
        gap = jnp.mean(centered_a**order, axis=0) - jnp.mean(centered_b**order, axis=0)
        loss = loss + jnp.sqrt(jnp.sum(gap**2) + 1e-6) / one_of(2.0, 4.0) ** order
    return loss


@sketch(
    takes={"forecast": "samples f[b, m]: ensemble members", "observed": "targets f[b]"},
    gives="loss f[]",
    sizes={"b": (4, 128), "m": (3, 48)},
    dtypes="f32 f64",
    also=("Continuous ranked probability score of an ensemble.",),
)
def ensemble_crps(forecast, observed):
    """Score an ensemble forecast against what was observed.

    The spread of the members is taken off their distance to the observation.
    """
    num_members = forecast.shape[-1]
    skill = jnp.mean(jnp.abs(forecast - observed[:, None]), axis=-1)
    if maybe("sorted members"):
        # Pairwise distances of sorted members need one pass only.
        ordered = jnp.sort(forecast, axis=-1)
        ranks = 2 * jnp.arange(num_members) - num_members + 1
        spread = jnp.sum(ranks * ordered, axis=-1) / num_members**2
    else:
        pairs = jnp.abs(forecast[:, :, None] - forecast[:, None, :])
        spread = one_of(
            jnp.mean(pairs, axis=(1, 2)) / 2, jnp.sum(pairs, axis=(1, 2)) / (2 * num_members**2)
        )
    if maybe("fair", 0.4):
        spread = spread * num_members / (num_members - 1)
    return jnp.mean(skill - spread)
