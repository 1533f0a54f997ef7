"""Derivatives of what is defined by an equation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, number, one_of, sketch


def _contraction(params, x, z):
    """One layer whose weight is scaled so that iterating it converges."""
    w, u, b = params["w"], params["u"], params["b"]
    w = one_of(0.6, 0.8) * w / jnp.sqrt(jnp.sum(w**2) + 1e-3)
    return jnp.tanh(z @ w + x @ u + b)


def _solve_by_iteration(step, start, num_iters):
    if maybe("unrolled solver", 0.3):
        z = start
        for _ in range(num_iters):
            z = step(z)
        return z
    return jax.lax.fori_loop(0, num_iters, lambda _, z: step(z), start)


@sketch(
    takes={"params": {"w": "f[h, h]", "u": "f[d, h]", "b": "f[h]"}, "x": "features f[b, d]"},
    gives=("loss f[]", {"w": "f[h, h]", "u": "f[d, h]", "b": "f[h]"}),
    sizes={"h": (2, 32), "d": (2, 48), "b": (2, 32)},
    dtypes="f32 f64",
    also=("Gradient of a deep equilibrium layer.",),
)
def equilibrium_layer_gradient(params, x, num_iters=integer(8, 20)):
    """Differentiate the fixed point of a layer without storing its iterations."""
    batch, hidden = x.shape[0], params["w"].shape[0]

    @jax.custom_vjp
    def fixed_point(p, inputs):
        start = jnp.zeros((batch, hidden), x.dtype)
        return _solve_by_iteration(lambda z: _contraction(p, inputs, z), start, num_iters)

    def fixed_point_fwd(p, inputs):
        z = fixed_point(p, inputs)
        return z, (p, inputs, z)

    def fixed_point_bwd(residuals, g):
        p, inputs, z = residuals
        _, pull_z = jax.vjp(lambda v: _contraction(p, inputs, v), z)
        # u = g + J^T u is a fixed point of its own.
        adjoint = _solve_by_iteration(lambda u: g + pull_z(u)[0], g, num_iters)
        _, pull = jax.vjp(lambda q, v: _contraction(q, v, z), p, inputs)
        return pull(adjoint)

    fixed_point.defvjp(fixed_point_fwd, fixed_point_bwd)

    def objective(p):
        z = fixed_point(p, x)
        if maybe("pooled objective"):
            return jnp.mean(jnp.mean(z, axis=0) ** 2)
        return jnp.mean(jnp.log1p(z**2))

    return jax.value_and_grad(objective)(params)


@sketch(
    takes={"values": "vector f[n]: positive after a shift", "target": "f[]"},
    gives="vector f[n]: sensitivity",
    sizes={"n": (2, 256)},
    dtypes="f32 f64",
    also=("Derivative of a root by the implicit function theorem.",),
)
def root_sensitivity(values, target, num_iters=integer(4, 10), damping=number(0.5, 1.0)):
    """Tell how a root moves when the equation's coefficients do."""
    values = jax.nn.softplus(values)
    level = one_of(jax.nn.sigmoid(target), 0.2 + 0.6 * jax.nn.sigmoid(target))

    def equation(root, coefficients):
        return jnp.mean(jnp.tanh(coefficients * root)) - level + 0.1 * root

    def solve(coefficients):
        root = jnp.zeros((), values.dtype)
        for _ in range(num_iters):
            slope = jax.grad(equation)(root, coefficients)
            root = root - damping * equation(root, coefficients) / (slope + 1e-2)
        return root

    root = jax.lax.stop_gradient(solve(values))
    by_root, by_values = jax.grad(equation, argnums=(0, 1))(root, values)
    sensitivity = -by_values / (by_root + 1e-3)
    if maybe("relative sensitivity", 0.4):
        # Percent change of the root for a percent change of a coefficient.
        sensitivity = sensitivity * values / (jnp.abs(root) + 0.1)
    return sensitivity


