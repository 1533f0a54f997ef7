"""Roots of functions and fixed points."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

system = nested("(x: vector f[n]) -> residual f[n]")


def _monotone_defect(x, target):
    """A monotone function whose root has no closed form."""
    return x + one_of(0.1 * x**3, 0.2 * jnp.tanh(x), 0.3 * jnp.sin(x)) - target


@sketch(
    takes={"targets": "targets f[b]"},
    gives=("f[b]: roots", "f[b]: widths"),
    sizes={"b": (4, 2048)},
    dtypes="f32 f64",
    also=("Bracket roots of many monotone equations and halve the brackets.",),
)
def bisect_roots(targets, num_iters=integer(10, 30), bound=one_of(50.0, 64.0, 40.0)):
    """Invert a monotone function at many targets by bisection."""
    if bound <= 0:
        raise ValueError(f"the bracket needs a positive bound, got {bound}")
    low = jnp.full_like(targets, -bound)
    high = jnp.full_like(targets, bound)

    def halve(bracket, _):
        low, high = bracket
        middle = 0.5 * (low + high)
        value = _monotone_defect(middle, targets)
        above = value > 0
        return (jnp.where(above, low, middle), jnp.where(above, middle, high)), None

    if maybe("python_bisection", 0.25):
        bracket = (low, high)
        for _ in range(num_iters):
            bracket, _ = halve(bracket, None)
        low, high = bracket
    else:
        (low, high), _ = jax.lax.scan(halve, (low, high), length=num_iters)
    width = high - low
    return one_of(0.5 * (low + high), low + 0.5 * width), width


@sketch(
    takes={"x": "vector f[n]: first guess"},
    gives=("vector f[n]: root", "residual f[n]: residual"),
    sizes={"n": (2, 24)},
    dtypes="f32 f64",
    also=("Solve a nonlinear system by Newton's method with damping.",),
)
def newton_system(x, num_iters=integer(2, 6), damping=one_of(1.0, 0.8, 0.5), ridge=1e-3):
    """Find a root of a system of equations by damped Newton steps."""
    eye = jnp.eye(x.shape[0], dtype=x.dtype)
    jacobian_of = one_of(jax.jacfwd, jax.jacrev)(system)

    def step(x):
        value, jacobian = system(x), jacobian_of(x)
        if maybe("normal_equations", 0.4):
            # Least squares also steps where the Jacobian is singular.
            gram = jacobian.T @ jacobian + ridge * eye
            direction = jnp.linalg.solve(gram, jacobian.T @ value)
        else:
            direction = jnp.linalg.solve(jacobian + ridge * eye, value)
        size_of_step = jnp.sqrt(jnp.sum(direction * direction) + 1e-9)
        return x - damping * direction / jnp.maximum(1.0, size_of_step / number(2.0, 10.0))

    if maybe("newton_for", 0.3):
        for _ in range(min(num_iters, 3)):
            x = step(x)
    else:
        x = jax.lax.fori_loop(0, num_iters, lambda _, x: step(x), x)
    return x, system(x)


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]: root",
    sizes={"n": (2, 32)},
    dtypes="f32 f64",
)
def broyden_solve(x, num_iters=integer(3, 12), alpha=number(0.1, 0.5)):
    """Solve a system with Broyden's updates of an inverse Jacobian."""
    if x.ndim != 1:
        raise ValueError(f"expected a vector, got {x.ndim} axes")
    inverse = alpha * jnp.eye(x.size, dtype=x.dtype)

    def step(carry, _):
        x, f, inverse = carry
        dx = -inverse @ f
        dx = dx / jnp.maximum(1.0, one_of(jnp.linalg.norm(dx + 1e-9), jnp.max(jnp.abs(dx))))
        x_next = x + dx
        f_next = system(x_next)
        df = f_next - f
        if maybe("good_broyden"):
            # Sherman-Morrison of the rank-one update.
            left = dx - inverse @ df
            row = dx @ inverse
            denominator = row @ df
            inverse = inverse + jnp.outer(left, row) * denominator / (
                denominator * denominator + 1e-3
            )
        else:
            left = dx - inverse @ df
            inverse = inverse + jnp.outer(left, df) / (df @ df + 1e-3)
        return (x_next, f_next, inverse), jnp.max(jnp.abs(f_next))

    (x, _, _), history = jax.lax.scan(step, (x, system(x), inverse), None, length=num_iters)
    del history
    return x


