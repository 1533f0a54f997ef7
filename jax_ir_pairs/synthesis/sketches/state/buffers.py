"""Buffers, tables and arrays that are written in place."""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

policy_update = nested("(x: vector f[n]) -> vector f[n]")


@sketch(
    takes={
        "buffer": "f[c, d]: transitions",
        "new": "f[t, d]: transitions to store",
        "start": "i[]: write position",
        "rows": "i[k]: rows to sample",
    },
    gives="f[k, d]: batch",
    sizes={"c": (4, 32), "d": (2, 16), "t": (1, 8), "k": (2, 16)},
    also=("Ring buffer of transitions.",),
    fills=False,
)
def ring_buffer_replay(buffer, new, start, rows):
    """Overwrite the oldest transitions of a ring buffer and sample from it."""
    capacity = buffer.shape[0]
    buffer_ref = jax.new_ref(buffer)
    position_ref = jax.new_ref(start)
    if maybe("store in loop"):

        def store(i, _):
            buffer_ref[position_ref[...] % capacity] = new[i]
            position_ref[...] += 1

        jax.lax.fori_loop(0, new.shape[0], store, None)
    else:
        for row in new:
            buffer_ref[position_ref[...] % capacity, :] = row
            position_ref[...] += 1
    batch = buffer_ref[rows % capacity]
    if maybe("newest first", 0.4):
        newest = buffer_ref[(position_ref[...] - 1) % capacity]
        batch = batch - newest
    return batch


@sketch(
    takes={
        "keys": "f[t, d]: cached keys",
        "values": "f[t, d]: cached values",
        "x": "f[k, d]: new tokens",
        "wk": "f[d, d]: key weights",
        "wv": "f[d, d]: value weights",
    },
    gives="f[k, d]: attended",
    sizes={"t": (6, 24), "d": (2, 16), "k": (1, 4)},
    also=("Decoding with a cache in references.",),
    fills=False,
)
def cached_attention_in_place(keys, values, x, wk, wv):
    """Extend a key-value cache in place while tokens attend to it."""
    depth = keys.shape[1]
    key_ref, value_ref = jax.new_ref(keys), jax.new_ref(values)

    if maybe("rolling cache", 0.4):

        def attend(_, query):
            # The oldest entry makes room for the newest one.
            key_ref[...] = jnp.roll(key_ref[...], -1, axis=0)
            value_ref[...] = jnp.roll(value_ref[...], -1, axis=0)
            key_ref[-1] = one_of(query @ wk, jnp.tanh(query @ wk))
            value_ref[-1] = query @ wv
            scores = key_ref[...] @ query / depth**0.5
            return None, jax.nn.softmax(scores) @ value_ref[...]

        _, attended = jax.lax.scan(attend, None, x)
    else:

        def attend_at(_, token):
            place, query = token
            key_ref[place] = one_of(query @ wk, jnp.tanh(query @ wk))
            value_ref[place] = query @ wv
            scores = key_ref[...] @ query / depth**0.5
            is_filled = jnp.arange(keys.shape[0]) <= place
            if maybe("additive mask", 0.3):
                scores = scores + jnp.where(is_filled, 0.0, -1e9)
            else:
                scores = jnp.where(is_filled, scores, one_of(-1e9, -1e4))
            return None, jax.nn.softmax(scores) @ value_ref[...]

        # The last places of the cache are free for the new tokens.
        places = jnp.arange(keys.shape[0] - x.shape[0], keys.shape[0])
        _, attended = jax.lax.scan(attend_at, None, (places, x))
    if maybe("residual tokens"):
        attended = attended + x
    return attended


@sketch(
    takes={"x": "f[n, d]: rows"},
    gives="features f[n, d]",
    sizes={"n": (3, 24), "d": (2, 24)},
    also=("Boundary rows that are set in place.",),
    fills=False,
)
def patch_boundaries(x, value=number(0.1, 2.0)):
    """Set the first and the last row of an array in place."""
    x_ref = jax.new_ref(x)
    if maybe("wrap around"):
        # The ends repeat what lies next to the opposite one.
        x_ref[0] = x[-2]
        x_ref[-1] = x[1]
    else:
        x_ref[0] = one_of(jnp.zeros(x.shape[1:]), jnp.full(x.shape[1:], value))
        x_ref[-1, :] = x_ref[-2, :]
    if maybe("touch columns", 0.6):
        # Shift the first column and scale the others.
        x_ref[:, 0] += value
        x_ref[:, 1:] *= one_of(0.5, 2.0)
    if maybe("freeze it"):
        return jax.freeze(x_ref)
    return x_ref[...]


@sketch(
    takes={"x": "f[n, d]: old state", "proposal": "f[n, d]: new state", "energies": "f[n]"},
    gives=("f[n, d]: state", "f[]: change"),
    sizes={"n": (2, 32), "d": (2, 16)},
    also=("Proposal that is swapped in and partly taken back.",),
    fills=False,
)
def swap_in_proposal(x, proposal, energies):
    """Swap a proposal in and restore the rows that are not accepted."""
    state_ref = jax.new_ref(x)
    old = jax.ref.swap(state_ref, ..., one_of(proposal, x + 0.1 * proposal, jnp.tanh(proposal)))
    accepted = energies < one_of(0.0, jnp.mean(energies))
    state_ref[...] = jnp.where(accepted[:, None], state_ref[...], old)
    if maybe("best to front"):
        best = jnp.argmax(-energies)
        first = jax.ref.swap(state_ref, 0, state_ref[best])
        state_ref[best] = first
    state = jax.ref.get(state_ref, ...) if maybe("function get", 0.3) else state_ref[...]
    return state, jnp.mean(jnp.abs(state - old))


