"""Getting images and texts into transformers, and getting features out of them."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, one_of, size, sketch

sequence_encoder = nested("(params: P, x: sequence f[b, t, d]) -> sequence f[b, t, d]")


def cut_patches(images, patch_size):
    """Cut images into a sequence of flat square patches."""
    batch_size, height, width, channels = images.shape
    rows, columns = height // patch_size, width // patch_size
    patches = images.reshape(batch_size, rows, patch_size, columns, patch_size, channels)
    patches = one_of(patches.transpose(0, 1, 3, 2, 4, 5), jnp.swapaxes(patches, 2, 3))
    return patches.reshape(batch_size, rows * columns, patch_size * patch_size * channels)


@sketch(
    takes={
        "params": {"kernel": "f[p*p*c, d]", "bias": "f[d]", "positions": "f[r*q, d]"},
        "images": "image f[b, r*p, q*p, c]",
    },
    gives="sequence f[b, r*q, d]",
    sizes={
        "b": (1, 8),
        "r": (2, 6),
        "q": (2, 6),
        "p": (2, 4),
        "c": (1, 3),
        "d": (4, 64),
    },
    dtypes="f32 bf16",
    also=("Turn images into sequences of patch embeddings.",),
)
def embed_patches(params, images, patch_size=size("p")):
    """Embed the patches of images and say where each of them was."""
    batch_size, height, width, channels = images.shape
    if height % patch_size or width % patch_size:
        raise ValueError(f"{height}x{width} images cannot be cut into {patch_size}-pixel patches")
    if maybe("as_convolution"):
        # A convolution whose stride is its size sees every patch once.
        kernel = params["kernel"].reshape(patch_size, patch_size, channels, -1)
        embedded = jax.lax.conv_general_dilated(
            images,
            kernel,
            window_strides=(patch_size, patch_size),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        embedded = embedded.reshape(batch_size, -1, embedded.shape[-1])
    else:
        patches = cut_patches(images, patch_size)
        embedded = patches @ params["kernel"]
    return embedded + params["bias"] + params["positions"]


@sketch(
    takes={
        "params": {
            "patch": {"w": "f[p*p*c, h*e]", "b": "f[h*e]"},
            "cls": "f[h*e]",
            "positions": "f[r*q+1, h*e]",
            "blocks": (
                "l",
                {
                    "qkv": "f[h*e, 3*h*e]",
                    "proj": "f[h*e, h*e]",
                    "up": "f[h*e, m]",
                    "down": "f[m, h*e]",
                },
            ),
            "head": {"w": "f[h*e, k]", "b": "f[k]"},
        },
        "images": "image f[b, r*p, q*p, c]",
    },
    gives="logits f[b, k]",
    sizes={
        "b": (1, 3),
        "r": (2, 4),
        "q": (2, 4),
        "p": (2, 4),
        "c": (1, 3),
        "h": (1, 3),
        "e": (4, 8),
        "m": (8, 48),
        "l": (1, 6),
        "k": (4, 10),
    },
    also=("Vision transformer with a class token.",),
)
def vision_transformer(params, images, patch_size=size("p"), num_heads=size("h")):
    """Classify images by a transformer over their patches."""

    def normed(x):
        centered = x - jnp.mean(x, axis=-1, keepdims=True)
        return centered * jax.lax.rsqrt(
            jnp.mean(centered * centered, axis=-1, keepdims=True) + 1e-6
        )

    def attended(x, block):
        batch_size, seq_len, width = x.shape
        qkv = (x @ block["qkv"] / math.sqrt(width)).reshape(batch_size, seq_len, 3, num_heads, -1)
        xq, xk, xv = one_of(qkv.transpose(2, 0, 3, 1, 4), jnp.moveaxis(qkv, (2, 3), (0, 2)))
        scores = jnp.einsum("bhqe,bhke->bhqk", xq, xk) / math.sqrt(xq.shape[-1])
        mixed = jnp.einsum("bhqk,bhke->bqhe", jax.nn.softmax(scores, axis=-1), xv)
        return mixed.reshape(batch_size, seq_len, width) @ block["proj"] / math.sqrt(width)

    x = cut_patches(images, patch_size) @ params["patch"]["w"] + params["patch"]["b"]
    cls = jnp.broadcast_to(params["cls"], (x.shape[0], 1, x.shape[-1]))
    x = jnp.concatenate([cls, x], axis=1) + params["positions"]
    activation = one_of(jax.nn.gelu, jax.nn.silu)
    for block in params["blocks"]:
        x = x + attended(normed(x), block)
        hidden = activation(normed(x) @ block["up"] / math.sqrt(x.shape[-1]))
        x = x + hidden @ block["down"] / math.sqrt(hidden.shape[-1])
    if maybe("mean_pool", 0.4):
        pooled = jnp.mean(normed(x)[:, 1:], axis=1)
    else:
        pooled = normed(x[:, 0])
    return pooled @ params["head"]["w"] + params["head"]["b"]


@sketch(
    takes={"x": "sequence f[b, t, 2*d]"},
    gives="sequence f[b, t, 2*d]",
    sizes={"b": (1, 16), "t": (2, 256), "d": (2, 64)},
    dtypes="f32 bf16",
    also=("Add sine and cosine waves of many lengths to a sequence.",),
)
def add_sinusoidal_positions(x, max_period=one_of(10_000.0, 1_000.0), offset=one_of(0, 1)):
    """Mark each position of a sequence by sinusoids."""
    seq_len, width = x.shape[-2:]
    if width % 2:
        raise ValueError(f"width must be even, got {width}")
    half = width // 2
    if maybe("exp_log"):
        wavenumbers = jnp.exp(-math.log(max_period) * jnp.arange(half) / half)
    else:
        wavenumbers = 1.0 / max_period ** (jnp.arange(half) / half)
    phases = (offset + jnp.arange(seq_len))[:, None] * wavenumbers[None, :]
    if maybe("alternate"):
        table = jnp.stack([jnp.sin(phases), jnp.cos(phases)], axis=-1).reshape(seq_len, width)
    else:
        table = jnp.concatenate([jnp.sin(phases), jnp.cos(phases)], axis=-1)
    if maybe("scale_input"):
        # Embeddings are scaled up, so that positions do not drown them.
        x = x * math.sqrt(width)
    return x + table.astype(x.dtype)


@sketch(
    takes={"x": "sequence f[b, t, d]", "lengths": "counts i[b]", "query": "f[d]"},
    gives="features f[b, d]",
    sizes={"b": (1, 16), "t": (4, 128), "d": (4, 64)},
    also=("Summarize padded sequences by one vector each.",),
)
def pool_padded_sequences(x, lengths, query, min_length=1):
    """Pool sequences over the positions that are no padding."""
    seq_len, width = x.shape[1:]
    lengths = jnp.clip(lengths, min_length, seq_len)
    if maybe("last_token", 0.25):
        return jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)[:, 0]
    valid = jnp.arange(seq_len)[None, :] < lengths[:, None]
    if maybe("attention_pool", 0.4):
        scores = x @ query / math.sqrt(width)
        attention = jax.nn.softmax(jnp.where(valid, scores, -jnp.inf), axis=1)
        return jnp.einsum("bt,btd->bd", attention, x)
    if maybe("masked_max", 0.35):
        pooled = jnp.max(jnp.where(valid[..., None], x, jnp.finfo(x.dtype).min), axis=1)
    else:
        total = jnp.sum(jnp.where(valid[..., None], x, 0), axis=1)
        pooled = total / lengths[:, None].astype(x.dtype)
    if maybe("unit_length"):
        return pooled / jnp.sqrt(jnp.sum(pooled * pooled, axis=-1, keepdims=True) + 1e-6)
    return pooled


@sketch(
    takes={
        "params": {"embed": "f[v, d]", "encoder": "P", "head": "f[d, c]"},
        "tokens": "tokens i[b, t]",
    },
    gives="logits f[b, c]",
    sizes={"b": (1, 4), "t": (4, 24), "v": (8, 128), "d": (4, 32), "c": (2, 8)},
    also=("Classify texts by an encoder and a linear head.",),
)
def text_classifier(params, tokens, pad_token=0):
    """Predict the class of each text from the average of its encoded tokens."""
    x = params["embed"][tokens]
    if maybe("scaled_embeddings", 0.4):
        x = x * math.sqrt(x.shape[-1])
    encoded = sequence_encoder(params["encoder"], x)
    if maybe("first_token", 0.3):
        pooled = encoded[:, 0]
    else:
        present = (tokens != pad_token)[..., None].astype(encoded.dtype)
        pooled = jnp.sum(encoded * present, axis=1) / (
            jnp.sum(present, axis=1) + one_of(1e-6, 1e-4)
        )
    return one_of(pooled, jnp.tanh(pooled)) @ params["head"]


class Resampler(NamedTuple):
    """Sizes of a resampler."""

    num_heads: int = size("h")
    num_rounds: int = integer(1, 3)


@sketch(
    takes={
        "params": {
            "latents": "f[k, h*e]",
            "q": "f[h*e, h*e]",
            "kv": "f[d, 2*h*e]",
            "out": "f[h*e, h*e]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, k, h*e]",
    sizes={"b": (1, 4), "t": (4, 48), "d": (4, 32), "h": (1, 4), "e": (4, 8), "k": (2, 8)},
    also=("Distill a sequence of any length into a few latent vectors.",),
)
def perceiver_resampler(params, x):
    """Resample a sequence by letting learned latents attend to it in rounds."""
    config = Resampler()
    batch_size, seq_len, features_in = x.shape
    num_latents, width = params["latents"].shape
    kv = x @ params["kv"] / math.sqrt(features_in)
    xk, xv = jnp.split(kv.reshape(batch_size, seq_len, 2 * config.num_heads, -1), 2, axis=2)
    latents = jnp.broadcast_to(params["latents"], (batch_size, num_latents, width))
    for _ in range(config.num_rounds):
        xq = latents @ params["q"] / math.sqrt(width)
        xq = xq.reshape(batch_size, num_latents, config.num_heads, -1)
        scores = jnp.einsum("blhe,bthe->bhlt", xq, xk) / math.sqrt(xq.shape[-1])
        if maybe("compete", 0.35):
            # Latents compete for each input, as in slot attention.
            attention = jax.nn.softmax(scores, axis=2) + 1e-4
            attention = attention / jnp.sum(attention, axis=-1, keepdims=True)
        else:
            attention = jax.nn.softmax(scores, axis=-1)
        read = jnp.einsum("bhlt,bthe->blhe", attention, xv).reshape(latents.shape)
        latents = latents + read @ params["out"] / math.sqrt(width)
        latents = one_of(
            latents / (jnp.max(jnp.abs(latents), axis=-1, keepdims=True) + 1e-3),
            latents * jax.lax.rsqrt(jnp.mean(latents * latents, axis=-1, keepdims=True) + 1e-6),
        )
    return latents
