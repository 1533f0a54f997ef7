"""Language models: decoders, masked and encoder-decoder models, and their losses."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, size, sketch

token_model = nested("(params: P, tokens: tokens i[b, t]) -> logits f[b, t, v]")


def unit_rms(x, eps=1e-6):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)


def standardized(x, scale, bias, eps=1e-5):
    """Normalize the last axis, then scale and shift it."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + eps) * scale + bias


@sketch(
    takes={
        "params": {
            "embed": "f[v, d]",
            "positions": "f[t, d]",
            "blocks": (
                "l",
                {"qkv": "f[3, h, d, e]", "out": "f[h, e, d]", "up": "f[d, m]", "down": "f[m, d]"},
            ),
        },
        "tokens": "tokens i[b, t]",
    },
    gives="logits f[b, t, v]",
    sizes={
        "b": (1, 4),
        "t": (3, 24),
        "v": (8, 200),
        "d": (4, 48),
        "h": (1, 4),
        "e": (4, 12),
        "m": (8, 96),
        "l": (1, 6),
    },
    weight=1.5,
    also=("Decode with causal attention and share the embeddings with the output.",),
)
def causal_language_model(params, tokens):
    """Predict each next token with a decoder whose embeddings are tied."""
    batch_size, seq_len = tokens.shape
    width = params["embed"].shape[1]
    if seq_len > params["positions"].shape[0]:
        raise ValueError(f"at most {params['positions'].shape[0]} tokens fit, got {seq_len}")
    x = one_of(params["embed"][tokens], jnp.take(params["embed"], tokens, axis=0))
    x = x + params["positions"][:seq_len]
    causal = one_of(
        jnp.tril(jnp.ones((seq_len, seq_len), bool)),
        jnp.arange(seq_len)[:, None] >= jnp.arange(seq_len),
    )
    activation = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu, jnp.tanh)
    for block in params["blocks"]:
        xq, xk, xv = jnp.einsum("btd,phde->pbhte", unit_rms(x) / math.sqrt(width), block["qkv"])
        scores = jnp.einsum("bhqe,bhke->bhqk", xq, xk) / math.sqrt(xq.shape[-1])
        attention = jax.nn.softmax(jnp.where(causal, scores, -1e9), axis=-1)
        if maybe("two_contractions"):
            mixed = jnp.einsum("bhqk,bhke->bqhe", attention, xv)
            x = x + jnp.einsum("bqhe,hed->bqd", mixed, block["out"]) / math.sqrt(width)
        else:
            x = x + jnp.einsum("bhqk,bhke,hed->bqd", attention, xv, block["out"]) / math.sqrt(width)
        hidden = activation(unit_rms(x) @ block["up"] / math.sqrt(width))
        if maybe("squared", 0.25):
            # Squared rectifiers, as in Primer.
            hidden = jnp.square(jnp.maximum(hidden, 0))
        x = x + hidden @ block["down"] / math.sqrt(hidden.shape[-1])
    logits = unit_rms(x) @ params["embed"].T / math.sqrt(width)
    if maybe("soft_cap", 0.3):
        cap = one_of(30.0, 15.0)
        logits = cap * jnp.tanh(logits / cap)
    return logits


def rotated(x, angles):
    """Rotate the two halves of the features into each other."""
    first, second = jnp.split(x, 2, axis=-1)
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


