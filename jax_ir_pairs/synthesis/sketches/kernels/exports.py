"""Functions that are exported and called again, as whoever loads them would."""

import jax
import jax.numpy as jnp
from jax import export

from jax_ir_pairs.synthesis.holes import maybe, nested, number, one_of, sketch

exported_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
exported_step = nested("(x: vector f[n]) -> vector f[n]")


def _shapes_of(tree):
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


@sketch(
    takes={"params": "P", "x": "features f[b, d]"},
    gives="f[b, c]: outputs",
    sizes={"b": (2, 16), "d": (2, 24), "c": (2, 12)},
    also=("Model that is exported with its shapes and served.",),
    fills=False,
    weight=2.0,
)
def exported_model_call(params, x):
    """Export a model with fixed shapes and call the module that this gives."""

    def predict(p, batch):
        outputs = exported_model(p, batch)
        if maybe("export probabilities"):
            return jax.nn.softmax(outputs, axis=-1)
        return outputs

    if maybe("shapes of all"):
        exported = export.export(jax.jit(predict))(*_shapes_of((params, x)))
    else:
        like = jax.ShapeDtypeStruct(x.shape, x.dtype)
        exported = export.export(jax.jit(predict))(_shapes_of(params), like)
    outputs = exported.call(params, x)
    if maybe("ensemble of shifts", 0.3):
        outputs = (outputs + exported.call(params, x + 0.1)) / 2
    return outputs


@sketch(
    takes={"x": "vector f[n]", "weights": "f[n]: weights"},
    gives=("f[]: objective", "f[n]: slope"),
    sizes={"n": (2, 24)},
    also=("Derivative of what comes out of an exported module.",),
    fills=False,
)
def exported_objective_gradient(x, weights, decay=number(0.01, 0.5)):
    """Differentiate an objective through an exported module."""

    def residuals(v):
        return weights.shape[0] ** -0.5 * one_of(jnp.tanh(v), jnp.sin(v), v / (1 + v**2))

    module = export.export(jax.jit(residuals))(jax.ShapeDtypeStruct(x.shape, x.dtype))

    def objective(v):
        r = module.call(v)
        if maybe("weighted squares"):
            return jnp.sum(jax.nn.softplus(weights) * r**2) + decay * jnp.sum(v**2)
        return jnp.sum(weights * r) + decay * jnp.sum(v**2)

    return jax.value_and_grad(objective)(x)


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]",
    sizes={"n": (2, 24)},
    also=("Fixed point of an exported step.",),
    fills=False,
    weight=1.5,
)
def iterated_export(x, blend=number(0.1, 0.9)):
    """Apply an exported step to its own result a few times."""
    spec = jax.ShapeDtypeStruct(x.shape, x.dtype)
    step = export.export(jax.jit(exported_step))(spec)
    state = x
    for _ in range(one_of(1, 2, 3)):
        if maybe("blend states"):
            state = (1 - blend) * state + blend * jnp.tanh(step.call(state))
        else:
            state = jnp.tanh(step.call(state))
    if maybe("change only", 0.3):
        return state - x
    return state


@sketch(
    takes={"x": "f[b, d]: features"},
    sizes={"b": (2, 32), "d": (2, 32)},
    also=("Activation exported for batches of any size.",),
    fills=False,
    weight=1.5,
)
def symbolic_batch_activation(x):
    """Export a function for any number of rows and call it on some."""
    columns = x.shape[1]

    def activate(batch):
        gate = one_of(jnp.tanh(batch), jnp.sin(batch), jax.lax.logistic(batch))
        if maybe("squared gate"):
            gate = gate * gate
        if maybe("raise to square"):
            gate = gate * jnp.abs(batch)
        return one_of(gate * batch, gate + batch, batch - gate)

    shape = export.symbolic_shape(f"b, {columns}")
    exported = export.export(jax.jit(activate))(jax.ShapeDtypeStruct(shape, x.dtype))
    return exported.call(x)


@sketch(
    takes={"x": "f[b, d]: features", "w": "f[d, h]: weights"},
    sizes={"b": (2, 32), "d": (2, 32), "h": (2, 32)},
    also=("Linear model exported for batches of any size.",),
    fills=False,
    weight=1.5,
)
def symbolic_batch_model(x, w):
    """Export a layer whose number of rows is left open, and serve one batch."""
    depth, width = w.shape

    def layer(batch, weights):
        hidden = batch @ one_of(weights, jnp.tanh(weights))
        if maybe("symbolic activation"):
            hidden = one_of(jnp.tanh(hidden), jnp.sin(hidden))
        if maybe("tied output", 0.3):
            return hidden @ weights.T
        return hidden

    (b,) = export.symbolic_shape("b")
    rows = jax.ShapeDtypeStruct((b, depth), x.dtype)
    fixed = jax.ShapeDtypeStruct((depth, width), w.dtype)
    return export.export(jax.jit(layer))(rows, fixed).call(x, w)
