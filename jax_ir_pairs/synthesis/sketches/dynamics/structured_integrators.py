"""Implicit, exponential and symplectic integrators."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, size, sketch

stiff_field = nested("(y: state f[n]) -> slope f[n]")
potential = nested("(x: vector f[n]) -> energy f[]")


@sketch(
    takes={"y0": "state f[n]"},
    gives="state f[n]",
    sizes={"n": (2, 24)},
    dtypes="f32 f64",
    also=("Solve the equation of each implicit step by Newton's method.",),
)
def implicit_step(y0, dt=number(0.02, 0.2), num_newton=integer(2, 4)):
    """Advance a stiff system by one implicit step."""
    (n,) = y0.shape
    eye = jnp.eye(n, dtype=y0.dtype)
    if maybe("trapezoid"):
        slope0 = stiff_field(y0)

        def defect(y):
            return y - y0 - 0.5 * dt * (slope0 + stiff_field(y))

        jacobian_scale = 0.5 * dt
    else:

        def defect(y):
            return y - y0 - dt * stiff_field(y)

        jacobian_scale = dt

    if maybe("simplified_newton"):
        # One Jacobian, at the start, serves all iterations.
        matrix = eye - jacobian_scale * jax.jacfwd(stiff_field)(y0)
        factors = jax.scipy.linalg.lu_factor(matrix)
        y = y0
        for _ in range(num_newton):
            y = y - jax.scipy.linalg.lu_solve(factors, defect(y))
        return y

    def newton(_, y):
        matrix = eye - jacobian_scale * one_of(jax.jacfwd, jax.jacrev)(stiff_field)(y)
        return y - jnp.linalg.solve(matrix, defect(y))

    if maybe("explicit_guess", 0.3):
        guess = y0 + dt * stiff_field(y0)
    else:
        guess = y0
    return jax.lax.fori_loop(0, num_newton, newton, guess)


@sketch(
    takes={"y": "state f[n]"},
    gives="trajectory f[t, n]",
    sizes={"n": (2, 16), "t": (3, 24)},
    dtypes="f32 f64",
)
def rosenbrock_trajectory(y, dt=number(0.02, 0.1), num_steps=size("t")):
    """Integrate a stiff system by linearly implicit steps, without any iteration."""
    if y.ndim != 1:
        raise ValueError(f"state has to be a vector, got {y.ndim} axes")
    gamma = one_of(1.0 - 2.0**-0.5, 0.5)

    def step(y, _):
        jacobian = jax.jacfwd(stiff_field)(y)
        w = jnp.eye(y.size, dtype=y.dtype) - gamma * dt * jacobian
        k1 = jnp.linalg.solve(w, stiff_field(y))
        if maybe("second_stage", 0.6):
            k2 = jnp.linalg.solve(w, stiff_field(y + dt * k1) - 2 * k1)
            y = y + 1.5 * dt * k1 + 0.5 * dt * k2
        else:
            # The linearly implicit Euler method.
            y = y + dt * k1
        return y, y

    return jax.lax.scan(step, y, length=num_steps)[1]


@sketch(
    takes={"a": "matrix f[n, n]", "y": "state f[n]"},
    gives="trajectory f[t, n]",
    sizes={"n": (2, 32), "t": (4, 32)},
    also=("Integrate y' = A y + N(y), exact in the linear part.",),
)
def exponential_euler(a, y, dt=number(0.02, 0.2), num_steps=size("t"), forcing=number(0.1, 1.0)):
    """Integrate a semilinear system with the matrix exponential of its linear part."""
    n = a.shape[0]
    if a.shape != (n, n) or y.shape != (n,):
        raise ValueError(f"A is {a.shape}, which does not go with a state of {y.shape}")
    # Only the decaying, symmetric part of A drives the system.
    a = -(a @ a.T) / n - number(0.05, 0.5) * jnp.eye(n, dtype=a.dtype)
    propagator = jax.scipy.linalg.expm(dt * a)
    # phi_1(z) = (exp(z) - 1) / z, as a matrix.
    if maybe("solve_phi"):
        phi = jnp.linalg.solve(dt * a, propagator - jnp.eye(n, dtype=a.dtype))
    else:
        phi = jnp.eye(n, dtype=a.dtype)
        term = phi
        for k in range(2, integer(8, 12)):
            term = term @ (dt * a) / k
            phi = phi + term

    def nonlinear(y):
        return forcing * one_of(jnp.sin(y), jnp.tanh(y) - jnp.roll(jnp.tanh(y), 1), jnp.cos(y))

    def step(y, _):
        y = propagator @ y + dt * (phi @ nonlinear(y))
        return y, y

    _, trajectory = jax.lax.scan(step, y, None, length=num_steps)
    return trajectory


@sketch(
    takes={"q": "vector f[n]: positions", "p": "f[n]: momenta"},
    gives=("vector f[n]: positions", "vector f[n]: momenta"),
    sizes={"n": (2, 128)},
    also=("Follow Hamilton's equations with a symplectic integrator.",),
)
def leapfrog_steps(
    q, p, step_size=number(1e-3, 2e-2), num_steps=integer(2, 5), mass=one_of(1.0, 2.0, 0.5)
):
    """Move positions and momenta along a Hamiltonian flow by leapfrog steps."""
    if maybe("bounded_force"):

        def force(q):
            return -jnp.clip(jax.grad(potential)(q), -10.0, 10.0)
    else:

        def force(q):
            gradient = jax.grad(potential)(q)
            # Steep potentials get a force of bounded norm.
            return -gradient / (1.0 + 0.1 * jnp.sqrt(jnp.sum(gradient * gradient) + 1e-6))

    if maybe("half_kicks"):
        # Kicks of two neighbouring steps are merged into one.
        p = p + 0.5 * step_size * force(q)
        for i in range(num_steps):
            q = q + step_size * p / mass
            if i + 1 < num_steps:
                p = p + step_size * force(q)
        p = p + 0.5 * step_size * force(q)
    else:
        for _ in range(num_steps):
            p = p + 0.5 * step_size * force(q)
            q = q + step_size * p / mass
            p = p + 0.5 * step_size * force(q)
    if maybe("flip", 0.3):
        # Reversible: the flow of -p leads back.
        return q, -p
    return q, p


@sketch(
    takes={"x": "points f[n, d]: positions", "v": "velocities f[n, d]"},
    gives=("points f[n, d]", "velocities f[n, d]"),
    sizes={"n": (3, 256), "d": (2, 3)},
    dtypes="f32 f64",
)
def velocity_verlet(x, v, dt=number(0.01, 0.1), num_steps=integer(5, 40), stiffness=1.0):
    """Move particles in a trap by the velocity form of Verlet's method."""

    def acceleration(x):
        center = jnp.mean(x, axis=0)
        pull = -stiffness * x
        if maybe("repulsion"):
            # A soft push away from the common center.
            offset = x - center
            squared = jnp.sum(offset**2, axis=-1, keepdims=True)
            pull = pull + offset / (1.0 + squared)
        else:
            pull = pull - 0.1 * (x - center)
        return pull

    def step(_, carry):
        x, v, a = carry
        if maybe("half_step_velocity"):
            v_half = v + 0.5 * dt * a
            x = x + dt * v_half
            a = acceleration(x)
            return x, v_half + 0.5 * dt * a, a
        else:
            x = x + dt * v + 0.5 * dt * dt * a
            a_new = acceleration(x)
            v = v + 0.5 * dt * (a + a_new)
            return x, v, a_new

    start = (x, v, acceleration(x))
    if maybe("short_verlet", 0.3):
        state = start
        for i in range(3):
            state = step(i, state)
        return state[0], state[1]
    if maybe("unpack_state"):
        x, v, _ = jax.lax.fori_loop(0, num_steps, step, start)
        return x, v
    return jax.lax.fori_loop(0, num_steps, step, start)[:2]


