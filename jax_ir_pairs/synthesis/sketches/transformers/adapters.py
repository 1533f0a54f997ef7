"""Adapting and compressing transformers: low-rank updates, prefixes, quantized layers."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

prompted_encoder = nested("(params: P, x: sequence f[b, k+t, d]) -> sequence f[b, k+t, d]")


@dataclass(frozen=True)
class LoraConfig:
    """How strong a low-rank update is, and whether it is folded into the weights."""

    alpha: float = one_of(8.0, 16.0, 32.0)
    merge: bool = one_of(False, True)
    rank_stabilized: bool = one_of(False, True)
    dropout: float = number(0.05, 0.2)


@sketch(
    takes={
        "params": {
            "frozen": {"w": "f[d, h]", "b": "f[h]"},
            "lora": {"down": "f[d, r]", "up": "f[r, h]"},
        },
        "x": "features f[b, d]",
        "key?": "key",
    },
    gives="features f[b, h]",
    sizes={"b": (2, 64), "d": (4, 256), "h": (4, 128), "r": (1, 8)},
    dtypes="f32 bf16",
    also=("Linear layer whose frozen weights get a trained low-rank correction.",),
)
def lora_linear(params, x, key=None, config=LoraConfig()):
    """Adapt a frozen linear layer by a product of two thin matrices."""
    frozen = jax.tree.map(jax.lax.stop_gradient, params["frozen"])
    down, up = params["lora"]["down"], params["lora"]["up"]
    rank = down.shape[1]
    if rank < 1 or up.shape[0] != rank:
        raise ValueError(f"factors have ranks {rank} and {up.shape[0]}")
    strength = config.alpha / (math.sqrt(rank) if config.rank_stabilized else rank)
    if config.merge:
        return x @ (frozen["w"] + strength * (down @ up)) + frozen["b"]
    if maybe("dropout", 0.4):
        adapted = x
        if key is not None:
            kept = jax.random.bernoulli(key, 1 - config.dropout, x.shape)
            adapted = jnp.where(kept, x / (1 - config.dropout), 0)
        return x @ frozen["w"] + frozen["b"] + strength * ((adapted @ down) @ up)
    if maybe("einsum_update"):
        update = jnp.einsum("bd,dr,rh->bh", x, down, up)
    else:
        update = (x @ down) @ up
    return x @ frozen["w"] + frozen["b"] + strength * update


@sketch(
    takes={
        "params": {
            "q": "f[d, h, e]",
            "k": "f[d, h, e]",
            "v": "f[d, h, e]",
            "o": "f[h, e, d]",
            "prefix_k": "f[p, h, e]",
            "prefix_v": "f[p, h, e]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (3, 32), "d": (4, 48), "h": (1, 4), "e": (4, 12), "p": (1, 6)},
    also=("Tune attention by keys and values that precede every sequence.",),
)
def prefix_tuned_attention(params, x, causal=one_of(True, False)):
    """Let each position attend to a learned prefix as well as to the sequence."""
    batch_size, seq_len, width = x.shape
    prefix_len = params["prefix_k"].shape[0]
    q, k, v = (jnp.einsum("btd,dhe->bthe", x, params[name]) / math.sqrt(width) for name in "qkv")
    if maybe("broadcast_prefix"):
        shape = (batch_size, *params["prefix_k"].shape)
        k = jnp.concatenate([jnp.broadcast_to(params["prefix_k"], shape), k], axis=1)
        v = jnp.concatenate([jnp.broadcast_to(params["prefix_v"], shape), v], axis=1)
        scores = jnp.einsum("bqhe,bkhe->bhqk", q, k)
    else:
        to_prefix = jnp.einsum("bqhe,phe->bhqp", q, params["prefix_k"])
        to_sequence = jnp.einsum("bqhe,bkhe->bhqk", q, k)
        scores = jnp.concatenate([to_prefix, to_sequence], axis=-1)
    scores = scores / math.sqrt(q.shape[-1])
    if causal:
        # The prefix is visible from everywhere.
        visible = jnp.tril(jnp.ones((seq_len, prefix_len + seq_len), bool), k=prefix_len)
        scores = jnp.where(visible, scores, -1e9)
    attention = jax.nn.softmax(scores, axis=-1)
    if maybe("broadcast_prefix"):
        mixed = jnp.einsum("bhqk,bkhe->bqhe", attention, v)
    else:
        mixed = jnp.einsum("bhqp,phe->bqhe", attention[..., :prefix_len], params["prefix_v"])
        mixed = mixed + jnp.einsum("bhqk,bkhe->bqhe", attention[..., prefix_len:], v)
    return jnp.einsum("bqhe,hed->bqd", mixed, params["o"]) / math.sqrt(width)


def symmetric_int8(x, axis):
    """Round to 8-bit integers with one scale for each slice along `axis`."""
    step_width = jnp.max(jnp.abs(x), axis=axis, keepdims=True) / 127.0
    step_width = jnp.maximum(step_width, 1e-8)
    return jnp.round(x / step_width).astype(jnp.int8), step_width


@sketch(
    takes={"weight": "matrix f[d, h]", "x": "features f[b, d]", "bias?": "f[h]"},
    gives="features f[b, h]",
    sizes={"b": (2, 64), "d": (4, 256), "h": (4, 128)},
    also=("Multiply features and weights as 8-bit integers.",),
)
def int8_linear(weight, x, bias=None, outlier_threshold=one_of(None, 3.0)):
    """Run a linear layer with weights and activations quantized to 8 bits."""
    weight_q, weight_step = symmetric_int8(weight, axis=0)
    if outlier_threshold is not None:
        # Large activations would spoil the scale of all others: they stay in full precision.
        outliers = jnp.where(jnp.abs(x) > outlier_threshold, x, 0)
        x_q, x_step = symmetric_int8(x - outliers, axis=1)
    else:
        x_q, x_step = symmetric_int8(x, axis=1)
    if maybe("dot_general"):
        dims = (((1,), (0,)), ((), ()))
        total = jax.lax.dot_general(x_q, weight_q, dims, preferred_element_type=jnp.int32)
    else:
        total = jnp.matmul(x_q, weight_q, preferred_element_type=jnp.int32)
    out = total.astype(x.dtype) * x_step * weight_step
    if outlier_threshold is not None:
        out = out + outliers @ weight
    return out if bias is None else out + bias


@sketch(
    takes={
        "packed": "u8[d, m]: two 4-bit weights a byte",
        "scales": "f[d, m]: one for each pair",
        "x": "features f[b, d]",
    },
    gives="features f[b, 2*m]",
    sizes={"b": (2, 32), "d": (4, 128), "m": (4, 64)},
    dtypes="f32 bf16",
    also=("Unpack nibbles into weights and multiply features by them.",),
)
def packed_int4_linear(packed, scales, x, zero_point=integer(6, 9)):
    """Multiply features by weights that are stored as 4-bit integers."""
    if packed.dtype != jnp.uint8:
        raise TypeError(f"packed weights must be uint8, got {packed.dtype}")
    num_inputs, num_packed = packed.shape
    low = one_of(packed & 0xF, jnp.bitwise_and(packed, 15))
    high = one_of(packed >> 4, jax.lax.shift_right_logical(packed, jnp.uint8(4)))
    if maybe("interleave"):
        nibbles = jnp.stack([low, high], axis=-1)
    else:
        nibbles = jnp.stack([low, high], axis=1)
    centered = nibbles.astype(x.dtype) - zero_point
    if maybe("interleave"):
        weight = centered * scales[:, :, None]
    else:
        weight = centered * scales[:, None, :]
    return x @ weight.reshape(num_inputs, 2 * num_packed)


@sketch(
    takes={
        "params": {
            "adapters": (
                "l",
                {"down": "f[d, r]", "down_bias": "f[r]", "up": "f[r, d]", "gain": "f[d]"},
            ),
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 8), "t": (2, 64), "d": (4, 64), "r": (2, 16), "l": (1, 4)},
    dtypes="f32 bf16",
    also=("Pass a sequence through small residual bottlenecks.",),
)
def bottleneck_adapters(params, x, skip_every=one_of(None, 2)):
    """Adjust a sequence by a chain of bottleneck adapters."""
    activation = one_of(jax.nn.relu, jax.nn.gelu, jax.nn.silu)
    for depth, adapter in enumerate(params["adapters"]):
        if skip_every is not None and depth % skip_every == 1:
            continue
        if maybe("layer_norm_first"):
            mean = jnp.mean(x, axis=-1, keepdims=True)
            deviation = x - mean
            spread = jnp.sqrt(jnp.mean(deviation * deviation, axis=-1, keepdims=True) + 1e-5)
            normed = deviation / spread * adapter["gain"]
        else:
            normed = x * adapter["gain"]
        hidden = activation(normed @ adapter["down"] + adapter["down_bias"])
        if maybe("gate"):
            # The adapter can only take part of its bottleneck's width.
            hidden = hidden * jax.nn.sigmoid(hidden)
        update = hidden @ adapter["up"]
        if maybe("bounded_update", 0.4):
            update = jnp.clip(update, -5.0, 5.0)
        x = x + one_of(0.1 * update, update / math.sqrt(hidden.shape[-1]))
    return x


@sketch(
    takes={
        "prompt": "f[k, d]: trained embeddings",
        "params": "P",
        "x": "sequence f[b, t, d]: embedded tokens",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (3, 24), "d": (4, 48), "k": (1, 4)},
    also=("Steer an encoder by embeddings that are put before its input.",),
)
def prompt_tuning(prompt, params, x):
    """Prepend a soft prompt, encode, and drop the prompt's own outputs."""
    num_prompt, width = prompt.shape
    if x.shape[-1] != width:
        raise ValueError(f"prompt has {width} features, the sequence has {x.shape[-1]}")
    if maybe("tile"):
        prefix = jnp.tile(prompt[None], (x.shape[0], 1, 1))
    else:
        prefix = jnp.broadcast_to(prompt, (x.shape[0], num_prompt, width))
    if maybe("freeze"):
        # Only the prompt is trained.
        params = jax.lax.stop_gradient(params)
    encoded = prompted_encoder(params, jnp.concatenate([prefix, x], axis=1))
    return encoded[:, num_prompt:]
