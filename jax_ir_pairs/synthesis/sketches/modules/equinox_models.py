"""Modules of equinox: objects whose leaves are arrays, mapped over batches."""

import equinox as eqx
import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="logits f[b, c]",
    sizes={"b": (2, 32), "d": (3, 32), "c": (2, 10)},
    also=("Logits of a perceptron of equinox over a batch.",),
)
def batched_perceptron(key, x, width=one_of(8, 16, 32), depth=integer(1, 3)):
    """Map a perceptron that takes one example over a batch."""
    mlp = eqx.nn.MLP(
        in_size=x.shape[-1],
        out_size=size("c"),
        width_size=width,
        depth=depth,
        activation=one_of(jax.nn.relu, jax.nn.gelu, jnp.tanh, jax.nn.softplus),
        key=key,
    )
    if maybe("standard rows", 0.3):
        x = (x - jnp.mean(x, axis=0)) / (jnp.std(x, axis=0) + 1e-3)
    if maybe("checkpointed", 0.2):
        # Activations are computed again where a gradient needs them.
        return jax.vmap(eqx.filter_checkpoint(mlp))(x)
    return one_of(jax.vmap(mlp), eqx.filter_vmap(mlp))(x)


class AffineLayer(eqx.Module):
    """A linear map whose weight is an array of its own."""

    weight: jax.Array
    bias: jax.Array
    activation: str = eqx.field(static=True)

    def __init__(self, in_size, out_size, key, activation="tanh"):
        limit = one_of(1.0 / jnp.sqrt(in_size), jnp.sqrt(6.0 / (in_size + out_size)))
        self.weight = jax.random.uniform(key, (out_size, in_size), minval=-limit, maxval=limit)
        self.bias = jnp.zeros(out_size)
        self.activation = activation

    def __call__(self, x):
        out = self.weight @ x + self.bias
        if self.activation == "tanh":
            return jnp.tanh(out)
        return jax.nn.relu(out)


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="features f[b, m]",
    sizes={"b": (2, 32), "d": (3, 32), "m": (4, 32)},
    also=("Chain layers that are modules of one's own.",),
)
def chained_affine_layers(key, x, num_layers=integer(2, 4)):
    """Chain affine layers, one for each key."""
    keys = jax.random.split(key, num_layers)
    widths = [x.shape[-1], *[size("m")] * num_layers]
    layers = [
        AffineLayer(inside, outside, layer_key, activation=one_of("tanh", "relu"))
        for inside, outside, layer_key in zip(widths[:-1], widths[1:], keys, strict=True)
    ]

    def forward(row):
        for layer in layers:
            if maybe("skip equal"):
                out = layer(row)
                row = row + out if out.shape == row.shape else out
            else:
                row = layer(row)
        return row

    if maybe("scaled input", 0.3):
        x = x / jnp.sqrt(x.shape[-1])
    return jax.vmap(forward)(x)


class SequenceReader(eqx.Module):
    """A recurrent cell with a head that reads its last state."""

    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, in_size, hidden_size, out_size, key):
        cell_key, head_key = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(in_size, hidden_size, key=cell_key)
        self.head = eqx.nn.Linear(hidden_size, out_size, key=head_key)

    def __call__(self, xs):
        def step(state, x):
            state = self.cell(x, state)
            return state, one_of(None, state)

        start = jnp.zeros(self.cell.hidden_size)
        last, _ = jax.lax.scan(step, start, xs, reverse=one_of(False, True))
        if maybe("normalize state", 0.4):
            last = last / jnp.sqrt(jnp.mean(last**2) + 1e-6)
        return self.head(last)


