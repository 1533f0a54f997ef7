"""Losses over sequences and over ranked lists."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

language_model = nested("(params: P, tokens: tokens i[b, t]) -> logits f[b, t, v]")


def _valid_steps(lengths, num_steps):
    """Mark the steps before each sequence's end."""
    return jnp.arange(num_steps)[None, :] < lengths[:, None]


@sketch(
    takes={
        "logits": "logits f[b, t, v]",
        "tokens": "tokens i[b, t]: targets",
        "lengths?": "counts i[b]: steps that count in each sequence",
    },
    gives="loss f[]",
    sizes={"b": (2, 16), "t": (4, 64), "v": (8, 128)},
    dtypes="f32 bf16",
    also=("Cross-entropy of tokens, without padding.",),
)
def masked_token_loss(logits, tokens, lengths=None, pad_id=0, z_weight=number(1e-4, 1e-2)):
    """Average the negative log-likelihood of tokens over those that are no padding."""
    batch_size, num_steps, vocab_size = logits.shape
    log_z = jax.nn.logsumexp(logits, axis=-1)
    if maybe("one-hot tokens", 0.35):
        picked = jnp.sum(logits * jax.nn.one_hot(tokens, vocab_size, dtype=logits.dtype), axis=-1)
    else:
        picked = jnp.take_along_axis(logits, tokens[..., None], axis=-1)[..., 0]
    nll = log_z - picked
    if maybe("z loss", 0.4):
        # Keeps the normalizer near 1, which low precision likes.
        nll = nll + z_weight * log_z**2
    keep = tokens != pad_id
    if lengths is not None:
        keep = keep & _valid_steps(lengths, num_steps)
    keep = keep.astype(nll.dtype)
    if maybe("average sequences", 0.35):
        # Short sequences weigh as much as long ones.
        per_sequence = jnp.sum(nll * keep, axis=1) / jnp.maximum(jnp.sum(keep, axis=1), 1)
        return jnp.sum(per_sequence) / batch_size
    return jnp.sum(nll * keep) / jnp.maximum(jnp.sum(keep), 1)


@sketch(
    takes={"params": "P", "tokens": "tokens i[b, t]"},
    gives="loss f[]",
    sizes={"t": (6, 48), "b": (2, 16), "v": (8, 64)},
    dtypes="f32 bf16",
    also=("Next-token objective of a language model.",),
)
def next_token_objective(params, tokens, smoothing=number(0.01, 0.1)):
    """Predict each token from those before it."""
    if tokens.shape[1] < 2:
        raise ValueError(f"need two tokens or more to predict one, got {tokens.shape[1]}")
    logits = language_model(params, tokens)
    log_probs = jax.nn.log_softmax(logits[:, :-1], axis=-1)
    following = tokens[:, 1:]
    picked = jnp.take_along_axis(log_probs, following[..., None], axis=-1).squeeze(-1)
    if maybe("smooth tokens", 0.4):
        picked = (1 - smoothing) * picked + smoothing * jnp.mean(log_probs, axis=-1)
    if maybe("discount late", 0.3):
        steps = following.shape[1]
        discount = jnp.asarray([one_of(0.9, 0.95) ** i for i in range(steps)], picked.dtype)
        return -jnp.mean(jnp.sum(picked * discount, axis=1) / jnp.sum(discount))
    return -jnp.mean(picked)


@sketch(
    takes={
        "scores": "scores f[b, t, k]: emissions",
        "transitions": "f[k, k]: from and to each tag",
        "tags": "labels i[b, t]",
    },
    gives="loss f[]",
    sizes={"b": (2, 16), "t": (3, 24), "k": (4, 12)},
    dtypes="f32 f64",
    also=("Negative log-likelihood of tags under a linear-chain model.",),
)
def linear_chain_crf_loss(scores, transitions, tags):
    """Score a tagging against all others by the forward algorithm."""
    batch_size, num_steps, num_tags = scores.shape
    if transitions.shape != (num_tags, num_tags):
        raise ValueError(f"expected {num_tags} by {num_tags} transitions, got {transitions.shape}")
    emitted = jnp.take_along_axis(scores, tags[..., None], axis=-1)[..., 0]
    moved = transitions[tags[:, :-1], tags[:, 1:]]
    path_score = jnp.sum(emitted, axis=1) + jnp.sum(moved, axis=1)

    def forward(alpha, emission):
        alpha = jax.nn.logsumexp(alpha[:, :, None] + transitions[None], axis=1) + emission
        return alpha, None

    if maybe("python steps", 0.25):
        alpha = scores[:, 0]
        for t in range(1, num_steps):
            alpha, _ = forward(alpha, scores[:, t])
    else:
        alpha, _ = jax.lax.scan(forward, scores[:, 0], jnp.swapaxes(scores[:, 1:], 0, 1))
    log_z = jax.nn.logsumexp(alpha, axis=-1)
    nll = log_z - path_score
    return one_of(jnp.mean(nll) / num_steps, jnp.sum(nll) / (batch_size * num_steps))