@sketch(
    takes={"values": "f[n]: values", "order": "i[k]: places to swap"},
    gives="f[n]: shuffled",
    sizes={"n": (4, 48), "k": (2, 16)},
    also=("Exchange of entries as in a shuffle.",),
    fills=False,
)
def swap_entries(values, order):
    """Exchange entries of an array in place, pair after pair."""
    (n,) = values.shape
    ref = jax.new_ref(values)

    def exchange(i, _):
        a, b = order[i], n - 1 - order[i] if maybe("mirror") else (order[i] + i) % n
        held = ref[a]
        ref[a] = ref[b]
        ref[b] = held

    jax.lax.fori_loop(0, order.shape[0], exchange, None)
    if maybe("undo halfway", 0.3):
        ref[: n // 2] = values[: n // 2]
    return ref[...]


@sketch(
    takes={"table": "f[s, a]: values of actions", "states": "i[t]", "rewards": "f[t]: rewards"},
    gives="f[s, a]: values",
    sizes={"s": (4, 16), "a": (2, 6), "t": (2, 24)},
    also=("Tabular Q-learning in place.",),
    fills=False,
)
def q_table_in_place(table, states, rewards, rate=number(0.05, 0.5), discount=one_of(0.9, 0.99)):
    """Learn a table of values in place from a sequence of visited states."""
    table_ref = jax.new_ref(table)

    def visit(i, _):
        here, after = states[i], states[i + 1]
        row = table_ref[here]
        action = jnp.argmax(row)
        if maybe("soft backup"):
            follow = jax.nn.logsumexp(table_ref[after]) - jnp.log(table.shape[1])
        else:
            follow = jnp.max(table_ref[after])
        error = rewards[i] + discount * follow - row[action]
        if maybe("clip error"):
            error = jnp.clip(error, -1.0, 1.0)
        table_ref[here, action] += rate * error

    jax.lax.fori_loop(0, states.shape[0] - 1, visit, None)
    return table_ref[...]


@sketch(
    takes={"sizes": "i[m]: weights of items", "values": "f[m]: values of items"},
    gives="f[c]: best",
    sizes={"m": (2, 10), "c": (4, 24)},
    also=("Knapsack with a table that is overwritten.",),
    fills=False,
)
def knapsack_in_place(sizes, values, capacity=size("c")):
    """Fill a knapsack table in place, item by item."""
    best_ref = jax.new_ref(jnp.zeros((capacity,)))

    room = jnp.arange(capacity)

    def add_item(item, _):
        weight, value = sizes[item] + 1, jnp.abs(values[item])
        previous = best_ref[...]
        if maybe("scaled values", 0.3):
            value = value * one_of(1.0, 2.0)
        taken = previous[jnp.maximum(room - weight, 0)] + value
        best_ref[...] = jnp.where(room >= weight, jnp.maximum(previous, taken), previous)

    jax.lax.fori_loop(0, sizes.shape[0], add_item, None)
    if maybe("share of all"):
        return best_ref[...] / (jnp.sum(jnp.abs(values)) + one_of(1e-3, 1.0))
    return best_ref[...]


@sketch(
    takes={"x": "f[n, d]: state"},
    gives="f[n, d]: state",
    sizes={"n": (2, 32), "d": (1, 16)},
    also=("Stateful function that is run on values.",),
    fills=False,
    weight=1.5,
)
def run_on_state(x, rate=number(0.05, 0.9)):
    """Run a function of references on values, and take what it leaves."""

    def relax(ref):
        value = ref[...]
        change = one_of(jnp.tanh(value), jnp.sin(value), value / (1 + value**2))
        ref[...] = value - rate * change
        if maybe("fix first row"):
            ref[0] = x[0]

    if maybe("with output"):

        def relax_into(refs):
            state_ref, change_ref = refs
            before = state_ref[...]
            relax(state_ref)
            change_ref[...] = state_ref[...] - before

        state, change = pl.run_state(relax_into)((x, jnp.zeros_like(x)))
        if maybe("momentum", 0.6):
            state = state + one_of(0.5, 0.9) * change
        return state
    return pl.run_state(relax)(x)


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]",
    sizes={"n": (2, 32)},
    also=("While loop that writes its history.",),
    fills=False,
)
def recorded_iteration(x, max_steps=integer(4, 12), tolerance=number(1e-3, 1e-1)):
    """Iterate until little changes and record each state in a reference."""
    history_ref = jax.new_ref(jnp.zeros((max_steps, x.shape[0]), x.dtype))

    def unfinished(carry):
        i, _, change = carry
        return (i < max_steps) & (change > tolerance)

    def step(carry):
        i, state, _ = carry
        if maybe("averaged map"):
            new = 0.5 * state + 0.5 * jnp.tanh(policy_update(state))
        else:
            new = jnp.tanh(policy_update(state))
        history_ref[i] = new
        return i + 1, new, jnp.max(jnp.abs(new - state))

    steps, last, _ = jax.lax.while_loop(unfinished, step, (0, x, jnp.asarray(1e3, x.dtype)))
    if maybe("mean of history"):
        return jnp.sum(history_ref[...], axis=0) / steps
    return history_ref[0] - last
