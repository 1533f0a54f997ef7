"""Contrastive and self-supervised losses on pairs of embeddings."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _on_sphere(x, eps=1e-6):
    """Scale each row to unit length."""
    if maybe("rsqrt rows"):
        return x * jax.lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True) + eps)
    return x / jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True) + eps)


@sketch(
    takes={
        "a": "features f[b, d]: queries",
        "b": "features f[b, d]: keys, one positive a query",
        "negatives?": "features f[k, d]: a queue of negatives",
    },
    gives="loss f[]",
    sizes={"b": (4, 64), "d": (4, 256), "k": (4, 64)},
    dtypes="f32 bf16",
    also=("InfoNCE loss between two sets of embeddings.",),
)
def info_nce(a, b, negatives=None, temperature=one_of(0.1, 0.2, 0.5)):
    """Pick out each query's own key among all keys of the batch."""
    queries, keys = _on_sphere(a), _on_sphere(b)
    logits = one_of(queries @ keys.T, jnp.einsum("id,jd->ij", queries, keys)) / temperature
    if negatives is not None:
        extra = queries @ jax.lax.stop_gradient(_on_sphere(negatives)).T
        logits = jnp.concatenate([logits, extra / temperature], axis=1)
    n = queries.shape[0]
    if maybe("diagonal"):
        log_probs = jax.nn.log_softmax(logits, axis=1)
        return -jnp.mean(jnp.diagonal(log_probs[:, :n]))
    positive = jnp.sum(queries * keys, axis=1) / temperature
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - positive)


@sketch(
    takes={"a": "features f[b, d]: first views", "b": "features f[b, d]: second views"},
    gives="loss f[]",
    sizes={"b": (4, 48), "d": (4, 256)},
    dtypes="f32 bf16",
    also=("Normalized temperature-scaled cross-entropy of two augmented views.",),
)
def nt_xent(a, b, temperature=number(0.1, 1.0)):
    """Attract two views of an example and repel the views of all others."""
    if a.shape != b.shape:
        raise ValueError(f"views differ in shape: {a.shape} and {b.shape}")
    n, _ = a.shape
    z = _on_sphere(jnp.concatenate([a, b], axis=0))
    similarity = z @ z.T / temperature
    self_pairs = jnp.eye(2 * n, dtype=bool)
    if maybe("decoupled", 0.3):
        # The positive stays out of its own denominator.
        partner = jnp.roll(self_pairs, n, axis=1)
        denominators = jnp.where(self_pairs | partner, -1e4, similarity)
    else:
        denominators = jnp.where(self_pairs, -1e4, similarity)
    partner_index = one_of(
        (jnp.arange(2 * n) + n) % (2 * n),
        jnp.concatenate([jnp.arange(n, 2 * n), jnp.arange(n)]),
    )
    positives = similarity[jnp.arange(2 * n), partner_index]
    return jnp.mean(jax.nn.logsumexp(denominators, axis=1) - positives)


@sketch(
    takes={
        "images": "features f[b, d]: image embeddings",
        "texts": "features f[b, d]: text embeddings",
        "log_scale": "f[]: logarithm of the inverse temperature",
    },
    gives="loss f[]",
    sizes={"b": (4, 64), "d": (4, 256)},
    dtypes="f32 bf16",
    also=("Symmetric loss over image-text pairs.",),
)
def paired_modality_loss(images, texts, log_scale, max_scale=one_of(4.0, 3.0)):
    """Align images with their captions in a shared space."""
    n = images.shape[0]
    images, texts = _on_sphere(images), _on_sphere(texts)
    scale = jnp.exp(jnp.minimum(log_scale, max_scale))
    logits = scale * images @ texts.T
    if maybe("sigmoid pairs"):
        # Every pair is a binary problem of its own, so no softmax over the batch.
        signs = 2 * jnp.eye(n, dtype=logits.dtype) - 1
        bias = one_of(-2.0, -4.0)
        pair_losses = -jax.nn.log_sigmoid(signs * (logits + bias))
        return jnp.sum(pair_losses) / n
    correct = jnp.arange(n)
    losses = []
    for table in (logits, logits.T):
        log_probs = jax.nn.log_softmax(table, axis=-1)
        losses.append(-jnp.mean(log_probs[correct, correct]))
    return one_of(sum(losses) / 2, 0.5 * (losses[0] + losses[1]), sum(losses) / len(losses))


