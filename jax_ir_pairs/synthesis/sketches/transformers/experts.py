"""Mixtures of experts: routing tokens to feed-forward networks."""

import functools
import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def run_experts(inputs, w1, w2):
    """Apply one two-layer network per expert to the slots of that expert."""
    hidden = jnp.einsum("ecd,edm->ecm", inputs, w1) / math.sqrt(w1.shape[1])
    hidden = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu)(hidden)
    return jnp.einsum("ecm,emd->ecd", hidden, w2) / math.sqrt(w2.shape[1])


@sketch(
    takes={
        "params": {"router": "f[d, r]", "w1": "f[r, d, m]", "w2": "f[r, m, d]"},
        "x": "features f[b, d]: one row per token",
        "key?": "key",
    },
    gives="features f[b, d]",
    sizes={"b": (6, 48), "d": (4, 48), "r": (2, 6), "m": (4, 48)},
    dtypes="f32 bf16",
    also=("Switch layer: each token goes to one expert, as far as there is room.",),
)
def switch_layer(params, x, key=None, capacity_factor=one_of(1.0, 1.25, 2.0)):
    """Route each token to its best expert, within a fixed capacity."""
    num_tokens, width = x.shape
    num_experts = params["router"].shape[1]
    capacity = max(1, math.ceil(capacity_factor * num_tokens / num_experts))
    if maybe("jitter", 0.5):
        # Noise on the router's input helps tokens to explore experts.
        routed = x
        if key is not None:
            routed = x * jax.random.uniform(key, x.shape, x.dtype, minval=0.99, maxval=1.01)
        gates = jax.nn.softmax(routed @ params["router"] / math.sqrt(width), axis=-1)
    else:
        gates = jax.nn.softmax(x @ params["router"] / math.sqrt(width), axis=-1)
    expert = jnp.argmax(gates, axis=-1)
    gate = jnp.max(gates, axis=-1)
    assigned = jax.nn.one_hot(expert, num_experts, dtype=x.dtype)
    # A token's place in the queue of its expert; those beyond capacity are dropped.
    place = jnp.sum((jnp.cumsum(assigned, axis=0) - 1) * assigned, axis=-1).astype(jnp.int32)
    if maybe("scatter"):
        slot = jnp.where(place < capacity, place, capacity)
        buffers = jnp.zeros((num_experts, capacity + 1, width), x.dtype)
        buffers = buffers.at[expert, slot].set(x)
        outputs = run_experts(buffers[:, :capacity], params["w1"], params["w2"])
        gathered = outputs[expert, jnp.minimum(place, capacity - 1)]
        combined = jnp.where((place < capacity)[:, None], gathered * gate[:, None], 0)
    else:
        slots = jax.nn.one_hot(place, capacity, dtype=x.dtype)
        dispatch = assigned[:, :, None] * slots[:, None, :]
        inputs = jnp.einsum("tec,td->ecd", dispatch, x)
        outputs = run_experts(inputs, params["w1"], params["w2"])
        combined = jnp.einsum("tec,ecd->td", dispatch * gate[:, None, None], outputs)
    return one_of(x + combined, combined)


@sketch(
    takes={
        "params": {
            "router": {"w": "f[d, r]", "b": "f[r]"},
            "experts": {"gate": "f[r, d, m]", "up": "f[r, d, m]", "down": "f[r, m, d]"},
        },
        "x": "features f[b, d]: one row per token",
    },
    gives="features f[b, d]",
    sizes={"b": (2, 32), "d": (4, 32), "r": (3, 8), "m": (4, 24)},
    dtypes="f32 bf16",
    also=("Combine the two best experts of each token by their gates.",),
)
def top_two_experts(params, x, num_selected=2):
    """Mix the outputs of the experts that a router ranks first."""
    num_experts = params["router"]["w"].shape[-1]
    if num_selected > num_experts:
        raise ValueError(f"{num_selected} experts are wanted, but there are {num_experts}")
    scores = x @ params["router"]["w"] / math.sqrt(x.shape[-1]) + params["router"]["b"]
    top, chosen = jax.lax.top_k(scores, num_selected)
    if maybe("softmax_first"):
        probs = jax.nn.softmax(scores, axis=-1)
        gates = jnp.take_along_axis(probs, chosen, axis=-1)
        gates = gates / (jnp.sum(gates, axis=-1, keepdims=True) + 1e-9)
    else:
        gates = one_of(jax.nn.softmax(top, axis=-1), jax.nn.sigmoid(top))
    experts = params["experts"]
    if maybe("loop"):
        # Few experts: each sees all tokens, and the gates of others are zero.
        out = jnp.zeros_like(x)
        for index in range(num_experts):
            gate = jnp.sum(jnp.where(chosen == index, gates, 0), axis=-1, keepdims=True)
            hidden = jax.nn.silu(x @ experts["gate"][index]) * (x @ experts["up"][index])
            out = out + gate * (hidden @ experts["down"][index]) / hidden.shape[-1]
    else:
        hidden = jnp.einsum("td,edm->tem", x, experts["up"])
        hidden = hidden * jax.nn.silu(jnp.einsum("td,edm->tem", x, experts["gate"]))
        outputs = jnp.einsum("tem,emd->ted", hidden, experts["down"]) / hidden.shape[-1]
        selected = jnp.take_along_axis(outputs, chosen[:, :, None], axis=1)
        out = jnp.sum(gates[:, :, None] * selected, axis=1)
    return x + out


