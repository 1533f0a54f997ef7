"""Modules of flax.nnx: objects that hold their variables, split where JAX needs arrays."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class Feedforward(nnx.Module):
    """Linear layers that are attributes of the module."""

    def __init__(self, in_features, width, out_features, rngs):
        self.inner = nnx.Linear(in_features, width, rngs=rngs)
        if maybe("norm layer"):
            self.norm = one_of(nnx.LayerNorm(width, rngs=rngs), nnx.RMSNorm(width, rngs=rngs))
        self.outer = nnx.Linear(width, out_features, use_bias=one_of(True, False), rngs=rngs)
        if maybe("learned temperature", 0.4):
            self.temperature = nnx.Param(jnp.ones(()))

    def __call__(self, x):
        h = one_of(nnx.relu, nnx.gelu, nnx.silu, nnx.tanh)(self.inner(x))
        if maybe("norm layer"):
            h = self.norm(h)
        out = self.outer(h)
        if maybe("learned temperature", 0.4):
            out = out * self.temperature[...]
        return out


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    gives="logits f[b, c]",
    sizes={"b": (2, 32), "d": (3, 32), "c": (2, 10)},
    also=("Logits of an nnx module over a batch.",),
)
def feedforward_logits(key, x):
    """Make a feed-forward module with streams of random numbers, and call it."""
    if maybe("seeded stream", 0.3):
        rngs = nnx.Rngs(params=key, dropout=1)
    else:
        rngs = nnx.Rngs(key)
    model = Feedforward(x.shape[-1], integer(8, 32), size("c"), rngs=rngs)
    if maybe("jit module", 0.3):
        logits = nnx.jit(lambda module, inputs: module(inputs))(model, x)
    else:
        logits = model(x)
    if maybe("center logits", 0.3):
        return logits - jnp.mean(logits, axis=-1, keepdims=True)
    return logits


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "y": "targets f[b, c]"},
    sizes={"b": (4, 32), "d": (2, 24), "c": (1, 4)},
    weight=1.5,
    also=("Functional training step on the state of an nnx module.",),
)
def split_and_merge_step(key, x, y, learning_rate=number(1e-4, 1e-1)):
    """Split a module into graph and state, step on the state, and merge both again."""
    model = Feedforward(x.shape[-1], integer(8, 24), y.shape[-1], rngs=nnx.Rngs(key))
    graphdef, params = nnx.split(model)

    def loss_fn(params):
        predicted = nnx.merge(graphdef, params)(x)
        return jnp.mean(one_of(optax.l2_loss, optax.huber_loss, optax.log_cosh)(predicted, y))

    loss, grads = jax.value_and_grad(loss_fn)(params)
    if maybe("plain descent", 0.3):
        new_params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    else:
        tx = one_of(optax.adam(learning_rate), optax.adamw(learning_rate), optax.sgd(learning_rate))
        updates, _ = tx.update(grads, tx.init(params), params)
        new_params = optax.apply_updates(params, updates)
    trained = nnx.merge(graphdef, new_params)
    if maybe("gradient norm"):
        return loss, trained(x), optax.global_norm(grads)
    return loss, trained(x)


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "labels": "labels i[b]"},
    sizes={"b": (4, 32), "d": (2, 24)},
    also=("Step of an nnx optimizer that updates its module in place.",),
)
def in_place_optimizer_step(
    key, x, labels, learning_rate=number(1e-4, 1e-1), num_classes=integer(4, 8)
):
    """Update a module in place by an optimizer that holds its own state."""
    model = Feedforward(x.shape[-1], one_of(8, 16), num_classes, rngs=nnx.Rngs(key))
    tx = one_of(optax.adam(learning_rate), optax.lion(learning_rate), optax.sgd(learning_rate, 0.9))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    def loss_fn(module):
        logits = module(x)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(losses), logits

    (loss, logits), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model)
    optimizer.update(model, grads)
    if maybe("second step", 0.4):
        (loss, logits), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model)
        optimizer.update(model, grads)
    metrics = {"loss": loss, "accuracy": jnp.mean(jnp.argmax(logits, axis=-1) == labels)}
    if maybe("return state"):
        return metrics, nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return metrics, model(x)


class NoisyEncoder(nnx.Module):
    """An encoder with dropout and batch norm, which behave otherwise in evaluation."""

    def __init__(self, in_features, width, rate, rngs):
        self.linear = nnx.Linear(in_features, width, rngs=rngs)
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        h = self.norm(self.linear(x))
        return self.dropout(one_of(nnx.relu, nnx.leaky_relu)(h))


@sketch(
    takes={"key": "key", "x": "features f[b, d]"},
    sizes={"b": (4, 32), "d": (2, 24)},
    also=("What dropout and batch norm change in evaluation.",),
)
def train_and_eval_modes(key, x, rate=number(0.1, 0.6)):
    """Compare what a module gives in training and in evaluation."""
    encoder = NoisyEncoder(
        x.shape[-1], integer(6, 24), rate, rngs=nnx.Rngs(params=key, dropout=one_of(0, 1))
    )
    encoder.train()
    noisy = encoder(x)
    if maybe("statistics", 0.4):
        # A pass in training has moved the running statistics.
        return noisy, {"mean": encoder.norm.mean[...], "var": encoder.norm.var[...]}
    encoder.eval()
    clean = encoder(x)
    gap = jnp.mean((noisy - clean) ** 2, axis=one_of(-1, 0))
    if maybe("gap only"):
        return gap
    return noisy, clean, gap


@sketch(
    takes={
        "weights": {"kernel": "f[d, m]", "bias": "f[m]"},
        "x": "features f[b, d]",
    },
    gives="features f[b, m]",
    sizes={"b": (2, 32), "d": (3, 32), "m": (2, 24)},
    also=("Update a module by parameters of a checkpoint.",),
)
def restored_layer(weights, x):
    """Restore the parameters of a layer from a dictionary of arrays."""
    layer = nnx.Linear(size("d"), size("m"), rngs=nnx.Rngs(one_of(0, 1, 42)))
    if maybe("restore one by one", 0.4):
        layer.kernel = nnx.Param(weights["kernel"])
        layer.bias = nnx.Param(weights["bias"])
    else:
        nnx.update(layer, {name: nnx.Param(value) for name, value in weights.items()})
    out = layer(x)
    if maybe("gate restored", 0.4):
        return out * nnx.sigmoid(out)
    return one_of(jnp.tanh, nnx.relu, nnx.softplus)(out)


@sketch(
    takes={"key": "key", "tokens": "tokens i[b, t]"},
    gives="sequence f[b, t, m]",
    sizes={"b": (1, 6), "t": (4, 16), "m": (4, 12)},
    also=("Contextual embeddings by attention layers of nnx.",),
)
def attended_embeddings(key, tokens, num_embeddings=integer(8, 48), num_heads=2):
    """Embed tokens and let them attend to each other."""
    rngs = nnx.Rngs(key)
    width = 2 * size("m")
    embed = nnx.Embed(num_embeddings, width, rngs=rngs)
    x = embed(tokens)
    if maybe("positions"):
        places = nnx.Embed(tokens.shape[1], width, rngs=rngs)
        x = x + places(jnp.arange(tokens.shape[1]))
    mask = nnx.make_causal_mask(tokens) if maybe("causal attention") else None
    h = nnx.LayerNorm(width, rngs=rngs)(x)
    x = x + nnx.MultiHeadAttention(num_heads, width, decode=False, rngs=rngs)(h, mask=mask)
    return nnx.Linear(width, size("m"), rngs=rngs)(x)
