"""Metrics of classifiers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, sketch


def confusion_counts(labels, predicted, num_classes):
    """Count examples by true class, in rows, and predicted class, in columns."""
    if maybe("segment counts"):
        cells = labels * num_classes + predicted
        ones = jnp.ones(cells.shape, jnp.float32)
        flat = jax.ops.segment_sum(ones, cells, num_segments=num_classes**2)
        return flat.reshape(num_classes, num_classes)
    if maybe("scatter counts"):
        return jnp.zeros((num_classes, num_classes)).at[labels, predicted].add(1.0)
    return jax.nn.one_hot(labels, num_classes).T @ jax.nn.one_hot(predicted, num_classes)


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]", "mask?": "mask bool[b]"},
    gives="metric f[]",
    sizes={"c": (4, 128), "b": (4, 512)},
    also=("Top-k accuracy of a classifier.",),
)
def top_k_accuracy(logits, labels, mask=None, k=integer(1, 4)):
    """Count how often the true class is among the highest scores."""
    if k < 1 or k > logits.shape[-1]:
        raise ValueError(f"k = {k} is more than the {logits.shape[-1]} classes")
    if maybe("rank of label"):
        # How many classes beat the true one?
        true_scores = jnp.take_along_axis(logits, labels[:, None], axis=-1)
        ranks = jnp.sum(logits > true_scores, axis=-1)
        hits = ranks < k
    elif maybe("lax top k"):
        _, best = jax.lax.top_k(logits, k)
        hits = jnp.any(best == labels[:, None], axis=-1)
    else:
        best = jnp.argsort(-logits, axis=-1)[:, :k]
        hits = jnp.any(best == labels[:, None], axis=-1)
    if mask is None:
        return jnp.mean(hits.astype(logits.dtype))
    kept = mask.astype(logits.dtype)
    return jnp.sum(hits * kept) / jnp.maximum(jnp.sum(kept), 1.0)


class ClassScores(NamedTuple):
    """Precision, recall and F-score of each class."""

    precision: jax.Array
    recall: jax.Array
    f_score: jax.Array


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    sizes={"c": (4, 16), "b": (8, 512)},
    also=("Precision, recall and F-score from a confusion matrix.",),
)
def class_f_scores(logits, labels, beta=one_of(1.0, 0.5, 2.0), eps=1e-6):
    """Tabulate predictions against labels and derive precision, recall and F-score."""
    num_classes = logits.shape[-1]
    table = confusion_counts(labels, jnp.argmax(logits, axis=-1), num_classes)
    hits = jnp.diagonal(table)
    predicted, actual = jnp.sum(table, axis=0), jnp.sum(table, axis=1)
    precision = hits / (predicted + eps)
    recall = hits / (actual + eps)
    f_score = (1 + beta**2) * precision * recall / (beta**2 * precision + recall + eps)
    if maybe("named scores"):
        scores = ClassScores(precision, recall, f_score)
        if maybe("macro too", 0.4):
            return scores, ClassScores(*(jnp.mean(values) for values in scores))
        return scores
    support = one_of(actual / jnp.sum(table), jnp.mean(jax.nn.one_hot(labels, num_classes), axis=0))
    return {
        "macro": jnp.mean(f_score),
        "weighted": one_of(jnp.sum(support * f_score), support @ f_score),
        "accuracy": one_of(jnp.sum(hits), jnp.trace(table)) / jnp.sum(table),
    }


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="metric f[]",
    sizes={"c": (4, 16), "b": (8, 512)},
    also=("Agreement of a classifier with the labels, corrected for chance.",),
)
def chance_corrected_agreement(logits, labels):
    """Correct the agreement of predictions and labels for what chance would give."""
    num_classes = logits.shape[-1]
    table = confusion_counts(labels, jnp.argmax(logits, axis=-1), num_classes)
    total = jnp.sum(table)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    if maybe("matthews"):
        covariance = jnp.trace(table) * total - rows @ columns
        spread = (total**2 - rows @ rows) * (total**2 - columns @ columns)
        return covariance / jnp.sqrt(jnp.maximum(spread, 1.0))
    expected = jnp.outer(rows, columns) / total
    if maybe("ordinal weights"):
        # Near misses cost less than far ones.
        classes = jnp.arange(num_classes)
        gap = jnp.abs(classes[:, None] - classes[None, :])
        weights = (gap / (num_classes - 1)) ** one_of(1, 2)
        return 1 - jnp.sum(weights * table) / jnp.maximum(jnp.sum(weights * expected), 1e-3)
    observed, by_chance = jnp.trace(table) / total, jnp.trace(expected) / total
    return (observed - by_chance) / jnp.maximum(1 - by_chance, 1e-3)


@sketch(
    takes={"scores": "scores f[b]", "labels": "labels i[b]"},
    gives="metric f[]",
    sizes={"b": (8, 256)},
    also=("Area under the ROC curve.",),
)
def rank_auc(scores, labels, threshold=one_of(0, 1)):
    """Estimate how often a positive example scores above a negative one."""
    positive = labels > threshold
    num_pos = jnp.sum(positive)
    num_neg = positive.shape[0] - num_pos
    pairs = jnp.maximum(num_pos * num_neg, 1)
    if maybe("all pairs"):
        above = scores[:, None] > scores[None, :]
        ties = scores[:, None] == scores[None, :]
        wins = above + 0.5 * ties
        return jnp.sum(wins * (positive[:, None] & ~positive[None, :])) / pairs
    # The rank sum of Mann and Whitney.
    order = jnp.argsort(scores)
    if maybe("inverse order"):
        ranks = jnp.zeros_like(scores).at[order].set(jnp.arange(1, scores.shape[0] + 1.0))
        rank_sum = jnp.sum(jnp.where(positive, ranks, 0))
    else:
        rank_sum = jnp.sum(jnp.arange(1, scores.shape[0] + 1.0) * positive[order])
    return (rank_sum - num_pos * (num_pos + 1) / 2) / pairs


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="metric f[]",
    sizes={"c": (4, 32), "b": (16, 512)},
    also=("Expected calibration error of a classifier.",),
)
def calibration_error(logits, labels, num_bins=one_of(10, 15, 5, 20), temperature=1.0):
    """Compare confidence with accuracy in bins of confidence."""
    probs = jax.nn.softmax(logits / temperature, axis=-1)
    confidence = jnp.max(probs, axis=-1)
    correct = (jnp.argmax(probs, axis=-1) == labels).astype(probs.dtype)
    bins = jnp.clip(jnp.floor(confidence * num_bins).astype(jnp.int32), 0, num_bins - 1)
    if maybe("loop bins", 0.4):
        total = 0.0
        for b in range(num_bins):
            inside = (bins == b).astype(probs.dtype)
            gap = jnp.sum(inside * (confidence - correct))
            total = total + jnp.abs(gap)
        return total / labels.shape[0]
    if maybe("segments"):
        gaps = jax.ops.segment_sum(confidence - correct, bins, num_segments=num_bins)
    else:
        membership = jax.nn.one_hot(bins, num_bins, dtype=probs.dtype)
        gaps = membership.T @ (confidence - correct)
    if maybe("signed", 0.3):
        # Positive where the classifier is too sure of itself.
        return jnp.sum(gaps) / labels.shape[0]
    return jnp.sum(jnp.abs(gaps)) / labels.shape[0]


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives={"score": "metric f[]", "nll": "metric f[]", "entropy": "metric f[]"},
    sizes={"c": (4, 64), "b": (4, 512)},
    dtypes="f32 bf16",
    also=("Proper scores of predicted class probabilities.",),
)
def probabilistic_scores(logits, labels):
    """Judge predicted class probabilities by proper scoring rules."""
    num_classes = logits.shape[-1]
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    probs = jnp.exp(log_probs)
    truth = jax.nn.one_hot(labels, num_classes, dtype=logits.dtype)
    if maybe("spherical", 0.3):
        norms = jnp.sqrt(jnp.sum(probs * probs, axis=-1))
        score = jnp.mean(jnp.sum(truth * probs, axis=-1) / norms)
    elif maybe("ranked", 0.3):
        # Classes are ordered, so their distributions are compared cumulatively.
        gaps = jnp.cumsum(probs, axis=-1) - jnp.cumsum(truth, axis=-1)
        score = jnp.mean(jnp.sum(gaps**2, axis=-1)) / (num_classes - 1)
    else:
        score = jnp.mean(jnp.sum((probs - truth) ** 2, axis=-1))
    nll = -jnp.mean(jnp.sum(truth * log_probs, axis=-1))
    entropy = -jnp.mean(jnp.sum(probs * log_probs, axis=-1))
    return {"score": score, "nll": nll, "entropy": entropy}


@sketch(
    takes={"masks": "logits f[b, h, w, k]: scores of each class", "labels": "labels i[b, h, w]"},
    gives="metric f[]",
    sizes={"b": (1, 8), "h": (4, 24), "w": (4, 24), "k": (4, 8)},
    dtypes="f32 bf16",
    also=("Overlap of predicted and true segments.",),
)
def segmentation_overlap(masks, labels, smooth=one_of(1.0, 1e-3, 0.5)):
    """Measure how far predicted segments overlap with the true ones."""
    batch, height, width, num_classes = masks.shape
    if num_classes < 2 or labels.shape != (batch, height, width):
        raise ValueError(f"labels {labels.shape} do not lie on a {height} by {width} grid")
    if maybe("soft", 0.5):
        predicted = jax.nn.softmax(masks, axis=-1)
    else:
        predicted = jax.nn.one_hot(jnp.argmax(masks, axis=-1), num_classes, dtype=masks.dtype)
    truth = jax.nn.one_hot(labels, num_classes, dtype=masks.dtype)
    if maybe("flatten pixels"):
        predicted, truth = (z.reshape(-1, num_classes) for z in (predicted, truth))
        intersection = one_of(
            jnp.einsum("pk,pk->k", predicted, truth), jnp.sum(predicted * truth, axis=0)
        )
        sizes = jnp.sum(predicted + truth, axis=0)
    else:
        axes = one_of((0, 1, 2), (1, 2))
        intersection = jnp.sum(predicted * truth, axis=axes)
        sizes = jnp.sum(predicted, axis=axes) + jnp.sum(truth, axis=axes)
    if maybe("tversky", 0.3):
        # Missed pixels weigh more than those that were marked in vain.
        missed = one_of(0.7, 0.6) * (sizes - 2 * intersection)
        overlap = (intersection + smooth) / (intersection + missed + smooth)
    elif maybe("dice"):
        overlap = (2 * intersection + smooth) / (sizes + smooth)
    else:
        overlap = (intersection + smooth) / (sizes - intersection + smooth)
    if maybe("skip background", 0.4):
        overlap = overlap[..., 1:]
    return jnp.mean(overlap)
