"""Evaluation of predictions: survival, calibration, rankings, outliers."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={
        "durations": "counts i[n]: periods observed",
        "event": "mask bool[n]: censored where false",
    },
    gives={"survival": "f[m]", "at_risk": "f[m]", "median": "i[]"},
    sizes={"n": (8, 2048), "m": (4, 12)},
    also=("Tabulate the survival function of censored durations.",),
)
def survival_table(durations, event, num_periods=size("m")):
    """Estimate a survival curve from durations of which some are censored."""
    if durations.shape != event.shape:
        raise ValueError(f"{durations.shape[0]} durations but {event.shape[0]} event flags")
    if maybe("compare all", 0.4):
        periods = jnp.arange(num_periods)[:, None]
        deaths = jnp.sum((durations == periods) & event, axis=1)
        at_risk = jnp.sum(durations >= periods, axis=1)
    else:
        deaths = jax.ops.segment_sum(event.astype(int), durations, num_periods)
        leaving = jnp.bincount(durations, length=num_periods)
        # Who leaves in a period is at risk until its end.
        at_risk = jnp.cumsum(leaving[::-1])[::-1]
    hazard = deaths / jnp.maximum(at_risk, 1)
    if maybe("nelson aalen", 0.4):
        survival = jnp.exp(-jnp.cumsum(hazard))
    else:
        # Kaplan and Meier, as a sum of logarithms.
        survival = jnp.exp(jnp.cumsum(jnp.log1p(-jnp.minimum(hazard, 0.999))))
    median = jnp.sum(survival > 0.5 - 1e-4)
    return {"survival": survival, "at_risk": at_risk.astype(float), "median": median}


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives={"expected": "f[]", "maximum": "f[]", "accuracy": "f[k]", "confidence": "f[k]"},
    sizes={"b": (8, 512), "c": (4, 16), "k": (4, 15)},
    also=("Bin predictions by confidence and compare it with accuracy.",),
)
def calibration_report(logits, labels, num_bins=size("k"), temperature=1.0):
    """Measure how far the confidence of a classifier is from its accuracy."""
    batch = logits.shape[0]
    probs = jax.nn.softmax(logits / temperature, axis=-1)
    confidence = jnp.max(probs, axis=-1)
    correct = (jnp.argmax(logits, axis=-1) == labels).astype(logits.dtype)
    if maybe("soft bins"):
        centers = (jnp.arange(num_bins) + 0.5) / num_bins
        width = one_of(0.5, 1.0) / num_bins
        weights = jax.nn.softmax(-(((confidence[:, None] - centers) / width) ** 2), axis=1)
        sizes = jnp.sum(weights, axis=0)
        confidence_sums, correct_sums = confidence @ weights, correct @ weights
    else:
        bins = jnp.clip((confidence * num_bins).astype(int), 0, num_bins - 1)
        sizes = jnp.bincount(bins, length=num_bins)
        confidence_sums = jax.ops.segment_sum(confidence, bins, num_bins)
        correct_sums = jax.ops.segment_sum(correct, bins, num_bins)
    filled = jnp.maximum(sizes, 1e-3)
    mean_confidence, accuracy = confidence_sums / filled, correct_sums / filled
    gaps = jnp.abs(accuracy - mean_confidence)
    return {
        "expected": jnp.sum(gaps * sizes) / batch,
        "maximum": one_of(jnp.max(gaps), jnp.max(jnp.where(sizes > 0, gaps, 0))),
        "accuracy": accuracy,
        "confidence": mean_confidence,
    }


@sketch(
    takes={"predicted": "labels i[n]", "labels": "labels i[n]", "weights?": "f[n]"},
    gives={"confusion": "f[k, k]", "f_score": "f[k]", "kappa": "f[]"},
    sizes={"n": (8, 2048), "k": (4, 10)},
    also=("Tabulate a classifier's errors and score each class.",),
)
def confusion_report(
    predicted, labels, weights=None, num_classes=size("k"), beta=one_of(1.0, 2.0, 0.5)
):
    """Cross-tabulate predicted and true classes, with scores per class."""
    if predicted.shape != labels.shape:
        raise ValueError(f"{predicted.shape[0]} predictions for {labels.shape[0]} labels")
    importance = jnp.ones(labels.shape) if weights is None else jax.nn.sigmoid(weights)
    if maybe("one hot"):
        true_hot = jax.nn.one_hot(labels, num_classes)
        confusion = (true_hot * importance[:, None]).T @ jax.nn.one_hot(predicted, num_classes)
    else:
        confusion = jnp.zeros((num_classes, num_classes)).at[labels, predicted].add(importance)
    right = jnp.diagonal(confusion)
    precision = right / (jnp.sum(confusion, axis=0) + 1e-3)
    recall = right / (jnp.sum(confusion, axis=1) + 1e-3)
    mix = beta * beta
    f_score = (1 + mix) * precision * recall / (mix * precision + recall + 1e-3)
    total = jnp.sum(confusion)
    observed = jnp.trace(confusion) / total
    # Agreement that independent labels would have by chance.
    chance = jnp.sum(confusion, axis=0) @ jnp.sum(confusion, axis=1) / (total * total)
    kappa = (observed - chance) / (1 - chance + 1e-2)
    if maybe("normalize"):
        confusion = confusion / (jnp.sum(confusion, axis=one_of(0, 1), keepdims=True) + 1e-3)
    return {"confusion": confusion, "f_score": f_score, "kappa": kappa}


@sketch(
    takes={"x": "samples f[n, d]"},
    gives="scores f[n]: outlyingness",
    sizes={"n": (8, 128), "d": (2, 16)},
    dtypes="f32 f64",
    also=("Score rows by how unusual they are.",),
)
def outlier_scores(x, num_neighbors=integer(2, 5), ridge=number(0.05, 0.5)):
    """Score how far each sample lies from the bulk of the others."""
    n, d = x.shape
    if num_neighbors >= n:
        raise ValueError(f"{num_neighbors} neighbors among {n} samples")
    if maybe("mahalanobis"):
        center = one_of(jnp.mean(x, axis=0), jnp.median(x, axis=0))
        deviations = x - center
        cov = deviations.T @ deviations / n + ridge * jnp.eye(d, dtype=x.dtype)
        solved = jnp.linalg.solve(cov, deviations.T).T
        scores = jnp.sqrt(jnp.sum(deviations * solved, axis=1) / d + 1e-4)
    elif maybe("neighbors"):
        squared = jnp.sum((x[:, None] - x[None]) ** 2, axis=-1) / d
        # The nearest one is the sample itself.
        nearest = -jax.lax.top_k(-squared, num_neighbors + 1)[0][:, 1:]
        scores = one_of(jnp.mean(nearest, axis=1), nearest[:, -1])
    else:
        median = jnp.median(x, axis=0)
        spread = 1.4826 * jnp.median(jnp.abs(x - median), axis=0) + 0.05
        z = jnp.abs(x - median) / spread
        scores = one_of(jnp.max(z, axis=1), jnp.mean(z, axis=1))
    if maybe("log", 0.3):
        scores = jnp.log1p(jnp.maximum(scores, 0))
    return jnp.clip(scores, 0, 30)


@sketch(
    takes={"values": "samples f[n]", "weights": "f[n]: unnormalized importance"},
    gives="f[q]: quantiles",
    sizes={"n": (4, 512), "q": (1, 9)},
    dtypes="f32 f64",
    also=("Interpolate quantiles of a weighted sample.",),
)
def weighted_quantiles(values, weights, num_levels=size("q")):
    """Find evenly spaced quantiles of values that count differently."""
    if values.shape != weights.shape:
        raise ValueError(f"{values.shape[0]} values but {weights.shape[0]} weights")
    weights = one_of(jax.nn.softplus(weights), jnp.exp(weights / 2), jax.nn.sigmoid(weights))
    weights = weights / jnp.sum(weights)
    order = jnp.argsort(values)
    ordered, mass = values[order], weights[order]
    # Midpoints of the steps of the distribution function.
    cdf = jnp.cumsum(mass) - mass / 2
    levels = jnp.arange(1, num_levels + 1) / (num_levels + 1)
    if maybe("step", 0.3):
        index = jnp.clip(jnp.searchsorted(cdf, levels), 0, len(values) - 1)
        return ordered[index]
    return jnp.interp(levels, cdf, ordered)
