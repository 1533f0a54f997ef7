"""Layers whose weights are divided over devices."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch

MODEL_AXIS = one_of("model", "tp", "tensor", "mp")
model_mesh = one_of(
    jax.make_mesh((size("devices"),), (MODEL_AXIS,), axis_types=(AxisType.Auto,)),
    Mesh(np.array(jax.devices()[: size("devices")]), (MODEL_AXIS,)),
)


@sketch(
    takes={
        "params": {"w_in": "f[d, devices*m]", "b_in": "f[devices*m]", "w_out": "f[devices*m, d]"},
        "x": "features f[b, d]",
    },
    gives="features f[b, d]",
    sizes={"devices": {2, 4, 8}, "b": (2, 32), "d": (4, 32), "m": (1, 16)},
    dtypes="f32 bf16",
    also=("Apply a feed-forward layer whose hidden units are divided over the devices.",),
    weight=1.5,
)
def column_row_mlp(params, x):
    """Split the first layer by columns and the second by rows, with one sum at the end."""
    width = x.shape[-1]

    def block(w_in, b_in, w_out, x):
        hidden = x @ w_in / math.sqrt(width)
        if maybe("bias", 0.6):
            hidden = hidden + b_in
        hidden = one_of(jax.nn.gelu, jax.nn.relu, jax.nn.silu, jnp.tanh)(hidden)
        partial_sum = hidden @ w_out
        return jax.lax.psum(partial_sum, MODEL_AXIS)

    specs = (P(None, MODEL_AXIS), P(MODEL_AXIS), P(MODEL_AXIS, None), P())
    if maybe("check width", 0.3):
        num_hidden = params["w_in"].shape[1]
        if num_hidden % model_mesh.size:
            raise ValueError(f"{model_mesh.size} devices cannot share {num_hidden} units")
    mapped = jax.shard_map(block, mesh=model_mesh, in_specs=specs, out_specs=P())
    out = mapped(params["w_in"], params["b_in"], params["w_out"], x)
    out = out / math.sqrt(params["w_out"].shape[0])
    return one_of(x + out, out)


@sketch(
    takes={
        "w_gate": "f[d, devices*m]",
        "w_up": "f[d, devices*m]",
        "w_down": "f[devices*m, d]",
        "x": "sequence f[devices*t, d]: tokens",
    },
    gives="sequence f[devices*t, d]",
    sizes={"devices": {2, 4, 8}, "t": (1, 8), "d": (4, 32), "m": (1, 16)},
    dtypes="f32 bf16",
    also=("Gather the tokens before a gated layer and scatter its sums afterwards.",),
)
def sequence_sharded_mlp(w_gate, w_up, w_down, x):
    """Keep tokens sharded outside of a gated layer and hidden units inside of it."""

    @functools.partial(
        jax.shard_map,
        mesh=model_mesh,
        in_specs=(P(None, MODEL_AXIS), P(None, MODEL_AXIS), P(MODEL_AXIS), P(MODEL_AXIS)),
        out_specs=P(MODEL_AXIS),
    )
    def layer(w_gate, w_up, w_down, x):
        if maybe("norm"):
            scale = jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)
            normed = x * scale
        else:
            normed = x
        tokens = jax.lax.all_gather(normed, MODEL_AXIS, axis=0, tiled=True)
        gate = one_of(jax.nn.silu, jax.nn.gelu, jax.nn.sigmoid)(tokens @ w_gate)
        hidden = gate * (tokens @ w_up) / x.shape[-1]
        out = jax.lax.psum_scatter(hidden @ w_down, MODEL_AXIS, scatter_dimension=0, tiled=True)
        return x + out if maybe("residual", 0.6) else out

    return layer(w_gate, w_up, w_down, x)


@sketch(
    takes={
        "params": {
            "wq": "f[d, devices*h*w]",
            "wk": "f[d, devices*h*w]",
            "wv": "f[d, devices*h*w]",
            "wo": "f[devices*h*w, d]",
        },
        "x": "sequence f[b, t, d]",
    },
    gives="sequence f[b, t, d]",
    sizes={
        "devices": {2, 4, 8}, "b": (1, 4), "t": (2, 16), "d": (4, 32), "h": (1, 2), "w": (2, 8),
    },
    dtypes="f32 bf16",
    also=("Attend with each device computing its own heads.",),
)  # fmt: skip
def head_parallel_attention(params, x, head_dim=size("w")):
    """Divide the heads of self-attention over devices, and add up their projections."""

    def attend(wq, wk, wv, wo, x):
        batch, length, width = x.shape

        def split(w):
            return (x @ w / math.sqrt(width)).reshape(batch, length, -1, head_dim)

        q, k, v = split(wq), split(wk), split(wv)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(head_dim)
        if maybe("causal", 0.6):
            causal = jnp.tril(jnp.ones((length, length), bool))
            scores = jnp.where(causal, scores, one_of(-1e9, -jnp.inf))
        weights = jax.nn.softmax(scores, axis=-1)
        if maybe("einsum out"):
            mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v)
        else:
            mixed = jnp.swapaxes(weights @ jnp.swapaxes(v, 1, 2), 1, 2)
        projected = mixed.reshape(batch, length, -1) @ wo
        return jax.lax.psum(projected, MODEL_AXIS)

    columns = P(None, MODEL_AXIS)
    sharded_attend = jax.shard_map(
        attend,
        mesh=model_mesh,
        in_specs=(columns, columns, columns, P(MODEL_AXIS, None), P()),
        out_specs=P(),
    )
    out = sharded_attend(params["wq"], params["wk"], params["wv"], params["wo"], x)
    return x + out / math.sqrt(x.shape[-1]) if maybe("residual") else out


@sketch(
    takes={"table": "f[devices*v, d]: embeddings", "tokens": "tokens i[b, t]"},
    gives="embeddings f[b, t, d]",
    sizes={"devices": {2, 4, 8}, "v": (2, 64), "b": (1, 8), "t": (2, 32), "d": (2, 32)},
    dtypes="f32 bf16",
    also=("Look tokens up where they are, with zeros from all other devices.",),
)
def vocab_parallel_embedding(table, tokens):
    """Look up tokens in an embedding table whose rows are divided over devices."""

    def lookup(rows, tokens):
        first = jax.lax.axis_index(MODEL_AXIS) * rows.shape[0]
        local = tokens - first
        is_here = (local >= 0) & (local < rows.shape[0])
        if maybe("one hot", 0.3):
            hits = jax.nn.one_hot(local, rows.shape[0], dtype=rows.dtype)
            found = hits @ rows
        elif maybe("take"):
            found = jnp.take(rows, jnp.clip(local, 0, rows.shape[0] - 1), axis=0)
            found = found * is_here[..., None]
        else:
            found = rows[jnp.where(is_here, local, 0)]
            found = jnp.where(is_here[..., None], found, 0)
        return jax.lax.psum(found, MODEL_AXIS)

    embedded = jax.shard_map(lookup, mesh=model_mesh, in_specs=(P(MODEL_AXIS), P()), out_specs=P())(
        table, tokens
    )
    if maybe("scale", 0.4):
        embedded = embedded * math.sqrt(table.shape[1])
    return embedded


@sketch(
    takes={
        "features": "features f[b, d]",
        "head": "f[d, devices*v]: output embeddings",
        "labels": "labels i[b]",
    },
    gives="loss f[]",
    sizes={"devices": {2, 4, 8}, "v": (2, 32), "b": (2, 32), "d": (4, 32)},
    also=("Compute softmax cross-entropy without all logits on one device.",),
)
def vocab_parallel_cross_entropy(features, head, labels, z_weight=one_of(1e-4, 1e-3)):
    """Evaluate cross-entropy with the classes divided over devices."""

    def per_token(features, head, labels):
        logits = features @ head / math.sqrt(features.shape[1])
        top = jax.lax.pmax(jax.lax.stop_gradient(jnp.max(logits, axis=-1)), MODEL_AXIS)
        total = jax.lax.psum(jnp.sum(jnp.exp(logits - top[:, None]), axis=-1), MODEL_AXIS)
        log_z = jnp.log(total) + top
        num_local = logits.shape[-1]
        local = labels - jax.lax.axis_index(MODEL_AXIS) * num_local
        if maybe("one hot labels"):
            picked = jnp.sum(jax.nn.one_hot(local, num_local) * logits, axis=-1)
        else:
            is_here = (local >= 0) & (local < num_local)
            safe = jnp.where(is_here, local, 0)
            picked = jnp.take_along_axis(logits, safe[:, None], axis=-1)[:, 0]
            picked = jnp.where(is_here, picked, 0.0)
        loss = log_z - jax.lax.psum(picked, MODEL_AXIS)
        if maybe("z loss", 0.3):
            loss = loss + z_weight * log_z**2
        return loss

    losses = jax.shard_map(
        per_token,
        mesh=model_mesh,
        in_specs=(P(), P(None, MODEL_AXIS), P()),
        out_specs=P(),
    )(features, head, labels)
    return jnp.mean(losses)


@sketch(
    takes={"a": "matrix f[rows*n, rows*cols*k]", "b": "matrix f[rows*cols*k, cols*m]"},
    gives="matrix f[rows*n, cols*m]",
    sizes={"rows": {2}, "cols": {2, 4}, "n": (1, 16), "k": (1, 8), "m": (1, 16)},
    also=("Multiply matrices that lie in blocks on a grid of devices.",),
)
def grid_matmul(a, b):
    """Multiply two matrices on a grid of devices that gather panels of rows and columns."""
    num_rows, num_cols = size("rows"), size("cols")
    mesh = jax.make_mesh((num_rows, num_cols), ("rows", "cols"), axis_types=(AxisType.Auto,) * 2)

    def multiply(a_block, b_block):
        if maybe("whole panels"):
            a_panel = jax.lax.all_gather(a_block, "cols", axis=1, tiled=True)
            b_panel = jax.lax.all_gather(b_block, "rows", axis=0, tiled=True)
            return one_of(a_panel @ b_panel, jnp.dot(a_panel, b_panel))
        # One thin panel after the other: its owner sends it along its row or column.
        width = a_block.shape[1] // num_rows
        total = jnp.zeros((a_block.shape[0], b_block.shape[1]), a_block.dtype)
        for step in range(num_rows * num_cols):
            a_owner, a_place = divmod(step, num_rows)
            b_owner, b_place = divmod(step, num_cols)
            a_panel = a_block[:, a_place * width : (a_place + 1) * width]
            b_panel = b_block[b_place * width : (b_place + 1) * width]
            is_owner = jax.lax.axis_index("cols") == a_owner
            a_panel = jax.lax.psum(jnp.where(is_owner, a_panel, 0), "cols")
            is_owner = jax.lax.axis_index("rows") == b_owner
            b_panel = jax.lax.psum(jnp.where(is_owner, b_panel, 0), "rows")
            total = total + a_panel @ b_panel
        return total

    specs = P("rows", "cols")
    mapped = jax.shard_map(multiply, mesh=mesh, in_specs=specs, out_specs=specs)
    return mapped(a, b)