@sketch(
    takes={
        "params": {
            "embedding": "f[v, d]",
            "layers": (
                "l",
                {
                    "attention_norm": "f[d]",
                    "wq": "f[d, k*g*2*e]",
                    "wk": "f[d, k*2*e]",
                    "wv": "f[d, k*2*e]",
                    "wo": "f[k*g*2*e, d]",
                    "mlp_norm": "f[d]",
                    "gate": "f[d, m]",
                    "up": "f[d, m]",
                    "down": "f[m, d]",
                },
            ),
            "norm": "f[d]",
            "head": "f[d, v]",
        },
        "tokens": "tokens i[b, t]",
    },
    gives="logits f[b, t, v]",
    sizes={
        "b": (1, 3),
        "t": (3, 24),
        "v": (8, 128),
        "d": (4, 32),
        "k": (1, 2),
        "g": (1, 3),
        "e": (2, 6),
        "m": (8, 64),
        "l": (1, 6),
    },
    weight=1.5,
    also=("Decoder-only language model in the manner of LLaMA.",),
)
def rotary_language_model(params, tokens, head_dim=size("2*e"), rope_base=10000.0, *, eps=1e-6):
    """Predict next tokens with rotary positions, grouped heads and gated layers."""
    batch_size, seq_len = tokens.shape
    x = params["embedding"][tokens]
    width = x.shape[-1]
    inverse_frequencies = rope_base ** (-jnp.arange(0, head_dim, 2) / head_dim)
    angles = jnp.arange(seq_len)[:, None] * inverse_frequencies
    angles = angles[None, :, None, :]
    if maybe("scale_embeddings"):
        x = x * math.sqrt(width)
    activation = one_of(jax.nn.silu, jax.nn.gelu, jax.nn.relu)
    for layer in params["layers"]:
        normed = unit_rms(x, eps) * layer["attention_norm"] / math.sqrt(width)
        xq = (normed @ layer["wq"]).reshape(batch_size, seq_len, -1, head_dim)
        xk = (normed @ layer["wk"]).reshape(batch_size, seq_len, -1, head_dim)
        xv = (normed @ layer["wv"]).reshape(batch_size, seq_len, -1, head_dim)
        if maybe("normalize_heads"):
            # Queries and keys of unit size keep the scores from growing.
            xq, xk = unit_rms(xq), unit_rms(xk)
        xq, xk = rotated(xq, angles), rotated(xk, angles)
        if xk.shape[2] != xq.shape[2]:
            groups = xq.shape[2] // xk.shape[2]
            xk, xv = (jnp.repeat(part, groups, axis=2) for part in (xk, xv))
        if maybe("library_attention", 0.3):
            mixed = jax.nn.dot_product_attention(xq, xk, xv, is_causal=True)
        else:
            scores = jnp.einsum("bqhd,bkhd->bhqk", xq, xk) / math.sqrt(head_dim)
            causal = jnp.tril(jnp.ones((seq_len, seq_len), bool))
            scores = jnp.where(causal, scores, jnp.finfo(scores.dtype).min)
            mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), xv)
        mixed = mixed.reshape(batch_size, seq_len, -1)
        x = x + mixed @ layer["wo"] / math.sqrt(mixed.shape[-1])
        normed = unit_rms(x, eps) * layer["mlp_norm"] / math.sqrt(width)
        hidden = activation(normed @ layer["gate"]) * (normed @ layer["up"])
        x = x + hidden @ layer["down"] / math.sqrt(hidden.shape[-1])
    x = unit_rms(x, eps) * params["norm"]
    logits = x @ params["head"] / math.sqrt(width)
    if maybe("cap_logits", 0.35):
        return 30.0 * jnp.tanh(logits / 30.0)
    return logits


