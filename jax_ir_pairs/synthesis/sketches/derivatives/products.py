"""Products with Jacobians and curvature matrices."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

output_model = nested("(params: P, x: features f[b, d]) -> logits f[b, c]")
output_regressor = nested("(params: P, x: features f[b, d]) -> predictions f[b]")
system_residual = nested("(x: vector f[n]) -> vector f[n]")
smooth_objective = nested("(x: vector f[n]) -> energy f[]")


def _dot_trees(a, b):
    return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, a, b)))


@sketch(
    takes={"params": "P", "direction": "P", "x": "features f[b, d]"},
    gives=("P", "f[]: quadratic"),
    sizes={"b": (4, 32)},
    also=("Gauss-Newton product of a softmax classifier.",),
)
def gauss_newton_product(params, direction, x, damping=number(1e-3, 1.0)):
    """Multiply a direction by the Gauss-Newton matrix of a classifier."""

    def outputs(p):
        return output_model(p, x)

    if maybe("linearize outputs"):
        logits, push = jax.linearize(outputs, params)
        tangent = push(direction)
    else:
        logits, tangent = jax.jvp(outputs, (params,), (direction,))
    # Hessian of the softmax loss: diag(p) - p p^T.
    p = jax.nn.softmax(logits, axis=-1)
    curved = p * tangent - p * jnp.sum(p * tangent, axis=-1, keepdims=True)
    if maybe("transpose linear", 0.3):
        pull = jax.linear_transpose(jax.linearize(outputs, params)[1], params)
    else:
        _, pull = jax.vjp(outputs, params)
    (product,) = pull(curved / x.shape[0])
    if maybe("damped product", 0.6):
        product = jax.tree.map(lambda g, v: g + damping * v, product, direction)
    return product, _dot_trees(direction, product)


@sketch(
    takes={"params": "P", "x": "features f[b, d]", "targets": "targets f[b]"},
    gives=("P", "loss f[]"),
    sizes={"b": (4, 16), "d": (4, 24)},
    dtypes="f32 f64",
    also=("Levenberg-Marquardt step in the space of residuals.",),
)
def kernel_gauss_newton_step(params, x, targets, damping=number(0.3, 3.0)):
    """Solve for a Gauss-Newton step in as many unknowns as there are examples."""
    flat, unravel = ravel_pytree(params)

    def residuals(v):
        return output_regressor(unravel(v), x) - targets

    r = residuals(flat)
    jacobian = jax.jacrev(residuals)(flat)
    # (J^T J + aI)^-1 J^T r = J^T (J J^T + aI)^-1 r
    kernel = jacobian @ jacobian.T
    scale = jnp.trace(kernel) / r.shape[0] + 1e-3
    system = kernel / scale + damping * jnp.eye(r.shape[0], dtype=x.dtype)
    if maybe("cholesky kernel"):
        factor = jnp.linalg.cholesky(system)
        half = jax.scipy.linalg.solve_triangular(factor, r, lower=True)
        dual = jax.scipy.linalg.solve_triangular(factor.T, half, lower=False)
    else:
        dual = jnp.linalg.solve(system, r)
    update = jacobian.T @ (dual / scale)
    if maybe("bounded update", 0.5):
        update = update / jnp.maximum(1.0, jnp.sqrt(update @ update + 1e-12))
    return unravel(flat - update), jnp.mean(r**2)


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]", "f[]: residual"),
    sizes={"n": (2, 24)},
    dtypes="f32",
    also=("Inexact Newton step without a Jacobian.",),
)
def jacobian_free_newton_step(x, num_iters=integer(2, 5), damping=number(0.3, 2.0)):
    """Solve for a Newton step by conjugate gradients on the normal equations."""
    value, push = jax.linearize(system_residual, x)
    if maybe("vjp transpose"):
        _, pull = jax.vjp(system_residual, x)
    else:
        # The linearized map is transposed, so the residual is traced only once.
        pull = jax.linear_transpose(push, x)

    def normal(v):
        return pull(push(v))[0] + damping * v

    if maybe("library cg", 0.4):
        delta, _ = jax.scipy.sparse.linalg.cg(normal, -pull(value)[0], maxiter=num_iters)
    else:
        delta = jnp.zeros_like(x)
        r = -pull(value)[0]
        p, rr = r, r @ r
        for _ in range(num_iters):
            ap = normal(p)
            alpha = rr / (p @ ap + 1e-6)
            delta, r = delta + alpha * p, r - alpha * ap
            rr, previous = r @ r, rr
            p = r + rr / (previous + 1e-6) * p
    return x + delta, jnp.sqrt(value @ value + 1e-12)


@sketch(
    takes={"x": "vector f[n]"},
    gives={"importance": "f[n]", "steepest": "f[n]"},
    sizes={"n": (2, 32)},
    also=("Sensitivity of outputs to inputs.",),
)
def input_sensitivity(x, ridge=number(1e-2, 1.0)):
    """Rank inputs by how strongly the outputs of a map respond to them."""
    if x.ndim != 1 or x.shape[0] == 0:
        raise ValueError(f"expected a vector of inputs, got shape {x.shape}")
    n = x.shape[0]
    outputs, pull = jax.vjp(system_residual, x)
    if maybe("rows by vmap"):
        (jacobian,) = jax.vmap(pull)(jnp.eye(outputs.shape[0], dtype=x.dtype))
    else:
        # The same pull-back serves all rows.
        rows = [pull(jnp.zeros_like(outputs).at[i].set(1.0))[0] for i in range(n)]
        jacobian = jnp.stack(rows)
    importance = jnp.sqrt(jnp.sum(jacobian**2, axis=0) + 1e-9)
    if maybe("elasticity", 0.4):
        importance = importance * jnp.abs(x) / (jnp.mean(jnp.abs(outputs)) + ridge)
    gram = jacobian.T @ jacobian + ridge * jnp.eye(n, dtype=x.dtype)
    steepest = jnp.linalg.solve(gram, pull(outputs)[0])
    return {"importance": importance, "steepest": steepest}


@sketch(
    takes={"key": "key", "x": "vector f[n]"},
    gives=("f[n]: diagonal", "f[]: trace"),
    sizes={"n": (2, 64)},
    also=("Diagonal of a Hessian from random products.",),
)
def stochastic_hessian_diagonal(key, x, num_probes=integer(2, 6)):
    """Probe a Hessian with random signs and read off its diagonal."""
    slope = jax.grad(smooth_objective)
    if maybe("linearize once"):
        _, product = jax.linearize(slope, x)
    else:

        def product(v):
            return jax.jvp(slope, (x,), (v,))[1]

    probes = jax.random.rademacher(key, (num_probes, x.shape[0]), x.dtype)
    if maybe("vmap probes"):
        products = jax.vmap(product)(probes)
        diagonal = jnp.mean(probes * products, axis=0)
    else:
        diagonal = jnp.zeros_like(x)
        for probe in probes:
            diagonal = diagonal + probe * product(probe) / num_probes
    if maybe("smooth diagonal", 0.3):
        diagonal = (diagonal + jnp.roll(diagonal, 1) + jnp.roll(diagonal, -1)) / 3
    return diagonal, jnp.sum(diagonal)


@sketch(
    takes={"x": "vector f[n]"},
    gives={"error": "f[]", "slope": "f[]", "estimate": "f[]"},
    sizes={"n": (2, 64)},
    also=("Finite differences against automatic differentiation.",),
)
def gradient_check(x, h=one_of(1e-1, 5e-2, 1e-2), central=True):
    """Check a gradient against finite differences along one direction."""
    if h <= 0:
        raise ValueError(f"the spacing has to be positive, got {h}")
    direction = one_of(jnp.cos(jnp.arange(x.shape[0])), jnp.ones(x.shape[0])).astype(x.dtype)
    direction = direction / jnp.sqrt(direction @ direction)
    slope = jax.grad(smooth_objective)(x) @ direction
    if central:
        ahead, behind = smooth_objective(x + h * direction), smooth_objective(x - h * direction)
        estimate = (ahead - behind) / (2 * h)
    else:
        estimate = (smooth_objective(x + h * direction) - smooth_objective(x)) / h
    if maybe("richardson", 0.3):
        # The error term of second order cancels.
        half = smooth_objective(x + h / 2 * direction) - smooth_objective(x - h / 2 * direction)
        estimate = (4 * half / h - estimate) / 3
    return {"error": jnp.abs(estimate - slope), "slope": slope, "estimate": estimate}
