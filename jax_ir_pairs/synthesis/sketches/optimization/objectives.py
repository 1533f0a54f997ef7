"""Test functions of optimization, and systems of equations."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, number, one_of, sketch


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 1024)},
    dtypes="f32 f64",
    also=("Sum the squared residuals of Rosenbrock's curved valley.",),
)
def rosenbrock_valley(x, steepness=one_of(100.0, 10.0, 1.0)):
    """Evaluate the Rosenbrock function, whose minimum lies in a curved valley."""
    x = one_of(3.0 * jnp.tanh(x / 3.0), jnp.clip(x, -3.0, 3.0))
    head, tail = x[:-1], x[1:]
    valley = tail - head * head
    if maybe("sum_valley"):
        return jnp.sum(steepness * jnp.square(valley) + (1.0 - head) ** 2) / 1e2
    return jnp.mean(steepness * valley * valley + (1.0 - head) ** 2)


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (1, 1024)},
    dtypes="f32 f64",
)
def rastrigin_landscape(x, amplitude=number(0.1, 2.0)):
    """Evaluate a bowl with a regular pattern of local minima."""
    ripples = amplitude * (1.0 - jnp.cos(one_of(2 * jnp.pi, jnp.pi, 3.0) * x))
    if maybe("ackley"):
        # Ackley's form: the bowl flattens out far from the center.
        radius = jnp.sqrt(jnp.mean(x * x) + 1e-6)
        return 5.0 * (1.0 - jnp.exp(-0.2 * radius)) + jnp.mean(ripples)
    else:
        return jnp.mean(0.5 * x * x + ripples)


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 512)},
    dtypes="f32 f64",
    also=("Evaluate a convex quadratic whose eigenvalues are spread on purpose.",),
)
def ill_conditioned_bowl(x, condition=one_of(10.0, 100.0, 50.0)):
    """Evaluate a quadratic whose axes have very different curvatures."""
    n = x.shape[0]
    if maybe("log_spectrum"):
        curvature = condition ** jnp.linspace(-1.0, 0.0, n, dtype=x.dtype)
    else:
        curvature = jnp.linspace(1.0 / condition, 1.0, n, dtype=x.dtype)
    center = one_of(0.0, 1.0, jnp.cos(jnp.arange(n, dtype=x.dtype)))
    value = 0.5 * jnp.sum(curvature * (x - center) ** 2) / n
    if maybe("coupled_bowl"):
        value = value + number(0.05, 0.3) * jnp.mean((x - jnp.roll(x, 1)) ** 2)
    return value


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 256)},
    dtypes="f32 f64",
)
def double_well_chain(x, barrier=number(0.2, 2.0), coupling=number(0.1, 1.0)):
    """Measure the energy of a chain of double wells with harmonic coupling."""
    bounded = one_of(jnp.clip(x, -4.0, 4.0), 4.0 * jnp.tanh(x / 4.0))
    wells = barrier * (bounded * bounded - 1.0) ** 2 / 4
    if maybe("periodic_wells"):
        bonds = x - jnp.roll(x, 1)
    else:
        bonds = jnp.diff(x)
    energy = jnp.mean(wells) + 0.5 * coupling * jnp.mean(bonds * bonds)
    if maybe("tilted"):
        # A tilt makes one of the wells deeper.
        energy = energy + number(0.05, 0.5) * jnp.mean(bounded)
    return energy


@sketch(
    takes={"x": "vector f[n]"},
    gives="energy f[]",
    sizes={"n": (2, 128)},
    dtypes="f32 f64",
    also=("Evaluate a smooth maximum of several planes, and a ridge.",),
)
def smoothed_max_of_planes(x, temperature=number(0.3, 2.0), num_planes=one_of(4, 6, 8)):
    """Evaluate a smooth convex function that approximates a maximum of planes."""
    (n,) = x.shape
    rows = jnp.arange(num_planes, dtype=x.dtype)[:, None]
    normals = one_of(jnp.cos, jnp.sin)(rows * jnp.arange(1, n + 1, dtype=x.dtype)) / n
    offsets = one_of(normals @ x + 0.1 * rows[:, 0], normals @ (x - 1.0))
    smooth_max = temperature * jax.nn.logsumexp(offsets / temperature)
    return smooth_max + number(0.01, 0.1) * one_of(jnp.mean(x * x), jnp.mean(jnp.logaddexp(x, -x)))


@sketch(
    takes={"x": "vector f[n]"},
    gives="residual f[n]",
    sizes={"n": (2, 256)},
    dtypes="f32 f64",
)
def boundary_value_residual(x, strength=number(0.1, 1.0)):
    """Evaluate the residual of a nonlinear two-point boundary value problem."""
    padded = one_of(
        jnp.pad(x, 1), jnp.concatenate([jnp.zeros(1, x.dtype), x, jnp.zeros(1, x.dtype)])
    )
    curvature = padded[2:] - 2 * x + padded[:-2]
    if maybe("bratu"):
        # Bratu's problem, u'' + s exp(u) = 0, with the exponential cut off.
        source = strength * jnp.exp(jnp.clip(x, -5.0, 2.0)) / x.shape[0]
    else:
        source = strength * jnp.sin(x)
    return one_of(x - curvature / 4 - source, 2 * x - 0.5 * curvature - source)


@sketch(
    takes={"x": "vector f[n]"},
    gives="residual f[n]",
    sizes={"n": (2, 512)},
    dtypes="f32 f64",
    also=("Evaluate a nonlinear system whose Jacobian is diagonally dominant.",),
)
def broyden_tridiagonal_residual(x, slope=number(1.5, 4.0)):
    """Evaluate a system of equations in which neighbours are coupled."""
    if maybe("cyclic_coupling"):
        left, right = jnp.roll(x, 1), jnp.roll(x, -1)
    else:
        left = jnp.pad(x[:-1], (1, 0))
        right = jnp.pad(x[1:], (0, 1))
    own = slope * x + one_of(
        jnp.tanh(x), 0.5 * jnp.sin(x), jax.nn.softplus(jnp.clip(x, -10.0, 10.0))
    )
    return own - number(0.1, 0.4) * left - number(0.1, 0.4) * jnp.tanh(right) - one_of(1.0, 0.5)
