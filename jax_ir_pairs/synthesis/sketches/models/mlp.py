"""Multilayer perceptrons."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={
        "params": {
            "layers": ("l", {"w": "f[d, d]", "b": "f[d]"}),
            "head": {"w": "f[d, c]", "b": "f[c]"},
        },
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"l": (1, 4), "d": (4, 512)},
    dtypes="f32 bf16 f16",
    also=("Apply a residual MLP with a linear head.", "Forward pass of a multilayer perceptron."),
)
def mlp(params, x):
    """Apply a multilayer perceptron to a batch of feature vectors."""
    h = x
    for layer in params["layers"]:
        if maybe("residual"):
            h = h + one_of(jax.nn.relu, jnp.tanh, jax.nn.gelu, jax.nn.silu)(
                h @ layer["w"] + layer["b"]
            )
        else:
            h = one_of(jax.nn.relu, jnp.tanh, jax.nn.gelu, jax.nn.silu)(h @ layer["w"] + layer["b"])
    return h @ params["head"]["w"] + params["head"]["b"]


@sketch(
    takes={"x": "features f[*s, d]", "scale": "f[d]", "bias": "f[d]"},
    gives="features f[*s, d]",
    dtypes="f32 bf16",
)
def layer_norm(x, scale, bias, eps=number(1e-6, 1e-5)):
    """Normalize the last axis to zero mean and unit variance, then scale and shift."""
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = one_of(
        jnp.var(x, axis=-1, keepdims=True), jnp.mean((x - mean) ** 2, axis=-1, keepdims=True)
    )
    normalized = (x - mean) * jax.lax.rsqrt(variance + eps)
    if maybe("bias", 0.7):
        return normalized * scale + bias
    return normalized * scale
