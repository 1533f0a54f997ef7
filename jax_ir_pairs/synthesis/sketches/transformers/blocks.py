"""Blocks of transformers: attention, feed-forward networks, norms and residuals."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def block_rms_norm(x, scale, eps=1e-6):
    """Scale features to a root mean square of one."""
    mean_square = jnp.mean(x * x, axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(mean_square + eps) * scale


def block_layer_norm(x, scale, eps=1e-5):
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(centered * centered, axis=-1, keepdims=True)
    return centered / jnp.sqrt(variance + eps) * scale


def split_into_heads(x, num_heads):
    """(batch, time, features) -> (batch, heads, time, features per head)."""
    batch_size, seq_len, width = x.shape
    return x.reshape(batch_size, seq_len, num_heads, width // num_heads).transpose(0, 2, 1, 3)


@sketch(
    takes={
        "params": {
            "norm1": "f[h*e]",
            "qkv": "f[h*e, 3*h*e]",
            "proj": "f[h*e, h*e]",
            "norm2": "f[h*e]",
            "up": "f[h*e, m]",
            "down": "f[m, h*e]",
        },
        "x": "sequence f[b, t, h*e]",
    },
    gives="sequence f[b, t, h*e]",
    sizes={"b": (1, 4), "t": (3, 32), "h": (1, 4), "e": (4, 16), "m": (8, 128)},
    dtypes="f32 bf16",
    also=("Transform a sequence by self-attention and a feed-forward network.",),
)
def prenorm_block(params, x, num_heads=size("h"), causal=one_of(True, False)):
    """Run one pre-norm transformer block."""
    width = x.shape[-1]
    if width % num_heads:
        raise ValueError(f"width {width} is no multiple of {num_heads} heads")
    normalize = one_of(block_rms_norm, block_layer_norm)
    normed = normalize(x, params["norm1"])
    qkv = normed @ params["qkv"] / math.sqrt(width)
    if maybe("comprehension"):
        xq, xk, xv = (split_into_heads(part, num_heads) for part in jnp.split(qkv, 3, axis=-1))
    else:
        xq, xk, xv = jnp.split(qkv, 3, axis=-1)
        xq = split_into_heads(xq, num_heads)
        xk = split_into_heads(xk, num_heads)
        xv = split_into_heads(xv, num_heads)
    scores = xq @ xk.swapaxes(-1, -2) / math.sqrt(width // num_heads)
    if causal:
        seq_len = x.shape[1]
        scores = jnp.where(jnp.tril(jnp.ones((seq_len, seq_len), bool)), scores, -1e9)
    mixed = jax.nn.softmax(scores, axis=-1) @ xv
    mixed = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
    x = x + mixed @ params["proj"] / math.sqrt(width)
    hidden = normalize(x, params["norm2"]) @ params["up"] / math.sqrt(width)
    hidden = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu)(hidden)
    return x + hidden @ params["down"] / math.sqrt(hidden.shape[-1])


@sketch(
    takes={
        "params": {
            "wq": "f[d, h, e]",
            "wk": "f[d, h, e]",
            "wv": "f[d, h, e]",
            "wo": "f[h, e, d]",
            "w1": "f[d, m]",
            "b1": "f[m]",
            "w2": "f[m, d]",
            "b2": "f[d]",
            "ln1": {"scale": "f[d]", "bias": "f[d]"},
            "ln2": {"scale": "f[d]", "bias": "f[d]"},
        },
        "x": "sequence f[b, t, d]",
        "mask?": "mask bool[b, t]: true at tokens that are no padding",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (3, 32), "d": (4, 64), "h": (1, 4), "e": (4, 16), "m": (8, 96)},
    dtypes="f32 bf16",
    also=("Encoder block that normalizes after each residual connection.",),
)
def postnorm_encoder_block(params, x, mask=None):
    """Encode a sequence with one post-norm block, as BERT has them."""

    def layer_normed(x, scale, bias):
        mean = jnp.mean(x, axis=-1, keepdims=True)
        var = jnp.var(x, axis=-1, keepdims=True)
        return (x - mean) / jnp.sqrt(var + 1e-6) * scale + bias

    def attend(x):
        query_states = jnp.einsum("btd,dhe->bthe", x, params["wq"])
        key_states = jnp.einsum("btd,dhe->bthe", x, params["wk"])
        value_states = jnp.einsum("btd,dhe->bthe", x, params["wv"])
        head_dim = query_states.shape[-1]
        scores = jnp.einsum("bqhe,bkhe->bhqk", query_states, key_states) / (
            x.shape[-1] * math.sqrt(head_dim)
        )
        if mask is not None:
            scores = jnp.where(mask[:, None, None, :], scores, -1e9)
        attention = jax.nn.softmax(scores, axis=-1)
        return jnp.einsum("bhqk,bkhe,hed->bqd", attention, value_states, params["wo"])

    if maybe("unpack_norms"):
        x = layer_normed(x + attend(x), **params["ln1"])
    else:
        x = layer_normed(x + attend(x), params["ln1"]["scale"], params["ln1"]["bias"])
    hidden = one_of(jax.nn.gelu, jax.nn.relu)(x @ params["w1"] + params["b1"])
    out = hidden @ params["w2"] + params["b2"]
    if maybe("unpack_norms"):
        x = layer_normed(x + out, **params["ln2"])
    else:
        x = layer_normed(x + out, params["ln2"]["scale"], params["ln2"]["bias"])
    if maybe("zero_padding", 0.4):
        # Nothing of the padding reaches a later pooling.
        return x if mask is None else x * mask[..., None].astype(x.dtype)
    return x


@sketch(
    takes={
        "params": {
            "scale": "f[d]",
            "qkv": "f[3, d, h, e]",
            "gate": "f[d, m]",
            "up": "f[d, m]",
            "out": "f[h*e+m, d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (3, 32), "d": (4, 64), "h": (1, 4), "e": (4, 12), "m": (8, 64)},
    dtypes="f32 bf16",
    also=("Block whose attention and feed-forward network read the same input.",),
)
def parallel_block(params, x, eps=number(1e-6, 1e-5)):
    """Run attention and a gated feed-forward network side by side, with one norm."""
    batch_size, seq_len, width = x.shape
    if maybe("norm_by_helper"):
        normed = block_layer_norm(x, params["scale"], eps) / math.sqrt(width)
    else:
        inverse = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
        normed = x * inverse * params["scale"] / math.sqrt(width)
    xq, xk, xv = jnp.einsum("btd,pdhe->pbthe", normed, params["qkv"])
    if maybe("qk_norm"):
        # Queries and keys of unit length keep the scores from growing.
        xq, xk = (u / (jnp.linalg.norm(u, axis=-1, keepdims=True) + 1e-3) for u in (xq, xk))
        scores = one_of(4.0, 8.0) * jnp.einsum("bqhe,bkhe->bhqk", xq, xk)
    else:
        scores = jnp.einsum("bqhe,bkhe->bhqk", xq, xk) / math.sqrt(xq.shape[-1])
    if maybe("local_and_causal", 0.35):
        lag = jnp.arange(seq_len)[:, None] - jnp.arange(seq_len)[None, :]
        scores = jnp.where((lag >= 0) & (lag < integer(4, 8)), scores, -1e9)
    elif maybe("causal_parallel"):
        causal = jnp.arange(seq_len)[:, None] >= jnp.arange(seq_len)[None, :]
        scores = jnp.where(causal, scores, -1e9)
    attention = jax.nn.softmax(scores, axis=-1)
    mixed = jnp.einsum("bhqk,bkhe->bqhe", attention, xv)
    mixed = mixed.reshape(batch_size, seq_len, -1)
    if maybe("joint_projection", 0.4):
        both = normed @ jnp.concatenate([params["gate"], params["up"]], axis=1)
        gate, up = jnp.split(both, 2, axis=-1)
    else:
        gate, up = normed @ params["gate"], normed @ params["up"]
    gated = one_of(jax.nn.silu, jax.nn.gelu, jax.nn.sigmoid)(gate) * up
    if maybe("fused_output"):
        both = jnp.concatenate([mixed, gated], axis=-1)
        return x + both @ params["out"] / math.sqrt(both.shape[-1])
    split = mixed.shape[-1]
    return x + mixed @ params["out"][:split] + gated @ params["out"][split:]


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes and switches of an encoder."""

    num_heads: int = size("h")
    dropout: float = number(0.05, 0.3)
    residual_scale: float = 1.0
    causal: bool = one_of(True, False)


