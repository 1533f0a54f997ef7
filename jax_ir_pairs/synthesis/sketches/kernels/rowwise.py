"""Kernels that normalize, activate or score rows, written for Pallas."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, size, sketch


def _softmax_rows(x_ref, out_ref, *, temperature):
    x = x_ref[...].astype(jnp.float32) / temperature
    if maybe("capped logits", 0.3):
        x = 20.0 * jnp.tanh(x / 20.0)
    shifted = x - jnp.max(x, axis=-1, keepdims=True)
    if maybe("log of softmax", 0.35):
        total = jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True)
        result = shifted - jnp.log(total)
    else:
        e = jnp.exp(shifted)
        result = e / jnp.sum(e, axis=-1, keepdims=True)
    out_ref[...] = result.astype(out_ref.dtype)


@sketch(
    takes={"x": "f[g*r, d]: logits"},
    gives="f[g*r, d]: result",
    sizes={"g": (1, 8), "r": (2, 16), "d": (4, 128)},
    dtypes="f32 bf16",
    also=("Row-wise softmax fused into one kernel.",),
    fills=False,
)
def softmax_rows_kernel(x, block_rows=size("r"), temperature=one_of(1.0, number(0.5, 2.0))):
    """Normalize rows by a softmax in one pass over blocks of rows."""
    rows, width = x.shape
    if rows % block_rows:
        raise ValueError(f"{rows} rows are no multiple of {block_rows}")
    spec = pl.BlockSpec((block_rows, width), lambda i: (i, 0))
    return pl.pallas_call(
        functools.partial(_softmax_rows, temperature=temperature),
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(rows // block_rows,),
        in_specs=[spec],
        out_specs=spec,
        interpret=True,
    )(x)


@sketch(
    takes={
        "x": "f[g*r, d]: activations",
        "residual": "f[g*r, d]: residual stream",
        "scale": "f[d]: gain",
        "bias": "f[d]: offset",
    },
    gives=("features f[g*r, d]", "f[g*r, d]: stream"),
    sizes={"g": (1, 8), "r": (2, 16), "d": (4, 128)},
    dtypes="f32 bf16",
    also=("Residual addition and normalization in a single kernel.",),
    fills=False,
)
def add_and_norm_kernel(x, residual, scale, bias, block_rows=size("r"), eps=number(1e-6, 1e-4)):
    """Add a residual and normalize the sum in one kernel that writes both."""
    rows, width = x.shape

    def block_kernel(x_ref, residual_ref, scale_ref, bias_ref, normed_ref, sum_ref):
        total = x_ref[...] + residual_ref[...]
        sum_ref[...] = total
        wide = total.astype(jnp.float32)
        if maybe("center rows"):
            wide = wide - jnp.mean(wide, axis=-1, keepdims=True)
        power = jnp.mean(wide**2, axis=-1, keepdims=True)
        normed = wide * jax.lax.rsqrt(power + eps)
        if maybe("one plus gain", 0.3):
            gain = 1.0 + scale_ref[...]
        else:
            gain = scale_ref[...]
        normed_ref[...] = (normed * gain + bias_ref[...]).astype(normed_ref.dtype)

    rows_spec = pl.BlockSpec((block_rows, width), lambda i: (i, 0))
    vector_spec = pl.BlockSpec((width,), lambda i: (0,))
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return pl.pallas_call(
        block_kernel,
        out_shape=(like, like),
        grid=(rows // block_rows,),
        in_specs=[rows_spec, rows_spec, vector_spec, vector_spec],
        out_specs=(rows_spec, rows_spec),
        interpret=True,
    )(x, residual, scale, bias)


def _bias_activation(x_ref, bias_ref, out_ref):
    y = x_ref[...] + bias_ref[...]
    if maybe("gelu by tanh", 0.3):
        inner = 0.7978845608 * (y + 0.044715 * y * y * y)
        y = 0.5 * y * (1 + jnp.tanh(inner))
    else:
        y = one_of(jax.nn.relu, jnp.tanh, jax.nn.silu, jax.nn.sigmoid)(y)
    out_ref[...] = y.astype(out_ref.dtype)


@sketch(
    takes={"x": "f[g*r, q*c]: features", "bias": "f[q*c]: bias"},
    gives="activations f[g*r, q*c]",
    sizes={"g": (1, 4), "r": (2, 16), "q": (1, 4), "c": (4, 32)},
    dtypes="f32 bf16 f16",
    also=("Epilogue of a dense layer as a kernel of its own.",),
    fills=False,
)
def fused_bias_activation(x, bias, block_rows=size("r"), block_columns=size("c")):
    """Add a bias and apply an activation while the tile is in fast memory."""
    rows, columns = x.shape
    tile = pl.BlockSpec((block_rows, block_columns), lambda i, j: (i, j))
    fused = pl.pallas_call(
        _bias_activation,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        grid=(rows // block_rows, columns // block_columns),
        in_specs=[tile, pl.BlockSpec((block_columns,), lambda i, j: (j,))],
        out_specs=tile,
        interpret=True,
    )
    y = fused(x, bias)
    if maybe("second pass", 0.25):
        # A residual keeps the second pass close to the first.
        y = x + fused(y, one_of(-bias, 0.5 * bias))
    return y


@sketch(
    takes={"logits": "f[g*r, c]: logits", "labels": "i[g*r]: classes"},
    gives=("f[g*r]: losses", "loss f[]"),
    sizes={"g": (1, 8), "r": (2, 16), "c": (4, 64)},
    also=("Softmax cross-entropy without a materialized softmax.",),
    fills=False,
)
def cross_entropy_kernel(logits, labels, block_rows=size("r"), smoothing=number(0.01, 0.2)):
    """Score each row of logits in a kernel that never writes the probabilities."""
    rows, classes = logits.shape
    if labels.shape != (rows,):
        raise ValueError(f"expected {rows} labels, got shape {labels.shape}")

    def block_kernel(logits_ref, labels_ref, loss_ref):
        z = logits_ref[...]
        top = jnp.max(z, axis=-1)
        log_total = top + jnp.log(jnp.sum(jnp.exp(z - top[:, None]), axis=-1))
        columns = jax.lax.broadcasted_iota(jnp.int32, z.shape, 1)
        hit = columns == labels_ref[...][:, None]
        picked = jnp.sum(jnp.where(hit, z, 0.0), axis=-1)
        if maybe("smooth targets"):
            picked = (1 - smoothing) * picked + smoothing * jnp.mean(z, axis=-1)
        loss = log_total - picked
        if maybe("z loss", 0.3):
            loss = loss + 1e-4 * log_total**2
        loss_ref[...] = loss

    one_row = pl.BlockSpec((block_rows,), lambda i: (i,))
    losses = pl.pallas_call(
        block_kernel,
        out_shape=jax.ShapeDtypeStruct((rows,), logits.dtype),
        grid=(rows // block_rows,),
        in_specs=[pl.BlockSpec((block_rows, classes), lambda i: (i, 0)), one_row],
        out_specs=one_row,
        interpret=True,
    )(logits, labels)
    return losses, jnp.mean(losses)


@sketch(
    takes={"x": "f[n, h]: values", "gate": "f[n, h]: gates"},
    gives="activations f[n, h]",
    sizes={"n": (2, 32), "h": (4, 64)},
    dtypes="f32 bf16",
    also=("Gated linear unit as one kernel over whole arrays.",),
    fills=False,
)
def gated_unit_kernel(x, gate):
    """Multiply values by an activation of their gates without an array in between."""

    def block_kernel(x_ref, gate_ref, out_ref):
        opened = one_of(jax.nn.sigmoid, jax.nn.silu, jax.nn.gelu, jax.nn.relu)(gate_ref[...])
        value = x_ref[...]
        if maybe("clip values", 0.3):
            value = jnp.clip(value, -7.0, 7.0)
        if maybe("shifted values", 0.3):
            value = value + 1
        out_ref[...] = value * opened

    assert x.shape == gate.shape, f"gates of shape {gate.shape} for {x.shape}"
    out_shape = one_of(
        jax.ShapeDtypeStruct(x.shape, x.dtype), jax.ShapeDtypeStruct(gate.shape, gate.dtype)
    )
    return pl.pallas_call(block_kernel, out_shape=out_shape, interpret=True)(x, gate)
