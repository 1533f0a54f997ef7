"""Subspaces, alignments and whitening of data matrices."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"x": "samples f[n, d]"},
    gives="features f[n, d]: whitened",
    sizes={"n": (8, 256), "d": (2, 24)},
    dtypes="f32 f64",
    also=("Decorrelate the columns of a data matrix.",),
)
def whiten_samples(x, eps=number(1e-2, 0.5)):
    """Whiten samples so that their covariance is close to the identity."""
    n, d = x.shape
    centered = x - jnp.mean(x, axis=0)
    cov = centered.T @ centered / one_of(n, max(n - 1, 1))
    cov = cov + eps * jnp.eye(d, dtype=x.dtype)
    if maybe("cholesky", 0.4):
        chol = jnp.linalg.cholesky(cov)
        return one_of(
            jax.scipy.linalg.solve_triangular(chol, centered.T, lower=True).T,
            centered @ jnp.linalg.inv(chol).T,
        )
    values, vectors = jnp.linalg.eigh(cov)
    inverse_root = 1 / jnp.sqrt(jnp.maximum(values, eps))
    if maybe("zca", 0.7):
        # Rotated back, so that each column stays close to the one it was.
        return centered @ (vectors * inverse_root) @ vectors.T
    return centered @ vectors * inverse_root


@sketch(
    takes={"x": "samples f[n, d]"},
    gives={"mean": "f[d]", "explained": "f[k]", "reconstruction": "f[n, d]"},
    sizes={"n": (8, 256), "d": (6, 32), "k": (1, 5)},
    dtypes="f32 f64",
    also=("Reduce samples to their principal components and back.",),
)
def principal_components(x, num_components=size("k"), standardize=one_of(True, False)):
    """Project samples onto their leading principal axes and reconstruct them."""
    n, d = x.shape
    if not 0 < num_components <= d:
        raise ValueError(f"cannot take {num_components} components of {d} columns")
    mean = jnp.mean(x, axis=0)
    centered = x - mean
    if standardize:
        spread = jnp.std(x, axis=0) + 1e-3
        centered = centered / spread
    if maybe("covariance"):
        values, vectors = jnp.linalg.eigh(centered.T @ centered / n)
        values, axes = values[::-1], vectors[:, ::-1].T
    else:
        _, s, axes = jnp.linalg.svd(centered, full_matrices=False)
        values = s**2 / n
    axes = axes[:num_components]
    codes = centered @ axes.T
    reconstruction = codes @ axes
    if standardize:
        reconstruction = reconstruction * spread
    explained = values[:num_components] / (jnp.sum(values) + 1e-6)
    return {"mean": mean, "explained": explained, "reconstruction": reconstruction + mean}


def _regularized_inverse_root(cov, ridge):
    values, vectors = jnp.linalg.eigh(cov + ridge * jnp.eye(cov.shape[0], dtype=cov.dtype))
    return (vectors / jnp.sqrt(jnp.maximum(values, ridge))) @ vectors.T


@sketch(
    takes={"x": "features f[n, p]: first view", "y": "features f[n, q]: second view"},
    gives="f[k]: canonical correlations",
    sizes={"n": (8, 256), "p": (4, 16), "q": (4, 16), "k": (1, 4)},
    dtypes="f32 f64",
    also=("Correlate two views of the same samples by CCA.",),
)
def canonical_correlations(x, y, k=size("k"), ridge=number(0.05, 0.5)):
    """Find the leading canonical correlations between two views."""
    n = x.shape[0]
    if y.shape[0] != n:
        raise ValueError(f"views have {n} and {y.shape[0]} samples")
    x, y = (view - jnp.mean(view, axis=0, keepdims=True) for view in (x, y))
    cross = x.T @ y / n
    roots = [_regularized_inverse_root(view.T @ view / n, ridge) for view in (x, y)]
    coherence = roots[0] @ cross @ roots[1]
    correlations = jnp.linalg.svd(coherence, compute_uv=False)[:k]
    if maybe("clip"):
        correlations = jnp.minimum(correlations, 1.0)
    elif maybe("squared", 0.3):
        return correlations**2
    return correlations


@sketch(
    takes={"a": "orthogonal f[n, k]", "b": "matrix f[n, k]: columns that span the other subspace"},
    gives="angles f[k]",
    sizes={"n": (16, 256), "k": (2, 8)},
    dtypes="f32 f64",
)
def principal_angles(a, b, in_degrees=one_of(True, False)):
    """Measure the principal angles between two subspaces."""
    n, k = a.shape
    if k > n:
        raise ValueError(f"{k} columns cannot be orthonormal in dimension {n}")
    q, _ = jnp.linalg.qr(b)
    cosines = jnp.linalg.svd(a.T @ q, compute_uv=False)
    if maybe("sines"):
        # More accurate for small angles than the arc cosine.
        sines = jnp.linalg.svd(q - a @ (a.T @ q), compute_uv=False)[::-1]
        angles = jnp.arctan2(sines, jnp.maximum(cosines, 1e-4))
    else:
        angles = jnp.arccos(jnp.clip(cosines, 0.0, one_of(0.999, 0.9999)))
    if in_degrees:
        return one_of(jnp.degrees(angles), angles * (180 / jnp.pi)) / 90
    return angles


@sketch(
    takes={"x": "points f[n, d]"},
    gives="positive_definite f[n, n]: kernel matrix",
    sizes={"n": (3, 40), "d": (1, 16)},
    dtypes="f32 f64",
    also=("Evaluate a covariance kernel between all pairs of points.",),
)
def kernel_gram_matrix(x, length_scale=number(0.5, 4.0), jitter=number(0.05, 0.3)):
    """Build the covariance matrix of a stationary kernel at given points."""
    n, dim = x.shape
    if maybe("broadcast"):
        squared = jnp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1) / dim
    else:
        # Expanded, so that the large array of differences is not formed.
        norms = jnp.sum(x * x, axis=1)
        squared = jnp.maximum(norms[:, None] + norms[None, :] - 2 * x @ x.T, 0) / dim
    squared = squared / (length_scale * length_scale)
    if maybe("matern", 0.4):
        r = jnp.sqrt(3 * squared + 1e-6)
        gram = (1 + r) * jnp.exp(-r)
    else:
        gram = one_of(jnp.exp(-0.5 * squared), 1 / (1 + 0.5 * squared), jnp.exp(-squared))
    return gram + jitter * jnp.eye(n, dtype=x.dtype)


@sketch(
    takes={"cov": "positive_definite f[d, d]", "x": "samples f[n, d]", "mean?": "f[d]"},
    gives="log_probabilities f[n]",
    sizes={"d": (2, 24), "n": (2, 256)},
    dtypes="f32 f64",
    also=("Score samples under a multivariate normal distribution.",),
)
def gaussian_log_density(cov, x, mean=None, jitter=number(1e-2, 0.3)):
    """Evaluate a multivariate normal log density through a Cholesky factor."""
    num_samples, d = x.shape
    deviations = x if mean is None else x - mean
    chol = jnp.linalg.cholesky(cov + jitter * jnp.eye(d, dtype=cov.dtype))
    half_logdet = jnp.sum(jnp.log(jnp.diagonal(chol)))
    if maybe("whitened", 0.6):
        standardized = jax.scipy.linalg.solve_triangular(chol, deviations.T, lower=True)
        mahalanobis = jnp.sum(standardized**2, axis=0)
    else:
        solved = jax.scipy.linalg.cho_solve((chol, True), deviations.T)
        mahalanobis = one_of(
            jnp.sum(deviations.T * solved, axis=0), jnp.einsum("nd,dn->n", deviations, solved)
        )
    log_density = -0.5 * mahalanobis - half_logdet
    if maybe("constant", 0.7):
        log_density = log_density - 0.5 * d * jnp.log(2 * jnp.pi)
    return one_of(jnp.clip(log_density, -100, 0), jax.nn.log_softmax(log_density / num_samples))
