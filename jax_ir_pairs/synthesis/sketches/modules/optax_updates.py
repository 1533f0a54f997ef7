"""Optimizers, schedules and losses of optax on parameters of any structure."""

import jax
import jax.numpy as jnp
import optax

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, size, sketch


@sketch(
    takes={"params": "P", "grads": "P"},
    gives="P",
    weight=1.5,
    also=("Parameters after one chained update.",),
)
def chained_update(params, grads, learning_rate=number(1e-4, 1e-1)):
    """Chain transformations of gradients and apply the update that comes out."""
    tx = optax.chain(
        one_of(
            optax.clip_by_global_norm(1.0),
            optax.clip(one_of(0.5, 1.0)),
            optax.adaptive_grad_clip(0.1),
            optax.centralize(),
            optax.zero_nans(),
        ),
        one_of(
            optax.scale_by_adam(b1=0.9, b2=one_of(0.99, 0.999)),
            optax.scale_by_rms(),
            optax.trace(decay=0.9, nesterov=one_of(True, False)),
            optax.scale_by_lion(),
            optax.scale_by_belief(),
            optax.scale_by_amsgrad(),
            optax.scale_by_radam(),
        ),
        optax.add_decayed_weights(one_of(1e-4, 1e-2)),
        one_of(optax.scale_by_learning_rate(learning_rate), optax.scale(-learning_rate)),
    )
    state = tx.init(params)
    if maybe("two updates", 0.3):
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    updates, state = tx.update(grads, state, params)
    if maybe("average parameters", 0.3):
        moved = optax.apply_updates(params, updates)
        return optax.incremental_update(moved, params, step_size=one_of(0.1, 0.5))
    return optax.apply_updates(params, updates)


@sketch(
    takes={"steps": "i[n]: numbers of steps"},
    gives="f[n]: rates",
    sizes={"n": (4, 64)},
    also=("Learning rates at given steps.",),
)
def schedule_rates(steps, peak=number(1e-4, 1e-1), decay_steps=one_of(50, 100, 1000)):
    """Evaluate a schedule of the learning rate at several steps."""
    schedule = one_of(
        optax.warmup_cosine_decay_schedule(0.0, peak, one_of(2, 5, 10), decay_steps),
        optax.cosine_decay_schedule(peak, decay_steps, alpha=one_of(0.0, 0.1)),
        optax.exponential_decay(peak, 10, 0.9, staircase=one_of(True, False)),
        optax.linear_schedule(peak, 0.0, decay_steps),
        optax.polynomial_schedule(peak, 1e-6, 2, decay_steps),
        optax.piecewise_constant_schedule(peak, {2: 0.5, 10: 0.1}),
        optax.cosine_onecycle_schedule(decay_steps, peak),
        optax.join_schedules(
            [optax.linear_schedule(0.0, peak, 3), optax.constant_schedule(peak)], [3]
        ),
    )
    if maybe("later steps"):
        steps = steps * one_of(5, 10, 20)
    if maybe("relative rates", 0.4):
        return jax.vmap(schedule)(steps) / peak
    return one_of(jax.vmap(schedule)(steps), jax.lax.map(schedule, steps))


@sketch(
    takes={"params": "P", "grads": "P", "step": "i[]: number of the step"},
    also=("Update whose learning rate is part of the optimizer's state.",),
)
def injected_rate_update(params, grads, step, base_rate=number(1e-3, 1e-1)):
    """Set the learning rate inside of an optimizer's state before it updates."""
    make = optax.inject_hyperparams(one_of(optax.adam, optax.sgd, optax.rmsprop))
    tx = make(learning_rate=base_rate)
    state = tx.init(params)
    if maybe("inverse root"):
        rate = base_rate / jnp.sqrt(1.0 + step)
    else:
        rate = base_rate * one_of(0.5, 0.9) ** step
    state.hyperparams["learning_rate"] = jnp.asarray(rate, jnp.float32)
    if maybe("unit gradients", 0.4):
        norm = optax.global_norm(grads)
        grads = jax.tree.map(lambda g: g / (norm + 1e-6), grads)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state.hyperparams["learning_rate"]


@sketch(
    takes={"params": "P", "grads": "P"},
    gives="P",
    also=("Decay of matrices only.",),
)
def masked_decay_update(params, grads, learning_rate=number(1e-4, 1e-2), decay=number(1e-4, 1e-1)):
    """Decay matrices but neither biases nor scales, told by their number of axes."""

    def is_matrix(leaf):
        return leaf.ndim > 1

    mask = jax.tree.map(is_matrix, params)
    if maybe("mask whole"):
        tx = optax.adamw(learning_rate, weight_decay=decay, mask=mask)
    else:
        tx = optax.chain(
            one_of(optax.scale_by_adam(), optax.scale_by_rms(), optax.identity()),
            optax.masked(optax.add_decayed_weights(decay), mask),
            optax.scale(-learning_rate),
        )
    updates, _ = tx.update(grads, tx.init(params), params)
    if maybe("limit update", 0.3):
        updates = jax.tree.map(lambda u: jnp.clip(u, -0.1, 0.1), updates)
    return optax.apply_updates(params, updates)


