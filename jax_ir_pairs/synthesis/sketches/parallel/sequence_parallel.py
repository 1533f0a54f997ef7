"""Attention and recurrences over a sequence that devices share."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch

SEQUENCE_AXIS = one_of("seq", "sp", "context", "ring")
sequence_mesh = one_of(
    jax.make_mesh((size("devices"),), (SEQUENCE_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (SEQUENCE_AXIS,)),
)


@sketch(
    takes={
        "q": "sequence f[devices*t, w]: queries",
        "k": "sequence f[devices*t, w]: keys",
        "v": "sequence f[devices*t, w]: values",
    },
    gives="sequence f[devices*t, w]",
    sizes={"devices": {2, 4, 8}, "t": (1, 8), "w": (2, 32)},
    also=("Pass keys and values around a ring, with a softmax that is corrected on the way.",),
    weight=1.5,
)
def ring_attention(q, k, v):
    """Attend over a sequence whose keys and values travel around the devices."""

    def attend(q, k, v):
        length, width = q.shape
        num_devices = jax.lax.axis_size(SEQUENCE_AXIS)
        rank = jax.lax.axis_index(SEQUENCE_AXIS)
        ring = [(i, (i + 1) % num_devices) for i in range(num_devices)]

        def block(i, carry):
            top, total, out, k, v = carry
            scores = q @ k.T / math.sqrt(width)
            if maybe("causal"):
                # After `i` steps a device has the keys of the one `i` places before it.
                source = (rank - i) % num_devices
                query_places = rank * length + jnp.arange(length)
                key_places = source * length + jnp.arange(length)
                scores = jnp.where(query_places[:, None] >= key_places, scores, -1e9)
            new_top = jnp.maximum(top, jnp.max(scores, axis=-1))
            weights = jnp.exp(scores - new_top[:, None])
            correction = jnp.exp(top - new_top)
            total = total * correction + jnp.sum(weights, axis=-1)
            out = out * correction[:, None] + weights @ v
            k = jax.lax.ppermute(k, SEQUENCE_AXIS, ring)
            v = jax.lax.ppermute(v, SEQUENCE_AXIS, ring)
            return new_top, total, out, k, v

        carry = (jnp.full(length, -1e9, q.dtype), jnp.zeros(length, q.dtype), jnp.zeros_like(q))
        if maybe("unrolled", 0.3):
            carry = (*carry, k, v)
            for i in range(num_devices):
                carry = block(i, carry)
        else:
            carry = jax.lax.fori_loop(0, num_devices, block, (*carry, k, v))
        _, total, out, _, _ = carry
        return out / total[:, None]

    specs = P(SEQUENCE_AXIS, None)
    return jax.shard_map(
        attend, mesh=sequence_mesh, in_specs=specs, out_specs=specs, check_vma=False
    )(q, k, v)


@sketch(
    takes={
        "q": "heads f[devices*t, devices*h, w]: queries",
        "k": "heads f[devices*t, devices*h, w]: keys",
        "v": "heads f[devices*t, devices*h, w]: values",
    },
    gives="heads f[devices*t, devices*h, w]",
    sizes={"devices": {2, 4, 8}, "t": (1, 6), "h": (1, 2), "w": (2, 16)},
    dtypes="f32 bf16",
    also=("Exchange a share of the sequence for a share of the heads, and back.",),
)
def all_to_all_attention(q, k, v):
    """Attend over whole sequences, with the heads divided over devices meanwhile."""

    def attend(q, k, v):
        def by_heads(x):
            return jax.lax.all_to_all(x, SEQUENCE_AXIS, split_axis=1, concat_axis=0, tiled=True)

        if maybe("stacked", 0.4):
            q, k, v = jnp.moveaxis(by_heads(jnp.stack([q, k, v], axis=-1)), -1, 0)
        else:
            q, k, v = by_heads(q), by_heads(k), by_heads(v)
        scores = jnp.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
        if maybe("window", 0.3):
            distance = jnp.abs(jnp.arange(q.shape[0])[:, None] - jnp.arange(k.shape[0]))
            scores = jnp.where(distance <= one_of(2, 4, 8), scores, -1e9)
        elif maybe("causal mask"):
            scores = jnp.where(jnp.tri(q.shape[0], dtype=bool), scores, -1e9)
        weights = jax.nn.softmax(scores, axis=-1)
        out = jnp.einsum("hqk,khd->qhd", weights, v)
        return jax.lax.all_to_all(out, SEQUENCE_AXIS, split_axis=0, concat_axis=1, tiled=True)

    specs = P(SEQUENCE_AXIS)
    return jax.shard_map(attend, mesh=sequence_mesh, in_specs=specs, out_specs=specs)(q, k, v)


@sketch(
    takes={
        "query": "f[b, h, w]: queries of the next token",
        "keys": "heads f[b, devices*t, h, w]: cached keys",
        "values": "heads f[b, devices*t, h, w]: cached values",
        "lengths?": "i[b]: how much of the cache is filled",
    },
    gives="f[b, h, w]",
    sizes={"devices": {2, 4, 8}, "b": (1, 4), "t": (2, 8), "h": (1, 4), "w": (2, 16)},
    also=("Merge partial softmaxes of the devices that share a key-value cache.",),
)
def sharded_cache_attention(query, keys, values, lengths=None):
    """Attend from one token to a cache whose positions are divided over devices."""
    if lengths is None:
        lengths = jnp.full(query.shape[0], keys.shape[1])

    @functools.partial(
        jax.shard_map,
        mesh=sequence_mesh,
        in_specs=(P(), P(None, SEQUENCE_AXIS), P(None, SEQUENCE_AXIS), P()),
        out_specs=P(),
    )
    def attend(query, keys, values, lengths):
        scores = jnp.einsum("bhd,bthd->bht", query, keys) / math.sqrt(query.shape[-1])
        first = jax.lax.axis_index(SEQUENCE_AXIS) * keys.shape[1]
        is_filled = first + jnp.arange(keys.shape[1]) < jnp.maximum(lengths, 1)[:, None]
        scores = jnp.where(is_filled[:, None, :], scores, -1e9)
        top = jax.lax.pmax(jnp.max(scores, axis=-1), SEQUENCE_AXIS)
        weights = jnp.exp(scores - top[..., None])
        partial_sums = jnp.einsum("bht,bthd->bhd", weights, values)
        if maybe("one psum"):
            partial_sums, total = jax.lax.psum((partial_sums, weights.sum(-1)), SEQUENCE_AXIS)
        else:
            total = jax.lax.psum(jnp.sum(weights, axis=-1), SEQUENCE_AXIS)
            partial_sums = jax.lax.psum(partial_sums, SEQUENCE_AXIS)
        return partial_sums / total[..., None]

    return attend(query, keys, values, lengths)


@sketch(
    takes={"x": "sequence f[devices*t, d]", "taps": "kernel f[k, d]: one filter per channel"},
    gives="sequence f[devices*t, d]",
    sizes={"devices": {2, 4, 8}, "t": (8, 16), "d": (1, 32), "k": (2, 8)},
    dtypes="f32 bf16",
    also=("Convolve causally, with the last steps of the device before.",),
)
def sharded_causal_conv(x, taps):
    """Filter each channel of a sharded sequence with a short causal kernel."""
    num_taps = taps.shape[0]

    def convolve(x, taps):
        num_devices = jax.lax.axis_size(SEQUENCE_AXIS)
        # Nothing comes before the first device, which receives zeros.
        forward = [(i, i + 1) for i in range(num_devices - 1)]
        halo = jax.lax.ppermute(x[1 - num_taps :], SEQUENCE_AXIS, forward)
        padded = jnp.concatenate([halo, x])
        if maybe("shifts"):
            out = sum(taps[i] * padded[i : i + x.shape[0]] for i in range(num_taps))
        elif maybe("windows"):
            places = jnp.arange(x.shape[0])[:, None] + jnp.arange(num_taps)
            out = jnp.einsum("tkd,kd->td", padded[places], taps)
        else:
            out = jax.lax.conv_general_dilated(
                padded.T[None],
                taps.T[:, None],
                window_strides=(1,),
                padding="VALID",
                feature_group_count=x.shape[1],
            )[0].T
        return one_of(out, jax.nn.silu(out), x + out)

    if maybe("check shard", 0.3):
        if x.shape[0] // sequence_mesh.size < num_taps - 1:
            raise ValueError(f"a kernel of {num_taps} taps reaches beyond the neighbour")
    specs = (P(SEQUENCE_AXIS), P())
    mapped = jax.shard_map(convolve, mesh=sequence_mesh, in_specs=specs, out_specs=specs[0])
    return mapped(x, taps)


@sketch(
    takes={"gates": "sequence f[devices*t, d]: raw decays", "inputs": "sequence f[devices*t, d]"},
    gives="hidden f[devices*t, d]",
    sizes={"devices": {2, 4, 8}, "t": (2, 16), "d": (1, 32)},
    also=("Scan a gated recurrence on each device, and carry the states over.",),
)
def sharded_linear_recurrence(gates, inputs):
    """Run a diagonal linear recurrence over a sequence that lies on several devices."""

    def combine(left, right):
        decay_left, state_left = left
        decay_right, state_right = right
        return decay_left * decay_right, decay_right * state_left + state_right

    def scan(gates, inputs):
        decay = jax.nn.sigmoid(gates)
        if maybe("normalized input"):
            inputs = (1 - decay) * inputs
        decays, states = jax.lax.associative_scan(combine, (decay, inputs))
        # What one device ends with is what the next one starts from.
        ends = jax.lax.all_gather((decays[-1], states[-1]), SEQUENCE_AXIS)
        rank = jax.lax.axis_index(SEQUENCE_AXIS)
        if maybe("loop over devices"):
            carried = jnp.zeros_like(states[-1])
            for i in range(jax.lax.axis_size(SEQUENCE_AXIS) - 1):
                after = ends[0][i] * carried + ends[1][i]
                carried = jnp.where(i < rank, after, carried)
        else:
            _, totals = jax.lax.associative_scan(combine, ends)
            carried = jnp.where(rank > 0, totals[jnp.maximum(rank - 1, 0)], 0.0)
        return states + decays * carried

    specs = P(SEQUENCE_AXIS)
    return jax.shard_map(
        scan, mesh=sequence_mesh, in_specs=(specs, specs), out_specs=specs, check_vma=False
    )(gates, inputs)


@sketch(
    takes={"tokens": "tokens i[devices*t]: one long document", "table": "f[v, d]: embeddings"},
    gives="sequence f[devices*t, d]",
    sizes={"devices": {2, 4, 8}, "t": (2, 16), "v": (8, 64), "d": (2, 32)},
    also=("Embed the tokens of each device at their places in the whole sequence.",),
)
def sharded_positions(tokens, table, base=one_of(10_000.0, 1_000.0)):
    """Add positions to a sharded sequence, counted from the start of the whole."""

    def embed(tokens, table):
        embedded = table[tokens]
        length, width = embedded.shape
        start = jax.lax.axis_index(SEQUENCE_AXIS) * length
        if maybe("reset"):
            # Count from the last start of a document, of this device or of one before.
            places = start + jnp.arange(length)
            starts = jax.lax.cummax(jnp.where(tokens == 0, places, 0))
            last = jax.lax.all_gather(starts[-1], SEQUENCE_AXIS)
            is_before = jnp.arange(last.shape[0]) < jax.lax.axis_index(SEQUENCE_AXIS)
            starts = jnp.maximum(starts, jnp.max(jnp.where(is_before, last, 0)))
            places = places - starts
        else:
            places = start + jnp.arange(length)
        rates = base ** (-2 * jnp.arange((width + 1) // 2) / width)
        angles = places[:, None] * rates
        waves = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        return embedded + waves[:, :width]

    return jax.shard_map(
        embed, mesh=sequence_mesh, in_specs=(P(SEQUENCE_AXIS), P()), out_specs=P(SEQUENCE_AXIS)
    )(tokens, table)