@sketch(
    takes={"key": "key", "xs": "sequence f[b, t, d]"},
    gives="logits f[b, c]",
    sizes={"b": (1, 8), "t": (4, 24), "d": (2, 12), "c": (2, 8)},
    also=("Read sequences by a gated cell of equinox.",),
)
def read_sequences(key, xs):
    """Classify sequences by the last state of a gated recurrent cell."""
    model = SequenceReader(xs.shape[-1], integer(6, 24), size("c"), key=key)
    if maybe("differences", 0.3):
        xs = jnp.diff(xs, axis=1, prepend=xs[:, :1])
    logits = jax.vmap(model)(xs)
    if maybe("debiased"):
        return logits - jnp.mean(logits, axis=-1, keepdims=True)
    return logits


class AttentionMixer(eqx.Module):
    """Self-attention with norms and a perceptron for each token."""

    attention: eqx.nn.MultiheadAttention
    norm: eqx.nn.LayerNorm
    mlp: eqx.nn.MLP

    def __init__(self, num_heads, width, key):
        first, second = jax.random.split(key)
        self.attention = eqx.nn.MultiheadAttention(num_heads, width, key=first)
        self.norm = eqx.nn.LayerNorm(width)
        self.mlp = eqx.nn.MLP(width, width, 2 * width, depth=1, key=second)

    def __call__(self, x):
        h = jax.vmap(self.norm)(x)
        if maybe("causal mixer"):
            mask = jnp.tril(jnp.ones((x.shape[0], x.shape[0]), dtype=bool))
            x = x + self.attention(h, h, h, mask=mask)
        else:
            x = x + self.attention(h, h, h)
        if maybe("mix tokens too", 0.7):
            x = x + jax.vmap(self.mlp)(x)
        return x


@sketch(
    takes={"key": "key", "x": "sequence f[b, t, h*k]"},
    gives="sequence f[b, t, h*k]",
    sizes={"b": (1, 4), "t": (4, 16), "h": (2, 4), "k": (3, 8)},
    also=("Mix tokens by a block of attention from equinox.",),
)
def mixed_tokens(key, x):
    """Mix the tokens of each sequence by attention and a perceptron."""
    mixer = AttentionMixer(size("h"), x.shape[-1], key)
    if maybe("jit filtered", 0.3):
        apply = eqx.filter_jit(lambda module, inputs: jax.vmap(module)(inputs))
        out = apply(mixer, x)
    else:
        out = jax.vmap(mixer)(x)
    if maybe("mean update", 0.3):
        return x + (out - x) / 2
    return out


@sketch(
    takes={"key": "key", "images": "image f[b, k, r, r]"},
    gives="logits f[b, c]",
    sizes={"b": (1, 4), "k": (1, 3), "r": (8, 12), "c": (2, 8)},
    also=("Logits of convolutions in one sequential module.",),
)
def sequential_convolutions(key, images):
    """Stack convolutions and pooling as one sequential module."""
    first, second, third = jax.random.split(key, 3)
    channels = one_of(4, 8)
    model = eqx.nn.Sequential(
        [
            eqx.nn.Conv2d(images.shape[1], channels, kernel_size=3, padding=1, key=first),
            eqx.nn.Lambda(one_of(jax.nn.relu, jax.nn.silu, jax.nn.gelu)),
            one_of(eqx.nn.MaxPool2d(2, 2), eqx.nn.AvgPool2d(2, 2), eqx.nn.Identity()),
            eqx.nn.Conv2d(channels, channels, kernel_size=3, stride=one_of(1, 2), key=second),
            one_of(eqx.nn.GroupNorm(2, channels), eqx.nn.Identity()),
            eqx.nn.AdaptiveAvgPool2d(1),
            eqx.nn.Lambda(jnp.ravel),
            eqx.nn.Linear(channels, size("c"), key=third),
        ]
    )
    if maybe("augment flip", 0.3):
        return 0.5 * (jax.vmap(model)(images) + jax.vmap(model)(images[..., ::-1]))
    return jax.vmap(model)(images)


