"""Objects and functions that keep their state in references."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


@jax.jit
def _normalize_and_update(x, mean_ref, var_ref, momentum):
    mean = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    mean_ref[...] = momentum * mean_ref[...] + (1 - momentum) * mean
    var_ref[...] = momentum * var_ref[...] + (1 - momentum) * var
    return (x - mean) / jnp.sqrt(var + 1e-3)


@sketch(
    takes={"xs": "f[k, b, d]: batches", "scale": "f[d]: gain"},
    gives=("f[k, b, d]: normalized", "f[d]: mean", "f[d]: variance"),
    sizes={"k": (1, 3), "b": (2, 16), "d": (2, 24)},
    also=("Batch normalization whose averages are updated by a jitted function.",),
    fills=False,
)
def stateful_batch_norm(xs, scale, momentum=one_of(0.9, 0.99, 0.5)):
    """Normalize batches while running averages are updated in place."""
    width = xs.shape[-1]
    mean_ref = jax.new_ref(jnp.zeros((width,)))
    var_ref = jax.new_ref(jnp.ones((width,)))
    outputs = []
    for x in xs:
        y = _normalize_and_update(x, mean_ref, var_ref, momentum) * scale
        if maybe("frozen beside", 0.35):
            y = 0.5 * (y + (x - mean_ref[...]) / jnp.sqrt(jnp.abs(var_ref[...]) + 1e-2))
        outputs.append(y)
    return jnp.stack(outputs), mean_ref[...], var_ref[...]


@sketch(
    takes={"x": "f[n]: start", "a": "f[n]: curvature logits"},
    gives=("f[n]: found", "i32[]: evaluations"),
    sizes={"n": (2, 32)},
    also=("Count of function evaluations beside a search.",),
    fills=False,
)
def counted_line_search(x, a, num_steps=integer(2, 6)):
    """Count how often an objective is evaluated by a reference that it closes over."""
    calls_ref = jax.new_ref(jnp.zeros((), jnp.int32))
    curvature = jax.nn.softplus(a)

    def objective(point):
        calls_ref[...] += 1
        return one_of(
            0.5 * jnp.sum(curvature * point**2), jnp.sum(curvature * jnp.sqrt(1 + point**2))
        )

    best = objective(x)
    for k in range(num_steps):
        trial = x - 0.5**k * curvature * x / (1 + curvature)
        value = objective(trial)
        better = value < best
        x = jnp.where(better, trial, x)
        best = jnp.minimum(best, value)
    if maybe("count failures", 0.3):
        return x, calls_ref[...] - 1
    return x, calls_ref[...]


class Meter(NamedTuple):
    """A sum and a count, in references."""

    total: jax.Array
    seen: jax.Array

    def add(self, value):
        """Takes one more value in."""
        self.total[...] += value
        self.seen[...] += 1


@sketch(
    takes={"losses": "f[t]: losses", "accuracies": "f[t]: accuracies"},
    gives=("f[]: loss", "f[]: accuracy"),
    sizes={"t": (1, 16)},
    also=("Meters of a training loop.",),
    fills=False,
)
def metered_loop(losses, accuracies):
    """Average the figures of a training loop with meters that are updated in place."""
    if losses.shape != accuracies.shape:
        raise ValueError(f"{losses.shape} losses but {accuracies.shape} accuracies")
    loss_meter = Meter(jax.new_ref(jnp.zeros(())), jax.new_ref(jnp.zeros((), jnp.int32)))
    accuracy_meter = Meter(jax.new_ref(jnp.zeros(())), jax.new_ref(jnp.zeros((), jnp.int32)))
    if maybe("loop on device"):

        def visit(i, _):
            loss_meter.add(losses[i])
            accuracy_meter.add(jax.nn.sigmoid(accuracies[i]))

        jax.lax.fori_loop(0, losses.shape[0], visit, None)
    else:
        for loss, accuracy in zip(losses, accuracies, strict=True):
            loss_meter.add(loss)
            accuracy_meter.add(jnp.clip(accuracy, 0.0, 1.0))
    averages = [meter.total[...] / meter.seen[...] for meter in (loss_meter, accuracy_meter)]
    return averages[0], averages[1]


@jax.custom_vjp
def _stash_gradient(slot_ref, x):
    """Passes a value on."""
    return x


def _stash_forward(slot_ref, x):
    return x, slot_ref


def _stash_backward(slot_ref, g):
    slot_ref[...] = g
    return None, g


_stash_gradient.defvjp(_stash_forward, _stash_backward)


@sketch(
    takes={"w": "f[d, h]: weights", "v": "f[h, k]: weights", "x": "f[b, d]: features"},
    gives=("f[d, h]: gradient", "f[b, h]: hidden_gradient"),
    sizes={"b": (2, 16), "d": (2, 16), "h": (2, 16), "k": (1, 8)},
    also=("Gradient with respect to activations, kept on the way back.",),
    fills=False,
)
def stashed_activation_gradient(w, v, x, weight=number(0.1, 1.0)):
    """Write the cotangent of a hidden layer to a reference during the backward pass."""
    slot_ref = jax.new_ref(jnp.zeros((x.shape[0], w.shape[1])))

    def loss_of(weights):
        hidden = one_of(jnp.tanh, jax.nn.softplus, jnp.sin)(x @ weights)
        hidden = _stash_gradient(slot_ref, hidden)
        outputs = hidden @ v
        if maybe("sparse outputs"):
            return jnp.mean(jnp.sqrt(outputs**2 + 1e-3))
        return jnp.mean(outputs**2)

    grads = jax.grad(loss_of)(w)
    if maybe("penalize stash", 0.3):
        grads = grads + weight * x.T @ slot_ref[...]
    return grads, slot_ref[...]


@sketch(
    takes={"xs": "f[n, d]: rows"},
    gives="f[n, d]: cumulative",
    sizes={"n": (2, 24), "d": (2, 16)},
    also=("Differentiable function that updates a local reference.",),
    fills=False,
)
def gradient_through_reference(xs, power=one_of(2, 3)):
    """Differentiate a function that accumulates in a reference of its own."""

    def energy(values):
        total_ref = jax.new_ref(jnp.zeros(values.shape[1:]))

        def add(i, _):
            total_ref[...] += one_of(jnp.sin(values[i]), jnp.tanh(values[i]))

        jax.lax.fori_loop(0, values.shape[0], add, None)
        total = total_ref[...]
        if maybe("log of total"):
            return jnp.sum(jnp.log1p(total**2))
        return jnp.sum(total**power) / values.shape[0]

    if maybe("by rows", 0.3):
        return jax.vmap(lambda row: jax.grad(energy)(row[:, None])[:, 0])(xs)
    return jax.grad(energy)(xs)