@sketch(
    takes={
        "embeddings": "embeddings f[b, d]",
        "labels": "labels i[b]",
    },
    gives="loss f[]",
    sizes={"b": (6, 48), "d": (4, 128)},
    dtypes="f32 bf16",
    also=("Triplet loss with mining inside the batch.",),
)
def batch_triplet_loss(embeddings, labels, margin=number(0.2, 1.0)):
    """Mine triplets in a batch and keep positives nearer than negatives by a margin."""
    if maybe("sphere", 0.5):
        embeddings = _on_sphere(embeddings)
    if maybe("gram distances"):
        gram = embeddings @ embeddings.T
        norms = jnp.diagonal(gram)
        squared = norms[:, None] - 2 * gram + norms[None, :]
    else:
        squared = jnp.sum((embeddings[:, None] - embeddings[None, :]) ** 2, axis=-1)
    # The root of 0 has no derivative.
    dist = jnp.sqrt(jnp.maximum(squared, 1e-4))
    same = labels[:, None] == labels[None, :]
    if maybe("hardest"):
        farthest = jnp.max(jnp.where(same, dist, 0.0), axis=1)
        nearest = jnp.min(jnp.where(same, 1e3, dist), axis=1)
        nearest = jnp.where(jnp.any(~same, axis=1), nearest, farthest + margin)
        violation = farthest - nearest + margin
        return jnp.mean(one_of(jax.nn.relu(violation), jax.nn.softplus(violation)))
    # All valid (anchor, positive, negative) at once.
    violation = dist[:, :, None] - dist[:, None, :] + margin
    is_self = jnp.eye(labels.shape[0], dtype=bool)
    valid = (same & ~is_self)[:, :, None] & ~same[:, None, :]
    active = jnp.where(valid, jax.nn.relu(violation), 0.0)
    if maybe("average active"):
        return jnp.sum(active) / jnp.maximum(jnp.sum(active > 1e-6), 1)
    return jnp.sum(active) / jnp.maximum(jnp.sum(valid), 1)


@sketch(
    takes={"embeddings": "embeddings f[b, d]", "labels": "labels i[b]", "mask?": "mask bool[b]"},
    gives="loss f[]",
    sizes={"b": (6, 48), "d": (4, 128)},
    dtypes="f32 bf16",
    also=("Supervised contrastive loss.",),
)
def class_contrastive_loss(embeddings, labels, mask=None, *, temperature=one_of(0.2, 0.1, 0.5)):
    """Pull embeddings of one class together, with every other example as a negative."""
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(f"got embeddings {embeddings.shape} and labels {labels.shape}")
    z = _on_sphere(embeddings)
    logits = z @ z.T / temperature
    others = 1 - jnp.eye(labels.shape[0], dtype=logits.dtype)
    positives = (labels[:, None] == labels[None, :]).astype(logits.dtype) * others
    log_denominator = jax.nn.logsumexp(jnp.where(others > 0, logits, -1e4), axis=1, keepdims=True)
    log_prob = logits - log_denominator
    num_positives = jnp.sum(positives, axis=1)
    if maybe("outside log"):
        per_anchor = jnp.sum(positives * log_prob, axis=1) / jnp.maximum(num_positives, 1)
    else:
        mass = jnp.sum(positives * jnp.exp(log_prob), axis=1) / jnp.maximum(num_positives, 1)
        per_anchor = jnp.log(mass + 1e-6)
    counted = num_positives > 0 if mask is None else (num_positives > 0) & mask
    return -jnp.sum(jnp.where(counted, per_anchor, 0)) / jnp.maximum(jnp.sum(counted), 1)