class StatefulNetwork(eqx.Module):
    """A network with batch norm, whose running statistics travel beside it as a state."""

    linear: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    head: eqx.nn.Linear

    def __init__(self, in_size, width, out_size, key):
        first, second = jax.random.split(key)
        self.linear = eqx.nn.Linear(in_size, width, key=first)
        self.norm = eqx.nn.BatchNorm(width, axis_name="batch", mode=one_of("ema", "batch"))
        self.head = eqx.nn.Linear(width, out_size, key=second)

    def __call__(self, x, state):
        h, state = self.norm(self.linear(x), state)
        return self.head(one_of(jax.nn.relu, jnp.tanh)(h)), state


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (4, 24), "d": (3, 24), "c": (1, 6)},
    also=("Batch norm in equinox: a pass that trains and one that infers.",),
)
def equinox_batch_norm(key, x):
    """Thread the statistics of batch norm through a batch as a state."""
    model, state = eqx.nn.make_with_state(StatefulNetwork)(
        x.shape[-1], integer(4, 16), size("c"), key
    )

    def run(module, state):
        return jax.vmap(
            module, axis_name="batch", in_axes=(0, None), out_axes=(0, None)
        )(x, state)  # fmt: skip

    out, state = run(model, state)
    if maybe("infer after"):
        frozen = eqx.nn.inference_mode(model)
        after, _ = run(frozen, state)
        if maybe("gap to frozen"):
            return out, after - out
        return after
    return out


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives=("predictions f[b]: mean", "f[b]: spread"),
    sizes={"b": (2, 32), "d": (2, 24)},
    also=("Ensemble of networks made by mapping over keys.",),
)
def ensemble_of_modules(key, x, num_members=integer(2, 6)):
    """Make an ensemble by mapping a constructor over keys, and see where its members disagree."""

    def make(member_key):
        return eqx.nn.MLP(x.shape[-1], "scalar", one_of(8, 16), depth=1, key=member_key)

    members = eqx.filter_vmap(make)(jax.random.split(key, num_members))
    if maybe("partition", 0.4):
        arrays, static = eqx.partition(members, eqx.is_array)
        run = jax.vmap(lambda part: jax.vmap(eqx.combine(part, static))(x))
        outputs = run(arrays)
    else:
        outputs = eqx.filter_vmap(lambda member: jax.vmap(member)(x))(members)
    center = one_of(jnp.mean, jnp.median)(outputs, axis=0)
    if maybe("range spread", 0.4):
        return center, jnp.max(outputs, axis=0) - jnp.min(outputs, axis=0)
    return center, jnp.std(outputs, axis=0)


@sketch(
    takes={"key": "key", "weight": "f[m, d]: weight of a checkpoint", "x": "features f[b, d]"},
    gives="features f[b, m]",
    sizes={"b": (2, 32), "d": (3, 32), "m": (2, 24)},
    also=("Put weights of a checkpoint into a module.",),
)
def transplanted_weight(key, weight, x, noise_scale=number(0.001, 0.1)):
    """Replace a layer's weight by one from a checkpoint."""
    layer = eqx.nn.Linear(weight.shape[1], weight.shape[0], use_bias=one_of(True, False), key=key)
    if maybe("scaled transplant"):
        weight = weight / (jnp.linalg.norm(weight) + 1e-6)
    layer = eqx.tree_at(lambda module: module.weight, layer, weight)
    if maybe("perturb"):
        # A perturbation of each array, as in a search by random steps.
        arrays, static = eqx.partition(layer, eqx.is_inexact_array)
        leaves, treedef = jax.tree.flatten(arrays)
        keys = jax.random.split(key, len(leaves))
        leaves = [
            leaf + noise_scale * jax.random.normal(leaf_key, leaf.shape)
            for leaf, leaf_key in zip(leaves, keys, strict=True)
        ]
        layer = eqx.combine(jax.tree.unflatten(treedef, leaves), static)
    out = jax.vmap(layer)(x)
    return one_of(out, jnp.tanh(out), jax.nn.softplus(out))
