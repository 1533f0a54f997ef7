"""Optimizers with momentum or with accumulated squares."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


def _root(v, eps):
    # Squares that were kept in low precision may have become negative.
    return one_of(jnp.sqrt(jnp.maximum(v, 0.0)) + eps, jnp.sqrt(jnp.abs(v) + eps))


@sketch(
    takes={"params": "P", "grads": "P", "velocity": "P"},
    gives=("P", "P"),
    dtypes="f32 bf16 f64",
    also=("Stochastic gradient descent with momentum.",),
)
def sgd_momentum(
    params, grads, velocity, learning_rate=number(1e-3, 1e-1), momentum=one_of(0.9, 0.95, 0.8)
):
    """Descend along an exponentially decaying sum of gradients."""
    if maybe("check momentum", 0.35):
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum must be in [0, 1), got {momentum}")
    if maybe("weight decay", 0.4):
        decay = number(1e-5, 1e-2)
        # Biases and scales are vectors, and do not decay.
        grads = jax.tree.map(lambda p, g: g + decay * p if p.ndim > 1 else g, params, grads)
    if maybe("dampening", 0.3):
        velocity = jax.tree.map(lambda v, g: momentum * v + (1 - momentum) * g, velocity, grads)
    else:
        velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, grads)
    if maybe("nesterov"):
        # Look ahead along the velocity before stepping.
        direction = jax.tree.map(lambda v, g: momentum * v + g, velocity, grads)
    else:
        direction = velocity
    params = jax.tree.map(lambda p, u: p - learning_rate * u, params, direction)
    return params, velocity


@sketch(
    takes={"params": "P", "grads": "P", "state": {"square": "P", "mean": "P"}},
    gives=("P", {"square": "P", "mean": "P"}),
    dtypes="f32 bf16",
    also=("RMSProp with gradients centered by their running mean.",),
)
def centered_rmsprop(
    params, grads, state, learning_rate=number(1e-4, 1e-2), decay=one_of(0.9, 0.99, 0.95), eps=1e-6
):
    """Divide gradients by a running estimate of their standard deviation."""

    def running(old, new):
        return decay * old + (1 - decay) * new

    square = jax.tree.map(lambda s, g: running(s, g * g), state["square"], grads)
    mean = jax.tree.map(running, state["mean"], grads)

    def updated(p, g, s, m):
        variance = s - m**2
        move = learning_rate * g / _root(variance, eps + one_of(1e-3, 1e-4))
        if maybe("bounded step", 0.4):
            move = jnp.clip(move, -0.1, 0.1)
        return p - move

    params = jax.tree.map(updated, params, grads, square, mean)
    return params, {"square": square, "mean": mean}


@sketch(
    takes={"params": "P", "grads": "P", "state": {"sum": "P"}},
    gives=("P", {"sum": "P"}),
    dtypes="f32 bf16 f64",
    also=("Adagrad step: rates that fall where gradients were large.",),
)
def adagrad(params, grads, state, learning_rate=number(1e-3, 1e-1), initial=one_of(0.1, 1e-2)):
    """Shrink the rate of each parameter by all squared gradients so far."""
    if maybe("mapped adagrad"):
        total = jax.tree.map(lambda s, g: jnp.abs(s) + g**2, state["sum"], grads)

        def scaled_step(p, g, s):
            if maybe("cube root", 0.25):
                return p - learning_rate * g * (s + initial) ** (-1.0 / 3.0)
            return p - learning_rate * g / jnp.sqrt(s + initial)

        return jax.tree.map(scaled_step, params, grads, total), {"sum": total}
    leaves, treedef = jax.tree.flatten(params)
    gradient_leaves = treedef.flatten_up_to(grads)
    sums = treedef.flatten_up_to(state["sum"])
    new_leaves, new_sums = [], []
    for p, g, s in zip(leaves, gradient_leaves, sums):
        if p.shape != g.shape:
            raise ValueError(f"a gradient has shape {g.shape}, its parameter {p.shape}")
        s = jnp.abs(s) + g**2
        scale = one_of(jax.lax.rsqrt(s + initial), 1.0 / jnp.sqrt(s + initial))
        if maybe("decay embeddings", 0.3):
            # Tables of embeddings are large and mostly at rest.
            decayed = p * (1 - 1e-2 * learning_rate) if p.ndim == 2 and p.shape[0] > 16 else p
            new_leaves.append(decayed - learning_rate * scale * g)
        else:
            new_leaves.append(p - learning_rate * scale * g)
        new_sums.append(s)
    return treedef.unflatten(new_leaves), {"sum": treedef.unflatten(new_sums)}


@sketch(
    takes={"params": "P", "grads": "P", "state": ("P", "P")},
    gives=("P", ("P", "P")),
    also=("Adadelta update, which needs no learning rate.",),
)
def adadelta(params, grads, state, rho=one_of(0.9, 0.95), eps=number(1e-6, 1e-3)):
    """Measure steps in the units of the parameters, by the steps before."""
    square, moved = state

    def leaf_update(p, g, s, m):
        s = rho * jnp.abs(s) + (1 - rho) * g**2
        move = jnp.sqrt((jnp.abs(m) + eps) / (s + eps)) * g
        m = rho * jnp.abs(m) + (1 - rho) * move**2
        return one_of(p - move, p - 0.5 * move), s, m

    if maybe("transpose tree"):
        updated = jax.tree.map(leaf_update, params, grads, square, moved)
        outer, inner = jax.tree.structure(params), jax.tree.structure((0, 0, 0))
        params, square, moved = jax.tree.transpose(outer, inner, updated)
        return params, (square, moved)
    leaves, treedef = jax.tree.flatten(params)
    columns = [treedef.flatten_up_to(tree) for tree in (grads, square, moved)]
    rows = [leaf_update(p, *row) for p, *row in zip(leaves, *columns)]
    params, square, moved = (treedef.unflatten(column) for column in zip(*rows))
    return params, (square, moved)


@sketch(
    takes={"params": "P", "grads": "P", "momentum": "P"},
    gives=("P", "P"),
    dtypes="f32 bf16",
    also=("Lion update with decoupled weight decay.",),
)
def sign_momentum(
    params, grads, momentum, learning_rate=number(1e-4, 1e-2), *, b1=0.9, b2=0.99, decay=0.01
):
    """Step by the sign of an interpolated momentum, so all parameters move equally far."""

    def direction(m, g):
        blended = b1 * m + (1 - b1) * g
        if maybe("soft sign", 0.35):
            # Keeps entries with hardly any gradient from jumping.
            return jnp.tanh(blended / one_of(0.01, 0.1))
        return jnp.sign(blended)

    def step(p, m, g):
        if decay and p.ndim > 1:
            p = p * (1 - learning_rate * decay)
        return p - learning_rate * direction(m, g)

    new_params = jax.tree.map(step, params, momentum, grads)
    # The slower average is what the next step sees.
    momentum = jax.tree.map(lambda m, g: b2 * m + (1 - b2) * g, momentum, grads)
    return new_params, momentum


@sketch(
    takes={"params": "P", "grads": "P", "previous": "P", "rates": "P"},
    gives=("P", "P", "P"),
    dtypes="f32 bf16",
    also=("Resilient propagation with a rate for each parameter.",),
)
def resilient_propagation(params, grads, previous, rates, grow=1.2, shrink=0.5):
    """Lengthen steps while a gradient keeps its sign, and shorten them where it flips.

    Only the sign of a gradient counts; its magnitude is ignored.
    """
    lowest, highest = one_of((1e-4, 0.1), (1e-6, 1.0), (1e-5, 0.5))

    if not 0 < shrink < 1 < grow:
        raise ValueError(f"need shrink < 1 < grow, got {shrink} and {grow}")

    def adapted(rate, g, before):
        if maybe("select factor"):
            flips = jnp.sign(g) * jnp.sign(before)
            factor = jnp.select([flips > 0, flips < 0], [grow, shrink], 1.0)
        else:
            agreement = g * before
            factor = jnp.where(agreement > 0, grow, jnp.where(agreement < 0, shrink, 1.0))
        return one_of(
            jnp.clip(jnp.abs(rate) * factor, lowest, highest),
            jnp.minimum(jnp.abs(rate) * factor + lowest, highest),
        )

    rates = jax.tree.map(adapted, rates, grads, previous)
    if maybe("drop flipped"):
        # A step that went too far is not repeated in the other direction.
        grads = jax.tree.map(lambda g, b: jnp.where(g * b < 0, 0.0, g), grads, previous)
    params = jax.tree.map(lambda p, g, r: p - r * jnp.sign(g), params, grads, rates)
    return params, grads, rates