@sketch(
    takes={"q": "vector f[n]", "p": "f[n]"},
    gives={"q": "f[n]", "p": "f[n]", "drift": "f[]"},
    sizes={"n": (1, 512)},
    dtypes="f32 f64",
)
def yoshida_oscillators(
    q, p, dt=number(0.02, 0.2), num_steps=integer(4, 30), anharmonicity=number(0.01, 0.3)
):
    """Compose leapfrog steps to fourth order, and report how the energy drifts."""
    cube_root = 2.0 ** (1 / 3)
    outer = 1.0 / (2.0 - cube_root)
    weights = (outer, -cube_root * outer, outer)

    def hamiltonian(q, p):
        kinetic = 0.5 * jnp.sum(p * p)
        return kinetic + 0.5 * jnp.sum(q * q) + anharmonicity * jnp.sum(_soft_wall(q))

    if maybe("derivative_by_hand", 0.8):

        def dv_dq(q):
            # The wall pushes back with a force that saturates.
            return q + anharmonicity * q / jnp.sqrt(1.0 + jnp.square(q))
    else:

        def dv_dq(q):
            return q + anharmonicity * jax.grad(lambda z: jnp.sum(_soft_wall(z)))(q)

    def substep(state, weight):
        q, p = state
        q = q + 0.5 * weight * dt * p
        p = p - weight * dt * dv_dq(q)
        return q + 0.5 * weight * dt * p, p

    def step(_, state):
        for weight in weights:
            state = substep(state, weight)
        return state

    start = hamiltonian(q, p)
    q, p = jax.lax.fori_loop(0, num_steps, step, (q, p))
    drift = hamiltonian(q, p) - start
    return {"q": q, "p": p, "drift": one_of(drift, jnp.abs(drift), drift / (1.0 + jnp.abs(start)))}


def _soft_wall(q):
    """Quadratic near the origin, linear far from it."""
    return jnp.sqrt(1.0 + jnp.square(q)) - 1.0