@sketch(
    takes={
        "params": {
            "tokens": "f[v, d]",
            "positions": "f[t, d]",
            "norm": {"scale": "f[d]", "bias": "f[d]"},
            "layers": (
                "l",
                {
                    "q": "f[d, h, e]",
                    "k": "f[d, h, e]",
                    "v": "f[d, h, e]",
                    "o": "f[h, e, d]",
                    "norm": {"scale": "f[d]", "bias": "f[d]"},
                },
            ),
            "transform": {"w": "f[d, d]", "b": "f[d]"},
            "output_bias": "f[v]",
        },
        "tokens": "tokens i[b, t]",
        "mask?": "mask bool[b, t]: true where there is a token",
    },
    gives="f[b, t, v]",
    sizes={
        "b": (1, 4),
        "t": (3, 24),
        "v": (8, 128),
        "d": (4, 48),
        "h": (1, 4),
        "e": (4, 12),
        "l": (1, 3),
    },
    also=("Score every vocabulary entry at each position from both sides of it.",),
)
def masked_language_model(params, tokens, mask=None):
    """Fill in tokens with a bidirectional encoder and a masked-LM head."""
    seq_len = tokens.shape[1]
    x = params["tokens"][tokens] + params["positions"][None, :seq_len]
    x = standardized(x, **params["norm"])
    width = x.shape[-1]
    for layer in params["layers"]:
        q = jnp.einsum("btd,dhe->bhte", x, layer["q"]) / math.sqrt(width)
        k = jnp.einsum("btd,dhe->bhte", x, layer["k"]) / math.sqrt(width)
        v = jnp.einsum("btd,dhe->bhte", x, layer["v"]) / math.sqrt(width)
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + jnp.where(mask, 0.0, -1e9)[:, None, None, :]
        mixed = jnp.einsum("bhte,hed->btd", jax.nn.softmax(scores, axis=-1) @ v, layer["o"])
        x = standardized(x + mixed / math.sqrt(width), **layer["norm"])
    transform = params["transform"]
    x = one_of(jax.nn.gelu, jnp.tanh)(x @ transform["w"] / math.sqrt(width) + transform["b"])
    if maybe("normalize_head"):
        x = unit_rms(x)
    if maybe("einsum_head"):
        # The input embeddings serve as output weights.
        return jnp.einsum("btd,vd->btv", x, params["tokens"]) + params["output_bias"]
    return x @ params["tokens"].T + params["output_bias"]


@sketch(
    takes={"params": "P", "batch": "tokens i[b, t]: sequences of tokens"},
    gives="loss f[]",
    sizes={"t": (4, 64), "v": (8, 256)},
    also=("Cross-entropy of a language model that is trained by teacher forcing.",),
)
def next_token_loss(params, batch, smoothing=number(0.02, 0.1)):
    """Average the surprise at each token given those before it."""
    logits = token_model(params, batch)[:, :-1]
    targets = batch[:, 1:]
    log_probs = jax.nn.log_softmax(logits, axis=-1)
    picked = jnp.take_along_axis(log_probs, targets[..., None], axis=-1)
    surprise = one_of(-picked[..., 0], -jnp.squeeze(picked, axis=-1))
    if maybe("z_loss", 0.3):
        # Keeps the normalizer of the softmax near one.
        normalizer = jax.nn.logsumexp(logits, axis=-1)
        surprise = surprise + 1e-4 * normalizer * normalizer
    if maybe("ignore_padding"):
        # Token 0 is padding.
        counted = (targets != 0).astype(surprise.dtype)
        average = jnp.sum(surprise * counted) / jnp.maximum(jnp.sum(counted), 1)
    else:
        average = jnp.mean(surprise)
    if maybe("label_smoothing", 0.3):
        return (1 - smoothing) * average - smoothing * jnp.mean(log_probs)
    return average


@sketch(
    takes={"params": "P", "tokens": "tokens i[b, t]", "prompt_length": "counts i[b]"},
    gives="scores f[b]",
    sizes={"t": (4, 32), "v": (8, 128)},
    also=("Rate continuations by their log-likelihood given the prompt.",),
)
def score_continuations(params, tokens, prompt_length):
    """Sum the log-probabilities of the tokens that follow each prompt."""
    log_probs = jax.nn.log_softmax(token_model(params, tokens), axis=-1)
    seq_len = tokens.shape[1]
    if maybe("one_hot"):
        targets = jax.nn.one_hot(tokens[:, 1:], log_probs.shape[-1], dtype=log_probs.dtype)
        token_scores = jnp.sum(targets * log_probs[:, :-1], axis=-1)
    else:
        picked = jnp.take_along_axis(log_probs[:, :-1], tokens[:, 1:, None], axis=2)
        token_scores = picked[:, :, 0]
    is_answer = jnp.arange(1, seq_len)[None, :] >= prompt_length[:, None]
    total = jnp.sum(jnp.where(is_answer, token_scores, 0.0), axis=1)
    if maybe("per_token"):
        return total / jnp.maximum(jnp.sum(is_answer, axis=1), 1)
    return total
