"""Proximal, projected and constrained optimization."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

penalized_objective = nested("(x: vector f[n]) -> energy f[]")


def soft_threshold(x, level):
    """Proximal operator of the absolute value."""
    return one_of(
        jnp.sign(x) * jnp.maximum(jnp.abs(x) - level, 0.0),
        jnp.maximum(x - level, 0.0) - jnp.maximum(-x - level, 0.0),
        x - jnp.clip(x, -level, level),
    )


@sketch(
    takes={"a": "matrix f[n, m]: dictionary", "b": "vector f[n]: observations"},
    gives=("vector f[m]: code", "loss f[]"),
    sizes={"n": (4, 96), "m": (4, 128)},
    dtypes="f32 f64",
    also=("Find a sparse code of a vector by proximal gradient steps.",),
)
def lasso_by_proximal_gradient(a, b, penalty=number(0.05, 1.0), num_iters=integer(10, 60)):
    """Solve a lasso problem by iterative soft thresholding."""
    n, m = a.shape
    if b.shape[0] != n:
        raise ValueError(f"A has {n} rows, but there are {b.shape[0]} observations")
    # A bound of the largest eigenvalue of A'A.
    lipschitz = one_of(jnp.sum(a * a), jnp.max(jnp.sum(jnp.abs(a.T @ a), axis=1))) + 1e-3

    def prox_step(x):
        gradient = a.T @ (a @ x - b)
        return soft_threshold(x - gradient / lipschitz, penalty / lipschitz)

    start = jnp.zeros(m, a.dtype)
    if maybe("fista", 0.6):
        # Nesterov's momentum, as in FISTA.
        def accelerated(_, carry):
            x, z, t = carry
            x_next = prox_step(z)
            t_next = 0.5 * (1.0 + jnp.sqrt(1.0 + 4.0 * t * t))
            z = x_next + (t - 1.0) / t_next * (x_next - x)
            return x_next, z, t_next

        one = jnp.ones((), a.dtype)
        x, _, _ = jax.lax.fori_loop(0, num_iters, accelerated, (start, start, one))
    else:
        x, _ = jax.lax.scan(lambda x, _: (prox_step(x), None), start, length=num_iters)
    misfit = a @ x - b
    return x, 0.5 * jnp.mean(misfit**2) + penalty * jnp.mean(jnp.abs(x))


@sketch(
    takes={"a": "matrix f[n, m]", "b": "vector f[n]"},
    gives=("vector f[m]: solution", "f[]: gap"),
    sizes={"n": (4, 64), "m": (4, 48)},
    dtypes="f32 f64",
    also=("Split a lasso problem and solve its halves in turn.",),
)
def lasso_by_admm(a, b, rho=number(0.5, 5.0), penalty=number(0.05, 1.0), num_iters=integer(5, 40)):
    """Solve a regularized regression by the alternating direction method of multipliers."""
    m = a.shape[1]
    gram = a.T @ a + rho * jnp.eye(m, dtype=a.dtype)
    # The matrix never changes, so it is factored once.
    factor = jax.scipy.linalg.cho_factor(gram, lower=True)
    atb = a.T @ b

    def iteration(_, carry):
        x, z, u = carry
        x = jax.scipy.linalg.cho_solve(factor, atb + rho * (z - u))
        x_hat = one_of(x, 1.5 * x - 0.5 * z)
        if maybe("nonnegative_admm", 0.35):
            z = jnp.maximum(x_hat + u - penalty / rho, 0.0)
        else:
            z = soft_threshold(x_hat + u, penalty / rho)
        u = u + x_hat - z
        return x, z, u

    zeros = jnp.zeros(m, a.dtype)
    x, z, _ = jax.lax.fori_loop(0, num_iters, iteration, (zeros, zeros, zeros))
    return z, one_of(jnp.max(jnp.abs(x - z)), jnp.sqrt(jnp.mean((x - z) ** 2) + 1e-9))


def project_simplex(v, total=1.0):
    """Nearest point with nonnegative coordinates of a given sum."""
    if maybe("sorted_projection"):
        descending = jnp.sort(v)[::-1]
        excess = jnp.cumsum(descending) - total
        ranks = jnp.arange(1, v.shape[0] + 1, dtype=v.dtype)
        # The threshold is the largest of these averages.
        threshold = jnp.max(excess / ranks)
    else:
        # The sum falls in the threshold, which is found by bisection.
        low, high = jnp.min(v) - total, jnp.max(v)
        for _ in range(25):
            middle = 0.5 * (low + high)
            too_much = jnp.sum(jnp.maximum(v - middle, 0.0)) > total
            low, high = jnp.where(too_much, middle, low), jnp.where(too_much, high, middle)
        threshold = 0.5 * (low + high)
    return jnp.maximum(v - threshold, 0.0)


@sketch(
    takes={"means": "vector f[n]: expected returns", "factor": "f[n, k]: exposures"},
    gives="weights f[n]",
    sizes={"n": (3, 64), "k": (2, 8)},
    also=("Choose the weights of a portfolio on the simplex.",),
)
def simplex_portfolio(means, factor, aversion=number(0.5, 5.0), num_iters=integer(5, 30)):
    """Trade risk against return by optimizing weights on the probability simplex."""
    n, k = factor.shape
    risk = factor @ factor.T / k + 0.1 * jnp.eye(n, dtype=factor.dtype)
    w = jnp.full(n, 1.0 / n, means.dtype)

    def gradient(w):
        return aversion * (risk @ w) - means

    if maybe("mirror", 0.35):
        # Mirror descent: multiplicative updates stay inside.
        def update(_, w):
            return jax.nn.softmax(jnp.log(w + 1e-9) - number(0.02, 0.3) * gradient(w))
    elif maybe("frank_wolfe", 0.4):

        def update(i, w):
            # The vertex that the linear model likes best.
            vertex = jax.nn.softmax(-one_of(20.0, 50.0) * gradient(w))
            return w + 2.0 / (i + 2.0) * (vertex - w)
    else:
        step_size = 1.0 / (aversion * jnp.trace(risk) + 1.0)

        def update(_, w):
            return project_simplex(w - step_size * gradient(w))

    return jax.lax.fori_loop(0, num_iters, update, w)


@sketch(
    takes={"x": "vector f[n]", "normal": "f[n]: normal of the constraint"},
    gives=("vector f[n]: solution", "f[]: multiplier"),
    sizes={"n": (2, 64)},
    also=("Minimize on a hyperplane by the method of multipliers.",),
)
def augmented_lagrangian(
    x, normal, level=number(-1.0, 1.0), rho=number(1.0, 10.0), outer=integer(1, 3), inner=2
):
    """Minimize a function under one linear constraint with an augmented Lagrangian."""
    if x.shape != normal.shape:
        raise ValueError(f"a normal of shape {normal.shape} for {x.shape[0]} variables")
    normal = normal / (1.0 + jnp.sqrt(jnp.sum(normal * normal) + 1e-6))
    multiplier = jnp.zeros((), x.dtype)

    def violation(x):
        return normal @ x - level

    def lagrangian(x, multiplier):
        c = violation(x)
        return penalized_objective(x) + multiplier * c + 0.5 * rho * c * c

    for _ in range(outer):
        for _ in range(inner):
            slope = jax.grad(lagrangian)(x, multiplier)
            if maybe("normalized_slope"):
                slope = slope / (1.0 + jnp.sqrt(jnp.sum(slope * slope) + 1e-6))
            else:
                slope = jnp.clip(slope, -5.0, 5.0)
            x = x - number(0.02, 0.2) * slope
        if maybe("growing_penalty"):
            rho = min(2.0 * rho, 50.0) if outer > 1 else rho
        # The multiplier grows as long as the constraint is violated.
        multiplier = multiplier + rho * violation(x)
    return x, multiplier


@sketch(
    takes={"a": "matrix f[m, n]: constraints", "c": "vector f[n]: costs"},
    gives=("vector f[n]: solution", "f[m]: slack"),
    sizes={"m": (3, 48), "n": (2, 24)},
    dtypes="f32 f64",
    also=("Follow the central path of a linear program for a few Newton steps.",),
)
def barrier_linear_program(a, c, num_steps=integer(3, 10), growth=one_of(1.5, 2.0, 1.3)):
    """Solve a linear program over a polytope by an interior-point method."""
    m, n = a.shape
    # The rows are scaled, so that the box is inside of a bounded polytope.
    a = a / (1.0 + jnp.sum(jnp.abs(a), axis=1, keepdims=True))
    limits = jnp.ones(m, a.dtype)

    def newton(x, t):
        slack = limits - a @ x
        inverse = 1.0 / jnp.maximum(slack, 1e-2)
        box = 1.0 / jnp.maximum(4.0 - x * x, 1e-1)
        gradient = t * jnp.tanh(c) + a.T @ inverse + 2 * x * box
        curvature = (a.T * (inverse * inverse)) @ a + jnp.diag(2 * box + 4 * (x * box) ** 2)
        direction = -jnp.linalg.solve(curvature, gradient)
        # A step to the boundary is cut short.
        speed = jnp.max(jnp.append(a @ direction * inverse, 0.5 * jnp.max(jnp.abs(direction))))
        return x + jnp.minimum(1.0, 0.8 / (speed + 1e-6)) * direction

    x = jnp.zeros(n, a.dtype)
    if maybe("path_by_scan"):
        weights = growth ** jnp.arange(num_steps, dtype=a.dtype)
        x, _ = jax.lax.scan(lambda x, t: (newton(x, t), None), x, weights)
    else:
        t = 1.0
        for _ in range(min(num_steps, 4)):
            x = newton(x, t)
            t = growth * t
    return x, limits - a @ x


@sketch(
    takes={"a": "matrix f[n, m]", "b": "vector f[n]"},
    gives="vector f[m]: coefficients",
    sizes={"n": (4, 64), "m": (2, 12)},
    dtypes="f32 f64",
    also=("Update one coefficient after the other in closed form.",),
)
def coordinate_descent(a, b, penalty=number(0.01, 0.5), num_sweeps=integer(1, 8)):
    """Fit a sparse or nonnegative regression by cyclic coordinate descent."""
    n, m = a.shape
    squares = jnp.sum(a * a, axis=0) / n + 0.1

    def update(j, carry):
        x, residual = carry
        column = a[:, j]
        target = x[j] + column @ residual / (n * squares[j])
        if maybe("nonnegative_coordinates"):
            new = jnp.maximum(target - penalty, 0.0)
        else:
            new = soft_threshold(target, penalty / squares[j])
        # The residual is kept up to date, which costs one column.
        residual = residual - (new - x[j]) * column
        return x.at[j].set(new), residual

    carry = (jnp.zeros(m, a.dtype), b)
    if maybe("one_long_loop", 0.7):
        carry = jax.lax.fori_loop(0, num_sweeps * m, lambda i, c: update(i % m, c), carry)
    else:
        for j in range(m):
            carry = update(j, carry)
    return carry[0]