@sketch(
    takes={
        "params": {"router": "f[d, r]", "w1": "f[r, d, m]", "w2": "f[r, m, d]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (6, 32), "d": (4, 32), "r": (2, 5), "m": (4, 32)},
    also=("Let experts pick their tokens, so that all of them are equally busy.",),
)
def expert_choice_layer(params, x, tokens_per_expert=integer(2, 4)):
    """Give every expert the same number of tokens, those that it rates highest."""
    batch_size, seq_len, width = x.shape
    flat = x.reshape(batch_size * seq_len, width)
    affinity = jax.nn.softmax(flat @ params["router"] / math.sqrt(width), axis=one_of(-1, 0))
    gates, picked = jax.lax.top_k(affinity.T, tokens_per_expert)
    inputs = one_of(flat[picked], jnp.take(flat, picked, axis=0))
    outputs = run_experts(inputs, params["w1"], params["w2"])
    weighted = gates[..., None] * outputs
    if maybe("segment_sum"):
        merged = jax.ops.segment_sum(
            weighted.reshape(-1, width), picked.reshape(-1), num_segments=flat.shape[0]
        )
    else:
        merged = jnp.zeros_like(flat).at[picked].add(weighted)
    if maybe("normalize_by_gates", 0.4):
        received = jnp.zeros(flat.shape[0], x.dtype).at[picked].add(gates)
        merged = merged / (received[:, None] + one_of(1e-2, 0.1))
    return x + merged.reshape(x.shape)


@sketch(
    takes={
        "params": {
            "slots": "f[d, r, k]: a query for each slot",
            "w1": "f[r, d, m]",
            "w2": "f[r, m, d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 4), "t": (3, 24), "d": (4, 32), "r": (2, 4), "m": (4, 32), "k": (1, 3)},
    also=("Soft mixture of experts, in which nothing is dropped.",),
)
def soft_experts(params, x, eps=number(1e-6, 1e-4)):
    """Feed experts with averages of tokens, and spread what they say over all tokens."""
    normalized = x / (jnp.linalg.norm(x + eps, axis=-1, keepdims=True) + eps)
    logits = jnp.einsum("btd,dek->btek", normalized, params["slots"])
    if maybe("flat_slots"):
        batch_size, seq_len, num_experts, num_slots = logits.shape
        logits = logits.reshape(batch_size, seq_len, num_experts * num_slots)
        dispatch = jax.nn.softmax(logits, axis=1)
        combine = jax.nn.softmax(logits, axis=2)
        slots = jnp.einsum("bts,btd->bsd", dispatch, x)
        slots = slots.reshape(batch_size, num_experts, num_slots, -1)
    else:
        dispatch = jax.nn.softmax(logits, axis=1)
        combine = jax.nn.softmax(logits, axis=(2, 3))
        slots = jnp.einsum("btek,btd->bekd", dispatch, x)
    outputs = jax.vmap(functools.partial(run_experts, w1=params["w1"], w2=params["w2"]))(slots)
    if maybe("flat_slots"):
        flat = outputs.reshape(outputs.shape[0], -1, outputs.shape[-1])
        return jnp.einsum("bts,bsd->btd", combine, flat)
    return jnp.einsum("btek,bekd->btd", combine, outputs)


@sketch(
    takes={"router_logits": "logits f[b, c]: of the router, one row per token"},
    gives="loss f[]",
    sizes={"b": (4, 256), "c": (2, 16)},
    also=("Auxiliary loss of a router, least when experts get equal shares.",),
)
def load_balancing_loss(router_logits, num_selected=one_of(1, 2)):
    """Penalize routers that prefer some experts over others."""
    num_tokens, num_experts = router_logits.shape
    probs = jax.nn.softmax(router_logits, axis=-1)
    if maybe("several"):
        _, chosen = jax.lax.top_k(router_logits, min(num_selected, num_experts))
        counts = jnp.sum(jax.nn.one_hot(chosen, num_experts), axis=(0, 1))
        load = counts / (num_tokens * chosen.shape[1])
    elif maybe("bincount"):
        counts = jnp.bincount(jnp.argmax(probs, axis=-1), length=num_experts)
        load = counts / num_tokens
    else:
        load = jnp.mean(jax.nn.one_hot(jnp.argmax(probs, axis=-1), num_experts), axis=0)
    importance = jnp.mean(probs, axis=0)
    loss = num_experts * jnp.sum(jax.lax.stop_gradient(load) * importance)
    if maybe("z_loss"):
        # Large logits lose precision in the router's softmax.
        loss = loss + one_of(1e-3, 1e-2) * jnp.mean(jax.nn.logsumexp(router_logits, axis=-1) ** 2)
    return loss
