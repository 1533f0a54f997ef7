"""Losses of classifiers on logits and integer labels."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def _label_log_probs(logits, labels):
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if maybe("take labels"):
        return jnp.take_along_axis(log_probs, labels[:, None], axis=-1)[:, 0]
    return log_probs[jnp.arange(labels.shape[0]), labels]


def _average_over(values, mask):
    """Average the entries that a mask keeps, or all of them."""
    if mask is None:
        return jnp.mean(values)
    kept = mask.astype(values.dtype)
    return jnp.sum(values * kept) / jnp.maximum(jnp.sum(kept), 1)


@sketch(
    takes={
        "logits": "logits f[b, c]",
        "labels": "labels i[b]",
        "class_weights?": "f[c]: weight of each class",
    },
    gives="loss f[]",
    sizes={"c": (4, 256), "b": (4, 256)},
    dtypes="f32 bf16",
    also=("Softmax cross-entropy with smoothed labels.",),
)
def smoothed_cross_entropy(logits, labels, class_weights=None, smoothing=number(0.02, 0.2)):
    """Score a softmax against labels that are smoothed towards the uniform distribution."""
    num_classes = logits.shape[-1]
    if maybe("check batch", 0.4):
        if logits.ndim != 2 or labels.shape != logits.shape[:-1]:
            raise ValueError(f"labels {labels.shape} do not match logits {logits.shape}")
    if maybe("dense targets"):
        off_value = smoothing / num_classes
        targets = jax.nn.one_hot(labels, num_classes, dtype=logits.dtype)
        targets = targets * (1 - smoothing) + off_value
        nll = -jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1)
    else:
        # -sum(q log p) without building q: one part for the label, one for all classes.
        log_z = jax.nn.logsumexp(logits, axis=-1)
        picked = one_of(
            jnp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0],
            jnp.sum(jnp.where(jnp.arange(num_classes) == labels[:, None], logits, 0), axis=-1),
        )
        uniform = jnp.mean(logits, axis=-1)
        nll = log_z - (1 - smoothing) * picked - smoothing * uniform
    if class_weights is not None:
        nll = nll * class_weights[labels]
    return jnp.mean(nll)


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]", "mask?": "mask bool[b]"},
    gives="loss f[]",
    sizes={"c": (4, 128), "b": (4, 256)},
    dtypes="f32 bf16",
    also=("Focal loss for classes that are hard to separate.",),
)
def focal_loss(logits, labels, mask=None, gamma=one_of(2.0, 1.5, 3.0), alpha=number(0.2, 0.9)):
    """Down-weight examples that the classifier already gets right.

    The modulating factor (1 - p)^gamma leaves the hard examples in charge of the gradient.
    """
    log_p = _label_log_probs(logits, labels)
    p = jnp.exp(log_p)
    if maybe("expm1 factor", 0.3):
        # 1 - p without cancellation for confident predictions.
        modulation = jnp.maximum(-jnp.expm1(log_p), 1e-6) ** gamma
    else:
        modulation = jnp.maximum(1 - p, 1e-6) ** gamma
    if maybe("stop modulation", 0.25):
        modulation = jax.lax.stop_gradient(modulation)
    losses = -modulation * log_p
    if maybe("alpha"):
        losses = jnp.where(labels > 0, alpha * losses, (1 - alpha) * losses)
    return _average_over(losses, mask)


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 128), "b": (4, 256)},
    dtypes="f32 bf16",
    also=("Multiclass hinge loss.",),
)
def multiclass_hinge(logits, labels, margin=one_of(1.0, 0.5, 2.0)):
    """Ask the score of the true class to beat every other one by a margin."""
    batch_size, num_classes = logits.shape
    is_label = jnp.arange(num_classes) == labels[:, None]
    correct = jnp.take_along_axis(logits, labels[:, None], axis=1)
    if maybe("crammer singer"):
        # Only the strongest competitor counts.
        rival = jnp.max(jnp.where(is_label, -1e4, logits), axis=1)
        violation = jax.nn.relu(margin + rival - correct[:, 0])
    else:
        gaps = jax.nn.relu(margin + logits - correct)
        violation = jnp.sum(jnp.where(is_label, 0, gaps), axis=1)
    if maybe("square violation", 0.4):
        violation = jnp.square(violation)
    return one_of(jnp.mean(violation), jnp.sum(violation) / batch_size)


@sketch(
    takes={"x": "features f[b, d]", "prototypes": "f[c, d]: one a class", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 64), "d": (4, 256), "b": (4, 64)},
    also=("Large-margin cosine softmax over class prototypes.",),
)
def cosine_margin_softmax(x, prototypes, labels, scale=one_of(16.0, 30.0, 10.0), margin=0.35):
    """Separate classes on the sphere by a margin in cosine or in angle."""
    if x.shape[-1] != prototypes.shape[-1]:
        raise ValueError(f"features have {x.shape[-1]} entries, prototypes {prototypes.shape[-1]}")

    def unit(v):
        return v * jax.lax.rsqrt(jnp.sum(v * v, axis=-1, keepdims=True) + 1e-6)

    cosine = one_of(
        unit(x) @ unit(prototypes).T, jnp.einsum("bd,cd->bc", unit(x), unit(prototypes))
    )
    num_classes = prototypes.shape[0]
    if maybe("compare labels"):
        one_hot = (labels[:, None] == jnp.arange(num_classes)).astype(cosine.dtype)
    else:
        one_hot = jax.nn.one_hot(labels, num_classes, dtype=cosine.dtype)
    if maybe("angular"):
        # cos(theta + m) by the addition theorem.
        sine = jnp.sqrt(jnp.maximum(1 - cosine**2, 1e-4))
        shifted = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
    else:
        shifted = cosine - margin
    logits = scale * one_of(
        jnp.where(one_hot > 0, shifted, cosine), cosine + one_hot * (shifted - cosine)
    )
    if maybe("hardest negatives", 0.3):
        # Count the negatives above the average one only.
        floor = jnp.mean(logits, axis=-1, keepdims=True)
        logits = jnp.where((one_hot > 0) | (logits > floor), logits, floor)
    losses = -jnp.sum(one_hot * jax.nn.log_softmax(logits, axis=-1), axis=-1)
    return jnp.mean(losses)


@sketch(
    takes={"logits": "logits f[b, c]: evidence of each class", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"c": (4, 32), "b": (4, 128)},
    also=("Bayes risk of a Dirichlet over class probabilities.",),
)
def dirichlet_evidence_loss(logits, labels, kl_weight=number(0.01, 0.5)):
    """Fit a Dirichlet over class probabilities and shrink evidence for wrong classes."""
    num_classes = logits.shape[-1]
    evidence = one_of(
        jax.nn.softplus(logits), jax.nn.relu(logits), jnp.exp(jnp.clip(logits, -8, 8))
    )
    alpha = evidence + 1.0
    strength = jnp.sum(alpha, axis=-1, keepdims=True)
    targets = jax.nn.one_hot(labels, num_classes, dtype=alpha.dtype)
    if maybe("squared risk"):
        mean = alpha / strength
        error = jnp.sum((targets - mean) ** 2, axis=-1)
        variance = jnp.sum(mean * (1 - mean) / (strength + 1), axis=-1)
        risk = error + variance
    else:
        digamma = jax.scipy.special.digamma
        risk = jnp.sum(targets * (digamma(strength) - digamma(alpha)), axis=-1)
    if maybe("evidence kl", 0.6):
        # What is left once the evidence for the true class is taken out should be flat.
        wrong = targets + (1 - targets) * alpha
        total = jnp.sum(wrong, axis=-1)
        log_norm = jax.scipy.special.gammaln(total) - jnp.sum(
            jax.scipy.special.gammaln(wrong), axis=-1
        )
        gap = jax.scipy.special.digamma(wrong) - jax.scipy.special.digamma(total)[:, None]
        kl = log_norm - jax.scipy.special.gammaln(float(num_classes))
        kl = kl + jnp.sum((wrong - 1) * gap, axis=-1)
        risk = risk + kl_weight * kl
    return jnp.mean(risk)


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]", "mask?": "mask bool[b]"},
    gives="loss f[]",
    sizes={"c": (4, 128), "b": (4, 256)},
    dtypes="f32 bf16",
    also=("Loss of a classifier that tolerates wrong labels.",),
)
def noise_robust_loss(logits, labels, mask=None, q=number(0.3, 0.9), beta=number(0.1, 1.0)):
    """Bound what a mislabeled example can add to the loss."""
    if maybe("check q", 0.4):
        if q <= 0 or q > 1:
            raise ValueError(f"q must be in (0, 1], got {q}")
    log_p = _label_log_probs(logits, labels)
    if maybe("generalized"):
        # (1 - p^q) / q lies between the cross-entropy and the absolute error.
        losses = (1 - jnp.exp(q * log_p)) / q
    elif maybe("symmetric"):
        probs = jax.nn.softmax(logits, axis=-1)
        reverse = one_of(4.0, 6.0) * (1 - jnp.exp(log_p))
        entropy = -jnp.sum(probs * jax.nn.log_softmax(logits, axis=-1), axis=-1)
        losses = beta * reverse - (1 - q) * log_p + 0.1 * entropy
    else:
        clipped = jnp.maximum(log_p, -one_of(2.0, 4.0))
        losses = -clipped + beta * (1 - jnp.exp(log_p))
    return _average_over(losses, mask)


@sketch(
    takes={"logits": "logits f[b, c]: one a label", "targets": "targets f[b, c]"},
    gives="loss f[]",
    sizes={"c": (2, 128), "b": (4, 128)},
    dtypes="f32 bf16",
    also=("Asymmetric sigmoid loss for many labels an example.",),
)
def multilabel_asymmetric_loss(
    logits, targets, *, gamma_pos=one_of(0, 1), gamma_neg=integer(2, 4), shift=number(0.02, 0.1)
):
    """Focus on rare positives among many easy negatives, label by label."""
    present = one_of(targets > 0.5, jax.nn.sigmoid(targets) > 0.6)
    p = jax.nn.sigmoid(logits)
    if maybe("shift negatives", 0.6):
        # Negatives below the shift count as solved.
        p_neg = jnp.maximum(p - shift, 0)
    else:
        p_neg = p
    positive = jax.nn.log_sigmoid(logits) * (1 - p) ** gamma_pos
    negative = jnp.log(jnp.maximum(1 - p_neg, 1e-6)) * p_neg**gamma_neg
    losses = -jnp.where(present, positive, negative)
    if maybe("balance labels", 0.4):
        frequency = jnp.mean(present.astype(p.dtype), axis=0)
        losses = losses * jnp.where(present, 1 - frequency, frequency)
    per_example = jnp.sum(losses, axis=-1)
    return jnp.mean(per_example)


@sketch(
    takes={
        "scores": "scores f[b]: latent score of each example",
        "cuts": "f[c-1]: unordered gaps between thresholds",
        "labels": "labels i[b]: rank of each example",
    },
    gives="loss f[]",
    sizes={"c": (4, 8), "b": (4, 512)},
    also=("Negative log-likelihood of ordered classes under a cumulative link.",),
)
def ordinal_threshold_loss(scores, cuts, labels):
    """Fit ordered thresholds to a latent score by a cumulative link model."""
    num_cuts = cuts.shape[0]
    # Positive steps keep the thresholds in order.
    steps = one_of(jax.nn.softplus(cuts), jnp.exp(jnp.clip(cuts, -4, 4)), 0.1 + jnp.square(cuts))
    thresholds = jnp.cumsum(steps) - one_of(jnp.sum(steps) / 2, jnp.mean(steps))
    below = thresholds[None, :] - scores[:, None]
    if maybe("binary tasks"):
        # One binary task for each threshold: is the rank above it?
        above = (labels[:, None] > jnp.arange(num_cuts)).astype(scores.dtype)
        terms = above * jax.nn.log_sigmoid(-below) + (1 - above) * jax.nn.log_sigmoid(below)
        return -jnp.mean(jnp.sum(terms, axis=1))
    link = one_of(jax.nn.sigmoid, jax.scipy.stats.norm.cdf)
    cumulative = jnp.pad(link(below), ((0, 0), (0, 1)), constant_values=1.0)
    probs = jnp.diff(cumulative, axis=1, prepend=0.0)
    picked = jnp.take_along_axis(probs, labels[:, None], axis=1)
    return -jnp.mean(jnp.log(jnp.maximum(picked, 1e-6)))
