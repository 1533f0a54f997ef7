"""Attention over sequences whose heads are split already."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def causal_visibility(q_len, kv_len):
    """Let each query see the keys up to its own position."""
    if maybe("tril"):
        return jnp.tril(jnp.ones((q_len, kv_len), dtype=bool), k=kv_len - q_len)
    rows = jnp.arange(q_len)[:, None] + (kv_len - q_len)
    return jnp.arange(kv_len)[None, :] <= rows


@sketch(
    takes={
        "xq": "heads f[b, t, k*g, e]: queries",
        "xk": "f[b, t, k, e]: keys",
        "xv": "f[b, t, k, e]: values",
        "valid?": "mask bool[b, t]: true where a key is no padding",
    },
    gives="heads f[b, t, k*g, e]",
    sizes={"b": (1, 4), "t": (4, 48), "k": (1, 4), "g": (1, 4), "e": (4, 32)},
    dtypes="f32 bf16",
    also=("Attention with fewer key heads than query heads.",),
)
def grouped_query_attention(xq, xk, xv, valid=None, causal=one_of(True, False)):
    """Share every key and value head among a group of query heads."""
    batch_size, seq_len, num_heads, head_dim = xq.shape
    num_kv_heads = xk.shape[2]
    if num_heads < num_kv_heads or num_heads % num_kv_heads:
        raise ValueError(f"{num_heads} query heads cannot share {num_kv_heads} heads")
    groups = num_heads // num_kv_heads
    if maybe("fold_groups"):
        # The groups get an axis of their own, so nothing is repeated in memory.
        grouped = xq.reshape(batch_size, seq_len, num_kv_heads, groups, head_dim)
        scores = jnp.einsum("bqkgd,bskd->bkgqs", grouped, xk) / math.sqrt(head_dim)
    else:
        xk = jnp.repeat(xk, groups, axis=2)
        xv = jnp.repeat(xv, groups, axis=2)
        scores = jnp.einsum("bqhd,bshd->bhqs", xq, xk) * head_dim**-0.5
    lowest = jnp.finfo(scores.dtype).min
    if causal:
        scores = jnp.where(causal_visibility(seq_len, seq_len), scores, lowest)
    if valid is not None:
        padding = valid[(slice(None), *[None] * (scores.ndim - 2))]
        scores = jnp.where(padding, scores, lowest)
    attention = jax.nn.softmax(scores, axis=-1)
    if maybe("fold_groups"):
        out = jnp.einsum("bkgqs,bskd->bqkgd", attention, xv)
        return out.reshape(batch_size, seq_len, num_heads, head_dim)
    return jnp.einsum("bhqs,bshd->bqhd", attention, xv)


@sketch(
    takes={"xq": "heads f[b, t, h, e]", "xk": "f[b, t, h, e]", "xv": "f[b, t, h, e]"},
    gives="heads f[b, t, h, e]",
    sizes={"b": (1, 3), "t": (6, 64), "h": (1, 4), "e": (4, 16)},
    dtypes="f32 bf16",
    also=("Restrict attention to a band around the diagonal.",),
)
def sliding_window_attention(xq, xk, xv, window_size=integer(2, 6), num_sinks=integer(1, 2)):
    """Attend to the last few positions only, at a cost that does not grow with them."""
    seq_len, head_dim = xq.shape[1], xq.shape[-1]
    scores = jnp.einsum("bqhd,bkhd->bhqk", xq, xk) / math.sqrt(head_dim)
    if maybe("soft_cap", 0.3):
        # Keep the scores within bounds, as a saturating softmax has no gradient.
        cap = one_of(20.0, 30.0, 50.0)
        scores = cap * jnp.tanh(scores / cap)
    rows = jnp.arange(seq_len)[:, None]
    columns = jnp.arange(seq_len)[None, :]
    distance = rows - columns
    if maybe("both_sides", 0.35):
        near = jnp.abs(distance) <= window_size
    else:
        near = (distance >= 0) & (distance < window_size)
    if maybe("sinks", 0.35):
        # The first tokens stay visible: much of the attention rests on them.
        near = near | ((columns < num_sinks) & (distance >= 0))
    scores = jnp.where(near, scores, one_of(-1e9, jnp.finfo(scores.dtype).min))
    weights = jax.nn.softmax(scores.astype(jnp.float32), axis=-1).astype(xv.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, xv)


def alibi_slopes(num_heads):
    """Give each head its slope, a geometric sequence."""
    return [2.0 ** (-8.0 * (head + 1) / num_heads) for head in range(num_heads)]


@sketch(
    takes={"xq": "heads f[b, t, h, e]", "xk": "f[b, t, h, e]", "xv": "f[b, t, h, e]"},
    gives="heads f[b, t, h, e]",
    sizes={"b": (1, 3), "t": (4, 64), "h": (1, 8), "e": (4, 16)},
    also=("Attention with a linear penalty on the distance of two positions.",),
)
def alibi_attention(xq, xk, xv, causal=one_of(True, True, False)):
    """Bias attention scores linearly by distance, with a slope for each head."""
    _, seq_len, num_heads, head_dim = xq.shape
    slopes = jnp.array(alibi_slopes(num_heads), dtype=xq.dtype)
    positions = jnp.arange(seq_len)
    distance = jnp.abs(positions[:, None] - positions[None, :]).astype(xq.dtype)
    bias = -slopes[:, None, None] * distance
    scores = jnp.einsum("bqhd,bkhd->bhqk", xq, xk) * head_dim**-0.5 + bias
    if causal:
        future = positions[None, :] > positions[:, None]
        scores = jnp.where(future, -jnp.inf, scores)
    if maybe("explicit_softmax", 0.4):
        scores = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
        attention = scores / jnp.sum(scores, axis=-1, keepdims=True)
    else:
        attention = jax.nn.softmax(scores, axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", attention, xv)


@sketch(
    takes={
        "xq": "heads f[b, t, h, e]",
        "xk": "f[b, s, h, e]",
        "xv": "f[b, s, h, e]",
        "table": "f[r, h]: learned bias by bucket and head",
    },
    gives="heads f[b, t, h, e]",
    sizes={"b": (1, 3), "t": (4, 48), "s": (4, 48), "h": (1, 4), "e": (4, 16), "r": (8, 32)},
    also=("Attend with a learned bias for each bucket of relative positions.",),
)
def bucketed_bias_attention(xq, xk, xv, table, max_distance=one_of(32, 64, 128)):
    """Add a learned bias to attention scores by the bucketed relative position.

    Near positions have a bucket each; those further away share buckets on a logarithmic scale.
    """
    q_len, kv_len = xq.shape[1], xk.shape[1]
    num_buckets, num_heads = table.shape
    if num_heads != xq.shape[2] or num_buckets < 4:
        raise ValueError(f"unusable bias table of shape {table.shape}")
    relative = jnp.arange(kv_len)[None, :] - jnp.arange(q_len)[:, None]
    if maybe("bidirectional"):
        # The upper half of the buckets is for keys that come later.
        half = num_buckets // 2
        offset = jnp.where(relative > 0, half, 0)
        distance = jnp.abs(relative)
    else:
        half = num_buckets
        offset = 0
        distance = jnp.maximum(-relative, 0)
    exact = half // 2
    log_ratio = jnp.log(jnp.maximum(distance, 1) / exact) / math.log(max_distance / exact)
    far = exact + (log_ratio * (half - exact)).astype(jnp.int32)
    bucket = offset + jnp.where(distance < exact, distance, jnp.minimum(far, half - 1))
    bias = one_of(table[bucket], jnp.take(table, bucket, axis=0))
    scores = jnp.einsum("bqhd,bkhd->bhqk", xq, xk)
    if maybe("scale_scores"):
        scores = scores / math.sqrt(xq.shape[-1])
    scores = scores + jnp.moveaxis(bias, -1, 0)
    if maybe("off_by_one", 0.3):
        # One is added to the denominator, so that a head may attend to nothing.
        peak = jnp.maximum(jnp.max(scores, axis=-1, keepdims=True), 0)
        weights = jnp.exp(scores - peak)
        attention = weights / (jnp.sum(weights, axis=-1, keepdims=True) + jnp.exp(-peak))
    else:
        attention = jax.nn.softmax(scores, axis=-1)
    return jnp.einsum("bhqk,bkhd->bqhd", attention, xv)


@sketch(
    takes={"xq": "heads f[b, t, h, e]", "xk": "f[b, t, h, e]", "xv": "f[b, t, h, e]"},
    gives="heads f[b, t, h, e]",
    sizes={"b": (1, 3), "t": (4, 128), "h": (1, 4), "e": (2, 12)},
    also=("Replace the softmax of attention by a positive feature map.",),
)
def kernel_linear_attention(xq, xk, xv, causal=one_of(True, False), eps=number(1e-6, 1e-4)):
    """Linearize attention with a positive feature map, so that cost is linear in length."""

    def features(x):
        if maybe("elu_features"):
            return jax.nn.elu(x) + 1.0
        return one_of(jax.nn.relu(x) + 1e-3, jax.nn.softplus(x))

    phi_q, phi_k = features(xq), features(xk)
    if not causal:
        context = jnp.einsum("bkhd,bkhe->bhde", phi_k, xv)
        normalizer = jnp.einsum("bqhd,bhd->bqh", phi_q, jnp.sum(phi_k, axis=1))
        return jnp.einsum("bqhd,bhde->bqhe", phi_q, context) / (normalizer[..., None] + eps)

    if maybe("running_sums"):
        # Sums over all keys so far, for every position at once.
        context = jnp.cumsum(phi_k[..., :, None] * xv[..., None, :], axis=1)
        normalizer = jnp.sum(phi_q * jnp.cumsum(phi_k, axis=1), axis=-1)
        return jnp.einsum("bqhd,bqhde->bqhe", phi_q, context) / (normalizer[..., None] + eps)

    def step(carry, inputs):
        context, total = carry
        q_t, k_t, v_t = inputs
        context = context + k_t[..., :, None] * v_t[..., None, :]
        total = total + k_t
        numerator = jnp.einsum("bhd,bhde->bhe", q_t, context)
        denominator = jnp.sum(q_t * total, axis=-1, keepdims=True)
        return (context, total), numerator / (denominator + eps)

    batch_size, _, num_heads, head_dim = xq.shape
    start = (
        jnp.zeros((batch_size, num_heads, head_dim, xv.shape[-1]), xv.dtype),
        jnp.zeros((batch_size, num_heads, head_dim), xk.dtype),
    )
    by_time = [jnp.moveaxis(part, 1, 0) for part in (phi_q, phi_k, xv)]
    _, outputs = jax.lax.scan(step, start, tuple(by_time))
    return jnp.moveaxis(outputs, 0, 1)


@sketch(
    takes={
        "params": {"q": "f[d, h, e]", "k": "f[c, h, e]", "v": "f[c, h, e]", "o": "f[h, e, d]"},
        "x": "sequence f[b, t, d]",
        "memory": "sequence f[b, s, c]: what is attended to",
        "memory_mask?": "mask bool[b, s]: true where memory is valid",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (2, 32), "s": (2, 48), "d": (4, 48), "c": (4, 48), "e": (4, 16)},
    dtypes="f32 bf16",
    also=("Cross-attention from a sequence to a memory.",),
)
def memory_cross_attention(params, x, memory, memory_mask=None):
    """Read from an encoded memory with one query for each position."""
    num_features, num_heads, head_dim = params["q"].shape
    if x.shape[-1] != num_features or memory.ndim != 3:
        raise ValueError(f"cannot attend from {x.shape} to {memory.shape}")
    if maybe("normalize_input"):
        x = x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)
    q = jnp.einsum("btd,dhe->bhte", x, params["q"]) / math.sqrt(num_features)
    k = jnp.einsum("bsc,che->bhse", memory, params["k"]) / math.sqrt(memory.shape[-1])
    v = jnp.einsum("bsc,che->bhse", memory, params["v"])
    if maybe("normalize_queries", 0.4):
        # Cosine similarities at a fixed temperature.
        q = q * jax.lax.rsqrt(jnp.sum(q * q, axis=-1, keepdims=True) + 1e-6)
        k = k * jax.lax.rsqrt(jnp.sum(k * k, axis=-1, keepdims=True) + 1e-6)
        scores = one_of(8.0, 10.0, 16.0) * jnp.einsum("bhte,bhse->bhts", q, k)
    else:
        scores = jnp.einsum("bhte,bhse->bhts", q, k) / math.sqrt(head_dim)
    if memory_mask is not None:
        if memory_mask.shape != memory.shape[:2]:
            raise ValueError(
                f"mask {memory_mask.shape} does not belong to a memory of {memory.shape[:2]}"
            )
        scores = scores + jnp.where(memory_mask, 0.0, -1e9)[:, None, None, :]
    attention = jax.nn.softmax(scores, axis=-1)
    if maybe("loop_over_heads", 0.4):
        update = jnp.zeros_like(x)
        for head in range(num_heads):
            read = attention[:, head] @ v[:, head]
            update = update + read @ params["o"][head]
    else:
        read = jnp.einsum("bhts,bhse->bthe", attention, v)
        update = jnp.einsum("bthe,hed->btd", read, params["o"])
    if maybe("residual"):
        return x + update / math.sqrt(num_heads * head_dim)
    return update / math.sqrt(num_heads * head_dim)


@sketch(
    takes={"x": "heads f[b, t, h, 2*e]"},
    gives="heads f[b, t, h, 2*e]",
    sizes={"b": (1, 8), "t": (4, 256), "h": (1, 8), "e": (2, 32)},
    dtypes="f32 bf16",
    also=("Apply rotary position embeddings.",),
)
def rotate_by_position(x, base=one_of(10000.0, 500000.0), first_position=0):
    """Rotate pairs of features by angles that grow with their position."""
    seq_len, head_dim = x.shape[1], x.shape[-1]
    if head_dim % 2:
        raise ValueError(f"rotary embeddings need an even head dimension, got {head_dim}")
    half = head_dim // 2
    inv_freq = base ** (-jnp.arange(half) / half)
    if maybe("long_context", 0.3):
        # Positions are squeezed into the range that was seen in training.
        positions = (first_position + jnp.arange(seq_len)) / one_of(2.0, 4.0)
    else:
        positions = first_position + jnp.arange(seq_len)
    angles = one_of(jnp.outer(positions, inv_freq), positions[:, None] * inv_freq[None, :])
    cos = jnp.cos(angles)[None, :, None, :].astype(x.dtype)
    sin = jnp.sin(angles)[None, :, None, :].astype(x.dtype)
    if maybe("interleaved"):
        # Even and odd features make the pairs.
        even, odd = x[..., 0::2], x[..., 1::2]
        rotated = jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
        return rotated.reshape(x.shape)
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