@sketch(
    takes={
        "params": {
            "blocks": (
                "l",
                {
                    "norm1": "f[h*e]",
                    "qkv": "f[h*e, 3*h*e]",
                    "out": "f[h*e, h*e]",
                    "norm2": "f[h*e]",
                    "up": "f[h*e, m]",
                    "down": "f[m, h*e]",
                },
            ),
            "final_norm": "f[h*e]",
        },
        "x": "sequence f[b, t, h*e]",
        "key?": "key",
    },
    gives="sequence f[b, t, h*e]",
    sizes={"b": (1, 3), "t": (3, 24), "h": (1, 4), "e": (4, 12), "m": (8, 64), "l": (2, 7)},
    weight=1.5,
    also=("Stack pre-norm transformer blocks into an encoder.",),
)
def transformer_encoder(params, x, key=None, config=EncoderConfig()):
    """Encode a sequence with a stack of transformer blocks."""
    batch_size, seq_len, width = x.shape
    normalize = one_of(block_rms_norm, block_layer_norm)
    bias = 0.0
    if config.causal:
        bias = jnp.where(jnp.tril(jnp.ones((seq_len, seq_len), bool)), 0.0, -1e9)

    def dropped(update, key):
        if key is None or config.dropout == 0:
            return update
        kept = jax.random.bernoulli(key, 1 - config.dropout, update.shape)
        return jnp.where(kept, update / (1 - config.dropout), 0)

    activation = one_of(jax.nn.gelu, jax.nn.silu, jax.nn.relu)
    for index, block in enumerate(params["blocks"]):
        block_key = None if key is None else jax.random.fold_in(key, index)
        qkv = normalize(x, block["norm1"]) @ block["qkv"] / math.sqrt(width)
        xq, xk, xv = jnp.split(qkv.reshape(batch_size, seq_len, config.num_heads, -1), 3, axis=-1)
        scores = jnp.einsum("bqhe,bkhe->bhqk", xq, xk) / math.sqrt(xq.shape[-1]) + bias
        mixed = jnp.einsum("bhqk,bkhe->bqhe", jax.nn.softmax(scores, axis=-1), xv)
        update = mixed.reshape(x.shape) @ block["out"] / math.sqrt(width)
        x = x + config.residual_scale * dropped(update, block_key)
        hidden = activation(normalize(x, block["norm2"]) @ block["up"] / math.sqrt(width))
        update = hidden @ block["down"] / math.sqrt(hidden.shape[-1])
        if maybe("drop_both", 0.3):
            later_key = None if key is None else jax.random.fold_in(block_key, 1)
            x = x + config.residual_scale * dropped(update, later_key)
        else:
            x = x + config.residual_scale * update
    return normalize(x, params["final_norm"])


