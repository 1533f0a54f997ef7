"""Second-order steps: products with Hessians and Jacobians of given functions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

objective_at = nested("(x: vector f[n]) -> energy f[]")
residual_at = nested("(x: vector f[n]) -> vector f[n]")


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Sum an energy over the bonds of a chain.",),
)
def chain_energy(x, stiffness=number(0.2, 2.0), closed=one_of(True, False)):
    """Add up the energies of neighbors that are tied by springs in a double well."""
    if closed:
        stretch = jnp.roll(x, -1) - x
    else:
        stretch = one_of(jnp.diff(x), x[1:] - x[:-1])
    bonds = 0.5 * stiffness * jnp.sum(stretch**2)
    if maybe("wells"):
        well = jnp.square(x) - 1
        onsite = jnp.sum(well * well) / 4
    elif maybe("periodic substrate"):
        onsite = jnp.sum(1 - jnp.cos(x))
    else:
        onsite = one_of(0.5 * jnp.vdot(x, x), jnp.sum(jnp.logaddexp(x, -x)))
    return (bonds + onsite) / x.shape[0]


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
)
def anisotropic_bowl(x, condition=number(3.0, 50.0)):
    """Evaluate a convex function whose curvature differs between the axes."""
    n = x.shape[0]
    curvatures = one_of(
        jnp.linspace(1.0, condition, n, dtype=x.dtype),
        condition ** (jnp.arange(n, dtype=x.dtype) / max(n - 1, 1)),
    )
    center = one_of(0.0, 1.0, -0.5)
    if maybe("bounded growth"):
        # Quadratic near the center, linear far away.
        scaled = jnp.sqrt(1 + jnp.square(x - center)) - 1
    else:
        scaled = 0.5 * jnp.square(x - center)
    return one_of(jnp.sum(curvatures * scaled), jnp.dot(curvatures, scaled)) / (n * condition)


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]: residual",
    sizes={"n": (3, 64)},
    dtypes="f32 f64",
    also=("Evaluate a system of equations with a banded Jacobian.",),
)
def banded_equations(x, slope=number(0.5, 3.0), bandwidth=integer(1, 2)):
    """Evaluate coupled nonlinear equations in which each unknown meets its neighbors."""
    own = (slope - 0.5 * x) * x + 1 if maybe("quadratic") else slope * jnp.tanh(x) + x
    coupling = jnp.zeros_like(x)
    for offset in range(1, bandwidth + 1):
        behind = jnp.pad(x[:-offset], (offset, 0))
        ahead = jnp.pad(x[offset:], (0, offset))
        coupling = coupling + one_of(behind + 2 * ahead, (behind + ahead) / offset)
    if maybe("saturate", 0.4):
        coupling = jnp.sin(coupling)
    return own - coupling / bandwidth


class NewtonReport(NamedTuple):
    """Where a step leads, and what the quadratic model promised."""

    point: jax.Array
    decrease: jax.Array
    predicted: jax.Array


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]: point", "metric f[]: decrease", "metric f[]: predicted"),
    sizes={"n": (2, 24)},
    also=("Minimize a function by one damped Newton step.",),
)
def damped_newton_step(x, damping=number(0.1, 2.0), max_length=one_of(None, 1.0, 2.0)):
    """Step to the minimum of a damped quadratic model of an objective."""
    n = x.shape[0]
    value, gradient = jax.value_and_grad(objective_at)(x)
    second = one_of(jax.hessian(objective_at)(x), jax.jacfwd(jax.jacrev(objective_at))(x))
    second = (second + second.T) / 2
    if maybe("absolute eigenvalues"):
        # Saddle-free: every direction goes down.
        curvatures, axes = jnp.linalg.eigh(second + 1e-3 * jnp.diag(jnp.arange(n) / n))
        step = -axes @ (axes.T @ gradient / (jnp.abs(curvatures) + damping))
    else:
        shift = jnp.linalg.norm(second) + damping
        step = -jnp.linalg.solve(second + shift * jnp.eye(n), gradient)
    if max_length is not None:
        length = jnp.sqrt(jnp.sum(step * step) + 1e-6)
        step = step * jnp.minimum(1, max_length / length)
    point = x + step
    predicted = -(gradient @ step + 0.5 * step @ second @ step)
    return NewtonReport(point, value - objective_at(point), predicted)


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]: point", "metric f[]: decrease"),
    sizes={"n": (2, 48)},
    also=("Take a Newton step without forming the Hessian.",),
)
def truncated_newton_step(x, num_inner=integer(2, 4), damping=number(0.5, 3.0)):
    """Solve for a Newton step by a few conjugate gradient iterations."""
    gradient_of = jax.grad(objective_at)
    gradient = gradient_of(x)

    def curvature_along(direction):
        # Forward over reverse: one product costs about as much as two gradients.
        if maybe("linearize"):
            _, push = jax.linearize(gradient_of, x)
            return push(direction) + damping * direction
        else:
            return jax.jvp(gradient_of, (x,), (direction,))[1] + damping * direction

    step = jnp.zeros_like(x)
    remainder = -gradient
    direction = remainder
    rho = remainder @ remainder
    for inner in range(num_inner):
        image = curvature_along(direction)
        along = direction @ image
        # Negative curvature: keep what there is.
        rate = jnp.where(along > 1e-3 * rho, rho / (along + 1e-8), 0.0)
        step = step + rate * direction
        remainder = remainder - rate * image
        new_rho = remainder @ remainder
        if inner < num_inner - 1:
            direction = remainder + jnp.minimum(new_rho / (rho + 1e-8), 1.0) * direction
            rho = new_rho
    point = x + one_of(step, jnp.clip(step, -1, 1))
    return point, objective_at(x) - objective_at(point)


@sketch(
    takes={"x": "vector f[n]", "direction": "vector f[n]"},
    gives={"slope": "f[]", "curvature": "f[]", "steepness": "f[]"},
    sizes={"n": (2, 128)},
    also=("Probe a function along one direction.",),
)
def directional_derivatives(x, direction, unit=one_of(True, False)):
    """Differentiate an objective twice along a direction."""
    if x.shape != direction.shape:
        raise ValueError(f"direction {direction.shape} does not fit the point {x.shape}")
    if unit:
        direction = direction / (jnp.linalg.norm(direction) + 1e-3)

    def along(t):
        return objective_at(x + t * direction)

    if maybe("jvp of jvp"):

        def slope_at(x):
            return jax.jvp(objective_at, (x,), (direction,))[1]

        slope, curvature = jax.jvp(slope_at, (x,), (direction,))
    else:
        zero = jnp.zeros((), x.dtype)
        slope = jax.jacfwd(along)(zero)
        curvature = one_of(jax.jacfwd(jax.jacfwd(along))(zero), jax.hessian(along)(zero))
    gradient = jax.grad(objective_at)(x)
    steepness = jnp.abs(slope) / (jnp.linalg.norm(gradient) + 1e-2)
    return {"slope": slope, "curvature": curvature, "steepness": steepness}


@sketch(
    takes={"x": "vector f[n]", "cotangent": "vector f[n]"},
    gives="vector f[n]: adjoint",
    sizes={"n": (2, 48)},
    also=("Pull a cotangent back through an implicit equation.",),
)
def fixed_point_adjoint(x, cotangent, num_terms=integer(2, 6), contraction=number(0.1, 0.5)):
    """Sum the Neumann series of transposed Jacobian products at a point."""
    value, pull_back = jax.vjp(residual_at, x)
    scale = contraction / (1 + jnp.linalg.norm(value))
    adjoint = cotangent
    term = cotangent
    for _ in range(num_terms):
        (term,) = pull_back(scale * term)
        # The terms must not grow, whatever the Jacobian is.
        term = term / one_of(1 + jnp.linalg.norm(term), jnp.maximum(1, jnp.linalg.norm(term)))
        adjoint = adjoint + term
    if maybe("average", 0.3):
        adjoint = adjoint / (num_terms + 1)
    return adjoint
