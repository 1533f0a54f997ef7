"""Recurrent networks over batches of sequences."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, sketch


@sketch(
    takes={
        "params": {"wx": "f[d, 3*m]", "wh": "f[m, 3*m]", "bias": "f[3*m]"},
        "x": "sequence f[b, t, d]",
        "mask?": "mask bool[b, t]: false where a sequence has ended",
    },
    gives="sequence f[b, t, m]",
    sizes={"b": (1, 8), "t": (3, 64), "d": (2, 32), "m": (3, 32)},
    dtypes="f32 bf16",
    also=("Scan a gated recurrent unit along the time axis.",),
)
def gru_layer(params, x, mask=None):
    """Run a gated recurrent unit over a batch of sequences."""
    batch_size, seq_len, num_inputs = x.shape
    hidden_size = params["wh"].shape[0]
    # All input projections at once, outside of the recurrence.
    projected = x @ params["wx"] / math.sqrt(num_inputs) + params["bias"]
    recurrent = params["wh"] / math.sqrt(hidden_size)

    def step(state, inputs):
        from_input, keep = inputs
        from_state = state @ recurrent
        r_in, z_in, n_in = jnp.split(from_input, 3, axis=-1)
        r_rec, z_rec, n_rec = jnp.split(from_state, 3, axis=-1)
        reset = jax.nn.sigmoid(r_in + r_rec)
        update = jax.nn.sigmoid(z_in + z_rec)
        candidate = jnp.tanh(n_in + reset * n_rec)
        if maybe("interpolate"):
            new = state + update * (candidate - state)
        else:
            new = (1 - update) * candidate + update * state
        if keep is not None:
            new = jnp.where(keep[:, None], new, state)
        return new, new

    start = jnp.zeros((batch_size, hidden_size), x.dtype)
    keep = None if mask is None else mask.T
    if maybe("reverse", 0.3):
        _, outputs = jax.lax.scan(step, start, (projected.swapaxes(0, 1), keep), reverse=True)
    else:
        _, outputs = jax.lax.scan(step, start, (projected.swapaxes(0, 1), keep))
    return outputs.swapaxes(0, 1)


class LSTMCarry(NamedTuple):
    """The cell, and what of it is exposed."""

    cell: jax.Array
    exposed: jax.Array


@sketch(
    takes={
        "params": {
            "kernel": "f[d+m, 4*m]",
            "bias": "f[4*m]",
            "peephole": "f[3, m]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, m]",
    sizes={"b": (1, 8), "t": (3, 48), "d": (2, 32), "m": (3, 32)},
    dtypes="f32 bf16",
    also=("Encode sequences with a long short-term memory.",),
)
def lstm_layer(params, x, forget_bias=one_of(1.0, 0.0)):
    """Unroll a long short-term memory over time."""
    batch_size, _, num_inputs = x.shape
    kernel = params["kernel"] / math.sqrt(params["kernel"].shape[0])
    num_hidden = kernel.shape[1] // 4
    if kernel.shape[0] != num_inputs + num_hidden:
        raise ValueError(f"kernel has {kernel.shape[0]} rows for {num_inputs} + {num_hidden}")

    def step(carry, x_t):
        cell, hidden = carry
        if maybe("project_first"):
            # The part of the input was computed for all times at once.
            gates = x_t + hidden @ kernel[num_inputs:]
        else:
            gates = jnp.concatenate([x_t, hidden], axis=-1) @ kernel + params["bias"]
        if maybe("slices", 0.4):
            i, f = gates[:, :num_hidden], gates[:, num_hidden : 2 * num_hidden]
            g, o = gates[:, 2 * num_hidden : -num_hidden], gates[:, -num_hidden:]
        else:
            i, f, g, o = jnp.split(gates, 4, axis=-1)
        if maybe("peepholes", 0.3):
            # The gates look at the cell itself.
            i = i + params["peephole"][0] * cell
            f = f + params["peephole"][1] * cell
        if maybe("coupled_gates", 0.3):
            # What is forgotten makes room for what comes in.
            keep = jax.nn.sigmoid(f + forget_bias)
            cell = keep * cell + (1 - keep) * jnp.tanh(g + i)
        else:
            cell = jax.nn.sigmoid(f + forget_bias) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        if maybe("peepholes", 0.3):
            o = o + params["peephole"][2] * cell
        if maybe("clip_cell", 0.3):
            cell = jnp.clip(cell, -10.0, 10.0)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return LSTMCarry(cell, hidden), hidden

    start = jnp.zeros((batch_size, num_hidden), x.dtype)
    if maybe("project_first"):
        projected = x @ kernel[:num_inputs] + params["bias"]
        last, hiddens = jax.lax.scan(step, LSTMCarry(start, start), projected.swapaxes(0, 1))
        hiddens = hiddens.swapaxes(0, 1)
    else:
        last, hiddens = jax.lax.scan(step, LSTMCarry(start, start), jnp.moveaxis(x, 1, 0))
        hiddens = jnp.moveaxis(hiddens, 0, 1)
    if maybe("summary_gate", 0.2):
        return hiddens * jax.nn.sigmoid(last.cell)[:, None, :]
    return hiddens


def elman_scan(params, x, *, reverse=False):
    """Run a plain recurrent network in one direction; time is the first axis."""
    w_in, w_rec, offset = params["w_in"], params["w_rec"], params["b"]
    w_rec = w_rec / math.sqrt(w_rec.shape[0])

    def step(state, x_t):
        state = one_of(jnp.tanh, jax.nn.soft_sign)(x_t @ w_in + state @ w_rec + offset)
        return state, state

    start = jnp.zeros((x.shape[1], w_rec.shape[0]), x.dtype)
    return jax.lax.scan(step, start, x, reverse=reverse)


@sketch(
    takes={
        "params": {
            "forward": {"w_in": "f[d, m]", "w_rec": "f[m, m]", "b": "f[m]"},
            "backward": {"w_in": "f[d, m]", "w_rec": "f[m, m]", "b": "f[m]"},
            "out": "f[2*m, d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 8), "t": (3, 48), "d": (2, 24), "m": (3, 24)},
    dtypes="f32 bf16",
    also=("Combine what recurrent networks say that read in either direction.",),
)
def bidirectional_rnn(params, x):
    """Read sequences forwards and backwards and join both readings."""
    by_time = x.transpose(1, 0, 2)
    if maybe("reverse_flag"):
        _, ahead = elman_scan(params["forward"], by_time)
        _, behind = elman_scan(params["backward"], by_time, reverse=True)
    else:
        _, ahead = elman_scan(params["forward"], by_time)
        _, behind = elman_scan(params["backward"], jnp.flip(by_time, axis=0))
        behind = jnp.flip(behind, axis=0)
    if maybe("concatenate"):
        both = jnp.concatenate([ahead, behind], axis=-1)
        return x + (both @ params["out"]).transpose(1, 0, 2)
    num_hidden = ahead.shape[-1]
    out = ahead @ params["out"][:num_hidden] + behind @ params["out"][num_hidden:]
    return out.transpose(1, 0, 2)


@sketch(
    takes={
        "params": {
            "layers": ("l", {"w": "f[d, 2*d]", "u": "f[d, 2*d]", "b": "f[2*d]", "scale": "f[d]"}),
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"b": (1, 6), "t": (3, 32), "d": (3, 24), "l": (2, 4)},
    dtypes="f32 bf16",
    also=("Stack gated recurrent layers with residual connections.",),
)
def stacked_recurrence(params, x, residual=one_of(True, False)):
    """Pass sequences through several minimal gated units, one after the other."""
    batch_size, seq_len, width = x.shape

    def cell(u, state, projected):
        gate_in, candidate_in = jnp.split(projected, 2, axis=-1)
        gate_rec, candidate_rec = jnp.split(state @ u, 2, axis=-1)
        forget = jax.nn.sigmoid(gate_in + gate_rec)
        candidate = jnp.tanh(candidate_in + forget * candidate_rec)
        state = (1 - forget) * state + forget * candidate
        return state, state

    outputs = jnp.swapaxes(x, 0, 1)
    start = jnp.zeros((batch_size, width), x.dtype)
    for index, layer in enumerate(params["layers"]):
        if maybe("normalize"):
            square = jnp.mean(outputs * outputs, axis=-1, keepdims=True)
            inputs = outputs * jax.lax.rsqrt(square + 1e-6) * layer["scale"]
        else:
            inputs = outputs * layer["scale"]
        projected = (inputs @ layer["w"]) / math.sqrt(width) + layer["b"]
        step = partial(cell, layer["u"] / math.sqrt(width))
        if maybe("alternate", 0.35):
            # Every other layer reads from the end.
            _, read = jax.lax.scan(step, start, projected, reverse=index % 2 == 1)
        else:
            _, read = jax.lax.scan(step, start, projected)
        outputs = outputs + read if residual else read
    return jnp.swapaxes(outputs, 0, 1)


@sketch(
    takes={
        "params": {
            "gate": {"w": "f[d, m]", "b": "f[m]"},
            "candidate": {"w": "f[d, m]", "b": "f[m]"},
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, m]",
    sizes={"b": (1, 8), "t": (4, 256), "d": (2, 32), "m": (2, 32)},
    dtypes="f32 bf16",
    also=("Evaluate a recurrence whose gates see the input alone, in parallel.",),
)
def minimal_gru(params, x):
    """Run a minimal gated unit as an associative scan instead of a loop.

    Neither gate nor candidate depends on the state, so steps compose as affine maps.
    """
    if x.ndim != 3:
        raise ValueError(f"expected (batch, time, features), got shape {x.shape}")
    if maybe("loop_parts"):
        gate, candidate = (
            x @ part["w"] + part["b"] for part in (params["gate"], params["candidate"])
        )
        gate = jax.nn.sigmoid(gate)
    else:
        gate = jax.nn.sigmoid(x @ params["gate"]["w"] + params["gate"]["b"])
        candidate = x @ params["candidate"]["w"] + params["candidate"]["b"]
    candidate = one_of(jnp.tanh(candidate), candidate / math.sqrt(x.shape[-1]))
    decay, drive = 1 - gate, gate * candidate

    def compose(first, second):
        decay1, drive1 = first
        decay2, drive2 = second
        return decay1 * decay2, decay2 * drive1 + drive2

    if maybe("backward", 0.25):
        _, states = jax.lax.associative_scan(compose, (decay, drive), axis=1, reverse=True)
    else:
        _, states = jax.lax.associative_scan(compose, (decay, drive), axis=1)
    if maybe("initial_state", 0.4):
        # The first input stands for the state before it.
        fading = jnp.exp(jnp.cumsum(jnp.log(decay + 1e-9), axis=1))
        states = states + fading * candidate[:, :1]
    if maybe("output_gate", 0.4):
        return states * jax.nn.silu(candidate)
    if maybe("normalize_states", 0.3):
        mean_square = jnp.mean(states * states, axis=-1, keepdims=True)
        return states * jax.lax.rsqrt(mean_square + 1e-5)
    return states
