"""Blocks that gate and mix channels."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch


@sketch(
    takes={
        "x": "image f[b, height, width, channels]",
        "reduce": "f[channels, r]",
        "expand": "f[r, channels]",
    },
    gives="feature_map f[b, height, width, channels]",
    sizes={"b": (1, 6), "height": (4, 32), "width": (4, 128), "channels": (2, 24), "r": (1, 8)},
    dtypes="f32 bf16 f16",
    also=("Gate the channels of a feature map by what is in the whole image.",),
)
def squeeze_excitation(x, reduce, expand):
    """Recalibrate channels with gates computed from their global averages."""
    batch_size, height, width, channels = x.shape
    if reduce.shape[0] != channels or expand.shape[1] != channels:
        raise ValueError(f"{reduce.shape[0]} gated channels, but the image has {channels}")
    squeezed = jnp.mean(x, axis=(1, 2))
    if maybe("both_pools", 0.4):
        # As in CBAM, the maximum goes through the same weights.
        descriptors = [squeezed, jnp.max(x, axis=(1, 2))]
        excitation = sum(jax.nn.relu(pooled @ reduce) @ expand for pooled in descriptors)
    else:
        excitation = one_of(jax.nn.relu, jax.nn.silu, jnp.tanh)(squeezed @ reduce) @ expand
    gate = one_of(jax.nn.sigmoid, jax.nn.hard_sigmoid)(excitation).reshape(
        batch_size, 1, 1, channels
    )
    if maybe("residual_gate", 0.3):
        return x * (1 + gate) / 2
    return x * gate


@sketch(
    takes={"x": "image f[b, height, width, g*m]"},
    gives="feature_map f[b, height, width, g*m]",
    sizes={"b": (1, 8), "height": (2, 32), "width": (2, 256), "g": (2, 4), "m": (2, 8)},
    dtypes="f32 bf16 f16",
    also=("Interleave the groups of channels of a grouped convolution.",),
)
def channel_shuffle(x, groups=size("g")):
    """Shuffle channels so that the next grouped convolution mixes the groups."""
    *outer, channels = x.shape
    if channels % groups:
        raise ValueError(f"{channels} channels are not divisible into {groups} groups")
    if maybe("mixing", 0.35):
        # Let neighbouring groups share a little before the permutation.
        neighbour = jnp.roll(x, channels // groups, axis=-1)
        x = one_of(0.9, 0.8, 0.75) * x + one_of(0.1, 0.2, 0.25) * neighbour
    per_group = channels // groups
    if maybe("gather", 0.3):
        order = jnp.arange(channels).reshape(groups, per_group).T.reshape(-1)
        return x[..., order]
    grouped = x.reshape(*outer, groups, per_group)
    return jnp.swapaxes(grouped, -1, -2).reshape(x.shape)
