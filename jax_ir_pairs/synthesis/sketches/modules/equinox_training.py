"""Training of equinox modules: filtered gradients and updates of optax."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


def mean_loss(model, x, y):
    """Average a regression loss over a batch."""
    predicted = jax.vmap(model)(x)
    error = one_of(
        optax.huber_loss(predicted, y), optax.l2_loss(predicted, y), jnp.abs(predicted - y)
    )
    return jnp.mean(error)


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "y": "targets f[b, c]"},
    sizes={"b": (4, 32), "d": (2, 24), "c": (1, 4)},
    weight=1.5,
    also=("One filtered step of an optimizer on a module.",),
)
def filtered_train_step(key, x, y, learning_rate=number(1e-4, 1e-1)):
    """Step an optimizer on the arrays of a module and leave the rest of it alone."""
    model = eqx.nn.MLP(x.shape[-1], y.shape[-1], integer(8, 32), depth=one_of(1, 2), key=key)
    optimizer = one_of(
        optax.adam(learning_rate),
        optax.adamw(learning_rate),
        optax.sgd(learning_rate, momentum=0.9),
        optax.nadam(learning_rate),
        optax.adabelief(learning_rate),
    )
    if maybe("clip filtered"):
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optimizer)
    opt_state = optimizer.init(eqx.filter(model, one_of(eqx.is_array, eqx.is_inexact_array)))
    loss, grads = eqx.filter_value_and_grad(mean_loss)(model, x, y)
    updates, opt_state = optimizer.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    model = eqx.apply_updates(model, updates)
    if maybe("loss after"):
        return loss, mean_loss(model, x, y)
    if maybe("parameters after", 0.4):
        return loss, eqx.filter(model, eqx.is_array)
    return loss, jax.vmap(model)(x)


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "labels": "labels i[b]"},
    gives="f[n]: losses",
    sizes={"b": (4, 24), "d": (2, 16), "n": (2, 6)},
    also=("Scan over training steps with the static part of a module outside.",),
)
def scanned_module_training(key, x, labels, learning_rate=number(1e-3, 1e-1), num_classes=4):
    """Carry the arrays of a module through a scan over training steps."""
    model = eqx.nn.MLP(x.shape[-1], num_classes, one_of(8, 16), depth=1, key=key)
    params, static = eqx.partition(model, eqx.is_inexact_array)
    tx = one_of(optax.adam(learning_rate), optax.sgd(learning_rate), optax.rmsprop(learning_rate))

    def objective(params):
        logits = jax.vmap(eqx.combine(params, static))(x)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        if maybe("hard examples", 0.3):
            # Only the worse half of the batch counts.
            losses = jnp.sort(losses)[losses.shape[0] // 2 :]
        return jnp.mean(losses)

    def step(carry, _):
        params, state = carry
        loss, grads = jax.value_and_grad(objective)(params)
        updates, state = tx.update(grads, state, params)
        params = one_of(optax.apply_updates, eqx.apply_updates)(params, updates)
        return (params, state), loss

    _, losses = jax.lax.scan(step, (params, tx.init(params)), length=size("n"))
    if maybe("relative losses", 0.3):
        return losses / (losses[0] + 1e-6)
    return losses


@sketch(
    takes={"key": "key", "x": "features f[b, d]", "y": "targets f[b, c]"},
    sizes={"b": (4, 24), "d": (2, 16), "c": (1, 4)},
    also=("Gradient of the last layer only, by a filter specification.",),
)
def last_layer_gradient(key, x, y):
    """Differentiate only the last layer, chosen by a specification of the same structure."""
    model = eqx.nn.MLP(x.shape[-1], y.shape[-1], one_of(8, 12), depth=integer(1, 3), key=key)
    spec = jax.tree.map(lambda _: False, model)
    if maybe("biases too"):
        spec = eqx.tree_at(
            lambda m: (m.layers[-1].weight, m.layers[-1].bias), spec, replace=(True, True)
        )
    else:
        spec = eqx.tree_at(lambda m: m.layers[-1].weight, spec, replace=True)
    trained, frozen = eqx.partition(model, spec)

    @one_of(eqx.filter_value_and_grad, jax.value_and_grad)
    def loss_fn(part):
        return mean_loss(eqx.combine(part, frozen), x, y)

    loss, grads = loss_fn(trained)
    if maybe("norm only", 0.4):
        return loss, optax.global_norm(eqx.filter(grads, eqx.is_array))
    return loss, jax.tree.leaves(grads)


@sketch(
    takes={"key": "key", "points": "points f[b, d]"},
    gives="loss f[]",
    sizes={"b": (4, 16), "d": (1, 3)},
    also=("Residual of a differential equation for a network that solves it.",),
)
def physics_informed_residual(key, points, stiffness=number(0.5, 2.0)):
    """Penalize a network by the residual of the equation that it should solve."""
    field = eqx.nn.MLP(
        points.shape[-1], "scalar", one_of(8, 16), depth=integer(1, 2), activation=jnp.tanh, key=key
    )

    def laplacian(point):
        return jnp.trace(one_of(jax.hessian(field), jax.jacfwd(jax.grad(field)))(point))

    source = one_of(jnp.sin, jnp.cos)(jnp.sum(points, axis=-1))
    residual = jax.vmap(laplacian)(points) - stiffness * jax.vmap(field)(points) - source
    value = jnp.mean(residual**2)
    if maybe("boundary term"):
        edge = points.at[:, 0].set(0.0)
        value = value + one_of(1.0, 10.0) * jnp.mean(jax.vmap(field)(edge) ** 2)
    return value
