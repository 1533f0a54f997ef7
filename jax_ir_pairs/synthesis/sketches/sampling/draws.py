"""Draws from distributions, mostly such that one can differentiate through them."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"logits": "logits f[b, k]", "key": "key"},
    gives="probabilities f[b, k]",
    sizes={"b": (1, 256), "k": (2, 128)},
    dtypes="f32 bf16",
    also=("Relax categorical draws so that gradients pass through them.",),
)
def gumbel_softmax(logits, key, temperature=number(0.2, 1.5), hard=one_of(True, False)):
    """Draw nearly one-hot vectors with Gumbel noise."""
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if maybe("gumbel_by_hand", 0.35):
        uniforms = jax.random.uniform(key, logits.shape, minval=1e-4, maxval=0.999)
        gumbel = -jnp.log(-jnp.log(uniforms)).astype(logits.dtype)
    else:
        gumbel = jax.random.gumbel(key, logits.shape, logits.dtype)
    soft = jax.nn.softmax((logits + gumbel) / temperature, axis=-1)
    if not hard:
        return soft
    # Straight-through: one-hot forwards, soft backwards.
    index = jnp.argmax(soft, axis=-1)
    one_hot = jax.nn.one_hot(index, logits.shape[-1], dtype=logits.dtype)
    if maybe("gumbel_custom"):
        return jax.lax.stop_gradient(one_hot - soft) + soft
    return one_hot + soft - jax.lax.stop_gradient(soft)


@sketch(
    takes={"logits": "logits f[b, n]", "key": "key"},
    gives=("ids i[b, k]", "f[b, k]: log_probs"),
    sizes={"b": (1, 64), "n": (12, 512), "k": (1, 8)},
    also=("Draw several items without replacement from a categorical distribution.",),
)
def gumbel_top_k(logits, key, num_draws=size("k")):
    """Sample without replacement by perturbing scores and keeping the largest."""
    batch_size, num_items = logits.shape
    assert num_draws <= num_items, f"cannot draw {num_draws} of {num_items} items"
    log_probs = jax.nn.log_softmax(logits)
    perturbed = log_probs + jax.random.gumbel(key, logits.shape)
    if maybe("sorted_top", 0.4):
        items = jnp.argsort(-perturbed, axis=-1)[:, :num_draws]
    else:
        _, items = jax.lax.top_k(perturbed, num_draws)
    chosen = jnp.take_along_axis(log_probs, items, axis=-1)
    if maybe("sequential_log_probs"):
        # What was drawn before is no longer available.
        taken = jnp.cumsum(jnp.exp(chosen), axis=-1) - jnp.exp(chosen)
        chosen = chosen - jnp.log(jnp.maximum(1.0 - taken, 1e-3))
    assert items.shape == (batch_size, num_draws), f"drew items of shape {items.shape}"
    return items, chosen


@sketch(
    takes={"shape_logits": "f[n]: logarithms of shape parameters", "key": "key"},
    gives="samples f[m, n]",
    sizes={"n": (1, 64), "m": (1, 48)},
    also=("Draw gamma variates by squeezing and a fixed number of proposals.",),
)
def gamma_by_rejection(shape_logits, key, num_draws=size("m"), num_tries=integer(2, 4)):
    """Sample gamma variates with the method of Marsaglia and Tsang."""
    concentration = 1.0 + jnp.exp(jnp.clip(shape_logits, -3.0, 3.0))
    offset = concentration - 1.0 / 3.0
    slope = 1.0 / jnp.sqrt(9.0 * offset)
    shape = (num_draws, shape_logits.shape[0])
    # The mode, for the rare case that every try fails.
    result = jnp.broadcast_to(offset, shape)
    done = jnp.zeros(shape, bool)
    for try_key in jax.random.split(key, num_tries):
        normal_key, uniform_key = jax.random.split(try_key)
        normals = jax.random.normal(normal_key, shape)
        cubes = jnp.maximum(1.0 + slope * normals, 1e-3) ** 3
        uniforms = jax.random.uniform(uniform_key, shape, minval=1e-6)
        limit = 0.5 * normals**2 + offset * (1.0 - cubes + jnp.log(cubes))
        accept = jnp.log(uniforms) < limit
        if maybe("squeeze_test"):
            # A cheap bound that decides nearly all cases.
            accept = accept | (uniforms < 1.0 - 0.0331 * normals**4)
        result = jnp.where(accept & ~done, offset * cubes, result)
        done = done | accept
    if maybe("normalize_gammas", 0.3):
        # As a Dirichlet draw over the columns.
        return result / jnp.sum(result, axis=1, keepdims=True)
    return result


@sketch(
    takes={"rates": "f[n]: logarithms of rates", "key": "key"},
    gives="samples f[m, n]",
    sizes={"n": (1, 64), "m": (1, 48)},
    also=("Invert distribution functions of waiting times at uniform draws.",),
)
def inverse_cdf_draws(
    rates, key, num_draws=size("m"), family=one_of("exponential", "weibull", "lomax")
):
    """Transform uniform draws into waiting times."""
    scale = one_of(jnp.exp(-jnp.tanh(rates)), 1.0 / (0.1 + jax.nn.softplus(rates)))
    shape = (num_draws, rates.shape[0])
    uniforms = jax.random.uniform(key, shape, rates.dtype, minval=1e-4, maxval=0.999)
    if maybe("uniform_strata", 0.4):
        # One draw in each of equally likely intervals.
        strata = jnp.arange(num_draws, dtype=rates.dtype)[:, None]
        uniforms = (strata + uniforms) / num_draws
    if family == "exponential":
        return -scale * jnp.log1p(-uniforms)
    if family == "weibull":
        return scale * (-jnp.log1p(-uniforms)) ** 0.5
    if family == "lomax":
        return scale * jnp.expm1(-jnp.log1p(-uniforms) / 3.0)
    raise ValueError(f"unknown family {family!r}")


@sketch(
    takes={
        "logits": "logits f[k]",
        "means": "mean f[k, d]",
        "log_scales": "f[k, d]",
        "key": "key",
    },
    gives="samples f[m, d]",
    sizes={"k": (2, 16), "d": (1, 32), "m": (2, 128)},
    also=("Draw from a mixture: first a component, then a point of it.",),
)
def sample_gaussian_mixture(logits, means, log_scales, key, num_draws=size("m")):
    """Sample points from a mixture of diagonal Gaussians."""
    component_key, noise_key = one_of(
        jax.random.split(key), (jax.random.fold_in(key, 0), jax.random.fold_in(key, 1))
    )
    scales = jnp.exp(jnp.clip(log_scales, -3.0, 1.0))
    shape = (num_draws, means.shape[1])
    if maybe("student_noise", 0.25):
        noise = jnp.clip(jax.random.t(noise_key, 4.0, shape, means.dtype), -8.0, 8.0)
    else:
        noise = jax.random.normal(noise_key, shape, means.dtype)
    if maybe("mixture_counts", 0.3):
        # Components get their expected share of the draws, up to rounding.
        cumulative = jnp.cumsum(jax.nn.softmax(logits))
        grid = (jnp.arange(num_draws) + jax.random.uniform(component_key)) / num_draws
        components = jnp.clip(jnp.searchsorted(cumulative, grid), 0, logits.shape[0] - 1)
    else:
        components = jax.random.categorical(component_key, logits, shape=(num_draws,))
    if maybe("gather_rows", 0.6):
        return means[components] + scales[components] * noise
    chosen = jax.nn.one_hot(components, logits.shape[0], dtype=means.dtype)
    return chosen @ means + (chosen @ scales) * noise


@sketch(
    takes={"log_concentration": "f[n, k]", "key": "key"},
    gives=("counts i[n, k]", "probabilities f[n, k]"),
    sizes={"n": (1, 64), "k": (2, 32)},
    also=("Draw category counts of groups whose probabilities differ.",),
)
def dirichlet_multinomial(log_concentration, key, *, num_trials=one_of(10, 20, 50)):
    """Sample overdispersed counts over categories."""
    num_groups, num_categories = log_concentration.shape
    concentration = jnp.exp(jnp.clip(log_concentration, -1.0, 3.0))
    prob_key, count_key = jax.random.split(key)
    if maybe("dirichlet_direct"):
        probs = jax.random.dirichlet(prob_key, concentration)
    else:
        gammas = jax.random.gamma(prob_key, concentration) + 1e-6
        probs = gammas / jnp.sum(gammas, axis=1, keepdims=True)
    draws = jax.random.categorical(
        count_key, jnp.log(probs + 1e-8), axis=-1, shape=(num_trials, num_groups)
    )
    if maybe("scatter_counts", 0.4):
        rows = jnp.broadcast_to(jnp.arange(num_groups), draws.shape)
        counts = jnp.zeros((num_groups, num_categories), jnp.int32).at[rows, draws].add(1)
    else:
        count_row = functools.partial(jnp.bincount, length=num_categories)
        counts = jax.vmap(count_row, in_axes=1)(draws)
    return counts, probs


@sketch(
    takes={"mean": "mean f[d]", "factor": "matrix f[d, d]", "key": "key"},
    gives="samples f[m, d]",
    sizes={"d": (2, 64), "m": (1, 64)},
    also=("Draw correlated Gaussian vectors.",),
)
def correlated_normals(mean, factor, key, num_draws=size("m"), jitter=number(0.01, 0.3)):
    """Color independent normal draws with a covariance."""
    dim = mean.shape[0]
    if factor.shape != (dim, dim):
        raise ValueError(f"mean has {dim} entries, factor has shape {factor.shape}")
    if maybe("two_noises", 0.4):
        # Low-rank part and independent part apart, without a factorization.
        shared_key, own_key = jax.random.split(key)
        shared = jax.random.normal(shared_key, (num_draws, dim), mean.dtype)
        own = jax.random.normal(own_key, (num_draws, dim), mean.dtype)
        return mean + shared @ factor.T / jnp.sqrt(dim) + jnp.sqrt(jitter) * own
    covariance = factor @ factor.T / dim + jitter * jnp.eye(dim, dtype=mean.dtype)
    if maybe("library_normal", 0.4):
        return jax.random.multivariate_normal(key, mean, covariance, (num_draws,), mean.dtype)
    noise = jax.random.normal(key, (num_draws, dim), mean.dtype)
    if maybe("standardize_draws", 0.4):
        noise = noise - jnp.mean(noise, axis=0)
    lower = jnp.linalg.cholesky(covariance)
    return mean + one_of(noise @ lower.T, jnp.einsum("ij,mj->mi", lower, noise))
