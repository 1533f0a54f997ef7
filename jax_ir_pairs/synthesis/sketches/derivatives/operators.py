"""Differential operators of functions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

potential = nested("(x: vector f[n]) -> energy f[]")
flow_field = nested("(t: f[], y: state f[n]) -> state f[n]")
vector_map = nested("(x: vector f[n]) -> vector f[n]")


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (3, 128)},
    dtypes="f32 f64",
    also=("Energy of a chain of nonlinear oscillators.",),
)
def oscillator_chain_energy(x, coupling=number(0.1, 2.0), quartic=number(0.01, 0.5)):
    """Add up on-site and coupling energies along a chain."""
    if maybe("periodic"):
        stretch = jnp.roll(x, -1) - x
    else:
        stretch = jnp.diff(x)
    on_site = 0.5 * x**2 + one_of(quartic * x**4 / 4, quartic * (1 - jnp.cos(x)))
    return jnp.mean(on_site) + 0.5 * coupling * jnp.mean(stretch**2)


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Smooth test function with many minima.",),
)
def rugged_landscape(x, amplitude=number(0.2, 2.0), frequency=number(0.5, 2.0)):
    """Superpose ripples on a bowl."""
    n = x.shape[0]
    bowl = one_of(jnp.sum(x**2) / n, jnp.mean(jnp.sqrt(1 + x**2)), jnp.mean(jnp.log1p(x**2)))
    ripples = amplitude * jnp.mean(jnp.cos(frequency * x))
    if maybe("cross terms", 0.5):
        # Neighbours interact, so the function does not separate.
        ripples = ripples + 0.1 * jnp.mean(jnp.sin(x[:-1]) * jnp.cos(x[1:]))
    return bowl - ripples


@sketch(
    takes={"x": "vector f[n]"},
    gives="vector f[n]",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Nonlinear map that mixes neighbours.",),
)
def coupled_map(x, strength=number(0.1, 0.8)):
    """Mix each entry with its neighbours through a saturating map."""
    neighbours = (jnp.roll(x, 1) + jnp.roll(x, -1)) / 2
    blended = (1 - strength) * x + strength * neighbours
    if maybe("sine map"):
        return jnp.sin(blended) + 0.1 * x
    return one_of(jnp.tanh(blended), blended / (1 + blended**2), jnp.arctan(blended))


@sketch(
    takes={"t": "f[]: time", "y": "state f[n]"},
    gives="state f[n]",
    sizes={"n": (2, 64)},
    dtypes="f32 f64",
    also=("Right-hand side of driven, damped rotators.",),
)
def driven_rotators(t, y, damping=number(0.05, 1.0), drive=number(0.1, 2.0)):
    """Drive coupled rotators with damping towards rest."""
    n = y.shape[0]
    phases = jnp.arange(n) / n
    force = drive * one_of(jnp.cos(t + phases), jnp.sin(t) * jnp.cos(phases))
    if maybe("mean field"):
        # Each one is pulled to the average of all.
        pull = jnp.mean(jnp.sin(y)) - jnp.sin(y)
    else:
        pull = jnp.sin(jnp.roll(y, 1) - y) + jnp.sin(jnp.roll(y, -1) - y)
    return force + pull - damping * y


@sketch(
    takes={"x": "vector f[n]"},
    gives="f[]: laplacian",
    sizes={"n": (2, 24)},
    dtypes="f32",
    also=("Trace of a Hessian.",),
)
def laplacian(x):
    """Sum the second derivatives of a scalar field."""
    n = x.shape[0]
    slope = jax.grad(potential)
    if maybe("hessian trace", 0.35):
        return jnp.trace(jax.hessian(potential)(x))
    if maybe("linearize slope"):
        _, push = jax.linearize(slope, x)
        second = [push(e)[i] for i, e in enumerate(jnp.eye(n, dtype=x.dtype))]
        return sum(second)
    basis = jnp.eye(n, dtype=x.dtype)

    def second_derivative(direction):
        # d/ds of the slope along one axis.
        return jnp.vdot(direction, jax.jvp(slope, (x,), (direction,))[1])

    if maybe("vmap axes", 0.6):
        return jnp.sum(jax.vmap(second_derivative)(basis))
    total = 0.0
    for axis in range(n):
        total = total + second_derivative(basis[axis])
    return total


@sketch(
    takes={"key": "key", "t": "f[]", "y": "state f[n]"},
    gives="f[]: divergence",
    sizes={"n": (2, 24)},
    also=("Trace of the Jacobian of a flow.",),
)
def flow_divergence(key, t, y, num_probes=integer(1, 4)):
    """Measure how fast a flow expands volumes."""

    def field_at(point):
        return flow_field(t, point)

    if maybe("exact trace", 0.4):
        jacobian = one_of(jax.jacfwd(field_at)(y), jax.jacrev(field_at)(y))
        return jnp.trace(jacobian)
    _, pull = jax.vjp(field_at, y)
    if maybe("probe signs"):
        probes = jax.random.rademacher(key, (num_probes, y.shape[0]), y.dtype)
    else:
        probes = jax.random.normal(key, (num_probes, y.shape[0]), y.dtype)
    # Hutchinson: E[e^T J e] is the trace.
    estimates = [jnp.vdot(probe, pull(probe)[0]) for probe in probes]
    return sum(estimates) / num_probes


@sketch(
    takes={"x": "vector f[n]", "direction": "vector f[n]"},
    gives={"value": "f[]", "slope": "f[]", "curvature": "f[]"},
    sizes={"n": (2, 64)},
    also=("Directional derivatives of first and second order.",),
)
def directional_expansion(x, direction, normalize=one_of(True, False)):
    """Expand a function along a line to second order."""
    if x.ndim != 1 or x.shape != direction.shape:
        raise ValueError(f"x has shape {x.shape}, the direction {direction.shape}")
    if normalize:
        direction = direction / (jnp.sqrt(direction @ direction) + 1e-3)
    if maybe("nested forward mode"):

        def slope_at(z):
            return jax.jvp(potential, (z,), (direction,))[1]

        value = potential(x)
        slope, curvature = jax.jvp(slope_at, (x,), (direction,))
    else:
        value, first = jax.value_and_grad(potential)(x)
        slope = first @ direction
        curvature = direction @ jax.jvp(jax.grad(potential), (x,), (direction,))[1]
    return {"value": value, "slope": slope, "curvature": curvature}


class LocalModel(NamedTuple):
    """Quadratic model of a function around a point."""

    value: jax.Array
    slope: jax.Array
    hessian: jax.Array

    def __call__(self, step):
        """Evaluate the model at a step from the point."""
        return self.value + self.slope @ step + 0.5 * step @ self.hessian @ step


@sketch(
    takes={"x": "vector f[n]"},
    gives=("vector f[n]: update", "f[]: predicted"),
    sizes={"n": (2, 16)},
    also=("Damped Newton step on a quadratic model.",),
)
def newton_step_from_model(x, damping=number(0.5, 3.0), radius=one_of(1.0, 0.5, 2.0)):
    """Minimize a local quadratic model inside of a trust region."""
    value, slope = jax.value_and_grad(potential)(x)
    hessian = one_of(jax.hessian(potential)(x), jax.jacfwd(jax.grad(potential))(x))
    model = LocalModel(value, slope, (hessian + hessian.T) / 2)
    n = x.shape[0]
    if maybe("eigen step"):
        # Directions of negative curvature are turned around.
        values, vectors = jnp.linalg.eigh(model.hessian)
        move = -vectors @ ((vectors.T @ slope) / (jnp.abs(values) + damping))
    else:
        bound = jnp.max(jnp.sum(jnp.abs(model.hessian), axis=1))
        shifted = model.hessian + (bound + damping) * jnp.eye(n, dtype=x.dtype)
        move = -jnp.linalg.solve(shifted, slope)
    length = jnp.sqrt(move @ move + 1e-12)
    move = move * jnp.minimum(1.0, radius / length)
    return move, model.value - model(move)


@sketch(
    takes={"x": "vector f[n]"},
    gives={"divergence": "f[]", "rotation": "f[]", "log_volume": "f[]"},
    sizes={"n": (2, 16)},
    also=("Invariants of the Jacobian of a map.",),
)
def jacobian_invariants(x, ridge=number(0.01, 0.5)):
    """Split the Jacobian of a map into expansion, rotation and change of volume."""
    jacobian = one_of(jax.jacfwd, jax.jacrev)(vector_map)(x)
    n = x.shape[0]
    assert jacobian.shape == (n, n), f"expected a square Jacobian, got {jacobian.shape}"
    rotation = (jacobian - jacobian.T) / 2
    metric = jacobian.T @ jacobian + ridge * jnp.eye(n, dtype=x.dtype)
    if maybe("cholesky volume"):
        factor = jnp.linalg.cholesky(metric)
        log_volume = jnp.sum(jnp.log(jnp.diagonal(factor)))
    else:
        log_volume = 0.5 * jnp.linalg.slogdet(metric)[1]
    return {
        "divergence": jnp.trace(jacobian),
        "rotation": jnp.sqrt(jnp.sum(rotation**2) + 1e-9),
        "log_volume": log_volume,
    }