@sketch(
    takes={"x": "sequence f[n, d]", "y": "sequence f[m, d]"},
    gives="loss f[]",
    sizes={"n": (3, 12), "m": (3, 16), "d": (2, 32)},
    dtypes="f32 f64",
    also=("Smoothed alignment cost of two series.",),
)
def soft_alignment_cost(x, y, gamma=one_of(1.0, 0.5, 2.0)):
    """Align two sequences by dynamic time warping with a soft minimum."""
    cost = jnp.mean((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)
    n, m = cost.shape

    def soft_min(*options):
        return -gamma * jax.nn.logsumexp(jnp.stack(options) / -gamma, axis=0)

    def next_cell(left, inputs):
        here, above, diagonal = inputs
        value = here + soft_min(left, above, diagonal)
        return value, value

    far = jnp.asarray(1e3, cost.dtype)
    previous = one_of(jnp.cumsum(cost[0]), jax.lax.associative_scan(jnp.add, cost[0]))
    for row in range(1, n):
        diagonal = jnp.concatenate([far[None], previous[:-1]])
        _, previous = jax.lax.scan(next_cell, far, (cost[row], previous, diagonal))
    total = previous[-1]
    return total / (n + m) if maybe("by length") else total


@sketch(
    takes={"scores": "scores f[b, n]", "relevance": "counts i[b, n]", "mask?": "mask bool[b, n]"},
    gives="loss f[]",
    sizes={"b": (2, 32), "n": (3, 24)},
    dtypes="f32 bf16",
    also=("Learning-to-rank loss over lists of candidates.",),
)
def ranking_list_loss(scores, relevance, mask=None, sigma=number(0.5, 2.0)):
    """Order candidates of a list by graded relevance."""
    gains = relevance.astype(scores.dtype)
    if mask is not None:
        scores = jnp.where(mask, scores, -1e2)
        gains = jnp.where(mask, gains, 0)
    if maybe("listwise"):
        # ListNet: the two distributions over the top item should agree.
        wanted = jax.nn.softmax(gains, axis=-1)
        return -jnp.mean(jnp.sum(wanted * jax.nn.log_softmax(scores, axis=-1), axis=-1))
    score_gap = scores[:, :, None] - scores[:, None, :]
    gain_gap = gains[:, :, None] - gains[:, None, :]
    ordered = gain_gap > 0
    if maybe("hinge pairs", 0.35):
        pair_loss = jax.nn.relu(sigma - score_gap)
    else:
        pair_loss = jax.nn.softplus(-sigma * score_gap)
    if maybe("gain weights"):
        # Mistakes between far grades cost more.
        pair_loss = pair_loss * jnp.abs(2 ** gains[:, :, None] - 2 ** gains[:, None, :])
    return jnp.sum(jnp.where(ordered, pair_loss, 0)) / jnp.maximum(jnp.sum(ordered), 1)


@sketch(
    takes={"logits": "logits f[b, t, v]", "tokens": "tokens i[b, t]", "mask?": "mask bool[b, t]"},
    gives="loss f[]",
    sizes={"b": (2, 16), "t": (4, 32), "v": (8, 64)},
    dtypes="f32 bf16",
    also=("Push down tokens that a sequence had before.",),
)
def unlikelihood_loss(logits, tokens, mask=None, weight=number(0.1, 1.0)):
    """Discourage a language model from repeating itself."""
    num_steps, vocab_size = logits.shape[1:]
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    likelihood = jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    one_hot = jax.nn.one_hot(tokens, vocab_size, dtype=logits.dtype)
    if maybe("cumulative counts"):
        seen = jnp.cumsum(one_hot, axis=1) - one_hot
    else:
        earlier = jnp.tril(jnp.ones((num_steps, num_steps), logits.dtype), k=-1)
        seen = jnp.einsum("ts,bsv->btv", earlier, one_hot)
    # The target itself is never a negative.
    negatives = (seen > 0.5) & (one_hot < 0.5)
    pushed = -jnp.log(jnp.maximum(-jnp.expm1(log_probs), 1e-5))
    unlikelihood = jnp.sum(jnp.where(negatives, pushed, 0), axis=-1)
    losses = weight * unlikelihood - likelihood
    keep = jnp.ones_like(losses) if mask is None else mask.astype(losses.dtype)
    return jnp.sum(losses * keep) / jnp.maximum(jnp.sum(keep), 1)


@sketch(
    takes={
        "policy_log_probs": "f[b, t]: log-probabilities of the taken tokens",
        "reference_log_probs": "f[b, t]: the same under the reference",
        "mask": "mask bool[b, t]: tokens of the answer",
    },
    gives="loss f[]",
    sizes={"b": (2, 32), "t": (2, 128)},
    dtypes="f32 bf16",
    also=("Preference loss without a reward model.",),
)
def preference_pair_loss(policy_log_probs, reference_log_probs, mask, beta=number(0.05, 0.5)):
    """Prefer the even rows of a batch to the odd ones, measured against a reference."""
    log_ratio = jnp.where(mask, policy_log_probs - reference_log_probs, 0.0)
    if maybe("per token"):
        ratio = jnp.sum(log_ratio, axis=1) / jnp.maximum(jnp.sum(mask, axis=1), 1)
    else:
        ratio = jnp.clip(jnp.sum(log_ratio, axis=1), -50.0, 50.0)
    pairs = ratio.shape[0] // 2
    chosen, rejected = ratio[: 2 * pairs : 2], ratio[1 : 2 * pairs : 2]
    margin = beta * (chosen - rejected)
    if maybe("identity preference", 0.3):
        return jnp.mean((margin - one_of(0.5, 1.0)) ** 2)
    if maybe("hinge preference", 0.3):
        return jnp.mean(jax.nn.relu(1 - margin))
    flip = one_of(0.0, 0.1, 0.05)
    losses = -(1 - flip) * jax.nn.log_sigmoid(margin) - flip * jax.nn.log_sigmoid(-margin)
    return jnp.mean(losses)
