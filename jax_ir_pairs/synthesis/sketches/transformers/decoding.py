"""Decoding: caches of keys and values, and choosing the next tokens."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

language_model = nested("(params: P, tokens: tokens i[b, t]) -> logits f[b, t, v]")


@sketch(
    takes={
        "params": {"q": "f[d, h, e]", "k": "f[d, h, e]", "v": "f[d, h, e]", "out": "f[h, e, d]"},
        "x": "embeddings f[b, d]: embedding of the newest token",
        "cache": {"k": "f[b, t, h, e]", "v": "f[b, t, h, e]"},
        "position": "counts i[]: tokens in the cache so far",
    },
    gives=("embeddings f[b, d]: attended", {"k": "f[b, t, h, e]", "v": "f[b, t, h, e]"}),
    sizes={"b": (1, 8), "t": (8, 64), "d": (4, 64), "e": (2, 16), "h": (1, 4)},
    dtypes="f32 bf16",
    also=("Run attention for a single new token against cached keys and values.",),
)
def decode_with_cache(params, x, cache, position):
    """Append one token to a cache of keys and values and attend to all of it."""
    batch_size, max_len, num_heads, head_dim = cache["k"].shape
    if x.ndim != 2 or x.shape[0] != batch_size:
        raise ValueError(f"cache is for {batch_size} sequences, got shape {x.shape}")
    q = jnp.einsum("bd,dhe->bhe", x, params["q"]) / math.sqrt(x.shape[-1])
    k = jnp.einsum("bd,dhe->bhe", x, params["k"]) / math.sqrt(x.shape[-1])
    v = jnp.einsum("bd,dhe->bhe", x, params["v"])
    if maybe("ring_buffer", 0.35):
        # The oldest entry makes room once the buffer is full.
        slot = position % max_len
    else:
        slot = position
    if maybe("at_set"):
        keys_so_far = cache["k"].at[:, slot].set(k)
        values_so_far = cache["v"].at[:, slot].set(v)
    else:
        start = (0, slot, 0, 0)
        keys_so_far = jax.lax.dynamic_update_slice(cache["k"], k[:, None], start)
        values_so_far = jax.lax.dynamic_update_slice(cache["v"], v[:, None], start)
    scores = jnp.einsum("bhe,bthe->bht", q, keys_so_far) * head_dim**-0.5
    visible = jnp.arange(max_len) <= position
    scores = jnp.where(visible[None, None, :], scores, one_of(-1e9, -jnp.inf))
    attention = jax.nn.softmax(scores, axis=-1)
    if maybe("merge_heads"):
        read = jnp.einsum("bht,bthe->bhe", attention, values_so_far)
        read = read.reshape(batch_size, num_heads * head_dim)
        attended = read @ params["out"].reshape(num_heads * head_dim, -1)
    else:
        attended = jnp.einsum("bht,bthe,hed->bd", attention, values_so_far, params["out"])
    if maybe("skip"):
        attended = x + attended / math.sqrt(num_heads * head_dim)
    return attended, {"k": keys_so_far, "v": values_so_far}


@sketch(
    takes={"key": "key", "logits": "logits f[b, v]"},
    gives="tokens i[b]",
    sizes={"b": (1, 16), "v": (12, 1024)},
    also=("Draw the next token of each sequence from its most likely candidates.",),
)
def sample_top_k(key, logits, num_candidates=integer(2, 10), temperature=number(0.5, 1.5)):
    """Sample next tokens from the k most likely ones."""
    vocab_size = logits.shape[-1]
    if not 0 < num_candidates <= vocab_size:
        raise ValueError(f"cannot take {num_candidates} candidates of {vocab_size} tokens")
    logits = logits / temperature
    top, indices = jax.lax.top_k(logits, num_candidates)
    if maybe("in_full_vocabulary"):
        cutoff = top[:, -1:]
        kept = jnp.where(logits < cutoff, -jnp.inf, logits)
        return jax.random.categorical(key, kept, axis=-1)
    if maybe("gumbel"):
        # The Gumbel trick: the largest perturbed logit is a sample.
        gumbel = jax.random.gumbel(key, top.shape, top.dtype)
        chosen = jnp.argmax(top + gumbel, axis=-1)
    else:
        chosen = jax.random.categorical(key, top, axis=-1)
    return jnp.take_along_axis(indices, chosen[:, None], axis=-1)[:, 0]


@sketch(
    takes={"key": "key", "logits": "logits f[b, v]"},
    gives="tokens i[b]",
    sizes={"b": (1, 8), "v": (8, 512)},
    also=("Draw next tokens from the smallest set that holds most of the probability.",),
)
def sample_nucleus(key, logits, top_p=number(0.7, 0.97), temperature=one_of(1.0, 0.8)):
    """Sample next tokens from the nucleus of their distribution."""
    logits = logits / temperature
    order = jnp.argsort(-logits, axis=-1)
    ranked = jnp.take_along_axis(logits, order, axis=-1)
    probs = jax.nn.softmax(ranked, axis=-1)
    before = jnp.cumsum(probs, axis=-1) - probs
    # What comes before a token has to leave room for it, so the first one always stays.
    inside = before < top_p
    if maybe("min_probability", 0.35):
        inside = inside & (probs >= one_of(0.05, 0.1) * probs[:, :1])
    ranked = jnp.where(inside, ranked, -jnp.inf)
    if maybe("inverse_cdf", 0.4):
        weights = jax.nn.softmax(ranked, axis=-1)
        threshold = jax.random.uniform(key, (logits.shape[0], 1), weights.dtype)
        rank = jnp.sum(jnp.cumsum(weights, axis=-1) < threshold, axis=-1)
        rank = jnp.minimum(rank, jnp.sum(inside, axis=-1) - 1)
    else:
        rank = jax.random.categorical(key, ranked)
    return jnp.take_along_axis(order, rank[:, None], axis=-1).squeeze(-1)


@sketch(
    takes={"logits": "logits f[b, v]", "history": "tokens i[b, t]: tokens so far"},
    gives="logits f[b, v]",
    sizes={"b": (1, 16), "t": (1, 64), "v": (8, 512)},
    dtypes="f32 bf16",
    also=("Make tokens that have occurred already less likely to come again.",),
)
def penalize_repetition(logits, history, penalty=one_of(1.1, 1.2, 1.5), frequency_penalty=0.2):
    """Penalize the logits of tokens that the text already has."""
    if maybe("scatter_counts"):
        rows = jnp.arange(logits.shape[0])[:, None]
        occurrences = jnp.zeros(logits.shape, logits.dtype).at[rows, history].add(1)
    else:
        occurrences = jnp.sum(jax.nn.one_hot(history, logits.shape[-1], dtype=logits.dtype), axis=1)
    if maybe("divide"):
        # Positive logits shrink and negative ones grow in size: both become less likely.
        lowered = jnp.where(logits > 0, logits / penalty, logits * penalty)
        logits = jnp.where(occurrences > 0, lowered, logits)
    else:
        presence = (occurrences > 0).astype(logits.dtype)
        logits = logits - (penalty - 1) * presence
    if maybe("by_frequency", 0.4):
        logits = logits - frequency_penalty * occurrences
    return logits


@sketch(
    takes={
        "key": "key",
        "draft_tokens": "tokens i[t]: tokens that the draft model proposed",
        "draft_logits": "f[t, v]: what it drew them from",
        "target_logits": "f[t+1, v]: logits of the large model at the same positions",
    },
    gives=("i[]: accepted", "tokens i[]: corrected"),
    sizes={"t": (2, 8), "v": (8, 512)},
    also=("Verify speculated tokens against the model that they are meant for.",),
)
def verify_draft(key, draft_tokens, draft_logits, target_logits):
    """Accept a prefix of drafted tokens such that samples follow the target model."""
    num_drafted, vocab_size = draft_logits.shape
    if target_logits.shape != (num_drafted + 1, vocab_size):
        raise ValueError(f"expected one more row than {num_drafted}, got {target_logits.shape}")
    accept_key, correct_key = jax.random.split(key)
    p = jax.nn.softmax(target_logits, axis=-1)
    q = jax.nn.softmax(draft_logits, axis=-1)
    positions = jnp.arange(num_drafted)
    p_drafted, q_drafted = p[positions, draft_tokens], q[positions, draft_tokens]
    uniform = jax.random.uniform(accept_key, (num_drafted,))
    accepted = one_of(
        uniform < jnp.minimum(1.0, p_drafted / (q_drafted + 1e-9)),
        uniform * q_drafted < p_drafted,
    )
    # Everything after the first rejection is void.
    num_rejected = jnp.cumsum(jnp.logical_not(accepted))
    num_accepted = jnp.sum(num_rejected == 0)
    if maybe("pad_draft"):
        q = jnp.concatenate([q, jnp.zeros((1, vocab_size), q.dtype)])
        residual = jnp.maximum(p[num_accepted] - q[num_accepted], 0)
    else:
        at = jnp.minimum(num_accepted, num_drafted - 1)
        rejected = num_accepted < num_drafted
        residual = jnp.maximum(p[num_accepted] - jnp.where(rejected, q[at], 0.0), 0)
    corrected = jax.random.categorical(correct_key, jnp.log(residual + 1e-9))
    return num_accepted, corrected


class BeamState(NamedTuple):
    """Sequences that are followed, and the log-probability of each."""

    tokens: jax.Array
    scores: jax.Array


@sketch(
    takes={
        "logits": "f[b, k, v]: next-token logits of each beam",
        "scores": "f[b, k]: log-probability of each beam so far",
        "tokens": "tokens i[b, k, t]: tokens of each beam so far",
    },
    gives=("tokens i[b, k, t+1]", "f[b, k]"),
    sizes={"b": (1, 4), "k": (2, 5), "v": (8, 128), "t": (1, 16)},
    also=("Extend each beam by a token and keep the best of all.",),
)
def beam_search_step(
    logits, scores, tokens, end_token=one_of(None, 0), length_penalty=number(0.4, 1.0)
):
    """Advance beam search by one token."""
    batch_size, num_beams, vocab_size = logits.shape
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    if end_token is not None:
        # A beam that has ended goes on with the end token only, at no cost.
        ended = jnp.any(tokens == end_token, axis=-1)
        only_end = jnp.where(jnp.arange(vocab_size) == end_token, 0.0, -1e9)
        log_probs = jnp.where(ended[..., None], only_end, log_probs)
    candidates = scores[:, :, None] + log_probs
    flat = candidates.reshape(batch_size, num_beams * vocab_size)
    if maybe("normalize_length", 0.3):
        length = tokens.shape[-1] + 1
        _, best = jax.lax.top_k(flat / length**length_penalty, num_beams)
        best_scores = jnp.take_along_axis(flat, best, axis=1)
    else:
        best_scores, best = jax.lax.top_k(flat, num_beams)
    if maybe("divmod", 0.4):
        parent, token = jnp.divmod(best, vocab_size)
    else:
        parent, token = best // vocab_size, best % vocab_size
    kept = jnp.take_along_axis(tokens, parent[:, :, None], axis=1)
    grown = jnp.concatenate([kept, token[:, :, None]], axis=-1)
    if maybe("named"):
        return BeamState(tokens=grown, scores=best_scores)
    return grown, best_scores


@sketch(
    takes={"params": "P", "prompt": "tokens i[b, t]"},
    sizes={"b": (1, 3), "t": (3, 10), "v": (8, 64)},
    also=("Continue each prompt with the most likely tokens.",),
)
def generate_greedily(params, prompt, num_tokens=integer(2, 4)):
    """Extend prompts token by token with the model's first choice."""
    if prompt.ndim != 2:
        raise ValueError(f"expected prompts of shape (batch, length), got {prompt.shape}")
    window = prompt
    generated = []
    for _ in range(num_tokens):
        logits = language_model(params, window)[:, -1]
        if maybe("no_repeat", 0.4):
            # Rule out the token that was seen last.
            rows = jnp.arange(window.shape[0])
            logits = logits.at[rows, window[:, -1]].set(-jnp.inf)
        token = jnp.argmax(logits, axis=-1).astype(prompt.dtype)
        generated.append(token)
        # The context keeps its length: what is oldest goes.
        window = jnp.concatenate([window[:, 1:], token[:, None]], axis=1)
    if maybe("return_context", 0.3):
        return jnp.stack(generated, axis=1), window
    return jnp.stack(generated, axis=1)


@sketch(
    takes={"logits": "logits f[b, v]", "amateur_logits": "f[b, v]: logits of a weaker model"},
    gives="logits f[b, v]",
    sizes={"v": (8, 512)},
    dtypes="f32 bf16",
    also=("Favour tokens that an expert model likes better than an amateur does.",),
)
def contrast_with_amateur(logits, amateur_logits, alpha=one_of(0.1, 0.05), strength=1.0):
    """Subtract an amateur's log-probabilities among tokens that the expert finds plausible."""
    expert = jax.nn.log_softmax(logits, axis=-1)
    amateur = one_of(
        jax.nn.log_softmax(amateur_logits, axis=-1),
        jax.nn.log_softmax(amateur_logits / one_of(0.5, 2.0), axis=-1),
    )
    plausible = expert >= jnp.max(expert, axis=-1, keepdims=True) + math.log(alpha)
    if maybe("interpolate"):
        contrast = (1 + strength) * expert - strength * amateur
    else:
        contrast = expert - amateur
    return jnp.where(plausible, contrast, -30.0)
