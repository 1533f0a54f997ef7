"""Correlations, covariances and other measures of dependence."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _standardized(x, floor=1e-2):
    centered = x - jnp.mean(x, axis=0)
    return centered / (jnp.std(x, axis=0) + floor)


def fractional_ranks(x):
    """Ranks from 0 to 1, with the middle rank for ties."""
    ordered = jnp.sort(x)
    left = jnp.searchsorted(ordered, x, side="left")
    right = jnp.searchsorted(ordered, x, side="right")
    return (left + right - 1).astype(x.dtype) / (2 * max(x.shape[0] - 1, 1))


@sketch(
    takes={"x": "samples f[n, d]"},
    gives="symmetric f[d, d]: correlations",
    sizes={"n": (4, 256), "d": (2, 24)},
    also=("Correlate all pairs of columns.",),
)
def correlation_table(x, method=one_of("pearson", "spearman", "kendall")):
    """Tabulate the correlations between the columns of a data set."""
    n, d = x.shape
    if method == "kendall":
        # Concordant minus discordant pairs.
        signs = jnp.sign(x[:, None, :] - x[None, :, :]).reshape(n * n, d)
        agreement = signs.T @ signs
        untied = jnp.sqrt(jnp.diagonal(agreement) + 1e-3)
        table = agreement / jnp.outer(untied, untied)
    elif method == "spearman":
        ranks = jax.vmap(fractional_ranks, in_axes=1, out_axes=1)(x)
        z = _standardized(ranks)
        table = z.T @ z / n
    elif method == "pearson":
        z = _standardized(x)
        table = one_of(z.T @ z, jnp.einsum("ni,nj->ij", z, z)) / n
    else:
        raise ValueError(f"unknown method {method!r}")
    if maybe("clip"):
        table = jnp.clip(table, -1, 1)
    if maybe("fisher", 0.2):
        # Fisher's transformation, off the diagonal.
        off_diagonal = 1 - jnp.eye(d, dtype=x.dtype)
        table = jnp.arctanh(0.95 * jnp.clip(table, -1, 1)) * off_diagonal
    return table


@sketch(
    takes={"x": "samples f[n, d]"},
    gives="positive_definite f[d, d]: covariance",
    sizes={"n": (4, 256), "d": (2, 32)},
    dtypes="f32 f64",
    also=("Estimate a covariance matrix that is well conditioned.",),
)
def shrunk_covariance(x, floor=number(0.01, 0.2)):
    """Shrink a sample covariance towards a simple target."""
    n, d = x.shape
    centered = x - jnp.mean(x, axis=0, keepdims=True)
    sample = centered.T @ centered / one_of(n, n - 1)
    if maybe("diagonal target"):
        target = jnp.diag(jnp.diagonal(sample))
    else:
        average = jnp.trace(sample) / d
        target = average * jnp.eye(d, dtype=x.dtype)
    if maybe("fixed amount", 0.3):
        intensity = one_of(0.1, 0.2, 0.5)
    else:
        # Ledoit and Wolf: noise of the entries over their distance to the target.
        squares = (centered * centered).T @ (centered * centered) / n
        noise = jnp.sum(squares - sample * sample) / n
        distance = jnp.sum((sample - target) ** 2) + 1e-3
        intensity = jnp.clip(noise / distance, 0.01, 1)
    shrunk = (1 - intensity) * sample + intensity * target
    return shrunk + floor * jnp.eye(d, dtype=x.dtype)


@sketch(
    takes={"cov": "positive_definite f[d, d]"},
    gives="symmetric f[d, d]: partial",
    sizes={"d": (3, 32)},
    dtypes="f32 f64",
    also=("Correlate pairs of variables given all others.",),
)
def partial_correlations(cov, ridge=number(1e-2, 0.3)):
    """Derive partial correlations from the inverse of a covariance matrix."""
    d = cov.shape[0]
    identity = jnp.eye(d, dtype=cov.dtype)
    if maybe("cholesky"):
        factor = jax.scipy.linalg.cho_factor(cov + ridge * identity)
        precision = jax.scipy.linalg.cho_solve(factor, identity)
    else:
        precision = jnp.linalg.inv(cov + ridge * identity)
    roots = jnp.sqrt(jnp.maximum(jnp.diagonal(precision), 1e-6))
    partial = -precision / one_of(jnp.outer(roots, roots), roots[:, None] * roots[None, :])
    if maybe("threshold", 0.4):
        # Soft thresholding leaves the strong edges of the graph.
        limit = one_of(0.05, 0.1)
        partial = jnp.sign(partial) * jnp.maximum(jnp.abs(partial) - limit, 0)
    return one_of(partial + 2 * identity, jnp.fill_diagonal(partial, 1.0, inplace=False))


@sketch(
    takes={"x": "samples f[n]", "y": "samples f[n]"},
    gives="metric f[]",
    sizes={"n": (4, 128)},
    dtypes="f32 f64",
    also=("Detect any dependence between two variables by distances.",),
)
def distance_correlation(x, y, exponent=one_of(1.0, 0.5, 1.5)):
    """Measure dependence by the correlation of doubly centered distances."""
    if x.shape != y.shape:
        raise ValueError(f"x {x.shape} and y {y.shape} are not paired")

    def doubly_centered(samples):
        gaps = jnp.abs(samples[:, None] - samples[None, :])
        if maybe("power", 0.3):
            gaps = (gaps + 1e-4) ** exponent
        row_means = jnp.mean(gaps, axis=0)
        return gaps - row_means[:, None] - row_means[None, :] + jnp.mean(gaps)

    a, b = one_of((doubly_centered(x), doubly_centered(y)), tuple(map(doubly_centered, (x, y))))
    covariance = jnp.mean(a * b)
    variances = jnp.mean(a * a) * jnp.mean(b * b)
    squared = covariance / jnp.sqrt(variances + 1e-4)
    if maybe("root"):
        return jnp.sqrt(jnp.maximum(squared, 0) + 1e-4)
    return squared


@sketch(
    takes={"x": "samples f[n]", "y": "samples f[n]"},
    gives="metric f[]",
    sizes={"n": (16, 2048)},
    also=("Estimate how much two variables tell about each other.",),
)
def binned_mutual_information(x, y, num_bins=one_of(4, 6, 8, 10), smoothing=number(0.01, 0.5)):
    """Estimate mutual information from a joint histogram."""
    n = x.shape[0]
    if y.shape[0] != n:
        raise ValueError(f"expected {n} values of y, got {y.shape[0]}")

    def bin_of(values):
        if maybe("equal counts", 0.4):
            edges = jnp.quantile(values, jnp.linspace(0, 1, num_bins + 1)[1:-1])
            return jnp.searchsorted(edges, values)
        return jnp.clip(((values + 3) / 6 * num_bins).astype(int), 0, num_bins - 1)

    cells = bin_of(x) * num_bins + bin_of(y)
    counts = one_of(
        jnp.bincount(cells, length=num_bins * num_bins),
        jax.ops.segment_sum(jnp.ones(n), cells, num_bins * num_bins),
    )
    joint = (counts + smoothing).reshape(num_bins, num_bins)
    joint = joint / jnp.sum(joint)
    p_x, p_y = jnp.sum(joint, axis=1), jnp.sum(joint, axis=0)
    if maybe("entropies"):
        entropies = [-jnp.sum(p * jnp.log(p)) for p in (p_x, p_y, joint)]
        information = entropies[0] + entropies[1] - entropies[2]
        if maybe("normalized"):
            information = information / (jnp.sqrt(entropies[0] * entropies[1]) + 1e-3)
        return information
    return jnp.sum(joint * jnp.log(joint / jnp.outer(p_x, p_y)))


@sketch(
    takes={"x": "features f[n, p]", "y": "features f[n, q]"},
    gives="metric f[]",
    sizes={"n": (4, 96), "p": (1, 48), "q": (1, 48)},
    dtypes="f32 f64",
    also=("Compare two representations of the same samples.",),
)
def centered_kernel_alignment(x, y, kernel=one_of("linear", "rbf")):
    """Align the centered similarity matrices of two representations."""
    n = x.shape[0]
    centering = jnp.eye(n, dtype=x.dtype) - 1 / n

    def similarity(features):
        if kernel == "linear":
            return features @ features.T / features.shape[1]
        squared = jnp.sum((features[:, None] - features[None]) ** 2, axis=-1)
        return jnp.exp(-squared / (one_of(jnp.mean(squared), jnp.max(squared) / 2) + 1e-2))

    gram_x, gram_y = (centering @ similarity(f) @ centering for f in (x, y))
    inner = one_of(jnp.sum(gram_x * gram_y), jnp.vdot(gram_x, gram_y), jnp.trace(gram_x @ gram_y))
    norms = jnp.sqrt(jnp.sum(gram_x * gram_x) * jnp.sum(gram_y * gram_y) + 1e-4)
    return inner / norms


@sketch(
    takes={"ratings": "samples f[n, k]: one column per item"},
    gives={"alpha": "f[]", "item_total": "f[k]", "agreement": "f[]"},
    sizes={"n": (8, 512), "k": (3, 16)},
    also=("Rate the reliability of a scale that several items make up.",),
)
def scale_reliability(ratings):
    """Assess how consistently several items measure one thing."""
    num_persons, num_items = ratings.shape
    if num_items < 2:
        raise ValueError(f"a scale needs two items, got {num_items}")
    if maybe("ordinal", 0.4):
        ratings = jnp.clip(jnp.round(ratings), -2, 2)
    totals = jnp.sum(ratings, axis=1)
    item_variances = jnp.var(ratings, axis=0, ddof=one_of(0, 1))
    total_variance = jnp.var(totals) + 1e-2
    # Cronbach's alpha
    alpha = num_items / (num_items - 1) * (1 - jnp.sum(item_variances) / total_variance)
    # Each item against the sum of the others.
    rest = totals[:, None] - ratings
    z_rest, z_items = map(functools.partial(_standardized, floor=0.05), (rest, ratings))
    item_total = jnp.mean(z_rest * z_items, axis=0)
    person_means = jnp.mean(ratings, axis=1)
    between = num_items * jnp.sum((person_means - jnp.mean(ratings)) ** 2) / max(num_persons - 1, 1)
    noise = jnp.mean((ratings - person_means[:, None]) ** 2) * num_items / (num_items - 1)
    agreement = (between - noise) / (between + (num_items - 1) * noise + 1e-2)
    return {
        "alpha": jnp.clip(alpha, -1, 1),
        "item_total": item_total,
        "agreement": one_of(agreement, jnp.clip(agreement, 0, 1)),
    }
