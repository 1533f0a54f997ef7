"""Sequences to sequences: decoders with attention, pointers and memories."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={
        "params": {
            "embed": "f[v, d]",
            "w": "f[d, 2*d]",
            "u": "f[d, 2*d]",
            "b": "f[2*d]",
            "out": "f[d, v]",
        },
        "tokens": "tokens i[b, t]",
    },
    gives="logits f[b, t, v]",
    sizes={"b": (1, 6), "t": (3, 24), "v": (8, 128), "d": (4, 24)},
    also=("Language model with a recurrent state in place of attention.",),
)
def recurrent_language_model(params, tokens):
    """Predict next tokens from the state of a recurrent network."""
    width = params["embed"].shape[1]
    embedded = params["embed"][tokens.T]
    recurrent = params["u"] / math.sqrt(width)

    def step(state, x_t):
        gates = x_t @ params["w"] / math.sqrt(width) + state @ recurrent + params["b"]
        forget, candidate = jnp.split(gates, 2, axis=-1)
        forget = jax.nn.sigmoid(forget + one_of(1.0, 0.0, 2.0))
        state = forget * state + (1 - forget) * jnp.tanh(candidate)
        if maybe("logits_in_loop"):
            return state, state @ params["out"] / math.sqrt(width)
        return state, state

    start = jnp.zeros((tokens.shape[0], width), embedded.dtype)
    _, outputs = jax.lax.scan(step, start, embedded)
    if maybe("logits_in_loop"):
        return outputs.swapaxes(0, 1)
    return jnp.einsum("tbd,dv->btv", outputs, params["out"]) / math.sqrt(width)


@sketch(
    takes={
        "params": {
            "embed": "f[v, d]",
            "cell": {"w": "f[d+c, 3*d]", "u": "f[d, 3*d]", "b": "f[3*d]"},
            "score": "f[d, c]",
            "merge": "f[d+c, d]",
        },
        "encoded": "sequence f[b, s, c]: outputs of an encoder",
        "targets": "tokens i[b, t]",
        "key?": "key",
    },
    gives="logits f[b, t, v]",
    sizes={"b": (1, 4), "s": (3, 24), "t": (2, 16), "v": (8, 64), "d": (3, 24), "c": (3, 24)},
    also=("Decode by teacher forcing, attending to the source at each step.",),
)
def attention_decoder(params, encoded, targets, key=None, start_token=0, keep_prob=0.9):
    """Predict target tokens from an encoded source and the tokens before them."""
    batch_size, num_steps = targets.shape
    if encoded.shape[0] != batch_size:
        raise ValueError(f"{encoded.shape[0]} sources do not go with {batch_size} targets")
    hidden_size, source_size = params["score"].shape
    # The decoder sees the target one step late.
    start = jnp.full((batch_size, 1), start_token, targets.dtype)
    inputs = jnp.concatenate([start, targets[:, :-1]], axis=1)
    if maybe("word_dropout", 0.3):
        if key is not None and keep_prob < 1:
            kept = jax.random.bernoulli(key, keep_prob, inputs.shape)
            inputs = jnp.where(kept, inputs, start_token)
    embedded = params["embed"][inputs] / math.sqrt(hidden_size)
    cell = params["cell"]

    def attend(state):
        scores = jnp.einsum("bd,dc,bsc->bs", state, params["score"], encoded)
        attention = jax.nn.softmax(scores / (hidden_size * math.sqrt(source_size)), axis=-1)
        return jnp.einsum("bs,bsc->bc", attention, encoded)

    def step(carry, x_t):
        state, context = carry
        joined = jnp.concatenate([x_t, context], axis=-1)
        from_input = joined @ cell["w"] / math.sqrt(joined.shape[-1]) + cell["b"]
        from_state = state @ cell["u"] / math.sqrt(hidden_size)
        r_x, z_x, n_x = jnp.split(from_input, 3, axis=-1)
        r_h, z_h, n_h = jnp.split(from_state, 3, axis=-1)
        update = jax.nn.sigmoid(z_x + z_h)
        candidate = jnp.tanh(n_x + jax.nn.sigmoid(r_x + r_h) * n_h)
        state = (1 - update) * candidate + update * state
        context = attend(state)
        merged = jnp.concatenate([state, context], axis=-1) @ params["merge"]
        return (state, context), one_of(jnp.tanh(merged), merged / math.sqrt(hidden_size))

    state = jnp.zeros((batch_size, hidden_size), embedded.dtype)
    context = one_of(jnp.mean(encoded, axis=1), attend(state))
    _, outputs = jax.lax.scan(step, (state, context), embedded.swapaxes(0, 1))
    return jnp.einsum("tbd,vd->btv", outputs, params["embed"])


@sketch(
    takes={
        "params": {"query": "f[d, d]", "key": "f[d, d]", "v": "f[d]", "start": "f[d]"},
        "items": "sequence f[b, s, d]: encoded items",
    },
    gives=("i[b, k]: order", "log_probabilities f[b]"),
    sizes={"b": (1, 6), "s": (6, 24), "d": (3, 24), "k": (2, 6)},
    also=("Select items one after the other, none of them twice.",),
)
def point_at_items(params, items, num_picks=size("k")):
    """Order items greedily with a pointer network."""
    batch_size, num_items, width = items.shape
    num_picks = min(num_picks, num_items)
    projected = items @ params["key"] / math.sqrt(width)
    query = jnp.broadcast_to(params["start"], (batch_size, width))
    taken = jnp.zeros((batch_size, num_items), dtype=bool)
    total = jnp.zeros(batch_size, items.dtype)
    order = []
    for _ in range(num_picks):
        if maybe("additive"):
            joint = jnp.tanh(projected + (query @ params["query"] / math.sqrt(width))[:, None])
            scores = joint @ params["v"]
        else:
            scores = jnp.einsum("bd,bsd->bs", query @ params["query"], projected) / width
        scores = one_of(scores, 5.0 * jnp.tanh(scores))
        log_probs = jax.nn.log_softmax(jnp.where(taken, -1e9, scores), axis=-1)
        pick = jnp.argmax(log_probs, axis=-1)
        total = total + jnp.max(log_probs, axis=-1)
        order.append(pick)
        chosen = jax.nn.one_hot(pick, num_items, dtype=items.dtype)
        taken = one_of(taken | (chosen > 0), jnp.logical_or(taken, chosen.astype(bool)))
        # What was picked last asks for the next one.
        if maybe("gather"):
            query = jnp.take_along_axis(items, pick[:, None, None], axis=1)[:, 0]
        else:
            query = jnp.einsum("bs,bsd->bd", chosen, items)
    return jnp.stack(order, axis=1), total


@sketch(
    takes={
        "params": {"input": "f[v, d]", "output": "f[v, d]", "hop": "f[d, d]"},
        "stories": "tokens i[b, s, t]: sentences of tokens",
        "question": "tokens i[b, t]",
    },
    gives="logits f[b, v]",
    sizes={"b": (1, 4), "s": (2, 12), "t": (2, 8), "v": (8, 64), "d": (4, 24)},
    also=("Answer questions by several hops over a memory of sentences.",),
)
def memory_network(params, stories, question, num_hops=integer(1, 3)):
    """Read sentences repeatedly to answer a question about them."""
    num_sentences, sentence_len = stories.shape[1:]
    width = params["input"].shape[1]

    def encode(table, sentences):
        embedded = table[sentences]
        if maybe("position_encoding"):
            # Weights that keep some of the order of the words.
            j = jnp.arange(1, sentence_len + 1)[:, None] / sentence_len
            k = jnp.arange(1, width + 1)[None, :] / width
            embedded = embedded * ((1 - j) - k * (1 - 2 * j))
        return jnp.mean(embedded, axis=-2)

    addresses = encode(params["input"], stories)
    contents = encode(params["output"], stories)
    if maybe("recency", 0.4):
        age = jnp.arange(num_sentences)[::-1].astype(addresses.dtype)
        addresses = addresses - 0.1 * age[:, None]
    state = encode(params["input"], question)
    if maybe("normalize_state", 0.4):
        state = state / (jnp.max(jnp.abs(state), axis=-1, keepdims=True) + 1e-3)
    for hop in range(num_hops):
        match = jnp.einsum("bd,bsd->bs", state, addresses)
        if maybe("hard_last_hop", 0.35):
            # The last hop settles on a few sentences.
            match = match * (3.0 if hop == num_hops - 1 else 1.0)
        attention = jax.nn.softmax(match, axis=-1)
        read = jnp.einsum("bs,bsd->bd", attention, contents)
        if hop + 1 < num_hops or num_hops == 1:
            state = state @ params["hop"] / math.sqrt(width) + read
        else:
            state = state + read
    if maybe("mask_padding", 0.35):
        # Token 0 is no answer.
        scores = state @ params["output"].T / math.sqrt(width)
        return scores.at[:, 0].set(-30.0)
    return state @ params["output"].T / math.sqrt(width)


@sketch(
    takes={
        "memory": "f[b, n, d]",
        "head": {
            "key": "f[b, d]",
            "strength": "f[b]",
            "gate": "f[b]",
            "shift": "f[b, 3]",
            "sharpen": "f[b]",
            "erase": "f[b, d]",
            "add": "f[b, d]",
        },
        "address": "logits f[b, n]: where the head was before",
    },
    gives={"memory": "f[b, n, d]", "read": "features f[b, d]", "weights": "weights f[b, n]"},
    sizes={"b": (1, 8), "n": (4, 64), "d": (2, 24)},
    also=("Access a memory as the head of a neural Turing machine does.",),
)
def turing_head(memory, head, address, eps=number(1e-6, 1e-4)):
    """Address a memory by content and place, then read and write there."""
    before = jax.nn.softmax(address, axis=-1)
    similarity = jnp.einsum("bd,bnd->bn", head["key"], memory)
    norms = jnp.sqrt(jnp.sum(memory * memory, axis=-1) + eps)
    key_norm = jnp.sqrt(jnp.sum(head["key"] * head["key"], axis=-1, keepdims=True) + eps)
    strength = 1 + jax.nn.softplus(head["strength"])[:, None]
    content = jax.nn.softmax(strength * similarity / (norms * key_norm), axis=-1)
    gate = jax.nn.sigmoid(head["gate"])[:, None]
    weights = gate * content + (1 - gate) * before
    shift = jax.nn.softmax(head["shift"], axis=-1)
    if maybe("loop_shifts"):
        shifted = jnp.zeros_like(weights)
        for index, offset in enumerate((-1, 0, 1)):
            shifted = shifted + shift[:, index : index + 1] * jnp.roll(weights, offset, axis=-1)
    else:
        rolled = jnp.stack([jnp.roll(weights, offset, axis=-1) for offset in (-1, 0, 1)], axis=1)
        shifted = jnp.einsum("bs,bsn->bn", shift, rolled)
    if maybe("sharpen"):
        exponent = 1 + jax.nn.softplus(head["sharpen"])[:, None]
        powered = (shifted + eps) ** exponent
        shifted = powered / jnp.sum(powered, axis=-1, keepdims=True)
    read = jnp.einsum("bn,bnd->bd", shifted, memory)
    erased = memory * (1 - shifted[:, :, None] * jax.nn.sigmoid(head["erase"])[:, None, :])
    written = erased + shifted[:, :, None] * jnp.tanh(head["add"])[:, None, :]
    return {"memory": written, "read": read, "weights": shifted}
