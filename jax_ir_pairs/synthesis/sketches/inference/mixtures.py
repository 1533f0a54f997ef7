"""Clusters, mixtures and topics."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def _squared_distances_to(x, centers):
    """Squared distance of each row to each center."""
    cross = x @ centers.T
    squares = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(centers**2, axis=1)
    return jnp.maximum(squares - 2.0 * cross, 0.0)


@sketch(
    takes={"x": "points f[n, d]", "centers": "points f[k, d]: initial"},
    dtypes="f32 bf16",
    gives={"centers": "points f[k, d]", "labels": "ids i[n]", "inertia": "f[]"},
    sizes={"n": (8, 512), "d": (2, 32), "k": (2, 12)},
    also=("Group points around centers by Lloyd's iterations.",),
)
def kmeans(x, centers, *, num_iters=integer(1, 5)):
    """Alternate between assigning points to centers and averaging them."""
    num_clusters = centers.shape[0]
    if centers.shape[1] != x.shape[1]:
        raise ValueError(f"centers have {centers.shape[1]} coordinates, points {x.shape[1]}")

    def assign(centers):
        if maybe("broadcast_distances", 0.4):
            distances = jnp.sum((x[:, None, :] - centers[None, :, :]) ** 2, axis=-1)
        else:
            distances = _squared_distances_to(x, centers)
        return jnp.argmax(-distances, axis=1), distances

    def update(centers):
        labels, _ = assign(centers)
        if maybe("segment_means"):
            sums = jax.ops.segment_sum(x, labels, num_segments=num_clusters)
            sizes = jax.ops.segment_sum(jnp.ones_like(x[:, 0]), labels, num_clusters)
        else:
            members = jax.nn.one_hot(labels, num_clusters, dtype=x.dtype)
            sums, sizes = members.T @ x, jnp.sum(members, axis=0)
        means = sums / jnp.maximum(sizes, 1.0)[:, None]
        # A center without points stays where it is.
        return jnp.where(sizes[:, None] > 0, means, centers)

    if maybe("kmeans_fori"):
        centers = jax.lax.fori_loop(0, num_iters, lambda _, c: update(c), centers)
    else:
        for _ in range(num_iters):
            centers = update(centers)
    labels, distances = assign(centers)
    inertia = jnp.sum(jnp.min(distances, axis=1))
    return {"centers": centers, "labels": labels, "inertia": inertia}


@sketch(
    takes={
        "x": "samples f[n, d]",
        "logits": "f[k]: of the mixture weights",
        "means": "mean f[k, d]",
        "log_scales": "f[k, d]",
    },
    dtypes="f32 bf16",
    gives=("probabilities f[n, k]", "f[]: log_likelihood"),
    sizes={"n": (4, 512), "d": (1, 16), "k": (2, 12)},
    also=("Responsibilities of a diagonal Gaussian mixture.",),
)
def gaussian_responsibilities(x, logits, means, log_scales, temperature=None):
    """Share each sample among the components of a Gaussian mixture."""
    num_components, dim = means.shape
    log_scales = one_of(jnp.clip(log_scales, -2.0, 2.0), jnp.tanh(log_scales))
    if maybe("component_vmap", 0.3):

        def log_density(mean, log_scale):
            standardized = (x - mean) * jnp.exp(-log_scale)
            return -0.5 * jnp.sum(standardized**2, axis=1) - jnp.sum(log_scale)

        log_probs = jax.vmap(log_density, out_axes=1)(means, log_scales)
    else:
        standardized = (x[:, None, :] - means) * jnp.exp(-log_scales)
        log_probs = -0.5 * jnp.sum(standardized**2, axis=-1) - jnp.sum(log_scales, axis=-1)
    joint = log_probs + jax.nn.log_softmax(logits) - 0.5 * dim * jnp.log(2 * jnp.pi)
    evidence = jax.nn.logsumexp(joint, axis=1)
    if temperature is not None:
        joint = joint / temperature
    if maybe("explicit_softmax", 0.4):
        responsibilities = jnp.exp(joint - evidence[:, None])
    else:
        responsibilities = jax.nn.softmax(joint, axis=1)
    assert responsibilities.shape == (x.shape[0], num_components), responsibilities.shape
    return responsibilities, one_of(jnp.mean(evidence), jnp.sum(evidence))


@sketch(
    takes={"x": "samples f[n, d]", "means": "mean f[k, d]"},
    gives={"weights": "weights f[k]", "means": "mean f[k, d]", "covariances": "f[k, d, d]"},
    sizes={"n": (16, 256), "d": (2, 8), "k": (2, 6)},
    also=("Take steps of expectation-maximization for a full-covariance mixture.",),
)
def mixture_em(x, means, num_iters=integer(1, 3), ridge=number(0.05, 0.3)):
    """Fit a Gaussian mixture by expectation-maximization."""
    num_samples, dim = x.shape
    num_components = means.shape[0]
    identity = jnp.eye(dim, dtype=x.dtype)
    weights = jnp.full(num_components, 1.0 / num_components, x.dtype)
    covariances = jnp.broadcast_to(identity, (num_components, dim, dim))

    for _ in range(num_iters):
        # E step: densities by a Cholesky factor of each covariance.
        factors = jnp.linalg.cholesky(covariances)
        centered = x[None, :, :] - means[:, None, :]
        if maybe("em_solve"):
            whitened = jnp.linalg.solve(factors, jnp.swapaxes(centered, 1, 2))
            squares = jnp.sum(whitened**2, axis=1)
        else:
            solve = jax.vmap(
                lambda factor, rows: jax.scipy.linalg.solve_triangular(factor, rows.T, lower=True)
            )
            squares = jnp.sum(solve(factors, centered) ** 2, axis=1)
        diagonals = jnp.diagonal(factors, axis1=1, axis2=2)
        log_dets = jnp.sum(jnp.log(diagonals), axis=1)
        log_joint = jnp.log(weights + 1e-6)[:, None] - 0.5 * squares - log_dets[:, None]
        responsibilities = jax.nn.softmax(log_joint, axis=0)

        # M step.
        mass = jnp.sum(responsibilities, axis=1) + 1e-2
        weights = mass / jnp.sum(mass)
        means = responsibilities @ x / mass[:, None]
        centered = x[None, :, :] - means[:, None, :]
        scatter = jnp.einsum("kn,kni,knj->kij", responsibilities, centered, centered)
        covariances = scatter / mass[:, None, None] + ridge * identity
        if maybe("tied_covariance", 0.3):
            shared = jnp.tensordot(weights, covariances, axes=1)
            covariances = jnp.broadcast_to(shared, covariances.shape)
    if maybe("order_components", 0.4):
        # The heaviest component first.
        order = jnp.argsort(-weights)
        weights, means, covariances = weights[order], means[order], covariances[order]
    return {"weights": weights, "means": means, "covariances": covariances}


@sketch(
    takes={"logits": "logits f[k]: of the stick fractions", "key": "key"},
    gives=("weights f[k+1]", "f[]: expected_clusters"),
    sizes={"k": (3, 128)},
    also=("Turn stick fractions into the weights of a Dirichlet process.",),
)
def stick_breaking(logits, key, concentration=number(0.5, 5.0)):
    """Break a unit stick into the weights of infinitely many clusters."""
    if maybe("random_sticks"):
        # Beta(1, concentration) by inverting its distribution function.
        uniforms = jax.random.uniform(key, logits.shape, minval=1e-4, maxval=1 - 1e-4)
        log_rest = jnp.log(uniforms) / concentration
        log_fractions = jnp.log(-jnp.expm1(log_rest) + 1e-6)
    else:
        offsets = jnp.log(jnp.arange(logits.shape[0], 0, -1).astype(logits.dtype))
        log_fractions = jax.nn.log_sigmoid(logits - offsets)
        log_rest = jax.nn.log_sigmoid(offsets - logits)
    # What is left before each break, in logarithms.
    remaining = jnp.cumsum(log_rest)
    before = jnp.concatenate([jnp.zeros(1, logits.dtype), remaining[:-1]])
    weights = jnp.exp(log_fractions + before)
    weights = one_of(
        jnp.append(weights, jnp.exp(remaining[-1])),
        jnp.concatenate([weights, jnp.exp(remaining[-1:])]),
    )
    if maybe("entropy_clusters"):
        expected = jnp.exp(-jnp.sum(weights * jnp.log(weights + 1e-8)))
    else:
        expected = 1.0 / jnp.sum(weights**2)
    return weights, expected


@sketch(
    takes={"counts": "counts i[n, v]: words of each document", "topic_logits": "logits f[k, v]"},
    gives={"documents": "f[n, k]", "topics": "f[k, v]"},
    sizes={"n": (2, 64), "v": (8, 256), "k": (2, 10)},
    also=("Update topic proportions of documents by coordinate ascent.",),
)
def topic_inference(counts, topic_logits, prior=number(0.1, 1.0), num_iters=integer(2, 6)):
    """Infer which topics the words of documents come from."""
    num_docs, vocab_size = counts.shape
    if topic_logits.shape[1] != vocab_size:
        raise ValueError(f"topics over {topic_logits.shape[1]} words, documents over {vocab_size}")
    topics = jax.nn.softmax(topic_logits, axis=1)
    words = counts.astype(topics.dtype)
    gamma = jnp.ones((num_docs, topics.shape[0]), topics.dtype)

    def refine(gamma):
        digamma = jax.scipy.special.digamma
        if maybe("mean_proportions", 0.4):
            proportions = gamma / jnp.sum(gamma, axis=1, keepdims=True)
        else:
            # exp E[log theta] under the Dirichlet posterior.
            log_mean = digamma(gamma) - digamma(jnp.sum(gamma, axis=1, keepdims=True))
            proportions = jnp.exp(log_mean)
        normalizer = proportions @ topics + 1e-6
        return prior + proportions * ((words / normalizer) @ topics.T)

    if maybe("topic_fori"):
        gamma = jax.lax.fori_loop(0, num_iters, lambda _, g: refine(g), gamma)
    else:
        for _ in range(num_iters):
            gamma = refine(gamma)
    proportions = gamma / jnp.sum(gamma, axis=1, keepdims=True)
    responsibility = words / (proportions @ topics + 1e-6)
    new_topics = topics * (proportions.T @ responsibility) + one_of(0.01, 0.1)
    new_topics = new_topics / jnp.sum(new_topics, axis=1, keepdims=True)
    return {"documents": proportions, "topics": new_topics}


@sketch(
    takes={"x": "points f[n, d]", "key": "key"},
    gives="points f[k, d]",
    sizes={"n": (8, 512), "d": (2, 32), "k": (2, 8)},
    also=("Pick starting centers that are far apart.",),
)
def spread_out_centers(x, key, num_centers=size("k")):
    """Choose points as centers with probability proportional to their distance."""
    if num_centers < 1 or num_centers > x.shape[0]:
        raise ValueError(f"cannot pick {num_centers} of {x.shape[0]} points")
    first_key, *keys = jax.random.split(key, num_centers)
    first = jax.random.randint(first_key, (), 0, x.shape[0])
    centers = [x[first]]
    nearest = jnp.sum((x - centers[0]) ** 2, axis=1)
    for center_key in keys:
        if maybe("greedy_centers", 0.3):
            # The farthest point, which is sensitive to outliers.
            index = jnp.argmax(nearest)
        else:
            index = jax.random.categorical(center_key, jnp.log(nearest + 1e-6))
        centers.append(x[index])
        nearest = jnp.minimum(nearest, jnp.sum((x - x[index]) ** 2, axis=1))
    chosen = jnp.stack(centers)
    if maybe("jitter_centers", 0.3):
        jitter = jax.random.normal(jax.random.fold_in(key, 7), chosen.shape, x.dtype)
        chosen = chosen + 0.01 * jitter
    return chosen
