"""Metrics of regressors, rankings, text and images."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, sketch


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]", "mask?": "mask bool[b]"},
    gives={"r2": "metric f[]", "rmse": "metric f[]", "mae": "metric f[]"},
    sizes={"b": (4, 2048)},
    dtypes="f32 f64",
    also=("Summary of a regressor's errors.",),
)
def regression_report(predictions, targets, mask=None):
    """Explain how much of the targets' variance a regressor accounts for."""
    kept = jnp.ones_like(targets) if mask is None else mask.astype(targets.dtype)
    count = jnp.maximum(jnp.sum(kept), 1)
    residual = (targets - predictions) * kept
    center = jnp.sum(targets * kept) / count
    unexplained = jnp.sum(residual**2)
    total = jnp.sum(kept * (targets - center) ** 2) + 1e-2
    r2 = 1 - unexplained / total
    if maybe("bounded r2", 0.4):
        # A few bad points should not hide the rest.
        r2 = jnp.maximum(r2, -1.0)
    rmse = jnp.sqrt(unexplained / count + 1e-6)
    mae = jnp.sum(jnp.abs(residual)) / count
    return one_of(
        {"r2": r2, "rmse": rmse, "mae": mae},
        dict(r2=r2, rmse=rmse, mae=mae),
    )


def _average_ranks(x):
    """Rank entries from 1; equal ones share the average of their ranks."""
    below = jnp.sum(x[None, :] < x[:, None], axis=1)
    ties = jnp.sum(x[None, :] == x[:, None], axis=1)
    return below + (ties + 1) / 2


@sketch(
    takes={"predictions": "predictions f[b]", "targets": "targets f[b]"},
    gives="metric f[]",
    sizes={"b": (5, 256)},
    also=("Association between predictions and targets.",),
)
def prediction_correlation(predictions, targets):
    """Correlate predictions with targets, by value, by rank or by pairs."""
    if maybe("kendall", 0.3):
        signs = jnp.sign(predictions[:, None] - predictions) * jnp.sign(targets[:, None] - targets)
        n = predictions.shape[0]
        return jnp.sum(signs) / (n * (n - 1))
    x, y = predictions, targets
    if maybe("spearman"):
        x, y = _average_ranks(x), _average_ranks(y)
    x, y = x - jnp.mean(x), y - jnp.mean(y)
    if maybe("concordance", 0.4):
        # Lin's coefficient also falls with a shift or a different scale.
        shift = jnp.mean(predictions) - jnp.mean(targets)
        return 2 * jnp.mean(x * y) / (jnp.mean(x * x) + jnp.mean(y * y) + shift**2 + 1e-3)
    return jnp.sum(x * y) * jax.lax.rsqrt(jnp.sum(x * x) * jnp.sum(y * y) + 1e-3)


@sketch(
    takes={"scores": "scores f[b, n]", "relevance": "counts i[b, n]"},
    gives="metric f[]",
    sizes={"b": (2, 32), "n": (4, 64)},
    also=("Quality of a ranking with graded relevance.",),
)
def ranking_quality(scores, relevance, k=integer(3, 10)):
    """Discount relevance by the place that the scores give it."""
    num_items = scores.shape[-1]
    k = min(k, num_items)
    order = jnp.argsort(-scores, axis=-1)
    ranked = jnp.take_along_axis(relevance, order, axis=-1)
    if maybe("reciprocal rank", 0.3):
        # The place of the first relevant item.
        is_hit = ranked > 0
        first = jnp.argmax(is_hit, axis=-1)
        return jnp.mean(jnp.where(jnp.any(is_hit, axis=-1), 1 / (first + 1.0), 0.0))
    if maybe("average precision", 0.3):
        hits = (ranked > 0).astype(scores.dtype)
        precision = jnp.cumsum(hits, axis=-1) / jnp.arange(1, num_items + 1)
        total = jnp.maximum(jnp.sum(hits, axis=-1), 1)
        return jnp.mean(jnp.sum(precision * hits, axis=-1) / total)
    discounts = 1 / jnp.log2(jnp.arange(2, k + 2).astype(scores.dtype))
    gains, best = (
        one_of(2.0**r - 1, r.astype(scores.dtype)) for r in (ranked, -jnp.sort(-relevance, axis=-1))
    )
    dcg = gains[:, :k] @ discounts
    ideal = best[:, :k] @ discounts
    return jnp.mean(dcg / jnp.maximum(ideal, 1e-3))


