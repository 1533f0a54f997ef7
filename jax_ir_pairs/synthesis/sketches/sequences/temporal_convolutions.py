"""Convolutions along time that never look ahead."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def shift_right(x, steps):
    """Delay a (batch, time, features) sequence, with zeros at its start."""
    if steps == 0:
        return x
    return jnp.pad(x, ((0, 0), (steps, 0), (0, 0)))[:, : x.shape[1]]


def causal_conv(x, kernel, dilation=1):
    """Convolve (batch, time, in) with a (taps, in, out) kernel, looking back only."""
    num_taps = kernel.shape[0]
    if maybe("lax_conv"):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(1,),
            padding=[((num_taps - 1) * dilation, 0)],
            rhs_dilation=(dilation,),
            dimension_numbers=("NWC", "WIO", "NWC"),
        )
    # The last tap sees the present, those before it reach back.
    return sum(
        shift_right(x, (num_taps - 1 - tap) * dilation) @ kernel[tap] for tap in range(num_taps)
    )


@sketch(
    takes={"kernel": "kernel f[w, d, m]", "x": "sequence f[b, t, d]", "bias?": "f[m]"},
    gives="sequence f[b, t, m]",
    sizes={"w": (2, 5), "b": (1, 8), "t": (4, 256), "d": (1, 32), "m": (2, 32)},
    dtypes="f32 bf16",
    also=("Apply one dilated convolution that respects the order of time.",),
)
def dilated_causal_layer(kernel, x, bias=None, dilation=one_of(1, 2, 4)):
    """Convolve sequences with taps that reach back in steps of a dilation."""
    num_taps, num_inputs, num_outputs = kernel.shape
    if x.shape[-1] != num_inputs:
        raise ValueError(f"kernel takes {num_inputs} features, the sequence has {x.shape[-1]}")
    out = causal_conv(x, kernel, dilation) / math.sqrt(num_taps * num_inputs)
    if bias is not None:
        out = out + bias
    if maybe("skip"):
        if num_inputs == num_outputs:
            out = out + x
    return one_of(jax.nn.relu, jax.nn.gelu, jnp.tanh)(out)


@sketch(
    takes={
        "params": {
            "blocks": (
                "l",
                {
                    "filter": "f[w, d, d]",
                    "gate": "f[w, d, d]",
                    "skip": "f[d, m]",
                    "residual": "f[d, d]",
                },
            ),
            "out": {"hidden": "f[m, m]", "final": "f[m, c]"},
        },
        "x": "sequence f[b, t, d]",
    },
    gives="logits f[b, t, c]",
    sizes={
        "l": (2, 5),
        "w": (2, 3),
        "b": (1, 3),
        "t": (8, 64),
        "d": (2, 16),
        "m": (3, 16),
        "c": (2, 16),
    },
    dtypes="f32 bf16",
    also=("Stack gated dilated convolutions and sum what each of them has to say.",),
)
def wavenet(params, x, cycle=3):
    """Predict a distribution at each time from exponentially dilated convolutions."""
    width = x.shape[-1]
    skips = []
    for index, block in enumerate(params["blocks"]):
        dilation = 2 ** (index % cycle)
        fan_in = math.sqrt(width * block["filter"].shape[0])
        filtered = jnp.tanh(causal_conv(x, block["filter"], dilation) / fan_in)
        gate = jax.nn.sigmoid(causal_conv(x, block["gate"], dilation) / fan_in)
        mixed = filtered * gate
        skips.append(mixed @ block["skip"] / math.sqrt(width))
        x = x + mixed @ block["residual"] / math.sqrt(width)
        if maybe("halve_variance", 0.4):
            x = x * math.sqrt(0.5)
    if maybe("stack_skips"):
        total = jnp.sum(jnp.stack(skips), axis=0)
    else:
        total = sum(skips[1:], skips[0])
    hidden = jax.nn.relu(total) @ params["out"]["hidden"] / math.sqrt(total.shape[-1])
    return jax.nn.relu(hidden) @ params["out"]["final"] / math.sqrt(total.shape[-1])


@sketch(
    takes={
        "params": {
            "levels": (
                "l",
                {
                    "direction1": "f[w, d, d]",
                    "g1": "f[d]",
                    "direction2": "f[w, d, d]",
                    "g2": "f[d]",
                },
            ),
        },
        "x": "sequence f[b, t, d]",
        "key?": "key",
    },
    gives="sequence f[b, t, d]",
    sizes={"l": (1, 4), "w": (2, 4), "b": (1, 4), "t": (4, 96), "d": (2, 24)},
    dtypes="f32 bf16",
    also=("Encode sequences with residual blocks of weight-normalized convolutions.",),
)
def temporal_conv_network(params, x, key=None, dropout=number(0.05, 0.3)):
    """Run a temporal convolutional network with doubling dilation."""

    def weight_normed(direction, gain):
        squares = jnp.sum(direction * direction, axis=(0, 1))
        return direction * (gain / jnp.sqrt(squares + 1e-6))

    num_levels = len(params["levels"])
    keys = [None] * num_levels
    if key is not None:
        keys = jax.random.split(key, num_levels)
    activation = one_of(jax.nn.relu, jax.nn.elu, jax.nn.leaky_relu)
    for level, (block, block_key) in enumerate(zip(params["levels"], keys)):
        hidden = activation(
            causal_conv(x, weight_normed(block["direction1"], block["g1"]), 2**level)
        )
        if block_key is not None:
            # Whole channels are dropped, for all times at once.
            shape = (x.shape[0], 1, x.shape[2]) if maybe("spatial_dropout") else x.shape
            kept = jax.random.bernoulli(block_key, 1 - dropout, shape)
            hidden = jnp.where(kept, hidden / (1 - dropout), 0)
        hidden = activation(
            causal_conv(hidden, weight_normed(block["direction2"], block["g2"]), 2**level)
        )
        x = one_of(x + hidden, activation(x + hidden))
    return x


@sketch(
    takes={
        "params": {"in_proj": "f[d, 3*d]", "taps": "f[w, 3*d]", "out_proj": "f[d, d]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={"w": (2, 4), "b": (1, 6), "t": (4, 128), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Gate a sequence by short convolutions of itself.",),
)
def short_convolution_gate(params, x):
    """Mix neighbouring times by depthwise convolutions between two gates."""
    seq_len, width = x.shape[1:]
    projected = x @ params["in_proj"] / math.sqrt(width)
    num_taps = params["taps"].shape[0]
    if maybe("window_loop"):
        padded = jnp.pad(projected, ((0, 0), (num_taps - 1, 0), (0, 0)))
        filtered = jnp.zeros_like(projected)
        for tap in range(num_taps):
            filtered = filtered + padded[:, tap : tap + seq_len] * params["taps"][tap]
    else:
        delayed = jnp.stack([shift_right(projected, lag) for lag in range(num_taps)])
        filtered = jnp.einsum("wbtd,wd->btd", delayed, params["taps"][::-1])
    inner_gate, outer_gate, signal = jnp.split(filtered, 3, axis=-1)
    mixed = one_of(jax.nn.sigmoid(inner_gate), jax.nn.silu(inner_gate)) * signal
    if maybe("second_shift", 0.35):
        # Reach back once more, between the two gates.
        mixed = mixed + shift_right(mixed, 1)
    out = (outer_gate * mixed) @ params["out_proj"] / math.sqrt(width)
    return one_of(x + out, out)


@sketch(
    takes={
        "params": {"kernel": "f[w, d, 3*m]", "bias": "f[3*m]"},
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, m]",
    sizes={"w": (2, 3), "b": (1, 4), "t": (4, 64), "d": (2, 24), "m": (2, 24)},
    dtypes="f32 bf16",
    also=("Pool causal convolutions over time with learned forgetting.",),
)
def quasi_recurrent_layer(params, x):
    """Run a quasi-recurrent layer: convolutions first, then an elementwise recurrence."""
    taps, num_inputs, num_gates = params["kernel"].shape
    if num_gates % 3:
        raise ValueError(f"the kernel has to give three gates, got {num_gates} outputs")
    gates = causal_conv(x, params["kernel"]) / math.sqrt(taps * num_inputs) + params["bias"]
    candidate, forget, output = jnp.split(gates, 3, axis=-1)
    candidate = jnp.tanh(candidate)
    forget = jax.nn.sigmoid(forget + one_of(0.0, 1.0))
    if maybe("parallel", 0.4):

        def compose(earlier, later):
            return earlier[0] * later[0], later[0] * earlier[1] + later[1]

        drive = (1 - forget) * candidate
        _, pooled = jax.lax.associative_scan(compose, (forget, drive), axis=1)
    else:

        def pool(cell, inputs):
            keep, new = inputs
            cell = keep * cell + (1 - keep) * new
            return cell, cell

        start = jnp.zeros_like(candidate[:, 0])
        _, pooled = jax.lax.scan(pool, start, (forget.swapaxes(0, 1), candidate.swapaxes(0, 1)))
        pooled = pooled.swapaxes(0, 1)
    if maybe("output_gate", 0.7):
        return jax.nn.sigmoid(output) * pooled
    return pooled