@sketch(
    takes={"a": "matrix f[n, n]", "x": "vector f[n]"},
    gives=("vector f[n]: solution", "f[]: change"),
    sizes={"n": (3, 64)},
    dtypes="f32 f64",
    also=("Accelerate a fixed-point iteration by mixing its last iterates.",),
)
def anderson_fixed_point(
    a, x, memory=integer(2, 4), num_iters=integer(3, 8), ridge=number(1e-3, 1e-1)
):
    """Find a fixed point by Anderson acceleration."""
    n = x.shape[0]
    assert a.shape == (n, n), f"the map is of {a.shape}, the point has {n} coordinates"
    weight = number(0.3, 0.9) * a / (1.0 + jnp.sqrt(jnp.sum(a * a)))

    def g(x):
        return jnp.tanh(weight @ x) + one_of(0.5, 0.1)

    xs, gs = [x], [g(x)]
    for _ in range(num_iters):
        recent = min(memory, len(xs))
        residuals = jnp.stack([gx - y for gx, y in zip(gs[-recent:], xs[-recent:])])
        gram = residuals @ residuals.T + ridge * jnp.eye(recent, dtype=x.dtype)
        # Weights that sum to one and make the mixed residual small.
        mix = jnp.linalg.solve(gram, jnp.ones(recent, x.dtype))
        mix = mix / jnp.sum(mix)
        x = mix @ jnp.stack(gs[-recent:])
        if maybe("under_relax", 0.3):
            x = number(0.5, 0.9) * x + 0.1 * xs[-1]
        xs.append(x)
        gs.append(g(x))
    return x, one_of(jnp.max(jnp.abs(gs[-1] - x)), jnp.mean((gs[-1] - x) ** 2))


@sketch(
    takes={"theta": "vector f[n]: parameters"},
    gives="vector f[n]: fixed_point",
    sizes={"n": (2, 512)},
    dtypes="f32 f64",
    also=("Iterate a contraction until it settles, or no longer than a limit.",),
)
def settle_contraction(theta, max_iters=integer(10, 60), tol=one_of(1e-4, 1e-3, 1e-5)):
    """Iterate a contraction that depends on parameters until it stands still."""

    def contraction(z):
        coupled = one_of(jnp.roll(z, 1), jnp.mean(z), z[::-1])
        return number(0.1, 0.4) * jnp.tanh(z + theta) + number(0.1, 0.4) * jnp.cos(coupled)

    def moving(state):
        _, change, count = state
        return jnp.logical_and(change > tol, count < max_iters)

    def body(state):
        z, _, count = state
        z_next = contraction(z)
        return z_next, jnp.max(jnp.abs(z_next - z)), count + 1

    if maybe("start_at_theta"):
        z = jnp.tanh(theta)
    else:
        z = jnp.zeros_like(theta)
    z, _, _ = jax.lax.while_loop(moving, body, (z, jnp.asarray(1.0, theta.dtype), 0))
    if maybe("polish"):
        # One more step makes the result independent of the last test.
        z = contraction(z)
    return z


@sketch(
    takes={"b": "vector f[n]"},
    gives=("vector f[n]: root", "vector f[n]: sensitivity"),
    sizes={"n": (2, 16)},
    also=("Differentiate the root of an equation without unrolling its solver.",),
)
def implicit_root_gradient(b, num_iters=integer(5, 12)):
    """Solve an equation and differentiate its root by the implicit function theorem."""
    n = b.shape[0]

    def equation(x):
        return x + one_of(0.3 * jnp.tanh(x), 0.2 * jnp.sin(x)) + 0.2 * jnp.roll(jnp.tanh(x), 1) - b

    def solve(f, x0):
        if maybe("newton_inside", 0.4):

            def newton(_, x):
                return x - jnp.linalg.solve(jax.jacfwd(f)(x) + 1e-3 * jnp.eye(n), f(x))

            return jax.lax.fori_loop(0, num_iters, newton, x0)
        else:
            return jax.lax.fori_loop(0, 2 * num_iters, lambda _, x: x - 0.6 * f(x), x0)

    def tangent_solve(linear, y):
        return jnp.linalg.solve(jax.jacobian(linear)(y), y)

    root = jax.lax.custom_root(equation, one_of(jnp.zeros(n), b), solve, tangent_solve)
    _, jvp_equation = jax.linearize(equation, root)
    if maybe("matrix_sensitivity"):
        matrix = jax.vmap(jvp_equation, out_axes=1)(jnp.eye(n))
    else:
        matrix = jnp.stack([jvp_equation(e) for e in jnp.eye(n)], axis=1)
    # x depends on b by the inverse of the Jacobian.
    return root, jnp.linalg.solve(matrix.T, jnp.ones(n))


@sketch(
    takes={"x": "features f[*s]"},
    gives="features f[*s]",
    also=("Compress large values like a cube root, with its own derivative.",),
)
def signed_cube_root(x, num_iters=integer(5, 9)):
    """Take signed cube roots by Newton's iteration with a hand-written derivative."""

    @jax.custom_vjp
    def cube_root(magnitude):
        def step(_, y):
            return y - (y**3 - magnitude) / (3 * y * y)

        return jax.lax.fori_loop(0, num_iters, step, 0.5 + 0.5 * magnitude)

    def forward(magnitude):
        y = cube_root(magnitude)
        return y, y

    def backward(y, g):
        # d y / d x = 1 / (3 y^2), whatever the iteration did.
        return (g / (3 * y * y),)

    cube_root.defvjp(forward, backward)
    positive = one_of(jnp.abs(x) + 0.1, jnp.sqrt(x * x + 0.01))
    root = cube_root(positive)
    if maybe("with_slope", 0.4):
        _, pull = jax.vjp(cube_root, positive)
        (slope,) = pull(jnp.ones_like(root))
        return jnp.sign(x) * (root + 0.01 * slope)
    if maybe("copysign"):
        return jnp.copysign(root, x)
    return jnp.tanh(4 * x) * root
