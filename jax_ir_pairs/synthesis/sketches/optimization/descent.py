"""Smooth unconstrained minimization."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.optimize import minimize

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

smooth_objective = nested("(x: vector f[n]) -> energy f[]")
misfit = nested("(x: vector f[n]) -> residual f[n]")


@sketch(
    takes={"x": "vector f[n]: starting point"},
    gives=("vector f[n]: minimizer", "energy f[]"),
    sizes={"n": (2, 256)},
    also=("Descend the gradient with steps that backtracking has shortened.",),
)
def armijo_descent(x, num_iters=integer(1, 3), shrink=one_of(0.5, 0.8, 0.3), slope_fraction=1e-4):
    """Minimize a function by gradient descent with an Armijo line search."""
    if not 0 < shrink < 1:
        raise ValueError(f"backtracking has to shorten the step, got factor {shrink}")
    value_and_gradient = jax.value_and_grad(smooth_objective)
    for _ in range(num_iters):
        value, gradient = value_and_gradient(x)
        # At most a unit step.
        gradient = gradient / (1.0 + jnp.sqrt(jnp.sum(gradient * gradient) + 1e-6))
        if maybe("line_search_while", 0.6):
            slope = jnp.sum(gradient * gradient)

            def too_long(carry, x=x, gradient=gradient, value=value, slope=slope):
                step, tries = carry
                decreased = (
                    smooth_objective(x - step * gradient) < value - slope_fraction * step * slope
                )
                return ~decreased & (tries < 8)

            step, _ = jax.lax.while_loop(
                too_long, lambda c: (shrink * c[0], c[1] + 1), (jnp.ones((), x.dtype), 0)
            )
        else:
            # All steps of the line search at once.
            steps = shrink ** jnp.arange(5, dtype=x.dtype)
            values = jnp.stack([smooth_objective(x - s * gradient) for s in steps])
            step = steps[jnp.argmax(-values)]
        x = x - step * gradient
    return x, smooth_objective(x)


@sketch(
    takes={"a": "matrix f[n, m]", "b": "vector f[n]"},
    gives=("vector f[m]: solution", "f[k]: residuals"),
    sizes={"n": (4, 128), "m": (3, 64), "k": (3, 20)},
    dtypes="f32 f64",
    also=("Solve the normal equations by conjugate gradients.",),
)
def conjugate_gradient_least_squares(a, b, num_iters=size("k"), ridge=number(0.05, 2.0)):
    """Fit a regularized least-squares problem by conjugate gradients."""
    n, m = a.shape
    if b.shape != (n,):
        raise ValueError(f"A has {n} rows, b has shape {b.shape}")

    def normal(x):
        return a.T @ (a @ x) / n + ridge * x

    def step(carry, _):
        x, r, p, rho = carry
        q = normal(p)
        alpha = rho / (jnp.vdot(p, q) + 1e-6)
        x = x + alpha * p
        r = r - alpha * q
        rho_next = jnp.vdot(r, r)
        if maybe("steepest", 0.2):
            # Without conjugation it is steepest descent.
            p = r
        else:
            p = r + rho_next / (rho + 1e-6) * p
        return (x, r, p, rho_next), one_of(rho_next, jnp.sqrt(rho_next + 1e-9))

    r = a.T @ b / n
    start = (jnp.zeros(m, a.dtype), r, r, jnp.vdot(r, r))
    (x, *_), residuals = jax.lax.scan(step, start, None, length=num_iters)
    return x, residuals


@sketch(
    takes={
        "gradient": "vector f[n]",
        "s": "f[k, n]: earlier steps, the oldest first",
        "y": "f[k, n]: changes of the gradient",
    },
    gives="vector f[n]: direction",
    sizes={"n": (4, 2048), "k": (2, 8)},
    dtypes="f32 f64",
    also=("Multiply a gradient by an inverse Hessian in limited memory.",),
)
def lbfgs_direction(gradient, s, y):
    """Find the search direction of L-BFGS by the two-loop recursion."""
    assert s.shape == y.shape, f"{s.shape[0]} steps, but {y.shape[0]} changes of the gradient"
    if maybe("damped_pairs", 0.6):
        # Curvature is made positive by adding some of the step.
        y = s + 0.5 * jnp.tanh(y)
    else:
        y = 2.0 * s + 0.5 * jnp.sin(y)
    rho = 1.0 / (jnp.abs(jnp.sum(s * y, axis=1)) + 0.5 * jnp.sum(s * s, axis=1) + 1e-2)
    if maybe("loops_of_python"):
        memory = s.shape[0]
        q, alphas = gradient, []
        for i in reversed(range(memory)):
            alpha = rho[i] * jnp.dot(s[i], q)
            q = q - alpha * y[i]
            alphas.append(alpha)
        q = q * one_of(0.5, 0.3, 1.0)
        for i, alpha in zip(range(memory), reversed(alphas)):
            beta = rho[i] * jnp.dot(y[i], q)
            q = q + s[i] * (alpha - beta)
        return -q

    def backward(q, pair):
        s_i, y_i, rho_i = pair
        alpha = rho_i * (s_i @ q)
        return q - alpha * y_i, alpha

    q, alphas = jax.lax.scan(backward, gradient, (s, y, rho), reverse=True)

    def forward(r, pair):
        s_i, y_i, rho_i, alpha = pair
        return r + s_i * (alpha - rho_i * (y_i @ r)), None

    r, _ = jax.lax.scan(forward, one_of(0.5, 1.0) * q, (s, y, rho, alphas))
    return -r


class MarquardtState(NamedTuple):
    point: jax.Array
    cost_value: jax.Array
    lam: jax.Array


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]: minimizer", "f[]: cost"),
    sizes={"n": (2, 16)},
    dtypes="f32 f64",
    also=("Fit parameters by Levenberg-Marquardt steps with adapted damping.",),
)
def levenberg_marquardt(x, num_iters=integer(2, 8), lam0=number(0.1, 3.0)):
    """Minimize a sum of squares by the Levenberg-Marquardt method."""
    eye = jnp.eye(x.shape[0], dtype=x.dtype)

    def half_squares(r):
        return 0.5 * jnp.sum(r * r)

    def iteration(_, state):
        x, before, lam = state
        r = misfit(x)
        jacobian = jax.jacfwd(misfit)(x)
        curvature_matrix = jacobian.T @ jacobian
        if maybe("scaled_damping"):
            # Marquardt scales the damping by the curvature.
            damping = lam * (jnp.diag(jnp.diag(curvature_matrix)) + 1e-2 * eye)
        else:
            damping = (lam + 1e-3) * eye
        step = jax.scipy.linalg.solve(curvature_matrix + damping, jacobian.T @ r, assume_a="pos")
        candidate = x - step
        after = half_squares(misfit(candidate))
        better = after < before
        if maybe("select_with_tree"):
            x, cost = jax.tree.map(
                lambda new, old: jnp.where(better, new, old), (candidate, after), (x, before)
            )
        else:
            x = jnp.where(better, candidate, x)
            cost = jnp.minimum(after, before)
        lam = jnp.clip(jnp.where(better, lam * 0.3, lam * 4.0), 1e-2, 1e3)
        return MarquardtState(x, cost, lam)

    start = MarquardtState(x, half_squares(misfit(x)), jnp.asarray(lam0, x.dtype))
    final = jax.lax.fori_loop(0, num_iters, iteration, start)
    return final.point, final.cost_value


@sketch(
    takes={"gradient": "vector f[n]", "factor": "matrix f[n, n]: factor of the Hessian"},
    gives=("vector f[n]: step", "f[]: decrease"),
    sizes={"n": (2, 48)},
    dtypes="f32 f64",
)
def dogleg_step(gradient, factor, radius=number(0.3, 3.0)):
    """Minimize a quadratic model in a ball along Powell's dogleg."""
    n = gradient.shape[0]
    if factor.shape != (n, n):
        raise ValueError(f"a gradient of {n} does not go with a factor of shape {factor.shape}")
    curvature_matrix = factor @ factor.T / n + 0.2 * jnp.eye(n, dtype=factor.dtype)
    g_squared = gradient @ gradient + 1e-6
    cauchy = -g_squared / (gradient @ curvature_matrix @ gradient + 1e-6) * gradient
    if maybe("cholesky_newton"):
        newton = -jax.scipy.linalg.cho_solve(
            jax.scipy.linalg.cho_factor(curvature_matrix), gradient
        )
    else:
        newton = -jnp.linalg.solve(curvature_matrix, gradient)
    cauchy_length = jnp.sqrt(cauchy @ cauchy + 1e-9)
    newton_length = jnp.sqrt(newton @ newton + 1e-9)
    # Where the second leg leaves the ball: |cauchy + t leg| = radius.
    leg = newton - cauchy
    a, b = leg @ leg + 1e-6, cauchy @ leg
    c = cauchy @ cauchy - radius * radius
    t = (-b + jnp.sqrt(jnp.maximum(b * b - a * c, 0.0) + 1e-9)) / a
    bent = cauchy + jnp.clip(t, 0.0, 1.0) * leg
    short = radius / cauchy_length * cauchy
    if maybe("select_dogleg"):
        step = jnp.select([newton_length <= radius, cauchy_length >= radius], [newton, short], bent)
    else:
        step = jnp.where(cauchy_length >= radius, short, bent)
        step = jnp.where(newton_length <= radius, newton, step)
    decrease = -(gradient @ step + 0.5 * step @ curvature_matrix @ step)
    return step, decrease


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]: minimizer", "positive_definite f[n, n]: curvature"),
    sizes={"n": (2, 24)},
    also=("Follow quasi-Newton directions, and keep the Hessian's inverse dense.",),
)
def bfgs_minimize(x, num_iters=integer(2, 4), step_size=number(0.05, 0.5)):
    """Minimize a smooth function by a few BFGS steps of fixed length."""
    (n,), dtype = x.shape, x.dtype
    inverse = jnp.eye(n, dtype=dtype)
    slope = jax.grad(smooth_objective)
    gradient = slope(x)
    for _ in range(num_iters):
        direction = -inverse @ gradient
        direction = direction / (1.0 + jnp.sqrt(jnp.sum(direction * direction) + 1e-6))
        s = step_size * direction
        x = x + s
        new_gradient = slope(x)
        # Powell's damping: the pair always has positive curvature.
        y = one_of(
            0.2 * s + 0.8 * jnp.tanh(new_gradient - gradient),
            s + 0.1 * jnp.tanh(new_gradient - gradient),
        )
        curvature = jnp.maximum(s @ y, 0.1 * (s @ s)) + 1e-4
        if maybe("product_form"):
            left = jnp.eye(n, dtype=dtype) - jnp.outer(s, y) / curvature
            inverse = left @ inverse @ left.T + jnp.outer(s, s) / curvature
        else:
            hy = inverse @ y
            gain = (1.0 + y @ hy / curvature) / curvature
            inverse = (
                inverse + gain * jnp.outer(s, s) - (jnp.outer(hy, s) + jnp.outer(s, hy)) / curvature
            )
        gradient = new_gradient
    return x, 0.5 * (inverse + inverse.T)


@sketch(
    takes={"x": "vector f[n]"},
    sizes={"n": (2, 8)},
    weight=0.5,
    also=("Minimum of a smooth function by the minimizer of JAX.",),
)
def packaged_bfgs(x, ridge=number(0.01, 1.0), max_iters=integer(2, 8)):
    """Hand a smooth function to the quasi-Newton minimizer that JAX comes with."""
    start = jnp.tanh(x)

    def cost(z):
        if maybe("curved_valley"):
            value = jnp.sum((z[1:] - z[:-1] ** 2) ** 2 + 0.1 * (1.0 - z[:-1]) ** 2)
        else:
            value = jnp.sum(one_of(jnp.cosh(z) - 1.0, jnp.sqrt(1.0 + z**2)))
        return value + ridge * jnp.sum((z - 0.5) ** 2)

    result = minimize(cost, start, method="BFGS", options={"maxiter": max_iters})
    if maybe("evaluations", 0.4):
        return result.x, {"value": result.fun, "evaluations": result.nfev}
    if maybe("inverse_curvature", 0.3):
        return result.x, result.hess_inv
    return result.x, cost(start) - result.fun
