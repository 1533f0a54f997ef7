"""Training of modules of flax.linen with optimizers of optax."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import traverse_util
from flax.training import train_state

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


class Perceptron(nn.Module):
    """A hidden layer and a head, with names that a checkpoint would have."""

    hidden: int
    num_outputs: int

    def setup(self):
        self.hidden_layer = nn.Dense(self.hidden)
        self.head = nn.Dense(self.num_outputs)

    def __call__(self, x):
        h = self.hidden_layer(x)
        if maybe("normalize hidden", 0.4):
            h = h / jnp.sqrt(jnp.mean(h**2, axis=-1, keepdims=True) + 1e-5)
        return self.head(one_of(nn.relu, nn.gelu, nn.tanh)(h))


@sketch(
    takes={
        "params": {
            "hidden_layer": {"kernel": "f[d, h]", "bias": "f[h]"},
            "head": {"kernel": "f[h, c]", "bias": "f[c]"},
        },
        "x": "features f[b, d]",
        "labels": "labels i[b]",
    },
    sizes={"b": (4, 32), "d": (4, 24), "h": (4, 32), "c": (4, 10)},
    weight=1.5,
    also=("One step of a train state on a batch.",),
)
def train_state_step(params, x, labels, learning_rate=number(1e-4, 1e-1)):
    """Advance a train state by the gradient of a classification loss."""
    model = Perceptron(hidden=size("h"), num_outputs=size("c"))
    if maybe("clip chain"):
        tx = optax.chain(
            optax.clip_by_global_norm(one_of(0.5, 1.0, 5.0)),
            one_of(optax.adam(learning_rate), optax.sgd(learning_rate, momentum=0.9)),
        )
    else:
        tx = one_of(
            optax.adamw(learning_rate, weight_decay=1e-4),
            optax.adam(learning_rate, b2=0.99),
            optax.rmsprop(learning_rate),
            optax.lion(learning_rate),
            optax.sgd(learning_rate, nesterov=True, momentum=0.9),
        )
    state = train_state.TrainState.create(apply_fn=model.apply, params=params, tx=tx)

    def loss_fn(p):
        logits = state.apply_fn({"params": p}, x)
        if maybe("smooth labels", 0.3):
            targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), 0.1)
            return jnp.mean(optax.softmax_cross_entropy(logits, targets)), logits
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        return jnp.mean(losses), logits

    (loss, logits), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    state = state.apply_gradients(grads=grads)
    if maybe("metrics"):
        accuracy = jnp.mean(jnp.argmax(logits, axis=-1) == labels)
        metrics = {"loss": loss, "accuracy": accuracy, "grad_norm": optax.global_norm(grads)}
        return state.params, metrics
    return state.params, state.opt_state, loss


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "y": "targets f[b, c]"},
    gives="f[n]: losses",
    sizes={"b": (4, 32), "d": (3, 24), "c": (1, 4), "n": (2, 5)},
    also=("Losses over the first steps of a regression.",),
)
def fit_perceptron(key, x, y, learning_rate=number(1e-3, 3e-2)):
    """Train a perceptron from scratch for a few steps."""
    model = Perceptron(hidden=integer(8, 32), num_outputs=y.shape[-1])
    params = model.init(key, x)["params"]
    optimizer = one_of(
        optax.adam(learning_rate), optax.adagrad(learning_rate), optax.yogi(learning_rate)
    )
    opt_state = optimizer.init(params)

    def loss_fn(p):
        error = one_of(optax.squared_error, optax.huber_loss, optax.log_cosh)
        return jnp.mean(error(model.apply({"params": p}, x), y))

    def step(carry, _):
        params, opt_state = carry
        loss, grads = jax.value_and_grad(loss_fn)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    if maybe("unrolled steps", 0.4):
        losses, carry = [], (params, opt_state)
        for _ in range(size("n")):
            carry, loss = step(carry, None)
            losses.append(loss)
        return jnp.stack(losses)
    _, losses = jax.lax.scan(step, (params, opt_state), None, length=size("n"))
    return losses


class NormalizedNetwork(nn.Module):
    """A network with batch norm, whose running statistics are no parameters."""

    width: int
    num_outputs: int

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(self.width, use_bias=False)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=one_of(0.9, 0.99))(x)
        x = one_of(nn.relu, nn.silu)(x)
        if maybe("second norm", 0.3):
            x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.width)(x))
        return nn.Dense(self.num_outputs)(x)


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "y": "targets f[b, c]"},
    sizes={"b": (4, 32), "d": (3, 24), "c": (1, 4)},
    also=("Training step that also updates statistics of batch norm.",),
)
def linen_batch_norm_step(key, x, y, learning_rate=number(1e-3, 1e-1)):
    """Update parameters by their gradient, and batch statistics by what a pass has seen."""
    model = NormalizedNetwork(width=integer(8, 32), num_outputs=y.shape[-1])
    variables = model.init(key, x, train=False)
    params, stats = variables["params"], variables["batch_stats"]

    def loss_fn(p):
        out, mutated = model.apply(
            {"params": p, "batch_stats": stats}, x, train=True, mutable=["batch_stats"]
        )
        return jnp.mean(optax.l2_loss(out, y)), mutated["batch_stats"]

    (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    if maybe("optax step"):
        tx = one_of(optax.sgd(learning_rate, momentum=0.9), optax.adam(learning_rate))
        updates, _ = tx.update(grads, tx.init(params))
        params = optax.apply_updates(params, updates)
    else:
        params = jax.tree.map(lambda p, g: p - learning_rate * g, params, grads)
    if maybe("evaluate after"):
        after = model.apply({"params": params, "batch_stats": stats}, x, train=False)
        return loss, jnp.mean(optax.l2_loss(after, y)), stats
    return params, stats, loss


@sketch(
    takes={
        "params": {
            "hidden_layer": {"kernel": "f[d, h]", "bias": "f[h]"},
            "head": {"kernel": "f[h, c]", "bias": "f[c]"},
        },
        "x": "features f[b, d]",
        "y": "targets f[b, c]",
    },
    sizes={"b": (4, 32), "d": (4, 24), "h": (4, 32), "c": (1, 6)},
    also=("Fine-tune the head alone.",),
)
def frozen_backbone_step(params, x, y, learning_rate=number(1e-4, 1e-2)):
    """Update only the head of a network, told from the rest by its path."""
    model = Perceptron(hidden=size("h"), num_outputs=size("c"))

    def label(path):
        if maybe("frozen biases", 0.4):
            if path[-1] == "bias":
                return "frozen"
        return "trained" if path[0] == "head" else "frozen"

    flat = traverse_util.flatten_dict(params)
    labels = traverse_util.unflatten_dict({path: label(path) for path in flat})
    if maybe("no decay on biases", 0.4):
        head_tx = optax.adamw(
            learning_rate,
            weight_decay=one_of(1e-4, 1e-2),
            mask=lambda p: jax.tree.map(lambda leaf: leaf.ndim > 1, p),
        )
    else:
        head_tx = one_of(
            optax.adam(learning_rate),
            optax.adamw(learning_rate),
            optax.sgd(learning_rate, momentum=0.9),
        )
    tx = optax.multi_transform({"trained": head_tx, "frozen": optax.set_to_zero()}, labels)

    def objective(p):
        error = model.apply({"params": p}, x) - y
        return jnp.mean(one_of(error**2, jnp.abs(error)))

    grads = jax.grad(objective)(params)
    updates, _ = tx.update(grads, tx.init(params), params)
    if maybe("update norms", 0.4):
        norms = {name: optax.global_norm(part) for name, part in updates.items()}
        return optax.apply_updates(params, updates), norms
    return optax.apply_updates(params, updates)


@sketch(
    takes={
        "teacher": {
            "hidden_layer": {"kernel": "f[d, h]", "bias": "f[h]"},
            "head": {"kernel": "f[h, c]", "bias": "f[c]"},
        },
        "key": "key",
        "x": "features f[b, d]",
    },
    gives="loss f[]",
    sizes={"b": (4, 32), "d": (4, 24), "h": (8, 32), "c": (3, 8)},
    also=("Loss of a small student against a teacher's soft labels.",),
)
def distillation_gap(teacher, key, x, temperature=number(1.0, 4.0)):
    """Measure how far a student of half the width is from its teacher."""
    hidden, num_classes = teacher["head"]["kernel"].shape
    big = Perceptron(hidden=hidden, num_outputs=num_classes)
    small = Perceptron(hidden=hidden // 2, num_outputs=num_classes)
    params = small.init(key, x)
    soft = jax.nn.softmax(big.apply({"params": teacher}, x) / temperature)
    if maybe("stop teacher"):
        soft = jax.lax.stop_gradient(soft)
    logits = small.apply(params, x) / temperature
    if maybe("divergence"):
        losses = optax.kl_divergence(jax.nn.log_softmax(logits), soft)
    else:
        losses = optax.softmax_cross_entropy(logits, soft)
    return temperature**2 * jnp.mean(losses)