@sketch(
    takes={"logits": "logits f[b, c]", "labels": "labels i[b]"},
    gives="loss f[]",
    sizes={"b": (2, 48), "c": (4, 24)},
    also=("Classification loss out of those of optax.",),
)
def packaged_classification_loss(logits, labels):
    """Average a packaged loss of class scores over a batch."""
    if maybe("one-hot targets"):
        targets = jax.nn.one_hot(labels, logits.shape[-1])
        if maybe("smoothing"):
            targets = optax.smooth_labels(targets, one_of(0.05, 0.1, 0.2))
        losses = one_of(
            optax.softmax_cross_entropy(logits, targets),
            jnp.sum(optax.sigmoid_binary_cross_entropy(logits, targets), axis=-1),
            jnp.sum(optax.sigmoid_focal_loss(logits, targets, gamma=2.0), axis=-1),
        )
    else:
        losses = one_of(
            optax.softmax_cross_entropy_with_integer_labels(logits, labels),
            optax.losses.multiclass_hinge_loss(logits, labels),
        )
    if maybe("ignore class", 0.3):
        # The first class is padding.
        keep = (labels > 0).astype(logits.dtype)
        return jnp.sum(losses * keep) / jnp.maximum(jnp.sum(keep), 1.0)
    return jnp.mean(losses)


@sketch(
    takes={"start": "vector f[n]: start", "matrix": "matrix f[m, n]", "target": "vector f[m]"},
    gives=("vector f[n]: solution", "f[k]: values"),
    sizes={"n": (2, 16), "m": (2, 16), "k": (3, 12)},
    also=("Least squares by an optimizer with a schedule.",),
)
def fitted_least_squares(start, matrix, target, peak=number(1e-3, 1e-2)):
    """Minimize a sum of squares by an optimizer whose rate follows a schedule."""
    if matrix.shape != (target.shape[0], start.shape[0]):
        raise ValueError(f"shapes {matrix.shape} and {target.shape} do not fit")
    num_steps = size("k")
    schedule = one_of(
        optax.cosine_decay_schedule(peak, num_steps), optax.linear_schedule(peak, 0.0, num_steps)
    )
    tx = one_of(optax.adam(schedule), optax.lion(schedule), optax.adabelief(schedule))
    if maybe("average gradients", 0.3):
        tx = optax.chain(optax.ema(0.9), tx)

    def objective(x):
        return jnp.mean((matrix @ x - target) ** 2)

    def step(carry, _):
        x, state = carry
        value, gradient = jax.value_and_grad(objective)(x)
        updates, state = tx.update(gradient, state, x)
        x = optax.apply_updates(x, updates)
        if maybe("keep nonnegative", 0.4):
            x = one_of(optax.projections.projection_non_negative(x), jax.nn.relu(x))
        return (x, state), value

    (solution, _), values = jax.lax.scan(step, (start, tx.init(start)), None, length=num_steps)
    return solution, values


@sketch(
    takes={"params": "P", "grads": ("P", "P")},
    gives="P",
    also=("Update once after gradients of two batches.",),
)
def accumulated_update(params, grads, learning_rate=number(1e-4, 1e-1)):
    """Accumulate the gradients of two batches in the optimizer before it moves."""
    inner = one_of(optax.adam(learning_rate), optax.sgd(learning_rate), optax.adamw(learning_rate))
    if maybe("skip nonfinite", 0.3):
        inner = optax.apply_if_finite(inner, max_consecutive_errors=2)
    tx = optax.MultiSteps(inner, every_k_schedule=2)
    state = tx.init(params)
    for batch_grads in grads:
        if maybe("clip each", 0.4):
            batch_grads = jax.tree.map(lambda g: jnp.clip(g, -1.0, 1.0), batch_grads)
        updates, state = tx.update(batch_grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


@sketch(
    takes={"start": "vector f[n]: start"},
    gives="vector f[n]: solution",
    sizes={"n": (2, 12)},
    weight=0.7,
    also=("A few steps of the limited-memory quasi-Newton method of optax.",),
)
def quasi_newton_steps(start, num_steps=integer(2, 4), memory=integer(2, 6)):
    """Take quasi-Newton steps whose lengths a line search finds."""
    start = jnp.tanh(start)

    def objective(x):
        if maybe("valley"):
            return jnp.sum((x[1:] - x[:-1] ** 2) ** 2) + jnp.sum((1.0 - x) ** 2)
        return jnp.sum(jnp.log(jnp.cosh(x - 1.0))) + 0.1 * jnp.sum(x**2)

    if maybe("backtracking"):
        search = optax.scale_by_backtracking_linesearch(integer(5, 15), store_grad=True)
        tx = optax.lbfgs(memory_size=memory, linesearch=search)
    else:
        tx = optax.lbfgs(memory_size=memory)
    x, state = start, tx.init(start)
    for _ in range(num_steps):
        if maybe("value from state"):
            # The line search has evaluated it already.
            value, gradient = optax.value_and_grad_from_state(objective)(x, state=state)
        else:
            value, gradient = jax.value_and_grad(objective)(x)
        updates, state = tx.update(
            gradient, state, x, value=value, grad=gradient, value_fn=objective
        )  # fmt: skip
        x = optax.apply_updates(x, updates)
    return x
