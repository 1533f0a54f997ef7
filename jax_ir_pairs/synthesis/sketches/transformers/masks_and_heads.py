"""Small parts around transformers: masks, heads, shifts, pruning."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


@sketch(
    takes={"lengths": "counts i[b]", "scores": "f[b, h, t, t]"},
    gives="f[b, h, t, t]: masked",
    sizes={"b": (1, 8), "h": (1, 4), "t": (3, 24)},
    dtypes="f32 bf16",
    also=("Hide future and padded keys from attention scores.",),
)
def mask_attention_scores(lengths, scores, causal=one_of(True, False)):
    """Mask attention scores by the lengths of sequences."""
    seq_len = scores.shape[-1]
    positions = jnp.arange(seq_len)
    visible = positions[None, None, None, :] < jnp.maximum(lengths, 1)[:, None, None, None]
    if causal and seq_len > 1:
        visible = visible & (positions[:, None] >= positions[None, :])
    if maybe("additive"):
        return scores + jnp.where(visible, 0.0, -1e4).astype(scores.dtype)
    return jnp.where(visible, scores, one_of(-1e4, jnp.finfo(scores.dtype).min / 2))


@sketch(
    takes={"tokens": "tokens i[b, t]"},
    gives=("tokens i[b, t]: inputs", "mask bool[b, t]: counted"),
    sizes={"b": (1, 64), "t": (3, 256)},
    also=("Make decoder inputs out of the tokens that are to be predicted.",),
)
def shift_tokens_right(tokens, start_token=1, pad_token=0):
    """Delay tokens by one step and tell which of them count."""
    if maybe("roll"):
        shifted = jnp.roll(tokens, 1, axis=1).at[:, 0].set(start_token)
    elif maybe("pad"):
        shifted = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=start_token)
    else:
        first = jnp.full((tokens.shape[0], 1), start_token, tokens.dtype)
        shifted = jnp.concatenate([first, tokens[:, :-1]], axis=1)
    return shifted, tokens != pad_token


@sketch(
    takes={"params": {"w": "f[d, c]", "b": "f[c]"}, "x": "sequence f[b, t, d]"},
    gives="logits f[b, c]",
    sizes={"b": (2, 32), "t": (2, 64), "d": (4, 128), "c": (2, 16)},
    dtypes="f32 bf16",
    also=("Classify sequences by their first position.",),
)
def class_token_head(params, x):
    """Read class scores off the first token of encoded sequences."""
    pooled = one_of(x[:, 0], x[:, 0, :], jnp.take(x, 0, axis=1))
    if maybe("tanh_pooler"):
        pooled = jnp.tanh(pooled)
    logits = pooled @ params["w"]
    if maybe("bias", 0.7):
        logits = logits + params["b"]
    return logits


@sketch(
    takes={"x": "sequence f[b, t, d]", "scores": "f[b, t]: importance of each token"},
    gives="sequence f[b, k, d]",
    sizes={"b": (1, 16), "t": (9, 64), "d": (4, 64), "k": (2, 8)},
    also=("Keep the most important tokens of each sequence.",),
)
def prune_tokens(x, scores, num_kept=size("k"), keep_order=one_of(True, False)):
    """Drop all but the highest-scoring tokens of a sequence."""
    if not 0 < num_kept <= x.shape[1]:
        raise ValueError(f"cannot keep {num_kept} of {x.shape[1]} tokens")
    top, kept = jax.lax.top_k(scores, num_kept)
    if keep_order:
        kept = jnp.sort(kept, axis=-1)
    if maybe("gather_rows"):
        rows = jnp.arange(x.shape[0])[:, None]
        pruned = x[rows, kept]
    else:
        pruned = jnp.take_along_axis(x, kept[:, :, None], axis=1)
    if maybe("weigh_by_score", 0.35):
        # The lowest score that was kept sets the level.
        level = top[:, -1:, None]
        pruned = pruned * jax.nn.sigmoid(level)
    if maybe("residual_mean", 0.35):
        pruned = pruned + jnp.mean(x, axis=1, keepdims=True)
    return pruned


@sketch(
    takes={
        "params": {"table": "f[v, d]", "segments": "f[2, d]", "scale": "f[d]"},
        "tokens": "tokens i[b, t]",
        "segment": "ids i[b, t]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 16), "t": (2, 64), "v": (8, 256), "d": (4, 64)},
    dtypes="f32 bf16",
    also=("Look up token and segment embeddings and add them.",),
)
def embed_tokens_and_segments(params, tokens, segment):
    """Embed tokens together with the sentence that they belong to."""
    x = one_of(params["table"][tokens], jnp.take(params["table"], tokens, axis=0, mode="clip"))
    which = jnp.minimum(segment, 1)
    if maybe("select"):
        x = x + jnp.where(which[..., None] == 0, params["segments"][0], params["segments"][1])
    else:
        x = x + params["segments"][which]
    if maybe("normalize"):
        mean_square = jnp.mean(x * x, axis=-1, keepdims=True)
        return x * jax.lax.rsqrt(mean_square + number(1e-6, 1e-5)) * params["scale"]
    return x * params["scale"]


@sketch(
    takes={"xq": "heads f[b, t, h, e]", "temperature": "f[h]"},
    gives="heads f[b, t, h, e]",
    sizes={"b": (1, 8), "t": (2, 128), "h": (1, 8), "e": (2, 32)},
    dtypes="f32 bf16",
    also=("Scale each head to unit length, with a temperature of its own.",),
)
def normalize_query_heads(xq, temperature):
    """Normalize queries head by head."""
    num_heads, head_dim = xq.shape[-2:]
    if temperature.shape != (num_heads,):
        raise ValueError(f"{num_heads} heads need as many temperatures, got {temperature.shape}")
    if maybe("rms"):
        inverse = jax.lax.rsqrt(jnp.mean(xq * xq, axis=-1, keepdims=True) + 1e-6)
    else:
        inverse = head_dim**0.5 / (jnp.sqrt(jnp.sum(xq * xq, axis=-1, keepdims=True)) + 1e-3)
    return xq * inverse * one_of(jnp.exp(jnp.tanh(temperature)), temperature)[:, None]


@sketch(
    takes={"key": "key", "tokens": "tokens i[b, t]"},
    gives={"tokens": "tokens i[b, t]", "labels": "i[b, t]", "weights": "f[b, t]"},
    sizes={"b": (1, 32), "t": (4, 128), "v": (8, 512)},
    also=("Hide some tokens, to be predicted from the others.",),
)
def corrupt_for_mlm(key, tokens, vocab_size=size("v"), share=number(0.1, 0.3), mask_token=3):
    """Corrupt tokens as masked language models are trained on."""
    chosen_key, action_key, token_key = jax.random.split(key, 3)
    chosen = jax.random.bernoulli(chosen_key, share, tokens.shape)
    if maybe("keep_special"):
        # Padding and separators stay what they are.
        chosen = chosen & (tokens > one_of(0, 1))
    if maybe("bert_recipe"):
        # Of the chosen ones, 80 % are masked, 10 % are random, and 10 % stay.
        action = jax.random.uniform(action_key, tokens.shape)
        replacement = jax.random.randint(token_key, tokens.shape, 0, vocab_size)
        corrupted = jnp.where(action < 0.8, mask_token, tokens)
        corrupted = jnp.where(action >= 0.9, replacement, corrupted)
    else:
        keep = jax.random.bernoulli(action_key, 0.1, tokens.shape)
        other = jax.random.randint(token_key, tokens.shape, 0, vocab_size)
        corrupted = jnp.where(keep, other, mask_token)
    inputs = jnp.where(chosen, corrupted, tokens)
    labels = jnp.where(chosen, tokens, one_of(-1, -100))
    return {"tokens": inputs, "labels": labels, "weights": chosen.astype(jnp.float32)}
