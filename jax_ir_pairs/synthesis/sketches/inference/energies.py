"""Negative log densities to sample from or to minimize."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 64)},
    dtypes="f32 bf16 f64",
    also=("Negative log density of a Gaussian that is bent into a banana.",),
)
def banana_energy(x, curvature=number(0.03, 0.3), spread=one_of(2.0, 3.0)):
    """Bend a Gaussian along a parabola."""
    if x.shape[-1] < 2:
        raise ValueError(f"at least two coordinates are needed, got {x.shape[-1]}")
    first, second = x[0], x[1]
    bent = second + curvature * (first**2 - spread**2)
    energy = 0.5 * (first / spread) ** 2 + 0.5 * bent**2
    if maybe("other_coordinates", 0.7):
        energy = energy + 0.5 * jnp.sum(x[2:] ** 2)
    if maybe("normalized_banana", 0.3):
        energy = energy + 0.5 * x.shape[-1] * jnp.log(2 * jnp.pi) + jnp.log(spread)
    return energy


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (1, 64)},
    dtypes="f32 bf16 f64",
    also=("Negative log density of several Gaussian bumps.",),
)
def mixture_energy(x, separation=number(0.5, 3.0)):
    """Place equally likely Gaussian modes along the diagonal."""
    centers = one_of(
        jnp.array([-separation, separation], x.dtype),
        jnp.linspace(-separation, separation, 3, dtype=x.dtype),
        separation * jnp.arange(-2, 2, dtype=x.dtype),
    )
    if maybe("mode_loop", 0.4):
        terms = [-0.5 * jnp.sum((x - center) ** 2) for center in centers]
        log_terms = jnp.stack(terms)
    else:
        log_terms = -0.5 * jnp.sum((x[None, :] - centers[:, None]) ** 2, axis=1)
    if maybe("mode_widths", 0.3):
        widths = jnp.linspace(0.7, 1.3, centers.shape[0], dtype=x.dtype)
        log_terms = log_terms / widths**2 - x.shape[0] * jnp.log(widths)
    return jnp.log(centers.shape[0]) - jax.nn.logsumexp(log_terms)


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (3, 128)},
    dtypes="f32 bf16 f64",
    also=("Energy of a field on a ring with a double well at every site.",),
)
def lattice_energy(x, coupling=number(0.1, 1.0), depth=number(0.05, 0.3)):
    """Couple neighboring sites of a one-dimensional field."""
    num_sites = x.size
    if maybe("open_ends", 0.4):
        differences = x[1:] - x[:-1]
    else:
        differences = jnp.roll(x, -1) - x
    kinetic = 0.5 * coupling * jnp.sum(differences**2)
    # Far out the wells continue as parabolas.
    inner = jnp.clip(x, -2.0, 2.0)
    well = depth * jnp.sum((inner**2 - 1.0) ** 2 + (x - inner) ** 2)
    if maybe("per_site", 0.3):
        return (kinetic + well) / num_sites
    if maybe("tilt", 0.3):
        well = well - 0.1 * jnp.sum(x)
    return kinetic + well


@sketch(
    takes={"x": "vector f[n]"},
    dtypes="f32 bf16",
    gives="energy f[]",
    sizes={"n": (2, 64)},
    also=("Negative log density of a funnel whose width depends on its first coordinate.",),
)
def funnel_energy(x, scale=one_of(3.0, 2.0)):
    """Narrow a Gaussian exponentially along its first coordinate."""
    neck, rest = x[0], x[1:]
    if maybe("noncentered_funnel", 0.35):
        # In coordinates where the funnel is an ordinary Gaussian.
        return 0.5 * (neck / scale) ** 2 + 0.5 * jnp.sum(rest**2)
    log_width = scale * jnp.tanh(neck / scale)
    energy = 0.5 * (neck / scale) ** 2
    energy = energy + 0.5 * jnp.sum(rest**2) * jnp.exp(-log_width)
    return energy + 0.5 * rest.shape[0] * log_width


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (1, 128)},
    dtypes="f32 bf16 f64",
    also=("Negative log density of independent Student-t coordinates.",),
)
def heavy_tailed_energy(x, dof=one_of(1.0, 3.0, 5.0), scale=number(0.5, 2.0)):
    """Sum heavy-tailed penalties over coordinates."""
    residual = x / scale
    if maybe("laplace_tails", 0.3):
        # A smooth version of the absolute value.
        return jnp.sum(jnp.sqrt(1.0 + residual**2) - 1.0)
    if maybe("joint_tails", 0.4):
        # One multivariate t rather than independent coordinates.
        n = x.shape[0]
        return 0.5 * (dof + n) * jnp.log1p(jnp.sum(residual**2) / dof)
    terms = jnp.log1p(residual**2 / dof)
    return 0.5 * (dof + 1.0) * jnp.sum(terms)


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 48)},
    dtypes="f32 f64",
    also=("Negative log density of a stationary autoregressive Gaussian.",),
)
def correlated_gaussian_energy(x, correlation=number(0.3, 0.9)):
    """Correlate neighboring coordinates of a Gaussian."""
    n = x.shape[0]
    if maybe("precision_form"):
        # The inverse of an autoregressive covariance is tridiagonal.
        innovations = x[1:] - correlation * x[:-1]
        quadratic = x[0] ** 2 + jnp.sum(innovations**2) / (1 - correlation**2)
        return 0.5 * quadratic
    lags = jnp.abs(jnp.arange(n)[:, None] - jnp.arange(n)[None, :])
    covariance = (correlation**lags).astype(x.dtype) + 1e-4 * jnp.eye(n, dtype=x.dtype)
    factor = jnp.linalg.cholesky(covariance)
    whitened = jax.scipy.linalg.solve_triangular(factor, x, lower=True)
    energy = 0.5 * jnp.sum(whitened**2)
    if maybe("log_normalizer"):
        energy = energy + jnp.sum(jnp.log(jnp.diagonal(factor)))
    return energy