@sketch(
    takes={"x": "features f[b, d]", "targets": "targets f[b]", "held_out": "features f[m, d]"},
    gives=("loss f[]", "f[]: hyper_gradient"),
    sizes={"b": (4, 64), "m": (4, 32), "d": (2, 24)},
    dtypes="f32 f64",
    also=("Gradient of a validation loss by the ridge parameter.",),
)
def ridge_hypergradient(x, targets, held_out, log_ridge=number(-1.0, 1.0)):
    """Differentiate a held-out loss by the strength of the ridge penalty."""
    if x.shape[1] != held_out.shape[1]:
        raise ValueError(f"features differ: {x.shape[1]} and {held_out.shape[1]}")
    n, d = x.shape
    gram, moment = x.T @ x / n, x.T @ targets / n
    eye = jnp.eye(d, dtype=x.dtype)

    def solution(log_strength):
        matrix = gram + jnp.exp(log_strength) * eye
        if maybe("cholesky hyper"):
            return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), moment)
        if maybe("custom linear solve", 0.4):

            def dense_solve(_, b):
                return jnp.linalg.solve(matrix, b)

            return jax.lax.custom_linear_solve(
                lambda v: matrix @ v, moment, dense_solve, symmetric=True
            )
        return jnp.linalg.solve(matrix, moment)

    def validation(log_strength):
        fitted = held_out @ solution(log_strength)
        # Held-out targets follow the sum of the features.
        wanted = jnp.sum(held_out, axis=1) / d
        return jnp.mean((fitted - wanted) ** 2)

    strength = jnp.asarray(log_ridge, x.dtype)
    if maybe("forward mode", 0.4):
        return jax.jvp(validation, (strength,), (jnp.ones_like(strength),))
    return jax.value_and_grad(validation)(strength)


class BilevelResult(NamedTuple):
    """Weights of examples, their gradient and the loss of the inner fit."""

    weights: jax.Array
    gradient: jax.Array
    inner_loss: jax.Array


@sketch(
    takes={
        "x": "features f[b, d]",
        "targets": "targets f[b]",
        "logits": "f[b]: one an example",
        "trusted": "features f[m, d]",
    },
    sizes={"b": (4, 48), "m": (2, 16), "d": (2, 16)},
    dtypes="f32 f64",
    also=("Bilevel gradient for weights of examples.",),
)
def example_reweighting_gradient(x, targets, logits, trusted, ridge=number(0.2, 2.0)):
    """Reweight training examples by what they do to the loss on trusted ones."""
    if trusted.shape[1] != x.shape[1] or targets.shape != logits.shape:
        raise ValueError(f"got {trusted.shape} trusted features and {logits.shape} weights")
    d = x.shape[1]
    anchor = jnp.tanh(jnp.mean(trusted, axis=1))

    def fit(w):
        gram = x.T @ (w[:, None] * x) + ridge * jnp.eye(d, dtype=x.dtype)
        return jnp.linalg.solve(gram, x.T @ (w * targets))

    def outer(z):
        w = one_of(jax.nn.softmax(z), jax.nn.sigmoid(z) / z.shape[0])
        coefficients = fit(w)
        residual = x @ coefficients - targets
        return jnp.mean((trusted @ coefficients - anchor) ** 2), jnp.sum(w * residual**2)

    if maybe("aux outer"):
        gradient, inner_loss = jax.grad(outer, has_aux=True)(logits)
    else:
        gradient = jax.grad(lambda z: outer(z)[0])(logits)
        inner_loss = outer(logits)[1]
    weights = jax.nn.softmax(logits - one_of(1.0, 10.0) * gradient)
    if maybe("bilevel tuple"):
        return BilevelResult(weights, gradient, inner_loss)
    return {"weights": weights, "gradient": gradient, "inner_loss": inner_loss}


@sketch(
    takes={"cost": "vector f[n]", "key": "key"},
    gives=("probabilities f[n]", "f[n, n]: jacobian"),
    sizes={"n": (3, 32)},
    also=("Perturbed choice of the cheapest option.",),
)
def perturbed_choice_jacobian(cost, key, num_samples=integer(8, 32), sigma=number(0.5, 2.0)):
    """Smooth a discrete choice by noise, and estimate its derivative from the same draws."""
    n = cost.shape[0]
    noise = jax.random.normal(key, (num_samples, n), cost.dtype)
    perturbed = -cost + sigma * noise
    if maybe("soft choice", 0.5):
        choices = jax.nn.softmax(perturbed / one_of(0.1, 0.3), axis=-1)
    else:
        choices = jax.nn.one_hot(jnp.argmax(perturbed, axis=-1), n, dtype=cost.dtype)
    average = jnp.mean(choices, axis=0)
    # E[choice noise^T] / sigma is the derivative by the negative cost.
    centered = choices - average if maybe("baseline", 0.6) else choices
    jacobian = -jnp.einsum("sn,sm->nm", centered, noise) / (num_samples * sigma)
    return average, jacobian