@sketch(
    takes={"a": "features f[b, d]: first views", "b": "features f[b, d]: second views"},
    gives="loss f[]",
    sizes={"b": (6, 64), "d": (4, 128)},
    dtypes="f32 f64",
    also=("Barlow Twins objective.", "Redundancy reduction between two views."),
)
def cross_correlation_loss(a, b, off_weight=number(5e-3, 1e-1)):
    """Drive the cross-correlation of two views towards the identity."""
    n, d = a.shape

    def standardized(z):
        z = z - jnp.mean(z, axis=0)
        return z / jnp.sqrt(jnp.mean(z**2, axis=0) + one_of(1e-3, 1e-2))

    za, zb = standardized(a), standardized(b)
    c = one_of(za.T @ zb, jnp.einsum("ni,nj->ij", za, zb)) / n
    on_diagonal = jnp.sum((1 - jnp.diagonal(c)) ** 2)
    if maybe("mask diagonal"):
        off_diagonal = jnp.sum(jnp.where(jnp.eye(d, dtype=bool), 0, c) ** 2)
    else:
        off_diagonal = jnp.sum(c**2) - jnp.sum(jnp.diagonal(c) ** 2)
    loss = on_diagonal + off_weight * off_diagonal
    return loss / d if maybe("per dimension") else loss


@dataclass(frozen=True)
class VicregWeights:
    """What invariance, spread and decorrelation count."""

    invariance: float = 25.0
    spread: float = 25.0
    decorrelation: float = 1.0


@sketch(
    takes={"a": "features f[b, d]: first views", "b": "features f[b, d]: second views"},
    gives="loss f[]",
    sizes={"b": (6, 64), "d": (4, 96)},
    dtypes="f32 bf16",
    also=("Variance-invariance-covariance regularization.",),
)
def variance_covariance_loss(a, b, target_std=one_of(1.0, 0.5)):
    """Match two views while no dimension collapses and no two repeat each other."""
    weights = one_of(VicregWeights(), VicregWeights(10.0, 10.0), VicregWeights(spread=15.0))
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"expected two views of one shape, got {a.shape} and {b.shape}")
    n, d = a.shape
    invariance = one_of(jnp.mean((a - b) ** 2), jnp.mean(jnp.sum((a - b) ** 2, axis=1)) / d)
    variance = covariance = 0.0
    for view in (a, b):
        centered = view - jnp.mean(view, axis=0, keepdims=True)
        if maybe("soft hinge", 0.3):
            # exp(-var) never stops pushing, but hardly does where the variance is large.
            variance = variance + jnp.mean(jnp.exp(-jnp.mean(centered**2, axis=0)))
        else:
            std = jnp.sqrt(jnp.mean(centered**2, axis=0) + 1e-4)
            variance = variance + jnp.mean(jax.nn.relu(target_std - std)) / 2
        cov = centered.T @ centered / (n - 1)
        if maybe("subtract diagonal"):
            squares = jnp.sum(cov**2) - jnp.sum(jnp.diagonal(cov) ** 2)
        else:
            off_diagonal = cov * (1 - jnp.eye(d, dtype=cov.dtype))
            squares = jnp.sum(off_diagonal**2)
        covariance = covariance + squares / d
    total = weights.invariance * invariance + weights.spread * variance
    return (total + weights.decorrelation * covariance) / one_of(10.0, 25.0)


@sketch(
    takes={"a": "features f[b, d]: predictions", "b": "features f[b, d]: targets"},
    gives="loss f[]",
    sizes={"b": (4, 128), "d": (4, 256)},
    dtypes="f32 bf16",
    also=("Cosine regression onto targets without gradient.",),
)
def bootstrap_cosine_loss(a, b):
    """Predict the embedding of another view, which itself gets no gradient."""
    target = jax.lax.stop_gradient(_on_sphere(b))
    if maybe("center targets", 0.4):
        # Keeps one dimension from dominating all targets.
        target = target - jnp.mean(target, axis=0)
    if maybe("symmetric views", 0.4):
        back = jnp.sum(_on_sphere(b) * jax.lax.stop_gradient(_on_sphere(a)), axis=-1)
        forth = jnp.sum(_on_sphere(a) * target, axis=-1)
        return 2 - jnp.mean(forth) - jnp.mean(back)
    cosine = one_of(
        jnp.sum(_on_sphere(a) * target, axis=-1), jnp.einsum("bd,bd->b", _on_sphere(a), target)
    )
    return one_of(jnp.mean(2 - 2 * cosine), 1 - jnp.mean(cosine), -jnp.mean(cosine))