@sketch(
    takes={"queries": "embeddings f[b, d]", "keys": "embeddings f[b, d]: matches, in order"},
    gives={"recall": "metric f[]", "median_rank": "metric f[]"},
    sizes={"b": (4, 128), "d": (4, 128)},
    also=("Recall of nearest-neighbour retrieval.",),
)
def retrieval_recall(queries, keys, k=one_of(1, 5, 3)):
    """Retrieve each query's match by cosine similarity and report at which rank."""
    if queries.ndim != 2 or queries.shape != keys.shape:
        raise ValueError(f"queries {queries.shape} and keys {keys.shape} are not paired")
    queries, keys = (
        z / (jnp.linalg.norm(z, axis=-1, keepdims=True) + 1e-6) for z in (queries, keys)
    )
    similarity = queries @ keys.T
    if maybe("hubness", 0.3):
        # Keys that are near to everything are no good answer.
        similarity = similarity - jnp.mean(similarity, axis=0, keepdims=True)
    ranks = jnp.sum(similarity > jnp.diagonal(similarity)[:, None] + 1e-6, axis=1)
    recall = jnp.mean((ranks < k).astype(similarity.dtype))
    if maybe("median", 0.6):
        typical = jnp.median(ranks.astype(similarity.dtype))
    else:
        typical = jnp.mean(ranks.astype(similarity.dtype))
    return {"recall": recall, "median_rank": typical + 1}


def _ngram_codes(tokens, n, base):
    """Give each n-gram of a sequence one number."""
    length = tokens.shape[-1] - n + 1
    windows = [tokens[..., i : i + length] for i in range(n)]
    return functools.reduce(lambda code, window: code * base + window, windows)


@sketch(
    takes={"candidate": "tokens i[b, t]", "reference": "tokens i[b, s]"},
    gives="metric f32[]",
    sizes={"b": (2, 16), "t": (6, 32), "s": (6, 32)},
    also=("BLEU-like overlap of token sequences.",),
)
def ngram_overlap(candidate, reference, max_n=one_of(4, 2, 3), vocab_size=one_of(4, 8)):
    """Count n-grams that a candidate shares with its reference, clipped as BLEU does."""
    shortest = min(candidate.shape[-1], reference.shape[-1])
    if shortest < max_n:
        raise ValueError(f"sequences of {shortest} tokens have no {max_n}-grams")
    smoothing = one_of(1.0, 0.1)
    log_precision = 0.0
    for n in range(1, max_n + 1):
        found = _ngram_codes(candidate, n, vocab_size)
        wanted = _ngram_codes(reference, n, vocab_size)
        in_candidate = jnp.sum(found[:, :, None] == found[:, None, :], axis=-1)
        in_reference = jnp.sum(found[:, :, None] == wanted[:, None, :], axis=-1)
        # Each occurrence carries its share of the clipped count.
        clipped = jnp.sum(jnp.minimum(in_candidate, in_reference) / in_candidate, axis=-1)
        precision = (clipped + smoothing) / (found.shape[1] + smoothing)
        log_precision = log_precision + jnp.log(precision)
    score = jnp.exp(log_precision / max_n)
    if maybe("brevity", 0.6):
        ratio = reference.shape[1] / candidate.shape[1]
        score = score * jnp.exp(min(0.0, 1.0 - ratio))
    return jnp.mean(score)


@sketch(
    takes={"logits": "logits f[b, t, v]", "tokens": "tokens i[b, t]", "mask?": "mask bool[b, t]"},
    gives={"perplexity": "metric f[]", "bits": "metric f[]", "accuracy": "metric f[]"},
    sizes={"b": (2, 16), "t": (4, 64), "v": (8, 128)},
    also=("Perplexity of a language model.",),
)
def language_model_report(logits, tokens, mask=None, *, max_nll=one_of(20.0, 50.0)):
    """Report how surprised a language model is by the tokens that came."""
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    nll = -jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    right = jnp.argmax(logits, axis=-1) == tokens
    if mask is not None:
        count = jnp.maximum(jnp.sum(mask), 1)
        mean_nll = jnp.sum(jnp.where(mask, nll, 0)) / count
        accuracy = jnp.sum(right & mask) / count
    else:
        mean_nll, accuracy = jnp.mean(nll), jnp.mean(right)
    perplexity = jnp.exp(jnp.minimum(mean_nll, max_nll))
    if maybe("relative to uniform", 0.3):
        perplexity = perplexity / logits.shape[-1]
    return {"perplexity": perplexity, "bits": mean_nll / jnp.log(2.0), "accuracy": accuracy}
