"""Small models that training code is tried on."""

import functools

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, sketch


@sketch(
    takes={"params": {"w": "f[d, c]", "b": "f[c]"}, "x": "features f[b, d]"},
    gives="logits f[b, c]",
    sizes={"d": (4, 256), "c": (4, 32), "b": (4, 64)},
    dtypes="f32 bf16 f64",
    also=("Linear softmax classifier.",),
)
def linear_classifier(params, x):
    """Score classes by an affine map of the features."""
    if maybe("standardize inputs", 0.4):
        center = jnp.mean(x, axis=0)
        x = (x - center) / (jnp.std(x, axis=0) + one_of(1e-2, 1e-1))
    w, b = params["w"], params["b"]
    if w.ndim != 2 or b.shape != w.shape[1:]:
        raise ValueError(f"weight {w.shape} and bias {b.shape} do not go together")
    if maybe("cap logits", 0.3):
        # Soft bounds keep one feature from deciding alone.
        cap = one_of(30.0, 20.0, 50.0)
        return cap * jnp.tanh((x @ w + b) / cap)
    return one_of(x @ w + b, jnp.einsum("bd,dc->bc", x, w) + b, jnp.dot(x, w) + b)


@sketch(
    takes={
        "params": {
            "hidden": ("l", {"kernel": "f[d, d]", "bias": "f[d]", "gain": "f[d]"}),
            "readout": {"kernel": "f[d, 1]", "bias": "f[1]"},
        },
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"d": (4, 96), "l": (1, 4), "b": (4, 64)},
    dtypes="f32 bf16 f64",
    also=("Deep regressor with normalized layers.",),
)
def normalized_regressor(params, x):
    """Regress one number a row with a stack of normalized layers."""
    activation = one_of(jnp.tanh, jax.nn.gelu, jax.nn.silu, jax.nn.softplus)
    for depth, layer in enumerate(params["hidden"]):
        h = x @ layer["kernel"] + layer["bias"]
        h = h * jax.lax.rsqrt(jnp.mean(h**2, axis=-1, keepdims=True) + 1e-3)
        h = activation(layer["gain"] * h)
        x = x + h if depth > 0 else h
    readout = params["readout"]
    if maybe("squeeze"):
        return jnp.squeeze(x @ readout["kernel"] + readout["bias"], axis=-1)
    return (x @ readout["kernel"] + readout["bias"])[:, 0]


@sketch(
    takes={
        "params": {"inner": ("f[d, h]", "f[h]"), "outer": ("f[h, h]", "f[h]")},
        "x": "features f[b, d]",
    },
    gives="features f[b, h]",
    sizes={"d": (4, 128), "h": (4, 64), "b": (4, 48)},
    dtypes="f32 bf16",
    also=("Encoder with a projection head.",),
)
def projection_encoder(params, x):
    """Embed features through a hidden layer and a projection."""
    w, b = params["inner"]
    if x.shape[-1] != w.shape[0]:
        raise ValueError(f"the encoder takes {w.shape[0]} features, got {x.shape[-1]}")
    h = one_of(jax.nn.relu, jax.nn.elu, jax.nn.leaky_relu)(x @ w + b)
    if maybe("batch statistics", 0.3):
        h = (h - jnp.mean(h, axis=0)) * jax.lax.rsqrt(jnp.var(h, axis=0) + 1e-2)
    w, b = params["outer"]
    z = h @ w + b
    return z + h if maybe("skip projection", 0.3) else z


def _mix_tokens(h, layer):
    """Average what came before into each position."""
    steps = jnp.arange(1, h.shape[1] + 1).astype(h.dtype)
    past = jnp.cumsum(h, axis=1) / steps[:, None]
    return jnp.tanh(past @ layer["mix"] + h @ layer["keep"])


@sketch(
    takes={
        "params": {
            "embedding": "f[v, d]",
            "layers": ("l", {"mix": "f[d, d]", "keep": "f[d, d]"}),
        },
        "tokens": "tokens i[b, t]",
    },
    gives="logits f[b, t, v]",
    sizes={"v": (8, 48), "d": (4, 32), "t": (6, 32), "b": (2, 8), "l": (1, 3)},
    dtypes="f32 bf16",
    also=("Causal language model of running averages.",),
)
def running_average_lm(params, tokens):
    """Model tokens by running averages of what came before."""
    table = params["embedding"]
    if maybe("one-hot lookup", 0.3):
        h = jax.nn.one_hot(tokens, table.shape[0], dtype=table.dtype) @ table
    else:
        h = table[tokens]
    if maybe("scale embedding", 0.4):
        h = h * table.shape[1] ** 0.5
    if maybe("reduce layers", 0.3):
        h = functools.reduce(lambda z, layer: z + _mix_tokens(z, layer), params["layers"], h)
    else:
        for layer in params["layers"]:
            h = h + _mix_tokens(h, layer)
    # The embedding is also the readout.
    return h @ table.T
