"""Data structures of fixed size: hash tables, rings, queues, disjoint sets."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class OpenTable(NamedTuple):
    """A hash table with open addressing; free slots have the key -1."""

    slots: jax.Array
    payloads: jax.Array


def _slot_of(item, capacity):
    return (item * one_of(7, 13, 31) + 5) % capacity


@sketch(
    takes={"items": "i[n]", "amounts": "i[n]", "queries": "i[q]"},
    gives=("i[q]: found", "mask bool[q]: present"),
    sizes={"n": (2, 64), "q": (1, 64)},
    dtypes="f32 f64",
    also=("Insert into and look up in a hash table with open addressing.",),
)
def hash_table_lookup(items, amounts, queries, capacity=one_of(16, 32), max_probes=integer(4, 8)):
    """Fill a hash table with open addressing, then answer queries from it."""
    if items.shape != amounts.shape:
        raise ValueError(f"{items.shape[0]} items but {amounts.shape[0]} amounts")

    def probe(table, item):
        """First slot that holds the item or is free."""
        attempts = jnp.arange(max_probes)
        if maybe("quadratic"):
            # Triangular numbers spread clusters apart.
            attempts = attempts * (attempts + 1) // 2
        candidates = (_slot_of(item, capacity) + attempts) % capacity
        held = table.slots[candidates]
        usable = (held == item) | (held < 0)
        return candidates[jnp.argmax(usable)], jnp.any(usable)

    def insert(table, entry):
        item, amount = entry
        slot, usable = probe(table, item)
        target = jnp.where(usable, slot, capacity)
        slots = table.slots.at[target].set(item, mode="drop")
        if maybe("accumulate"):
            payloads = table.payloads.at[target].add(amount, mode="drop")
        else:
            # The last write wins.
            payloads = table.payloads.at[target].set(amount, mode="drop")
        return OpenTable(slots, payloads), None

    empty = OpenTable(jnp.full(capacity, -1, items.dtype), jnp.zeros(capacity, amounts.dtype))
    table, _ = jax.lax.scan(insert, empty, (items, amounts))
    if maybe("linear lookup"):

        def look_up(query):
            slot, usable = probe(table, query)
            hit = usable & (table.slots[slot] == query)
            return jnp.where(hit, table.payloads[slot], 0), hit

        return one_of(jax.vmap(look_up)(queries), jax.lax.map(look_up, queries))
    slots, _ = jax.vmap(partial(probe, table))(queries)
    present = table.slots[slots] == queries
    return jnp.where(present, table.payloads[slots], one_of(0, -1)), present


class Ring(NamedTuple):
    """The latest entries of a stream."""

    storage: jax.Array
    head: jax.Array
    filled: jax.Array


def push_to_ring(ring, value):
    """Overwrite the oldest entry."""
    capacity = ring.storage.shape[0]
    storage = ring.storage.at[ring.head].set(value)
    head = (ring.head + 1) % capacity
    return Ring(storage, head, jnp.minimum(ring.filled + 1, capacity))


@sketch(
    takes={"stream": "signal f[n]"},
    gives=("signal f[n]: rolling", "f[q]: latest"),
    sizes={"n": (4, 1024), "q": (2, 16)},
    dtypes="f32 bf16 f64",
    also=("Keep the latest values of a stream and summarize them at each step.",),
)
def ring_buffer_statistics(stream, capacity=size("q")):
    """Feed a stream through a ring buffer and summarize what it holds."""
    ring = Ring(jnp.zeros(capacity, stream.dtype), jnp.zeros((), int), jnp.zeros((), int))
    slots = jnp.arange(capacity)

    def observe(ring, value):
        ring = push_to_ring(ring, value)
        valid = slots < ring.filled
        if maybe("maximum", 0.3):
            summary = jnp.max(jnp.where(valid, ring.storage, -jnp.inf))
        elif maybe("range", 0.3):
            top = jnp.max(jnp.where(valid, ring.storage, -jnp.inf))
            summary = top - jnp.min(jnp.where(valid, ring.storage, jnp.inf))
        else:
            held = jnp.where(valid, ring.storage, 0)
            summary = jnp.sum(held) / ring.filled.astype(held.dtype)
        return ring, summary

    ring, rolling = jax.lax.scan(observe, ring, stream)
    # Oldest first.
    latest = one_of(
        jnp.roll(ring.storage, -ring.head), ring.storage[(ring.head + slots) % capacity]
    )
    return rolling, latest


@dataclass(frozen=True)
class QueuePolicy:
    """How a bounded priority queue behaves when it is full."""

    capacity: int
    evict_worst: bool = True


@sketch(
    takes={"priorities": "scores f[n]", "payload": "i[n]"},
    gives=("scores f[n]: served", "i[n]: served_payload"),
    sizes={"n": (4, 256)},
    dtypes="f32 f64",
    also=("Serve items of a stream in order of priority from a bounded queue.",),
)
def bounded_priority_queue(
    priorities,
    payload,
    policy=QueuePolicy(capacity=one_of(4, 6, 8), evict_worst=one_of(True, False)),
):
    """Push each item into a small priority queue and pop the best one now and then."""
    if priorities.shape != payload.shape:
        raise ValueError(f"{priorities.shape[0]} priorities for {payload.shape[0]} payloads")
    if policy.capacity < 2:
        raise ValueError(f"a queue of capacity {policy.capacity} never holds a choice")
    nothing = one_of(-50.0, -99.0)

    def serve(queue, arrival):
        keys, values = queue
        tick, priority, value = arrival
        if policy.evict_worst:
            place = jnp.argmax(-keys)
            accepted = priority > keys[place]
        else:
            place = jnp.argmax(keys == nothing)
            accepted = keys[place] == nothing
        keys = keys.at[place].set(jnp.where(accepted, priority, keys[place]))
        values = values.at[place].set(jnp.where(accepted, value, values[place]))
        # Serving is slower than arriving.
        best = jnp.argmax(keys)
        popping = tick % one_of(2, 3) == 1
        served = jnp.where(popping, keys[best], nothing), jnp.where(popping, values[best], -1)
        keys = keys.at[best].set(jnp.where(popping, nothing, keys[best]))
        return (keys, values), served

    queue = (
        jnp.full(policy.capacity, nothing, priorities.dtype),
        jnp.full(policy.capacity, -1, payload.dtype),
    )
    ticks = jnp.arange(priorities.shape[0])
    _, (served, served_payload) = jax.lax.scan(serve, queue, (ticks, priorities, payload))
    return jnp.clip(served, -30, 30), served_payload


@sketch(
    takes={"sources": "i[e]", "targets": "i[e]"},
    gives=("labels i[n]: component", "i[]: num_components"),
    sizes={"e": (4, 1024), "n": (4, 4)},
    dtypes="f32 f64",
    also=("Label the connected components of a small graph.",),
)
def connected_components(sources, targets, num_nodes=size("n"), keep_every=one_of(1, 2, 3)):
    """Propagate the least node number along edges until nothing changes."""
    if sources.shape != targets.shape:
        raise ValueError(f"{sources.shape[0]} sources but {targets.shape[0]} targets")
    sources, targets = sources[::keep_every], targets[::keep_every]

    def propagate(component):
        if maybe("segment"):
            offered = jax.ops.segment_min(component[sources], targets, num_segments=num_nodes)
            component = jnp.minimum(component, offered)
            offered = jax.ops.segment_min(component[targets], sources, num_segments=num_nodes)
            component = jnp.minimum(component, offered)
        else:
            # Small enough for a matrix of who is next to whom.
            linked = jnp.eye(num_nodes, dtype=bool).at[sources, targets].set(True)
            linked = linked | linked.T
            component = jnp.min(jnp.where(linked, component[None, :], num_nodes), axis=1)
        # Pointer jumping: follow the label's own label.
        return component[component]

    component = jnp.arange(num_nodes)
    if maybe("while"):

        def unsettled(state):
            before, after = state
            return jnp.any(before != after)

        state = (component, propagate(component))
        _, component = jax.lax.while_loop(unsettled, lambda s: (s[1], propagate(s[1])), state)
    else:
        component = jax.lax.fori_loop(0, num_nodes, lambda _, c: propagate(c), component)
    num_components = jnp.sum(component == jnp.arange(num_nodes))
    return component, num_components


@sketch(
    takes={"tally": "tally i[n]"},
    gives={"shannon": "f[]", "simpson": "f[]", "richness": "f[]", "gini": "f[]"},
    sizes={"n": (2, 2048)},
    also=("Measure the diversity of a population from counts.",),
)
def diversity_indices(tally, pseudo_count=number(0.01, 0.5)):
    """Summarize counts of species by indices of diversity and inequality."""
    num_kinds = tally.shape[0]
    abundance = jnp.maximum(tally, 0) + pseudo_count
    p = abundance / jnp.sum(abundance)
    shannon = -jnp.sum(p * jnp.log(p))
    if maybe("effective number"):
        shannon = jnp.exp(shannon)
    elif maybe("evenness"):
        shannon = shannon / jnp.log(jnp.maximum(num_kinds, 2) + 0.0)
    simpson = one_of(1 - jnp.sum(p * p), 1 / jnp.sum(p * p))
    richness = jnp.sum(tally > 0)
    if maybe("chao"):
        # What was seen once or twice tells how much was not seen.
        once, twice = jnp.sum(tally == 1), jnp.sum(tally == 2)
        richness = richness + once * (once - 1) / (2 * (twice + 1))
    ordered = jnp.sort(p)
    ranks = jnp.arange(1, num_kinds + 1)
    gini = jnp.sum((2 * ranks - num_kinds - 1) * ordered) / num_kinds
    return {
        "shannon": shannon,
        "simpson": simpson,
        "richness": richness.astype(float),
        "gini": gini,
    }


@sketch(
    takes={"order": "permutation i[n]", "x": "features f[n, d]"},
    gives=("features f[n, d]: rearranged", "i[]: inversions"),
    sizes={"n": (2, 256), "d": (1, 32)},
    dtypes="f32 bf16",
    also=("Rearrange rows and count how far the order is from sorted.",),
)
def apply_permutation(order, x, inverse=one_of(False, True)):
    """Rearrange rows by a permutation and count its inversions."""
    n = x.shape[0]
    if order.shape != (n,):
        raise ValueError(f"a permutation of {order.shape[0]} cannot order {n} rows")
    if inverse:
        if maybe("scatter"):
            undone = jnp.zeros_like(order).at[order].set(jnp.arange(n, dtype=order.dtype))
        else:
            undone = jnp.argsort(order)
        rearranged = x[undone]
    else:
        rearranged = one_of(x[order], jnp.take(x, order, axis=0))
    inverted = order[:, None] > order[None, :]
    if maybe("compare places"):
        earlier = jnp.arange(n)[:, None] < jnp.arange(n)[None, :]
        return rearranged, jnp.sum(earlier & inverted)
    return rearranged, jnp.sum(jnp.triu(inverted, 1))