@sketch(
    takes={
        "params": {"gate": "f[d, m]", "up": "f[d, m]", "down": "f[m, d]", "scale": "f[d]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 8), "t": (2, 64), "d": (4, 128), "m": (8, 256)},
    dtypes="f32 bf16",
    also=("Feed-forward network of a transformer with a gated linear unit.",),
)
def gated_feed_forward(params, x, chunk=integer(2, 4)):
    """Gate one projection by another, and add what comes back to the input."""
    normed = block_rms_norm(x, params["scale"])
    width = x.shape[-1]
    if maybe("in_chunks", 0.3):
        # A few hidden features at a time, which bounds what has to be kept for the gradient.
        num_hidden = params["gate"].shape[1]
        out = jnp.zeros_like(x)
        for start in range(0, num_hidden, max(num_hidden // chunk, 1)):
            part = slice(start, start + max(num_hidden // chunk, 1))
            gate = one_of(jax.nn.silu, jax.nn.gelu)(normed @ params["gate"][:, part])
            out = out + (gate * (normed @ params["up"][:, part])) @ params["down"][part]
        return x + out / width
    gate = one_of(jax.nn.silu, jax.nn.gelu, jax.nn.relu, jax.nn.sigmoid)(normed @ params["gate"])
    hidden = gate * (normed @ params["up"])
    if maybe("explicit_einsum", 0.3):
        return x + jnp.einsum("btm,md->btd", hidden, params["down"]) / width
    return x + hidden @ params["down"] / width
