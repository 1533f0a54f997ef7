"""Kernels of attention that go through keys block by block, written for Pallas."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


def _online_softmax(q_ref, k_ref, v_ref, out_ref, *, block_keys, scale):
    """Goes through the keys with a running maximum and a running sum."""
    q = q_ref[...].astype(jnp.float32) * scale
    rows, depth = q.shape
    first_row = pl.program_id(1) * rows

    def step(j, carry):
        acc, top, total = carry
        here = pl.ds(j * block_keys, block_keys)
        scores = q @ k_ref[here, :].astype(jnp.float32).T
        if maybe("causal blocks"):
            row = first_row + jax.lax.broadcasted_iota(jnp.int32, scores.shape, 0)
            column = j * block_keys + jax.lax.broadcasted_iota(jnp.int32, scores.shape, 1)
            scores = jnp.where(row >= column, scores, -1e9)
        elif maybe("soft cap", 0.3):
            scores = 30.0 * jnp.tanh(scores / 30.0)
        new_top = jnp.maximum(top, jnp.max(scores, axis=1))
        # What was added under the old maximum shrinks to the new one.
        shrink = jnp.exp(top - new_top)
        weights = jnp.exp(scores - new_top[:, None])
        acc = acc * shrink[:, None] + weights @ v_ref[here, :].astype(jnp.float32)
        return acc, new_top, total * shrink + jnp.sum(weights, axis=1)

    start = (jnp.zeros((rows, depth)), jnp.full((rows,), -1e9), jnp.zeros((rows,)))
    num_blocks = k_ref.shape[0] // block_keys
    acc, _, total = jax.lax.fori_loop(0, num_blocks, step, start)
    out_ref[...] = (acc / total[:, None]).astype(out_ref.dtype)


@sketch(
    takes={
        "q": "f[h, g*r, d]: queries",
        "k": "f[h, p*s, d]: keys",
        "v": "f[h, p*s, d]: values",
    },
    gives="heads f[h, g*r, d]",
    sizes={"h": (1, 4), "g": (1, 4), "r": (4, 8), "p": (1, 4), "s": (4, 8), "d": (4, 16)},
    dtypes="f32 bf16",
    also=("Flash attention forward pass.",),
    fills=False,
    weight=1.5,
)
def flash_attention_kernel(q, k, v, block_queries=size("r"), block_keys=size("s")):
    """Attend with a running softmax, so that no matrix of all scores is written."""
    heads, length, depth = q.shape
    num_keys = k.shape[1]
    if num_keys % block_keys:
        raise ValueError(f"{num_keys} keys do not split into blocks of {block_keys}")
    scale = one_of(depth**-0.5, 1.0 / depth)
    block_kernel = functools.partial(_online_softmax, block_keys=block_keys, scale=scale)
    queries = pl.BlockSpec((None, block_queries, depth), lambda h, i: (h, i, 0))
    all_keys = pl.BlockSpec((None, num_keys, depth), lambda h, i: (h, 0, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct(q.shape, q.dtype),
        grid=(heads, length // block_queries),
        in_specs=[queries, all_keys, all_keys],
        out_specs=queries,
        interpret=True,
    )(q, k, v)


@sketch(
    takes={
        "q": "f[b, d]: query of the newest token",
        "keys": "f[b, t, d]: cached keys",
        "values": "f[b, t, d]: cached values",
        "lengths": "i[b]: index of the last valid entry",
    },
    gives="f[b, d]: attended",
    sizes={"b": (1, 8), "t": (4, 48), "d": (4, 32)},
    also=("Attention of one new token over a cache.",),
    fills=False,
)
def decode_attention_kernel(q, keys, values, lengths):
    """Attend from one token to the valid part of its cache, one sequence per program."""
    batch, max_length, depth = keys.shape

    def block_kernel(q_ref, k_ref, v_ref, length_ref, out_ref):
        scores = jnp.sum(k_ref[...] * q_ref[...][None, :], axis=-1) * depth**-0.5
        place = jax.lax.iota(jnp.int32, max_length)
        last = length_ref[0]
        valid = place <= last
        if maybe("sliding cache", 0.4):
            valid = valid & (place > last - one_of(8, 16, 32))
        if maybe("distance bias", 0.3):
            scores = scores - 0.1 * (last - place)
        scores = jnp.where(valid, scores, -1e9)
        weights = jnp.exp(scores - jnp.max(scores))
        out_ref[...] = (weights / jnp.sum(weights)) @ v_ref[...]

    cache = pl.BlockSpec((None, max_length, depth), lambda b: (b, 0, 0))
    vector = pl.BlockSpec((None, depth), lambda b: (b, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((batch, depth), q.dtype),
        grid=(batch,),
        in_specs=[vector, cache, cache, pl.BlockSpec((1,), lambda b: (b,))],
        out_specs=vector,
        interpret=True,
    )(q, keys, values, lengths)


@sketch(
    takes={
        "x": "f[g*r, 2*d]: queries or keys",
        "positions": "i[g*r]: position of each row",
    },
    gives="features f[g*r, 2*d]",
    sizes={"g": (1, 4), "r": (2, 16), "d": (2, 32)},
    dtypes="f32",
    also=("Rotary position embedding as a kernel.",),
    fills=False,
)
def rotary_kernel(x, positions, block_rows=size("r"), base=one_of(100.0, 1e4)):
    """Rotate pairs of features by angles of their positions inside of a kernel."""
    rows, width = x.shape
    half = width // 2

    def block_kernel(x_ref, position_ref, out_ref):
        step = jax.lax.broadcasted_iota(jnp.float32, (1, half), 1)
        frequencies = jnp.exp(-step * (jnp.log(base) / half))
        angles = position_ref[...].astype(jnp.float32)[:, None] * frequencies
        if maybe("stretched positions", 0.3):
            angles = angles / one_of(2.0, 4.0)
        cos, sin = jnp.cos(angles), jnp.sin(angles)
        if maybe("interleaved pairs"):
            even, odd = x_ref[:, ::2], x_ref[:, 1::2]
            out_ref[:, ::2] = even * cos - odd * sin
            out_ref[:, 1::2] = even * sin + odd * cos
        else:
            first, second = x_ref[:, :half], x_ref[:, half:]
            out_ref[:, :half] = first * cos - second * sin
            out_ref[:, half:] = first * sin + second * cos

    spec = pl.BlockSpec((block_rows, width), lambda i: (i, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(rows // block_rows,),
        in_specs=[spec, pl.BlockSpec((block_rows,), lambda i: (i,))],
        out_specs=spec,
        interpret=True,
    )(x, positions)


@sketch(
    takes={"x": "f[b, t, d]: sequences", "decay": "f[d]: logits of the decay"},
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 6), "t": (2, 32), "d": (4, 32)},
    also=("Gated linear recurrence as a sequential kernel.",),
    fills=False,
)
def linear_recurrence_kernel(x, decay, floor=number(0.05, 0.4)):
    """Run a diagonal recurrence over time inside of a kernel, one sequence per program."""
    batch, num_steps, width = x.shape

    def block_kernel(x_ref, decay_ref, out_ref):
        keep = floor + (1 - floor) * jax.nn.sigmoid(decay_ref[...])

        def step(t, hidden):
            if maybe("normalized input"):
                hidden = keep * hidden + jnp.sqrt(1 - keep**2 + 1e-6) * x_ref[t, :]
            else:
                hidden = keep * hidden + (1 - keep) * x_ref[t, :]
            out_ref[t, :] = one_of(hidden, jnp.tanh(hidden), hidden + x_ref[t, :])
            return hidden

        start = one_of(jnp.zeros((width,), x.dtype), x_ref[0, :])
        jax.lax.fori_loop(0, num_steps, step, start)

    spec = pl.BlockSpec((None, num_steps, width), lambda b: (b, 0, 0))
    return pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(batch,),
        in_specs=[spec, pl.BlockSpec((width,), lambda b: (0,))],
        out_specs=spec,
        interpret=True,
    )(x, decay)
